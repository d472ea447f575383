"""What all tests share."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "house",
    deadline=None,  # how long an example takes says nothing on a shared machine
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("house")

from msgspec import to_builtins
from msgspec.json import decode

from receiver.routes.models import Alive, DiagnoserState, Readiness, StoreState
from tests.routes.service import Service, StubHealth, lose


async def test_the_process_answers(service: Service) -> None:
    """Liveness needs no token and asks nothing of what the process depends on."""
    assert {"status": "ok"} == await service.json("/healthz", Alive, {})


async def test_ready_says_how_the_diagnoser_is_doing(service: Service) -> None:
    """Ready while the store can be read and the diagnoser runs, even where it lags."""
    service.diagnoser.health = StubHealth(lag_ms=1200, pending=7, faults=1)
    expected = Readiness(
        status="ready",
        store=StoreState(available=True),
        diagnoser=DiagnoserState(running=True, pending=7, lag_ms=1200, faults=1),
    )
    assert to_builtins(expected) == await service.json("/readyz", Readiness, {})


async def test_a_dead_diagnoser_is_not_ready(service: Service) -> None:
    """503 with the same shape when the diagnoser's task has ended."""
    service.diagnoser.health = StubHealth(running=False)
    response = await service.get("/readyz", {})
    assert (503, "not_ready") == (response.status, (await response.json())["status"])


async def test_a_part_that_cannot_use_the_store_is_not_ready(service: Service) -> None:
    """503 though a transaction can be begun: one that stores something may fail all the same."""
    service.diagnoser.store_lost = True
    response = await service.get("/readyz", {})
    readiness = decode(await response.read(), type=Readiness)
    assert (503, False) == (response.status, readiness.store.available)


async def test_a_lost_store_is_not_ready(service: Service, database_url: str) -> None:
    """503 when the store cannot be read; the process still answers."""
    lose(database_url)
    response = await service.get("/readyz", {})
    readiness = decode(await response.read(), type=Readiness)
    assert (503, False) == (response.status, readiness.store.available)
    assert 200 == (await service.get("/healthz", {})).status

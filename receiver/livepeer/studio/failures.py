"""What can go wrong when the Studio API is asked, one class for each decision that a caller may take.

    StudioError
    ├── NotConfigured         there is no API key
    ├── Unauthorized          401: the key is not known
    ├── Denied                403: not with this key
    │   ├── UserSuspended     the whole account is suspended
    │   └── InsufficientScope the key may not do this
    ├── NotFound              404: there is no such thing in the key's project
    ├── Invalid               400, 422 and other 4xx: what was asked does not hold
    ├── RateLimited           429, or we still wait after one
    ├── PagesEndless          a list did not end within the bound
    └── Unavailable           5xx, no answer in time, no connection, an answer that cannot be read
        └── Redirected        3xx: never followed

None of them, nor what they are made of, holds a secret: not the key, which a 401 repeats (FACTS 9), nor an id. They are
no HTTP answers of ours (`receiver.errors` has those).
"""

from typing import ClassVar


class StudioError(Exception):
    """The root. `detail` says in one sentence what happened; `status` is that of the answer, None where there was
    none; `errors` are the texts of the API, without secrets."""

    code: ClassVar[str] = "studio_error"

    def __init__(self, detail: str, *, status: int | None = None, errors: tuple[str, ...] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = status
        self.errors = errors


class NotConfigured(StudioError):
    """There is no API key. Nothing was asked."""

    code = "studio_not_configured"


class Unauthorized(StudioError):
    """The API does not know the key, or saw none."""

    code = "studio_unauthorized"


class Denied(StudioError):
    """The API knows the key, and refuses."""

    code = "studio_denied"


class UserSuspended(Denied):
    """The account is suspended: every call is answered so, and no webhook is sent (FACTS 1.3, 10.1)."""

    code = "studio_user_suspended"


class InsufficientScope(Denied):
    """The key may not do this."""

    code = "studio_insufficient_scope"


class NotFound(StudioError):
    """There is no such thing: never, no longer, or in another project than the key's (FACTS 9)."""

    code = "studio_not_found"


class Invalid(StudioError):
    """What was asked does not hold; `errors` say why. Asking again changes nothing."""

    code = "studio_invalid"


class RateLimited(StudioError):
    """Too much was asked. Not before `retry_after_s` seconds have passed."""

    code = "studio_rate_limited"

    def __init__(self, detail: str, *, retry_after_s: float, status: int | None = None) -> None:
        super().__init__(detail, status=status)
        self.retry_after_s = retry_after_s


class PagesEndless(StudioError):
    """A list has more pages than are ever read at once. What was read is true, but there is more."""

    code = "studio_pages_endless"


class Unavailable(StudioError):
    """There was no answer, or none that can be read. It may be another later; whether a call that changes something
    did so is not known."""

    code = "studio_unavailable"


class Redirected(Unavailable):
    """The API pointed elsewhere, where its key is not taken (DESIGN P13)."""

    code = "studio_redirected"

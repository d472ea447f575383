"""What can go wrong, one class for each decision that a caller may take.

    ReceiverError                        500 internal_error
    ├── SettingsError                    (no HTTP) the start is refused, exit code 2
    │   └── Served                       (no HTTP) the same: another process serves the database
    ├── BadRequest                       400 bad_request
    ├── Unauthorized                     401 unauthorized
    ├── Forbidden                        403 scope_missing
    ├── NotFound                         404 not_found
    ├── MethodNotAllowed                 405 method_not_allowed
    ├── Conflict                         409 idempotency_conflict
    ├── BodyTooLarge                     413 body_too_large
    ├── UnsupportedMediaType             415 unsupported_media_type
    ├── InvalidRequest                   422 invalid_request
    ├── DecisionFailed                   502 decision_failed
    ├── DecisionSlow                     504 decision_slow
    └── Unavailable                      503 unavailable: our fault and passing, try again
        ├── StoreUnavailable             503 store_unavailable
        ├── Overloaded                   503 overloaded
        └── BodyTimeout                  503 body_timeout

The HTTP status and the public code sit on the class, so the edge needs no mapping. A `detail` is shown to strangers: it
never holds a secret. What our own faults answer is 503, because the sender never retries after a 4xx (FACTS 1.3).
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, TypedDict

from pydantic import JsonValue


class ReceiverError(Exception):
    """The root. `detail` says in one sentence what happened and what to do; `extra` holds further members of the
    answer's body."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Something went wrong on our side"

    def __init__(
        self, detail: str, *, retry_after_s: int | None = None, extra: Mapping[str, JsonValue] | None = None
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.extra: dict[str, JsonValue] = dict(extra or {})

    def headers(self) -> dict[str, str]:
        """The headers that belong to the answer, apart from its content type."""
        return {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}

    def problem(self) -> dict[str, JsonValue]:
        """The body of the answer (RFC 9457, `application/problem+json`): `title`, `status`, `code`, `detail`, and
        what `extra` holds."""
        return {"title": self.title, "status": self.status, "code": self.code, "detail": self.detail, **self.extra}


class SettingsError(ReceiverError):
    """The settings are wrong or contradict each other, so the start is refused. `detail` names the setting, says what
    is wrong and what to write instead."""

    code = "settings_invalid"
    title = "The settings are not valid"


class Served(SettingsError):
    """Another process serves the database."""

    code = "database_served"
    title = "The database is served already"


class BadRequest(ReceiverError):
    """The request cannot be read at all: no JSON, a cursor that is not ours, an unknown parameter."""

    status = 400
    code = "bad_request"
    title = "The request cannot be read"


class Unauthorized(ReceiverError):
    """No token, or one that we do not know."""

    status = 401
    code = "unauthorized"
    title = "A valid token is needed"

    def headers(self) -> dict[str, str]:
        """Names the scheme that is wanted (RFC 6750)."""
        return {**super().headers(), "WWW-Authenticate": 'Bearer realm="receiver"'}


class Forbidden(ReceiverError):
    """The token is known, but lacks the scope."""

    status = 403
    code = "scope_missing"
    title = "The token's scope does not allow this"


class NotFound(ReceiverError):
    """There is no such thing, or no such path."""

    status = 404
    code = "not_found"
    title = "There is no such thing"


class MethodNotAllowed(ReceiverError):
    """The path exists, but not for this method. `allowed` are the methods that it knows."""

    status = 405
    code = "method_not_allowed"
    title = "The method is not allowed here"

    def __init__(self, detail: str, *, allowed: Sequence[str]) -> None:
        super().__init__(detail)
        self.allowed = tuple(sorted(allowed))

    def headers(self) -> dict[str, str]:
        """Names the methods that are allowed (RFC 9110, 15.5.6)."""
        return {**super().headers(), "Allow": ", ".join(self.allowed)}


class Conflict(ReceiverError):
    """Another body came under the same `Idempotency-Key`."""

    status = 409
    code = "idempotency_conflict"
    title = "The idempotency key stands for another request"


class BodyTooLarge(ReceiverError):
    """The body is larger than we read."""

    status = 413
    code = "body_too_large"
    title = "The body is too large"


class UnsupportedMediaType(ReceiverError):
    """The body is of a kind that we do not read."""

    status = 415
    code = "unsupported_media_type"
    title = "The body must be JSON"


class FieldError(TypedDict):
    """One thing that is wrong with a request: `pointer` is a JSON pointer into its body, or a parameter's name."""

    pointer: str
    detail: str


class InvalidRequest(ReceiverError):
    """The request can be read, but what it says does not hold. `errors` lists everything that is wrong."""

    status = 422
    code = "invalid_request"
    title = "The request is not valid"

    def __init__(self, detail: str, errors: Sequence[FieldError]) -> None:
        listed: list[JsonValue] = [{"pointer": error["pointer"], "detail": error["detail"]} for error in errors]
        super().__init__(detail, extra={"errors": listed})
        self.errors = tuple(errors)


class DecisionFailed(ReceiverError):
    """The operator's own service, which decides who may watch, gave no decision."""

    status = 502
    code = "decision_failed"
    title = "The gate's decision URL failed"


class DecisionSlow(ReceiverError):
    """It gave none in time."""

    status = 504
    code = "decision_slow"
    title = "The gate's decision URL is too slow"


class Unavailable(ReceiverError):
    """A fault of ours that passes: the same request may succeed after `retry_after_s`."""

    status = 503
    code = "unavailable"
    title = "Not possible at the moment"

    def __init__(self, detail: str, *, retry_after_s: int = 5, extra: Mapping[str, JsonValue] | None = None) -> None:
        super().__init__(detail, retry_after_s=retry_after_s, extra=extra)


class StoreUnavailable(Unavailable):
    """The database cannot be read or written. Where what it holds is `damaged`, nothing more is to be entrusted to it
    until that is mended."""

    code = "store_unavailable"
    title = "The store is not available"

    def __init__(self, detail: str, *, retry_after_s: int = 5, damaged: bool = False) -> None:
        super().__init__(detail, retry_after_s=retry_after_s)
        self.damaged = damaged


class Overloaded(Unavailable):
    """More work waits than we promise to carry out in time."""

    code = "overloaded"
    title = "Too much work is waiting"


class BodyTimeout(Unavailable):
    """The body did not arrive in time. A 408 would lose the event: the sender never retries after a 4xx."""

    code = "body_timeout"
    title = "The body did not arrive in time"


def underlying(error: BaseException) -> str:
    """What the system or the database said where `error` only says what it means for the caller. For the log and the
    command line, not for strangers."""
    cause = error.__cause__ or error
    return f"{type(cause).__name__}: {getattr(cause, 'orig', None) or cause}"

"""Webhooks and the log of their calls, as the Studio API answers them (FACTS 1.3 to 1.5, 9)."""

import base64
import binascii
import hmac
from collections.abc import Callable, Sequence
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from pydantic import BeforeValidator, Field

from receiver.livepeer.reading import read_name, read_text
from receiver.livepeer.redaction import redact_text
from receiver.livepeer.studio.values import (
    Flag,
    Id,
    Moment,
    Name,
    Names,
    Number,
    Part,
    Said,
    Shape,
    Url,
    Whole,
)

Known: TypeAlias = Literal["current", "ours", "other"]
"""A webhook's secret beside those of this service: the first of them, a further one, or none of them."""
CURRENT: Final[frozenset[Known]] = frozenset({"current"})
_LONGEST_RESPONSE: Final = 1024
"""The log has no more of an answer (FACTS 1.1)."""
_LONGEST_ENCODED: Final = 64 << 10


def known_secret(secrets: Sequence[str]) -> Callable[[str], Known]:
    """What tells whether a secret is one of these, the current one first, in constant time."""
    known = [secret.encode() for secret in secrets]

    def compare(secret: str) -> Known:
        given = secret.encode("utf-8", "surrogatepass")
        same = [hmac.compare_digest(one, given) for one in known]
        if not any(same):
            return "other"
        return "current" if same[0] else "ours"

    return compare


def _decoded(value: object) -> str | None:
    """The text of an answer, of which the API gives the base64."""
    if not isinstance(value, str):
        return None
    try:
        text = base64.b64decode(value[:_LONGEST_ENCODED], validate=False).decode("utf-8", "replace")
    except binascii.Error:
        return None
    said = read_text(text, _LONGEST_RESPONSE)
    return None if said is None else redact_text(said)


def _bytes(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else b""


Response: TypeAlias = Annotated[str | None, BeforeValidator(_decoded)]


class LastFailure(Shape):
    """The last call that failed. `status_code` is None without an answer, `error` on a time-out and on an answer."""

    at_ms: Moment = Field(None, validation_alias="timestamp")
    status_code: Whole = Field(None, validation_alias="statusCode")
    error: Said = None
    response: Response = Field(None, repr=False)


class WebhookStatus(Shape):
    """How the calls went. It lags a minute, and a failure stays when later calls succeed: it is the last call that
    failed where `last_failure.at_ms` is `last_triggered_ms` (FACTS 1.5)."""

    last_triggered_ms: Moment = Field(None, validation_alias="lastTriggeredAt")
    last_failure: Part[LastFailure] = Field(None, validation_alias="lastFailure")


class Webhook(Shape):
    """A registration. `secret` says how its secret compares with ours; `none`: its calls are not signed. The URL may
    hold credentials: `shown_url` has none. `stream_id` does not filter anything (FACTS 1.3)."""

    id: Id
    name: Said = None
    url: Url = Field(None, repr=False)
    events: Names = ()
    stream_id: Name = Field(None, validation_alias="streamId")
    project_id: Name = Field(None, validation_alias="projectId")
    created_ms: Moment = Field(None, validation_alias="createdAt")
    secret: Literal["none", "current", "ours", "other"] = "none"  # noqa: S105 -- says that there is none
    status: Part[WebhookStatus] = None

    @property
    def shown_url(self) -> str | None:
        """The URL without credentials and query."""
        return None if self.url is None else redact_text(self.url)


class _Event(msgspec.Struct):
    id: object = None


class LogRequest(Shape):
    """What was sent. `body` are the bytes of the delivery; it may hold secrets, and is not shown."""

    url: Url = Field(None, repr=False)
    method: Name = None
    headers: Part["LogHeaders"] = None
    body: Annotated[bytes, BeforeValidator(_bytes)] = Field(b"", repr=False)

    @property
    def shown_url(self) -> str | None:
        """The URL without credentials and query."""
        return None if self.url is None else redact_text(self.url)


class LogHeaders(Shape):
    """Of the headers that were sent, the signature; None where there was no secret."""

    signature: Name = Field(None, repr=False, validation_alias="Livepeer-Signature")


class LogResponse(Shape):
    """What was answered; `status` is None where nothing was."""

    status: Whole = None
    status_text: Said = Field(None, validation_alias="statusText")
    body: Response = Field(None, repr=False)


class LogEntry(Shape):
    """One attempt at a delivery. `success` is what the sender believes: it may have been a bodiless GET after a
    redirect (FACTS 1.3). A retry and a resend have entries of their own, for the same `event_id`."""

    id: Id
    webhook_id: Name = Field(None, validation_alias="webhookId")
    event: Name = None
    created_ms: Moment = Field(None, validation_alias="createdAt")
    duration_s: Number = Field(None, validation_alias="duration")
    success: Flag = None
    request: Part[LogRequest] = None
    response: Part[LogResponse] = None

    @property
    def event_id(self) -> str | None:
        """The event's id, of which the log tells only within the body (FACTS 9)."""
        try:
            return read_name(msgspec.json.decode(self.body, type=_Event).id)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None

    @property
    def body(self) -> bytes:
        """The raw body of the delivery; empty where the log has none."""
        return b"" if self.request is None else self.request.body

    @property
    def signature(self) -> str | None:
        """The header `Livepeer-Signature` of the delivery."""
        return None if self.request is None or self.request.headers is None else self.request.headers.signature

    @property
    def status(self) -> int | None:
        """The status of the answer; None where there was none."""
        return None if self.response is None else self.response.status

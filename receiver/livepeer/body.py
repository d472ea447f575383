"""The members of a body that anything here looks at. The others, three quarters of an asset's, are checked to be JSON
and passed over.

A member that is missing here reads as absent, so what `receiver.intake` asks for must stand here; a test compares both
ways of reading. What has not the type that FACTS gives it reads as absent too: a body that holds such a thing, or that
has a form which only the public documentation knows, is decoded whole, and `fitted` picks from it what fits.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from types import NoneType
from typing import Annotated, Any, Final, TypeAlias, TypeVar, get_args

import msgspec
from msgspec import UNSET, Struct, UnsetType
from pydantic import JsonValue

MAX_ID_CHARS: Final = 200
LATEST_MS: Final = 253_402_300_799_999
"""The end of the year 9999: the last moment that a calendar here can show."""


class Status(Struct, frozen=True, gc=False, rename="camel"):
    """Of an asset or a task."""

    phase: str | None = None
    updated_at: int | None = None
    error_message: str | None = None
    progress: Any = None


class Source(Struct, frozen=True, gc=False, rename="camel"):
    """What an asset is made of."""

    type: str | None = None
    session_id: str | None = None


class Snapshot(Struct, frozen=True, gc=False, rename="camel"):
    """An asset or a task."""

    id: str | None = None
    status: Status | None = None
    source: Source | None = None
    output_asset_id: str | None = None
    playback_url: str | None = None


class Work(Struct, frozen=True, gc=False):
    """Where `payload` has an asset or a task."""

    snapshot: Snapshot | None = None


class Session(Struct, frozen=True, gc=False, rename="camel"):
    """FACTS 2.2."""

    id: str | None = None
    parent_id: str | None = None
    created_at: int | None = None
    record: bool | None = None
    asset_id: str | None = None
    recording_url: str | None = None


class Payload(Struct, frozen=True, gc=False, rename="camel"):
    """As it is now, or with the snapshot at its top, for webhooks made before 2024-07-28 (FACTS 3)."""

    session: Session | None = None
    asset: Work | None = None
    task: Work | None = None
    snapshot: Snapshot | None = None
    recording_url: str | None = None
    success: bool | None = None
    parent_id: UnsetType = UNSET
    """Only a bare session has one: it is to be put where the sender puts it."""


class Stream(Struct, frozen=True, gc=False, rename="camel"):
    """FACTS 2.1."""

    id: str | None = None
    parent_id: str | None = None
    name: str | None = None
    playback_id: str | None = None
    record: bool | None = None
    suspended: bool | None = None
    deleted: bool | None = None
    source_segments: int | None = None


Identifier: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ID_CHARS)]
Time: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=LATEST_MS)]


class Body(Struct, frozen=True, gc=False, rename="camel"):
    """As Livepeer sends it (FACTS 1.1), without what only the documented form and a gate's body have."""

    id: Identifier
    webhook_id: Identifier
    event: Identifier
    created_at: Time
    timestamp: Time
    stream: Stream | None = None
    payload: Payload | None = None
    documented: UnsetType = msgspec.field(default=UNSET, name="event_object")
    context: UnsetType = UNSET
    access_key: UnsetType = UNSET


T = TypeVar("T", bound=Struct)
_DECODER: Final = msgspec.json.Decoder(Body)


def members(body: bytes) -> Body | None:
    """What is looked at of a body as Livepeer sends it, None for any other: it is to be decoded whole."""
    try:
        if not body.isascii():
            body.decode()  # texts that are passed over are not even checked for that
        return _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def fitted(kind: type[T], value: Mapping[str, JsonValue]) -> T:
    """What is looked at of an object that was decoded whole."""
    return kind(**{name: _fitting(wanted, value.get(key)) for name, key, wanted in _members_of(kind)})


@cache
def _members_of(kind: type[Struct]) -> Sequence[tuple[str, str, Any]]:
    """Name, key, and what may stand there, of those that may be there at all."""
    fields = [field for field in msgspec.structs.fields(kind) if field.type is not UnsetType]
    return [(field.name, field.encode_name, _wanted(field.type)) for field in fields]


def _wanted(annotation: Any) -> Any:  # noqa: ANN401 -- of a field
    return next((kind for kind in get_args(annotation) if kind is not NoneType), object)


def _fitting(wanted: type, value: JsonValue) -> object:
    if issubclass(wanted, Struct):
        return fitted(wanted, value) if isinstance(value, dict) else None
    return value if wanted is object or type(value) is wanted else None

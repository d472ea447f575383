"""The members of a body that anything here looks at. The others, three quarters of an asset's, are checked to be JSON
and passed over.

A member that is missing here reads as absent, so what `receiver.intake` asks for must stand here; a test compares both
ways of reading. Leaves are of any type: whoever asks for one judges it. Where an object is asked for and something else
stands there, or a name is told apart that only the public documentation uses, the whole body is decoded.
"""

from typing import Any, Final, TypedDict, cast

import msgspec


class _Status(TypedDict, total=False):
    phase: Any
    updatedAt: Any
    errorMessage: Any
    progress: Any


class _Source(TypedDict, total=False):
    type: Any
    sessionId: Any


class _Snapshot(TypedDict, total=False):
    """An asset or a task."""

    id: Any
    status: _Status | None
    source: _Source | None
    outputAssetId: Any
    playbackUrl: Any


class _Work(TypedDict, total=False):
    id: Any
    snapshot: _Snapshot | None


class _Session(TypedDict, total=False):
    id: Any
    parentId: Any
    createdAt: Any
    record: Any
    assetId: Any
    recordingUrl: Any


class _Payload(_Session, total=False):
    """As it is now, or flattened, or a bare session."""

    session: _Session | None
    asset: _Work | None
    task: _Work | None
    snapshot: _Snapshot | None
    success: Any


class _Stream(TypedDict, total=False):
    id: Any
    parentId: Any
    name: Any
    playbackId: Any
    record: Any
    suspended: Any
    deleted: Any
    sourceSegments: Any


class _Body(TypedDict, total=False):
    id: Any
    webhookId: Any
    event: Any
    createdAt: Any
    timestamp: Any
    stream: _Stream | None
    payload: _Payload | None
    event_object: Any
    context: Any
    accessKey: Any


_DECODER: Final = msgspec.json.Decoder(_Body)


def members(body: bytes) -> dict[str, Any] | None:
    """What is looked at of a body as Livepeer sends it, None for any other: it is to be decoded whole."""
    try:
        if not body.isascii():
            body.decode()  # texts that are passed over are not even checked for that
        found = cast("dict[str, Any]", _DECODER.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found if "id" in found else None

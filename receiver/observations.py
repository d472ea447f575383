"""What no webhook tells: facts reported by the operator's own systems, stored as signals.

An observation stands in the same log as the events, so that every conclusion can be rebuilt from it. A reported stream
key is a secret: what is kept of it is a keyed digest, and whether it can belong to the stream at all (P10, FACTS 2.3).
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr
from sqlalchemy import Connection

from receiver.diagnosis.ordering import position
from receiver.diagnosis.values import PlaybackError
from receiver.errors import Conflict, FieldError, InvalidRequest
from receiver.ids import Ids, public_id
from receiver.redaction import redact_text
from receiver.storage.engine import Database
from receiver.storage.queries import observations as store
from receiver.stream_keys import key_digest
from receiver.times import Moment

AHEAD_MS = 5 * 60_000
"""How far a reporter's clock may run ahead of ours."""
BEHIND_MS = 7 * 24 * 3_600_000
"""How old a report may be: a recording's failure, the longest memory there is, fades after as long."""
Kind: TypeAlias = Literal["publish_intent", "publish_rejected", "playback_error", "playback_ok", "recording_requested"]
_OF_PUBLISHING = frozenset({"publish_intent", "publish_rejected"})
_STREAM_KEY = re.compile(r"[0-9a-z]{4}(-[0-9a-z]{4}){3}", re.ASCII | re.IGNORECASE)
_INGEST_URL = re.compile(r"(rtmps?|https?)://[^/?#]+(?P<path>.*)", re.ASCII | re.IGNORECASE)
_INGEST_PATHS = {"rtmp": re.compile(r"/live/([^/?#]+)"), "http": re.compile(r"/webrtc/([^/?#]+)")}
"""Of the ways in (FACTS 6): RTMP, and WHIP."""
_PLAYBACK_ID = re.compile(r"[0-9a-z]{16}(-test)?", re.ASCII)


def _no_stream_key(text: str) -> str:
    if _STREAM_KEY.fullmatch(text):
        raise ValueError("looks like a stream key, which is a secret and no id; report a key as `stream_key`")
    return text


Identifier = Annotated[str, Field(pattern=r"^[!-~]{1,200}$"), AfterValidator(_no_stream_key)]


class NewObservation(BaseModel):
    """What `POST /v1/observations` takes. At least one of the three ids is needed; `stream_id` is the surest."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)

    kind: Kind
    stream_id: Identifier | None = Field(None, description="The stream's id, as Livepeer gives it.")
    playback_id: Identifier | None = Field(None, description="What the player was given.")
    session_id: Identifier | None = None
    at: Moment | None = Field(
        None, description="When it was observed, with its zone; not over 5 minutes ahead nor 7 days ago. Left out: now."
    )
    error: PlaybackError | None = Field(
        None, description="Of a `playback_error`; left out, it is read from `http_status` and `message`."
    )
    http_status: int | None = Field(None, ge=100, le=599, description="What the player or encoder was answered.")
    message: str | None = Field(None, max_length=1000, description="What it said; secrets are taken out of it.")
    stream_key: SecretStr | None = Field(
        None, min_length=1, max_length=200, description="The key that the encoder used; only a keyed digest is kept."
    )
    ingest_url: SecretStr | None = Field(
        None,
        min_length=1,
        max_length=2000,
        description="The URL that the encoder pushes to; only whether it leads to Livepeer's ingest is kept, and of its"
        " key what is kept of `stream_key`.",
    )


@dataclass(frozen=True, slots=True)
class Reported:
    """An observation as it is stored. `replayed`: the caller's key stood for it already."""

    id: str
    received_ms: int
    stored: Mapping[str, Any]
    replayed: bool


async def report(
    observed: NewObservation, *, key: str | None, database: Database, ids: Ids, now_ms: int, digest_key: bytes
) -> Reported:
    """Store an observation durably, once for each `key`, the caller's own for this request.

    Raises InvalidRequest for what contradicts itself or is out of time, Conflict for another request under the same
    key, StoreUnavailable.
    """
    _check(observed, now_ms)
    stored = _stored_form(observed, now_ms, digest_key)
    new = _signal(observed, stored, ids, now_ms)
    work = partial(_store, new=new, key=key, digest=_request_digest(observed, digest_key))
    return await database.write(work, bears=False)


def _store(conn: Connection, new: store.NewSignal, key: str | None, digest: str) -> Reported:
    known = None if key is None else store.kept(conn, key)
    if known is not None:
        if not hmac.compare_digest(known.digest, digest):
            raise Conflict("Another request was made under this Idempotency-Key. Use a new key for a new observation.")
        return Reported(known.signal_id, known.received_ms, json.loads(known.body), replayed=True)
    store.append(conn, new)
    if key is not None:
        store.keep(conn, key, digest, new)
    return Reported(new.id, new.received_ms, json.loads(new.body), replayed=False)


def _check(observed: NewObservation, now_ms: int) -> None:
    errors = list(_contradictions(observed, now_ms))
    if errors:
        raise InvalidRequest("The observation is not valid.", errors)


def _contradictions(observed: NewObservation, now_ms: int) -> list[FieldError]:
    at_ms = now_ms if observed.at is None else observed.at
    rules = (
        (
            not (observed.stream_id or observed.playback_id or observed.session_id),
            "/stream_id",
            "one of stream_id, playback_id and session_id must say what this is about",
        ),
        (at_ms > now_ms + AHEAD_MS, "/at", "must not be more than 5 minutes in the future"),
        (at_ms < now_ms - BEHIND_MS, "/at", "must not be more than 7 days ago"),
        (
            observed.error is not None and observed.kind != "playback_error",
            "/error",
            "belongs to a playback_error only",
        ),
        *(
            (
                given is not None and observed.kind not in _OF_PUBLISHING,
                pointer,
                "belongs to publish_intent and publish_rejected only",
            )
            for pointer, given in (("/stream_key", observed.stream_key), ("/ingest_url", observed.ingest_url))
        ),
    )
    return [{"pointer": pointer, "detail": detail} for broken, pointer, detail in rules if broken]


def _stored_form(observed: NewObservation, now_ms: int, digest_key: bytes) -> dict[str, Any]:
    """What `receiver.intake.read_observation` reads; what is not known is left out."""
    form: dict[str, Any] = {
        "kind": observed.kind,
        "stream_id": observed.stream_id,
        "playback_id": observed.playback_id,
        "session_id": observed.session_id,
        "at_ms": now_ms if observed.at is None else observed.at,
        "error": observed.error,
        "http_status": observed.http_status,
        "message": None if observed.message is None else redact_text(observed.message),
        **_of_key(observed, digest_key),
    }
    return {name: value for name, value in form.items() if value is not None}


def _of_key(observed: NewObservation, digest_key: bytes) -> dict[str, Any]:
    """What may be known of a stream key: the first four characters of a stream's id, its playback id and its key are
    the same, and a playback id has 16 characters and no dashes between them (FACTS 2.3)."""
    path_is_live, stream_key = _pushed_to(observed)
    found: dict[str, Any] = {"ingest_path_is_live": path_is_live}
    if stream_key is None:
        return found
    named = observed.stream_id or observed.playback_id
    return found | {
        "key_digest": key_digest(digest_key, stream_key),
        "key_prefix_matches": None if named is None else named[:4] == stream_key[:4],
        "key_is_playback_id": stream_key == observed.playback_id or _PLAYBACK_ID.fullmatch(stream_key) is not None,
    }


def _pushed_to(observed: NewObservation) -> tuple[bool | None, str | None]:
    """Whether the encoder's path is `/live/` and a key (FACTS 6), and the key that was used, as far as it is told."""
    stream_key = None if observed.stream_key is None else observed.stream_key.get_secret_value()
    if observed.ingest_url is None:
        return None, stream_key
    url = _INGEST_URL.fullmatch(observed.ingest_url.get_secret_value())
    if url is None:
        return None, stream_key
    path = _INGEST_PATHS[url[1][:4].lower()].fullmatch(url["path"])
    return path is not None, stream_key or (None if path is None else path[1])


def _signal(observed: NewObservation, stored: Mapping[str, Any], ids: Ids, now_ms: int) -> store.NewSignal:
    seq = ids.next()
    signal_id, kind = public_id("obs", seq), f"observation.{observed.kind}"
    at_ms = now_ms if observed.at is None else observed.at
    return store.NewSignal(
        seq=seq,
        pending_seq=ids.next(),
        id=signal_id,
        source="observation",
        kind=kind,
        stream_id=observed.stream_id,
        session_id=observed.session_id,
        playback_id=observed.playback_id if observed.stream_id is None else None,
        position=position(at_ms, kind, signal_id),
        at_ms=at_ms,
        received_ms=now_ms,
        body=json.dumps(stored, ensure_ascii=False, separators=(",", ":")).encode(),
    )


def _request_digest(observed: NewObservation, digest_key: bytes) -> str:
    """Of what the request says, not of how it is written; keyed, for it covers the stream key."""
    said = observed.model_dump(exclude={"stream_key", "ingest_url"}, exclude_none=True)
    for name in ("stream_key", "ingest_url"):
        secret: SecretStr | None = getattr(observed, name)
        if secret is not None:
            said[name] = secret.get_secret_value()
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return hmac.new(digest_key, b"receiver observation " + text.encode(), hashlib.sha256).hexdigest()

"""Why was playback refused: the question as it is asked, and what is known to answer it with.

The credentials in a question are read and forgotten: they are in no log line, answer, error or repr (P10).
"""

from typing import Any, Protocol

from msgspec import MsgspecError, Struct
from msgspec.json import Decoder
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from sqlalchemy import Connection

from receiver.diagnosis.looks import GateTally
from receiver.diagnosis.refusal import Access, Asked, Explained, GateHistory, Known, explain
from receiver.diagnosis.state import Decided
from receiver.observations import Identifier
from receiver.storage.engine import Database
from receiver.storage.queries.streams import stream_of_playback

MAX_TOKEN = 16_384
"""Longer than any that could work, so that one that is too long is explained, too."""
MAX_TEXT = 2000


class PlaybackQuestion(BaseModel):
    """What `POST /v1/playback/explain` takes: what the player has."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)

    playback_id: Identifier = Field(description="What the player was given.")
    jwt: SecretStr | None = Field(None, max_length=MAX_TOKEN, description="The viewer's token; read, never kept.")
    access_key: SecretStr | None = Field(None, max_length=MAX_TEXT, description="Likewise.")
    origin: str | None = Field(
        None,
        max_length=MAX_TEXT,
        description="The page's origin, as the browser sends it; empty where the player sends none.",
    )
    error: str | None = Field(None, max_length=MAX_TEXT, description="What the player said, or the gate.")

    @property
    def asked(self) -> Asked:
        """The question as it is thought about."""
        return Asked(self.playback_id, _secret(self.jwt), _secret(self.access_key), self.origin, self.error)


class AccessFacts(Protocol):
    """Who knows what decides about access."""

    async def __call__(self, playback_id: str) -> Access:
        """What is known of the content behind a playback id; what is not known is None. Raises StoreUnavailable."""


class StoredAccess:
    """Knows what the store says."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def __call__(self, playback_id: str) -> Access:
        """See `AccessFacts`."""
        return await self._database.read(lambda conn: stored_access(conn, playback_id))


async def explain_playback(question: PlaybackQuestion, facts: AccessFacts, now_ms: int) -> Explained:
    """Why playback is refused, or that it is not, or what is not known. Raises StoreUnavailable."""
    return explain(question.asked, await facts(question.playback_id), now_ms)


def stored_access(conn: Connection, playback_id: str) -> Access:
    """What the events of a stream said of it. That it is not suspended was true at its last event only, and is no
    knowledge of now."""
    row = stream_of_playback(conn, playback_id)
    if row is None:
        return Access()
    try:
        state = _STATE.decode(row.folded or "{}")
    except MsgspecError:
        return Access(stream_id=row.id)
    return Access(
        stream_id=row.id,
        gate=None if state.gate is None else _history(state.gate.tally),
        suspended=_if_true(holds=state.suspended),
        deleted=_if_true(holds=state.deleted is not None),
    )


class _State(Struct):
    """What counts here of `receiver.diagnosis.state.StreamState`."""

    suspended: bool = False
    deleted: Any = None
    gate: Decided | None = None


_STATE = Decoder(_State)


def _history(tally: GateTally) -> GateHistory:
    """What was decided last of this content, about whomever."""
    asked = tally.allowed + tally.denied + tally.failed + tally.slow + tally.no_key
    return GateHistory(asked, tally.denied, tally.failed, tally.slow, tally.refused)


def _if_true(*, holds: bool) -> Known[bool] | None:
    return Known(holds, "store") if holds else None


def _secret(given: SecretStr | None) -> str | None:
    return None if given is None else given.get_secret_value()

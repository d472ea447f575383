"""Rows for the tests of the API, written as the inbox and the diagnoser write them."""

import json
from typing import Any, cast

from sqlalchemy import Connection, insert

from receiver.diagnosis.catalogue import CATALOGUE
from receiver.diagnosis.ordering import position
from receiver.storage import callers
from receiver.storage.event_keys import event_key
from receiver.storage.tables import (
    BodyRow,
    DeliveryRow,
    DiagnosisRow,
    FailingRow,
    PlaceRow,
    SignalRow,
    SubjectRow,
    TransitionRow,
    table_of,
)

NOW_MS = 1_726_153_200_000
"""2024-09-12T15:00:00.000Z"""
STREAM_ID = "7c1ea8c3-7aeb-4789-9460-a106bfc33508"
SESSION_ID = "cd145c0e-078f-4e39-9e7f-5269fba36974"
PLAYBACK_ID = "7c1ek7izba9nzj4b"
WEBHOOK_ID = "c0ae0056-4649-4aa9-af59-e281a258d649"


def condition(kind: str, **changes: object) -> dict[str, Any]:
    """A condition as it is stored; unknown, unless `changes` say otherwise."""
    return {
        "type": kind,
        "status": "unknown",
        "reason": "NotAsked",
        "message": "Nothing is known yet.",
        "certainty": None,
        "severity": "info",
        "since_ms": None,
        "observed_at_ms": None,
        "evidence": [],
        "next_check_ms": None,
        "muted_by": None,
        **changes,
    }


def failing(kind: str, reason: str, **changes: object) -> dict[str, Any]:
    """A condition that is true."""
    return condition(
        kind,
        status="true",
        reason=reason,
        message="It fails.",
        certainty="suspected",
        since_ms=NOW_MS,
        observed_at_ms=NOW_MS + 1,
        evidence=[{"kind": "stream.idle", "id": "ev-1", "at_ms": NOW_MS, "text": "`stream.idle` at 15:00:00Z."}],
        **changes,
    )


def five(*true: dict[str, Any]) -> list[dict[str, Any]]:
    """A stream's conditions, with these among them."""
    given = {one["type"]: one for one in true}
    return [given.get(kind, condition(kind)) for kind in CATALOGUE]


def add_subject(conn: Connection, kind: str, subject_id: str, **changes: object) -> None:
    """A subject. `conditions` and `folded` are values; what is true is indexed as well."""
    conditions = cast("list[dict[str, Any]]", changes.pop("conditions", five() if kind == "stream" else []))
    folded = changes.pop("folded", None)
    row = {
        "stream_id": None,
        "playback_id": None,
        "name": None,
        "state": None,
        "state_since_ms": None,
        "record": None,
        "recording_url": None,
        "started_ms": None,
        "last_event_ms": None,
        "position": None,
        "folded_count": 0,
        "deadline_ms": None,
        "fault": None,
        **changes,
    }
    conn.execute(
        insert(SubjectRow).values(
            kind=kind,
            id=subject_id,
            conditions=json.dumps(conditions),
            folded=None if folded is None else json.dumps(folded),
            **row,
        )
    )
    for one in conditions:
        if one["status"] == "true":
            listed = {name: row[name] if kind == "stream" else None for name in ("state", "last_event_ms")}
            conn.execute(insert(FailingRow).values(kind=kind, id=subject_id, condition=one["type"], **listed))


def add_stream(conn: Connection, stream_id: str = STREAM_ID, **changes: object) -> None:
    """A stream that is idle."""
    row: dict[str, object] = {
        "name": "town-hall",
        "playback_id": PLAYBACK_ID,
        "state": "idle",
        "state_since_ms": NOW_MS,
        "last_event_ms": NOW_MS,
        "record": True,
    }
    add_subject(conn, "stream", stream_id, **{**row, **changes})


def add_session(conn: Connection, session_id: str = SESSION_ID, **changes: object) -> None:
    """A session that is being processed."""
    row: dict[str, object] = {
        "stream_id": STREAM_ID,
        "state": "processing",
        "state_since_ms": NOW_MS,
        "started_ms": NOW_MS,
        "record": True,
        "conditions": [condition("recording_not_available", reason="AwaitingRecording")],
    }
    add_subject(conn, "session", session_id, **{**row, **changes})


def add_signal(conn: Connection, signal_id: str, seq: int, **changes: object) -> None:
    """An event of the stream, or what `changes` make of it, which the diagnoser has looked at."""
    row: dict[str, Any] = {
        "webhook_id": WEBHOOK_ID,
        "source": "webhook",
        "kind": "stream.idle",
        "stream_id": STREAM_ID,
        "session_id": None,
        "playback_id": None,
        "created_ms": NOW_MS + seq,
        "attempted_ms": NOW_MS + seq,
        "first_received_ms": NOW_MS + seq + 5,
        "last_received_ms": NOW_MS + seq + 9,
        "attempts": 1,
        "flag": None,
        "body": b"{}",
        **changes,
    }
    where = position(row["created_ms"] or 0, row["kind"], signal_id)
    whole: dict[str, Any] = {
        "seq": seq,
        "at_ms": row["created_ms"] or 0,
        "key": event_key(signal_id, str(row["webhook_id"])),
        "id": signal_id,
        "position": where,
        **row,
    }
    for table in map(table_of, (SignalRow, PlaceRow, BodyRow)):
        conn.execute(insert(table).values({column.name: whole[column.name] for column in table.c}))
    if whole["webhook_id"] and whole["stream_id"]:
        callers.save(conn, [(str(whole["webhook_id"]), str(whole["stream_id"]))])


def add_diagnosis(conn: Connection, seq: int, **changes: object) -> str:
    """An open diagnosis of the session's recording; gives its id."""
    row = {
        "id": f"dg_{seq}",
        "condition": "recording_not_available",
        "reason": "RecordingNotQueued",
        "status": "open",
        "certainty": "suspected",
        "severity": "warning",
        "subject_kind": "session",
        "subject_id": SESSION_ID,
        "stream_id": STREAM_ID,
        "session_id": SESSION_ID,
        "playback_id": PLAYBACK_ID,
        "message": "The recording has not been queued.",
        "evidence": json.dumps([{"kind": "stream.idle", "id": "ev-1", "at_ms": NOW_MS, "text": "idle"}]),
        "since_ms": NOW_MS,
        "opened_ms": NOW_MS + seq,
        "updated_ms": NOW_MS + seq,
        "resolved_ms": None,
        "resolution": None,
        "regressions": 0,
        "muted_by": None,
        **changes,
    }
    conn.execute(insert(DiagnosisRow).values(seq=seq, **row))
    return str(row["id"])


def add_transition(conn: Connection, seq: int, diagnosis_id: str, **changes: object) -> None:
    """A step in the life of a diagnosis."""
    row = {
        "at_ms": NOW_MS + seq,
        "status": "open",
        "reason": "RecordingNotQueued",
        "certainty": "suspected",
        "cause": "time passed",
        **changes,
    }
    conn.execute(insert(TransitionRow).values(seq=seq, diagnosis_id=diagnosis_id, **row))


def add_delivery(conn: Connection, seq: int, **changes: object) -> None:
    """An accepted delivery."""
    row = {
        "received_ms": NOW_MS + seq,
        "verdict": "accepted",
        "code": "stored",
        "remote": "192.0.2.1",
        "bytes": 900,
        "event_id": "ev-1",
        "webhook_id": WEBHOOK_ID,
        "event": "stream.idle",
        "created_ms": NOW_MS,
        "timestamp_ms": NOW_MS,
        "secret_id": "0a1b2c3d",
        "shaped": True,
        **changes,
    }
    conn.execute(insert(DeliveryRow).values(seq=seq, **row))

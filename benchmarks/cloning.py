"""A store with a long history, made of one batch of streams again and again: with other ids, at another time.

What is folded and said of a stream is copied as it is, so that nothing can be rebuilt from such a store; what lists
are made of is all there. Bodies are small. Most streams are idle; one in ten has a recording that failed, as in
`traffic`, or something else that did. For each filter there is a page to be found in a hundred thousand events, of
some in any such number, of others only in the first: what is rare, and long ago, is what takes long to find.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias
from zlib import crc32

from filling import BATCH_EACH_MS, fill
from sqlalchemy import Connection, Table, delete, insert, select, true, update
from traffic import WEBHOOK_ID

from receiver.ids import first_of, public_id
from receiver.storage.bulk import Rows
from receiver.storage.engine import Database
from receiver.storage.event_keys import event_key
from receiver.storage.tables import (
    Base,
    CoverageRow,
    SubjectRow,
    table_of,
)

Record: TypeAlias = dict[str, Any]
SECOND_WEBHOOK = "7be4b4ce-2f4c-4a0e-9a3e-5c1c9d0f5b11"
"""Told of some of the first streams."""
BODY = b'{"id":"small","event":"of a benchmark"}'
_COPIED = (
    "signals", "places", "bodies", "deliveries", "session_streams", "subjects", "failing", "callers",
    "diagnoses", "transitions",
)  # fmt: skip
_IDS = frozenset({"id", "stream_id", "session_id", "event_id", "subject_id", "playback_id"})
FIRST_STREAMS, FIRST_FAILURES = 5_000, 500
"""Those of the first hundred thousand events, about."""
_STATES = {7: "live", 17: "deleted"}
_FIRST_STATES = {27: "lost", 37: "announced"}
"""Of a stream, by its number modulo 80; of the second two only among the first."""
_TURNS = {
    3: ("recording_not_available", "StreamNotIdle"),
    5: ("rtmp_push_rejected", "PushDropped"),
    7: ("webhook_not_firing", "EventsMissing"),
}
_FIRST_TURNS = {8: ("hls_manifest_empty", "NoSegments"), 9: ("playback_forbidden", "Forbidden")}
"""What a stream that failed did, by its number modulo 10; the second two only among the first. The others' recordings
failed."""


class Clones:
    """The store in a file, which grows."""

    def __init__(self, file: Path, begin_ms: int) -> None:
        fill(file, 1, begin_ms)
        self._begin_ms, self._count, self.events = begin_ms, 0, 0
        self._database = Database.open(f"sqlite:///{file}")
        self._tables = [Base.metadata.tables[name] for name in _COPIED if name in Base.metadata.tables]
        self._mould = self._database.read_now(self._read)
        self._database.write_now(self._clear)

    def _read(self, connection: Connection) -> Mapping[str, list[Record]]:
        mould = {
            table.name: [dict(row) for row in connection.execute(select(table)).mappings()] for table in self._tables
        }
        return mould | {"subjects": [row for row in mould["subjects"] if row["kind"] in _CLONED_KINDS]}

    def _clear(self, connection: Connection) -> None:
        """What was filled is only the mould; our endpoint and the webhook stay, and another joins them."""
        for table in self._tables:
            cloned = table.c.kind.in_(_CLONED_KINDS) if table.name == "subjects" else true()
            connection.execute(delete(table).where(cloned))
        webhook = connection.execute(select(_SUBJECTS).where(_SUBJECTS.c.kind == "webhook")).mappings().one()
        folded = webhook["folded"].replace(WEBHOOK_ID, SECOND_WEBHOOK)
        connection.execute(insert(_SUBJECTS), {**webhook, "id": SECOND_WEBHOOK, "folded": folded})

    def grow(self, events: int) -> None:
        """Until there are as many events, or a few more."""
        while self.events < events:
            self._database.write_now(self._clone)
            self._count += 1
            self.events += len(self._mould["signals"])
        self._database.write_now(lambda c: c.execute(update(_COVERAGE).values(until_ms=self.until_ms)))

    @property
    def until_ms(self) -> int:
        """When the last events came, and a little later."""
        return self._begin_ms + (self._count + 1) * BATCH_EACH_MS

    def close(self) -> None:
        """Let go of the file."""
        self._database.close_now()

    def _clone(self, connection: Connection) -> None:
        clone = Clone(self._count, self._mould)
        for table in self._tables:
            _INSERTS[table.name].insert(connection, list(clone.rows(table)))


_CLONED_KINDS = ("stream", "session")
_SUBJECTS, _COVERAGE = table_of(SubjectRow), table_of(CoverageRow)
_INSERTS = {name: Rows(table) for name, table in Base.metadata.tables.items()}


class Clone:
    """The rows of one more batch."""

    def __init__(self, number: int, mould: Mapping[str, Sequence[Record]]) -> None:
        self._number, self._mould = number, mould
        self._later_ms = number * BATCH_EACH_MS
        self._ids: dict[str, str] = {}
        streams = sorted(row["id"] for row in mould["subjects"] if row["kind"] == "stream")
        self._numbers = {stream_id: number * len(streams) + index for index, stream_id in enumerate(streams)}
        failed = sorted({row["stream_id"] for row in mould["diagnoses"]})
        self._failures = {stream_id: number * len(failed) + index for index, stream_id in enumerate(failed)}
        self._diagnoses = {row["id"]: row["seq"] for row in mould["diagnoses"]}
        sessions = {row["id"]: row["stream_id"] for row in mould["subjects"] if row["kind"] == "session"}
        self._streams = sessions | {stream_id: stream_id for stream_id in streams}

    def rows(self, table: Table) -> Iterator[tuple[Any, ...]]:
        """Those of a table, in the order of its columns."""
        change = _CHANGES.get(table.name)
        for row in self._mould[table.name]:
            new = {name: self._value(name, value) for name, value in row.items()}
            if change is None or change(self, row, new):
                yield tuple(new.values())
        if table.name == "callers":
            yield from ((SECOND_WEBHOOK, self._id(i)) for i in self._numbers if self._is_told_by_the_second(i))

    def _value(self, name: str, value: Any) -> Any:  # noqa: ANN401 -- a cell of any table
        if value is None:
            return None
        if name in _IDS:
            return self._id(value)
        if name.endswith("_ms"):
            return value + self._later_ms
        return self._shifted(value) if name == "seq" else value

    def _id(self, known: str) -> str:
        """Another id, as random as the one that it is made of."""
        if known not in self._ids:
            self._ids[known] = f"{crc32(known.encode(), self._number):08x}{known[8:]}"
        return self._ids[known]

    def _shifted(self, seq: int) -> int:
        return seq + first_of(self._later_ms)

    def _is_told_by_the_second(self, stream_id: str | None) -> bool:
        number = FIRST_STREAMS if stream_id is None else self._numbers[stream_id]
        return number < FIRST_STREAMS and number % 80 == 1

    def signal(self, row: Record, new: Record) -> bool:
        """The second webhook has brought a start or two."""
        if row["kind"] == "stream.started" and self._is_told_by_the_second(row["stream_id"]):
            new["webhook_id"] = SECOND_WEBHOOK
        new["key"] = event_key(new["id"], new["webhook_id"])
        at_ms, rest = row["position"][:15], row["position"][15:]
        new["position"] = f"{int(at_ms) + self._later_ms:015d}{rest}"
        return True

    def body(self, row: Record, new: Record) -> bool:  # noqa: ARG002 -- as the others
        """A small one."""
        new["body"] = BODY
        return True

    def delivery(self, row: Record, new: Record) -> bool:
        """One in a thousand is a repetition, or refused."""
        verdict = _VERDICTS.get(row["seq"] % 1000)
        new["verdict"], new["code"] = verdict or (row["verdict"], row["code"])
        return True

    def subject(self, row: Record, new: Record) -> bool:
        """Some streams are in another state. None waits for time to pass: nothing is concluded from small bodies."""
        new["deadline_ms"] = None
        if row["kind"] == "stream":
            new["state"] = self._state(row["id"]) or row["state"]
        return True

    def failing(self, row: Record, new: Record) -> bool:
        """Of what is over, nothing is left."""
        stream_id = self._streams[row["id"]]
        new["condition"] = self._turn(stream_id)[0]
        if row["kind"] == "stream" and "state" in row:
            new["state"] = self._state(stream_id) or row["state"]
        return not self._is_over(stream_id)

    def diagnosis(self, row: Record, new: Record) -> bool:
        """One in six is over; one in ten is acknowledged."""
        new["id"] = public_id("dg", new["seq"])
        new["condition"], new["reason"] = self._turn(row["stream_id"])
        if self._is_over(row["stream_id"]):
            over_ms = new["opened_ms"] + HOUR_MS
            new |= {"status": "resolved", "resolution": "recovered", "resolved_ms": over_ms, "updated_ms": over_ms}
        elif self._failures[row["stream_id"]] % 10 == 1:
            new["status"] = "acknowledged"
        return True

    def transition(self, row: Record, new: Record) -> bool:
        """Of the diagnosis that it was of."""
        new["diagnosis_id"] = public_id("dg", self._shifted(self._diagnoses[row["diagnosis_id"]]))
        return True

    def _state(self, stream_id: str) -> str | None:
        number = self._numbers[stream_id]
        first = _FIRST_STATES if number < FIRST_STREAMS else {}
        return (_STATES | first).get(number % 80)

    def _turn(self, stream_id: str) -> tuple[str, str]:
        number = self._failures[stream_id]
        first = _FIRST_TURNS if number < FIRST_FAILURES else {}
        return (_TURNS | first).get(number % 10, _USUAL_TURN)

    def _is_over(self, stream_id: str) -> bool:
        return self._failures[stream_id] // 10 % 6 == 1


HOUR_MS = 3_600_000
_USUAL_TURN = ("recording_not_available", "ProcessingFailed")
_VERDICTS: Mapping[int, tuple[str, str]] = {
    1: ("duplicate", "repeated"),
    2: ("refused", "signature_mismatch"),
    3: ("quarantined", "signature_mismatch"),
}
_CHANGES: Mapping[str, Callable[[Clone, Record, Record], bool]] = {
    "signals": Clone.signal,
    "bodies": Clone.body,
    "deliveries": Clone.delivery,
    "subjects": Clone.subject,
    "failing": Clone.failing,
    "diagnoses": Clone.diagnosis,
    "transitions": Clone.transition,
}

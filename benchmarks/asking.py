"""Every list and detail query of the API, with each of its filters, as paths that can be asked for of a store."""

from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any, TypeAlias, get_args
from urllib.parse import urlencode
from uuid import UUID

from sqlalchemy import Connection, Row, func, select
from sqlalchemy.orm import InstrumentedAttribute

from receiver.diagnosis.ordering import standing_ms
from receiver.diagnosis.state import BroadcastState
from receiver.diagnosis.values import ConditionType
from receiver.routes.cursors import Cursors, Key
from receiver.routes.parameters import DeliveriesQuery, DiagnosesQuery, Paging, StreamsQuery
from receiver.storage.tables import DeliveryRow, DiagnosisRow, PlaceRow, SignalRow, SubjectRow
from receiver.times import rfc3339

SAMPLES = 21
REASONS = ("ProcessingFailed", "StreamNotIdle", "EventsMissing", "JwtExpired")
"""Of most diagnoses, of some, of few, and of none."""
MINUTE_MS, DAY_MS = 60_000, 86_400_000

Paths: TypeAlias = Mapping[str, Sequence[str]]
"""By the name of the query: what is asked for, one after the other."""
_Found: TypeAlias = Sequence[Row[*tuple[Any, ...]]]


def paths(conn: Connection, until_ms: int) -> Paths:
    """What is asked for, of a store whose history ends then; ids and cursors are taken from all of it."""
    found = _Samples(conn, Random(0))  # noqa: S311 -- which rows are looked at
    asked = dict(_streams(found.subjects("stream")))
    asked |= dict(_details(found))
    asked |= dict(_diagnoses(found.numbered(DiagnosisRow.seq, DiagnosisRow.id, DiagnosisRow.stream_id), until_ms))
    asked |= dict(_deliveries(found.numbered(DeliveryRow.seq)))
    return asked | {"webhooks": ["/v1/webhooks"], "conditions": ["/v1/conditions"]}


class _Samples:
    def __init__(self, conn: Connection, random: Random) -> None:
        self._conn, self._random = conn, random

    def subjects(self, kind: str) -> _Found:
        """Some at random: ids are."""
        asked = select(SubjectRow.id, SubjectRow.last_event_ms).where(SubjectRow.kind == kind)
        return [self._behind(asked, SubjectRow.id, str(UUID(int=self._random.getrandbits(128)))) for _ in _EACH]

    def numbered(self, seq: InstrumentedAttribute[int], *columns: InstrumentedAttribute[Any]) -> _Found:
        """Some rows of a table, from the first to the last."""
        first, last = self._conn.execute(select(func.min(seq), func.max(seq))).one()
        return [self._behind(select(seq, *columns), seq, self._random.randint(first, last)) for _ in _EACH]

    def signals(self, streams: _Found) -> _Found:
        """One from the midst of each of these streams."""
        asked = select(SignalRow.id, SignalRow.position, PlaceRow.stream_id)
        asked = asked.join(PlaceRow, PlaceRow.seq == SignalRow.seq)
        return [
            self._conn.execute(
                asked.where(PlaceRow.stream_id == stream.id).order_by(PlaceRow.at_ms).offset(9).limit(1)
            ).one()
            for stream in streams
        ]

    def _behind(self, asked: Any, column: Any, value: object) -> Any:  # noqa: ANN401 -- any columns
        row = self._conn.execute(asked.where(column >= value).order_by(column).limit(1)).first()
        return row or self._conn.execute(asked.order_by(column).limit(1)).one()


_EACH = range(SAMPLES)


def _path(to: str, **query: object) -> str:
    given = {name: value for name, value in query.items() if value is not None}
    return f"{to}?{urlencode(given)}" if given else to


def _streams(some: _Found) -> Iterator[tuple[str, list[str]]]:
    def pair(name: str, **filters: Any) -> Iterator[tuple[str, list[str]]]:  # noqa: ANN401 -- the model checks them
        cursors = Cursors.of("streams", StreamsQuery(**filters), (int, str))
        yield name, [_path("/v1/streams", **filters)]
        yield (
            f"{name}, cursor",
            [_path("/v1/streams", **filters, cursor=cursors.write((row.last_event_ms, row.id))) for row in some],
        )

    yield from pair("streams")
    for state in get_args(BroadcastState):
        yield from pair(f"streams, {state}", state=state)
    for condition in get_args(ConditionType):
        yield from pair(f"streams, {condition}", condition=condition)
    yield from pair("streams, idle and failing", state="idle", condition="recording_not_available")
    yield from pair("streams, live and failing", state="live", condition="recording_not_available")


def _details(found: _Samples) -> Iterator[tuple[str, list[str]]]:
    streams, sessions = found.subjects("stream"), found.subjects("session")
    signals = found.signals(streams)
    yield "a stream", [f"/v1/streams/{row.id}" for row in streams]
    yield "a stream's events", [f"/v1/streams/{row.id}/events" for row in streams]
    yield "a stream's events, cursor", [_events_behind(row) for row in signals]
    yield "a session", [f"/v1/sessions/{row.id}" for row in sessions]
    yield "an event", [f"/v1/events/{row.id}" for row in signals]


def _events_behind(row: Row[*tuple[Any, ...]]) -> str:
    cursors = Cursors.of(f"events {row.stream_id}", Paging(), (int, str))
    cursor = cursors.write((standing_ms(row.position), row.position))
    return _path(f"/v1/streams/{row.stream_id}/events", cursor=cursor)


def _diagnoses(some: _Found, until_ms: int) -> Iterator[tuple[str, list[str]]]:
    def pair(name: str, **filters: Any) -> Iterator[tuple[str, list[str]]]:  # noqa: ANN401 -- the model checks them
        cursors = Cursors.of("diagnoses", DiagnosesQuery(**filters), (int,))
        yield name, [_path("/v1/diagnoses", **filters)]
        yield f"{name}, cursor", [_path("/v1/diagnoses", **filters, cursor=cursors.write((row.seq,))) for row in some]

    yield from pair("diagnoses")
    for status in ("open", "acknowledged", "resolved"):
        yield from pair(f"diagnoses, {status}", status=status)
    for condition in get_args(ConditionType):
        yield from pair(f"diagnoses, {condition}", condition=condition)
    for reason in REASONS:
        yield from pair(f"diagnoses, {reason}", reason=reason)
    for name, ago_ms in (("an hour", 60 * MINUTE_MS), ("a day", DAY_MS), ("a year", 365 * DAY_MS)):
        yield from pair(f"diagnoses, since {name}", since=rfc3339(until_ms - ago_ms))
    yield from pair("diagnoses, open StreamNotIdle", status="open", reason="StreamNotIdle")
    yield "diagnoses, of a stream", [_path("/v1/diagnoses", stream_id=row.stream_id) for row in some]
    yield "a diagnosis", [f"/v1/diagnoses/{row.id}" for row in some]


def _deliveries(some: _Found) -> Iterator[tuple[str, list[str]]]:
    for verdict in (None, "accepted", "duplicate", "quarantined", "refused"):
        name = "deliveries" if verdict is None else f"deliveries, {verdict}"
        cursors = Cursors.of("deliveries", DeliveriesQuery(verdict=verdict), (int,))
        yield name, [_path("/v1/deliveries", verdict=verdict)]
        keys: Sequence[Key] = [(row.seq,) for row in some]
        yield f"{name}, cursor", [_path("/v1/deliveries", verdict=verdict, cursor=cursors.write(key)) for key in keys]

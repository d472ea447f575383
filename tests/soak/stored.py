"""What a store holds, read as rows once nothing writes to it any more."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

from sqlalchemy import Connection, func, select

from receiver.storage.engine import Database
from receiver.storage.tables import (
    Base,
    BodyRow,
    CoverageRow,
    DeliveryRow,
    DiagnosisRow,
    InboxRow,
    OutboxDueRow,
    OutboxRow,
    PendingRow,
    SignalRow,
    SubjectRow,
    TransitionRow,
    table_of,
)
from tests.soak.lives import Key

Row: TypeAlias = Mapping[str, Any]


def is_settled(url: str) -> bool:
    """Whether all was filed and looked at, and all told."""

    def waiting(connection: Connection) -> int:
        tables = (table_of(declaration) for declaration in (InboxRow, PendingRow, OutboxDueRow))
        return sum(connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables)

    database = Database.open(url)
    try:
        return database.read_now(waiting) == 0
    finally:
        database.close_now()


@dataclass(frozen=True)
class Stored:
    """The tables that a soak is judged by, each in the order of its keys."""

    signals: list[Row]
    bodies: dict[int, bytes]
    deliveries: list[Row]
    subjects: list[Row]
    diagnoses: list[Row]
    transitions: list[Row]
    notices: list[Row]
    coverage: list[Row]

    @classmethod
    def read(cls, url: str) -> "Stored":
        """All of one consistent view."""
        database = Database.open(url)
        try:
            return database.read_now(cls._read)
        finally:
            database.close_now()

    @classmethod
    def _read(cls, connection: Connection) -> "Stored":
        def rows(declaration: type[Base]) -> list[Row]:
            table = table_of(declaration)
            found = connection.execute(select(table).order_by(*table.primary_key.columns))
            return [dict(row) for row in found.mappings()]

        return cls(
            signals=rows(SignalRow),
            bodies={row["seq"]: row["body"] for row in rows(BodyRow)},
            deliveries=rows(DeliveryRow),
            subjects=rows(SubjectRow),
            diagnoses=rows(DiagnosisRow),
            transitions=rows(TransitionRow),
            notices=rows(OutboxRow),
            coverage=rows(CoverageRow),
        )

    @cached_property
    def receipts(self) -> Mapping[Key, list[Row]]:
        """The deliveries of each event that were taken in."""
        found: dict[Key, list[Row]] = defaultdict(list)
        for row in self.deliveries:
            if row["verdict"] in {"accepted", "duplicate"}:
                found[row["webhook_id"], row["event_id"]].append(row)
        return found

    @cached_property
    def events(self) -> Mapping[Key, list[Row]]:
        """The signals that each event is, which should be one."""
        found: dict[Key, list[Row]] = defaultdict(list)
        for row in self.signals:
            if row["source"] == "webhook":
                found[row["webhook_id"], row["id"]].append(row)
        return found

    @cached_property
    def observations(self) -> Mapping[tuple[str | None, int], list[Row]]:
        """The signals that each observation is, by its stream and its time, which are its own in a soak."""
        found: dict[tuple[str | None, int], list[Row]] = defaultdict(list)
        for row in self.signals:
            if row["source"] == "observation":
                found[row["stream_id"], row["created_ms"]].append(row)
        return found

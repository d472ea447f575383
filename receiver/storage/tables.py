"""The tables, declared once for SQLite and PostgreSQL.

Primary keys named `seq` are made by `receiver.ids`, not by the database: they are known before the insert, sort by
time, and mean the same on both engines. All times are integer Unix milliseconds (`_ms`).
"""

from typing import cast

from sqlalchemy import BigInteger, Boolean, Index, Integer, LargeBinary, String, Table, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

SEQ = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite keeps a table in the order of an INTEGER key; a BIGINT one would cost an index of its own."""


TEXT = Text().with_variant(Text(collation="C"), "postgresql")
"""Compared byte by byte on both engines, as Python compares strings, whatever language the server speaks."""
KIND = String(16).with_variant(String(16, collation="C"), "postgresql")
OUTLET = String(32).with_variant(String(32, collation="C"), "postgresql")


class Base(DeclarativeBase):
    """The metadata that the migrations are checked against."""

    type_annotation_map = {int: BigInteger, str: TEXT, bytes: LargeBinary, bool: Boolean}


def table_of(declaration: type[Base]) -> Table:
    """The table that a class declares, for Core statements."""
    return cast("Table", declaration.__table__)


class BodyRow(Base):
    """The body of a signal, or of what waits in the inbox to become one, as it came."""

    __tablename__ = "bodies"

    seq: Mapped[int] = mapped_column(SEQ, primary_key=True, autoincrement=False)
    """The signal's."""
    body: Mapped[bytes]


class InboxRow(Base):
    """Verified deliveries until they are filed as signals and deliveries: this, and their bodies, is all that is
    written before they are answered."""

    __tablename__ = "inbox"

    seq: Mapped[int] = mapped_column(SEQ, primary_key=True, autoincrement=False)
    received_ms: Mapped[int]
    remote: Mapped[str]
    secret_id: Mapped[str | None]


class SignalRow(Base):
    """The log: each event once per (`id`, `webhook_id`), each observation once. Never changed but for the receipts of
    repeated deliveries, and for its flag. What it says of its stream, session and playback id is only what it says
    itself; where it belongs is in `places`, and its body in `bodies`."""

    __tablename__ = "signals"

    seq: Mapped[int] = mapped_column(SEQ, primary_key=True, autoincrement=False)
    key: Mapped[bytes]
    """Of `id` and `webhook_id`: `receiver.storage.event_keys`."""
    id: Mapped[str]
    webhook_id: Mapped[str]
    """Empty for what no webhook brought; of a snapshot of a webhook, that webhook."""
    source: Mapped[str]
    """`webhook`, `observation`, or where we saw it ourselves: `studio_api`, `probe`, `gate`."""
    kind: Mapped[str]
    """The event's name as it was sent, `observation.<kind>`, or what was seen: `receiver.diagnosis.looks`."""
    stream_id: Mapped[str | None]
    session_id: Mapped[str | None]
    playback_id: Mapped[str | None]
    """Only where nothing better names the stream."""
    position: Mapped[str]
    """Where the signal stands among those of its stream: `receiver.diagnosis.ordering`."""
    created_ms: Mapped[int | None]
    """The event's `createdAt`, or an observation's `at`."""
    attempted_ms: Mapped[int]
    """The lowest `timestamp` of all its deliveries."""
    first_received_ms: Mapped[int]
    last_received_ms: Mapped[int]
    attempts: Mapped[int] = mapped_column(Integer)
    flag: Mapped[str | None]
    """`not_understood`: stored raw, not folded. `beyond_horizon`: too old to be folded."""

    __table_args__ = (
        Index("signals_by_key", "key", unique=True),
        Index(
            "signals_of_webhooks",
            "webhook_id",
            sqlite_where=text("kind = 'snapshot.webhook'"),
            postgresql_where=text("kind = 'snapshot.webhook'"),
        ),
    )


class PlaceRow(Base):
    """Where a signal that the diagnoser has looked at belongs, and when it stands there. Apart from the log, and
    written by many at a time. The indexes are narrow: each stream's entries are put where its like are, all over."""

    __tablename__ = "places"

    seq: Mapped[int] = mapped_column(SEQ, primary_key=True, autoincrement=False)
    """The signal's."""
    stream_id: Mapped[str | None]
    """The stream that it was found to belong to."""
    session_id: Mapped[str | None]
    playback_id: Mapped[str | None]
    at_ms: Mapped[int]
    """When it stands: what its position begins with."""
    webhook_id: Mapped[str]

    __table_args__ = (
        Index(
            "places_by_stream",
            "stream_id",
            "at_ms",
            sqlite_where=text("stream_id IS NOT NULL"),
            postgresql_where=text("stream_id IS NOT NULL"),
        ),
        Index(
            "places_by_orphaned_session",
            "session_id",
            sqlite_where=text("stream_id IS NULL"),
            postgresql_where=text("stream_id IS NULL"),
        ),
        Index(
            "places_by_playback",
            "playback_id",
            sqlite_where=text("playback_id IS NOT NULL"),
            postgresql_where=text("playback_id IS NOT NULL"),
        ),
    )


class SessionStreamRow(Base):
    """The stream of a session, as far as any event has said it: `receiver.storage.links`."""

    __tablename__ = "session_streams"

    session_id: Mapped[str] = mapped_column(primary_key=True)
    stream_id: Mapped[str]
    """Empty for a session of which something came before its stream was known."""


class PlaybackStreamRow(Base):
    """The stream of a playback id, likewise."""

    __tablename__ = "playback_streams"

    playback_id: Mapped[str] = mapped_column(primary_key=True)
    stream_id: Mapped[str]


class DeliveryRow(Base):
    """The verdict on every delivery."""

    __tablename__ = "deliveries"

    seq: Mapped[int] = mapped_column(SEQ, primary_key=True, autoincrement=False)
    received_ms: Mapped[int]
    verdict: Mapped[str]
    """`accepted`, `duplicate`, `quarantined` or `refused`."""
    code: Mapped[str]
    remote: Mapped[str]
    bytes: Mapped[int] = mapped_column(Integer)
    event_id: Mapped[str | None]
    """For a refused delivery: what the body claims."""
    webhook_id: Mapped[str | None]
    event: Mapped[str | None]
    created_ms: Mapped[int | None]
    timestamp_ms: Mapped[int | None]
    secret_id: Mapped[str | None]
    """Which secret matched: `receiver.livepeer.signature.Keyring`."""
    shaped: Mapped[bool]
    """Whether the body has the shape of Livepeer's envelope."""

    __table_args__ = (
        Index(
            "deliveries_by_verdict",
            "verdict",
            "seq",
            sqlite_where=text("verdict <> 'accepted'"),
            postgresql_where=text("verdict <> 'accepted'"),
        ),
    )


class PendingRow(Base):
    """What the diagnoser has not looked at yet, one row for each delivery and observation; written in the
    transaction that stores it, removed in the one that stores the conclusions."""

    __tablename__ = "pending"

    seq: Mapped[int] = mapped_column(SEQ, primary_key=True, autoincrement=False)
    """A delivery's `seq`, or one of its own."""
    signal_seq: Mapped[int | None]
    """None for a delivery that was turned away."""
    changed: Mapped[bool]
    """Whether the signal is new or its `attempted_ms` fell; false for a mere repetition."""


class SubjectRow(Base):
    """What we know of a stream, a session, a webhook or our endpoint."""

    __tablename__ = "subjects"

    kind: Mapped[str] = mapped_column(KIND, primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    stream_id: Mapped[str | None]
    playback_id: Mapped[str | None]
    name: Mapped[str | None]
    state: Mapped[str | None]
    state_since_ms: Mapped[int | None]
    record: Mapped[bool | None]
    recording_url: Mapped[str | None]
    started_ms: Mapped[int | None]
    last_event_ms: Mapped[int | None]
    conditions: Mapped[str]
    """JSON: the conditions in the order of the catalogue."""
    folded: Mapped[str | None]
    """JSON: the state of the machines after all its signals."""
    position: Mapped[str | None]
    """The last signal folded."""
    folded_count: Mapped[int] = mapped_column(Integer)
    deadline_ms: Mapped[int | None]
    """When it must be judged again though nothing arrives."""
    fault: Mapped[str | None]
    """Why it could not be judged, if it could not."""

    __table_args__ = (
        Index("subjects_by_deadline", "deadline_ms"),
        Index("subjects_by_state", "kind", "state", "last_event_ms", "id"),
        Index("subjects_by_stream", "stream_id"),
        Index(
            "subjects_by_fault",
            "fault",
            sqlite_where=text("fault IS NOT NULL"),
            postgresql_where=text("fault IS NOT NULL"),
        ),
    )


class FailingRow(Base):
    """The conditions that are true, so that lists can filter on them, with what lists are in the order of."""

    __tablename__ = "failing"

    kind: Mapped[str] = mapped_column(KIND, primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    condition: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str | None]
    last_event_ms: Mapped[int | None]
    """Both of the subject."""

    __table_args__ = (Index("failing_by_condition", "condition", "kind", "state", "last_event_ms", "id"),)


class CallerRow(Base):
    """Which webhook has told of which stream."""

    __tablename__ = "callers"

    webhook_id: Mapped[str] = mapped_column(primary_key=True)
    stream_id: Mapped[str] = mapped_column(primary_key=True)


class CheckpointRow(Base):
    """The state of a stream's machines after so many signals, so that a late one need not re-read them all."""

    __tablename__ = "checkpoints"

    kind: Mapped[str] = mapped_column(KIND, primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[str] = mapped_column(primary_key=True)
    folded_count: Mapped[int] = mapped_column(Integer)
    folded: Mapped[str]


class DiagnosisRow(Base):
    """An episode during which a condition is true."""

    __tablename__ = "diagnoses"

    seq: Mapped[int] = mapped_column(SEQ, primary_key=True, autoincrement=False)
    id: Mapped[str]
    condition: Mapped[str]
    reason: Mapped[str]
    status: Mapped[str]
    """`open`, `acknowledged` or `resolved`."""
    certainty: Mapped[str | None]
    severity: Mapped[str]
    subject_kind: Mapped[str]
    subject_id: Mapped[str]
    stream_id: Mapped[str | None]
    session_id: Mapped[str | None]
    playback_id: Mapped[str | None]
    message: Mapped[str]
    evidence: Mapped[str]
    """JSON."""
    since_ms: Mapped[int]
    opened_ms: Mapped[int]
    updated_ms: Mapped[int]
    resolved_ms: Mapped[int | None]
    resolution: Mapped[str | None]
    regressions: Mapped[int] = mapped_column(Integer)
    muted_by: Mapped[str | None]

    __table_args__ = (
        Index("diagnoses_by_id", "id", unique=True),
        Index("diagnoses_by_fingerprint", "subject_kind", "subject_id", "condition", "seq"),
        Index("diagnoses_by_status", "status", "seq"),
        Index("diagnoses_by_stream", "stream_id", "seq"),
        Index("diagnoses_by_condition", "condition", "status", "seq"),
        Index("diagnoses_by_reason", "reason", "status", "seq"),
        Index("diagnoses_by_change", "updated_ms", "seq"),
    )


class TransitionRow(Base):
    """What a diagnosis went through; never rewritten."""

    __tablename__ = "transitions"

    seq: Mapped[int] = mapped_column(SEQ, primary_key=True, autoincrement=False)
    diagnosis_id: Mapped[str]
    at_ms: Mapped[int]
    status: Mapped[str]
    reason: Mapped[str]
    certainty: Mapped[str | None]
    cause: Mapped[str]

    __table_args__ = (Index("transitions_by_diagnosis", "diagnosis_id", "seq"),)


class OutboxRow(Base):
    """What must be told to the outside, written with the conclusion it tells of. `seq` is the notice's stable id."""

    __tablename__ = "outbox"

    seq: Mapped[int] = mapped_column(SEQ, primary_key=True, autoincrement=False)
    at_ms: Mapped[int]
    kind: Mapped[str]
    """The name of the log event, such as `diagnosis.opened`."""
    payload: Mapped[str]
    """JSON."""


class OutboxDueRow(Base):
    """Which outlet has yet to tell which notice."""

    __tablename__ = "outbox_due"

    outlet: Mapped[str] = mapped_column(OUTLET, primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class CoverageRow(Base):
    """An interval in which we were up and accepting deliveries."""

    __tablename__ = "coverage"

    seq: Mapped[int] = mapped_column(SEQ, primary_key=True, autoincrement=False)
    from_ms: Mapped[int]
    until_ms: Mapped[int]


class ReconciledRow(Base):
    """An interval of which the sender's own log was read: all that it tried to deliver then is here."""

    __tablename__ = "reconciled"

    seq: Mapped[int] = mapped_column(SEQ, primary_key=True, autoincrement=False)
    from_ms: Mapped[int]
    until_ms: Mapped[int]


class InquiryRow(Base):
    """A stream that is to be looked at, in the Studio API or by a probe, and when: `receiver.diagnosis.inquiries`."""

    __tablename__ = "inquiries"

    stream_id: Mapped[str] = mapped_column(primary_key=True)
    due_ms: Mapped[int]
    """When the first of them is due."""
    urgent_ms: Mapped[int | None]
    """When the first is that something which fails or is uncertain waits for."""
    wanted: Mapped[str]
    """JSON."""

    __table_args__ = (Index("inquiries_by_due", "due_ms"), Index("inquiries_by_urgency", "urgent_ms"))


class LeaseRow(Base):
    """Which of several processes does what only one may do at a time, by its node, and until when."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(OUTLET, primary_key=True)
    node: Mapped[int] = mapped_column(Integer)
    until_ms: Mapped[int]


class QuarantineRow(Base):
    """A delivery that could not be verified, kept in case the right secret is configured later."""

    __tablename__ = "quarantine"

    seq: Mapped[int] = mapped_column(SEQ, primary_key=True, autoincrement=False)
    received_ms: Mapped[int]
    code: Mapped[str]
    remote: Mapped[str]
    signature: Mapped[str | None]
    """The header's value as it came."""
    event_id: Mapped[str | None]
    """What a body of Livepeer's shape claims; one copy is kept for each."""
    webhook_id: Mapped[str | None]
    event: Mapped[str | None]
    shaped: Mapped[bool]
    body: Mapped[bytes]
    bytes: Mapped[int] = mapped_column(Integer)

    __table_args__ = (
        Index("quarantine_by_event", "event_id", unique=True),
        Index("quarantine_by_worth", "shaped", "seq"),
        Index("quarantine_by_source", "shaped", "remote", "bytes"),
    )


class IdempotencyRow(Base):
    """The observation that a caller's `Idempotency-Key` stands for."""

    __tablename__ = "idempotency"

    key: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[str]
    """Of the request's body: another body under the same key is refused."""
    signal_seq: Mapped[int]
    created_ms: Mapped[int]

    __table_args__ = (Index("idempotency_by_signal", "signal_seq"),)


class BaseStateRow(Base):
    """The state that stands for what was removed: of a stream or an orphaned session, after the signals up to a
    position; of the endpoint or a webhook, after the deliveries up to the bookmark `deliveries`. What is built anew
    begins here."""

    __tablename__ = "bases"

    kind: Mapped[str] = mapped_column(KIND, primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[str]
    """Empty for the endpoint and the webhooks."""
    folded_count: Mapped[int] = mapped_column(Integer)
    folded: Mapped[str]
    """JSON."""


class BookmarkRow(Base):
    """How far a work that goes through a table by `seq` has come; the rows are made with the table. Who removes
    holds the row `retention`, so that of several replicas one does; its `seq` is when a round last began (`_ms`), and
    that of `reconciled` up to when the sender's own log was read."""

    __tablename__ = "bookmarks"

    name: Mapped[str] = mapped_column(OUTLET, primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)


class PackedBodyRow(Base):
    """The body of an old signal, compressed: `receiver.storage.bodies`. In a table of its own, for a page of `bodies`
    whose rows grow smaller gives nothing back, and one whose rows are gone does."""

    __tablename__ = "packed_bodies"

    seq: Mapped[int] = mapped_column(SEQ, primary_key=True, autoincrement=False)
    """The signal's."""
    coding: Mapped[int] = mapped_column(Integer)
    """How it is compressed: `receiver.storage.packing`."""
    body: Mapped[bytes]


class NodeRow(Base):
    """Which process makes ids with which node (`receiver.ids`), and until when it is sure to be the only one."""

    __tablename__ = "nodes"

    node: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    token: Mapped[str]
    """The process's own."""
    until_ms: Mapped[int]


class SharedKeyRow(Base):
    """Keys that all processes on a server share, and that none is configured with: `receiver.keys`. And whether this is
    a copy of another database: `receiver.storage.copy_marks`."""

    __tablename__ = "shared_keys"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]

"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def text(plain: sa.String, compared: sa.String) -> sa.String:
    """Text that PostgreSQL compares byte by byte, whatever language the server speaks: as SQLite and Python do."""
    return plain.with_variant(compared, "postgresql")


TEXT = text(sa.Text(), sa.Text(collation="C"))
KIND = text(sa.String(16), sa.String(16, collation="C"))
OUTLET = text(sa.String(32), sa.String(32, collation="C"))


def upgrade() -> None:
    signals()
    deliveries()
    subjects()
    diagnoses()
    outbox()
    quarantine()


def downgrade() -> None:
    for table in (
        *("quarantine", "outbox_due", "outbox", "transitions", "diagnoses", "checkpoints", "failing", "subjects"),
        *(
            "coverage",
            "pending",
            "deliveries",
            "idempotency",
            "session_streams",
            "places",
            "signals",
            "inbox",
            "bodies",
        ),
    ):
        op.drop_table(table)


def signals() -> None:
    """What was taken in; what happened, where it belongs, and the keys under which observations were reported."""
    op.create_table("bodies", seq(), sa.Column("body", sa.LargeBinary, nullable=False))
    op.create_table(
        "inbox",
        seq(),
        sa.Column("received_ms", sa.BigInteger, nullable=False),
        sa.Column("remote", TEXT, nullable=False),
        sa.Column("secret_id", TEXT),
    )
    op.create_table(
        "signals",
        seq(),
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("webhook_id", TEXT, nullable=False),
        sa.Column("source", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("stream_id", TEXT),
        sa.Column("session_id", TEXT),
        sa.Column("playback_id", TEXT),
        sa.Column("position", TEXT, nullable=False),
        sa.Column("created_ms", sa.BigInteger),
        sa.Column("attempted_ms", sa.BigInteger, nullable=False),
        sa.Column("first_received_ms", sa.BigInteger, nullable=False),
        sa.Column("last_received_ms", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("flag", TEXT),
    )
    op.create_index("signals_by_key", "signals", ["key"], unique=True)
    op.create_table(
        "places",
        seq(),
        sa.Column("stream_id", TEXT),
        sa.Column("session_id", TEXT),
        sa.Column("playback_id", TEXT),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("webhook_id", TEXT, nullable=False),
    )
    op.create_index("places_by_stream", "places", ["stream_id", "at_ms"])
    orphaned = sa.text("stream_id IS NULL")
    op.create_index(
        "places_by_orphaned_session", "places", ["session_id"], sqlite_where=orphaned, postgresql_where=orphaned
    )
    named = sa.text("playback_id IS NOT NULL")
    op.create_index("places_by_playback", "places", ["playback_id"], sqlite_where=named, postgresql_where=named)
    op.create_table(
        "session_streams",
        sa.Column("session_id", TEXT, primary_key=True),
        sa.Column("stream_id", TEXT, nullable=False),
    )
    op.create_table(
        "idempotency",
        sa.Column("key", TEXT, primary_key=True),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("signal_seq", sa.BigInteger, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
    )


def deliveries() -> None:
    """How it reached us, what the diagnoser has yet to see, and when we could be reached."""
    op.create_table(
        "deliveries",
        seq(),
        sa.Column("received_ms", sa.BigInteger, nullable=False),
        sa.Column("verdict", TEXT, nullable=False),
        sa.Column("code", TEXT, nullable=False),
        sa.Column("remote", TEXT, nullable=False),
        sa.Column("bytes", sa.Integer, nullable=False),
        sa.Column("event_id", TEXT),
        sa.Column("webhook_id", TEXT),
        sa.Column("event", TEXT),
        sa.Column("created_ms", sa.BigInteger),
        sa.Column("timestamp_ms", sa.BigInteger),
        sa.Column("secret_id", TEXT),
        sa.Column("shaped", sa.Boolean, nullable=False),
    )
    unusual = sa.text("verdict <> 'accepted'")
    op.create_index(
        "deliveries_by_verdict", "deliveries", ["verdict", "seq"], sqlite_where=unusual, postgresql_where=unusual
    )
    op.create_table(
        "pending",
        seq(),
        sa.Column("signal_seq", sa.BigInteger),
        sa.Column("changed", sa.Boolean, nullable=False),
    )
    op.create_table(
        "coverage",
        seq(),
        sa.Column("from_ms", sa.BigInteger, nullable=False),
        sa.Column("until_ms", sa.BigInteger, nullable=False),
    )


def subjects() -> None:
    """What the signals were folded into."""
    op.create_table(
        "subjects",
        sa.Column("kind", KIND, primary_key=True),
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("stream_id", TEXT),
        sa.Column("playback_id", TEXT),
        sa.Column("name", TEXT),
        sa.Column("state", TEXT),
        sa.Column("state_since_ms", sa.BigInteger),
        sa.Column("record", sa.Boolean),
        sa.Column("recording_url", TEXT),
        sa.Column("started_ms", sa.BigInteger),
        sa.Column("last_event_ms", sa.BigInteger),
        sa.Column("conditions", TEXT, nullable=False),
        sa.Column("folded", TEXT),
        sa.Column("position", TEXT),
        sa.Column("folded_count", sa.Integer, nullable=False),
        sa.Column("deadline_ms", sa.BigInteger),
        sa.Column("fault", TEXT),
    )
    op.create_index("subjects_by_deadline", "subjects", ["deadline_ms"])
    op.create_index("subjects_by_activity", "subjects", ["kind", "last_event_ms", "id"])
    op.create_index("subjects_by_playback", "subjects", ["playback_id"])
    op.create_index("subjects_by_stream", "subjects", ["stream_id"])
    faulty = sa.text("fault IS NOT NULL")
    op.create_index("subjects_by_fault", "subjects", ["fault"], sqlite_where=faulty, postgresql_where=faulty)
    op.create_table(
        "failing",
        sa.Column("kind", KIND, primary_key=True),
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("condition", TEXT, primary_key=True),
    )
    op.create_index("failing_by_condition", "failing", ["condition", "kind", "id"])
    op.create_table(
        "checkpoints",
        sa.Column("kind", KIND, primary_key=True),
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("position", TEXT, primary_key=True),
        sa.Column("folded_count", sa.Integer, nullable=False),
        sa.Column("folded", TEXT, nullable=False),
    )


def diagnoses() -> None:
    """What was concluded, and what each conclusion went through."""
    op.create_table(
        "diagnoses",
        seq(),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("condition", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("certainty", TEXT),
        sa.Column("severity", TEXT, nullable=False),
        sa.Column("subject_kind", TEXT, nullable=False),
        sa.Column("subject_id", TEXT, nullable=False),
        sa.Column("stream_id", TEXT),
        sa.Column("session_id", TEXT),
        sa.Column("playback_id", TEXT),
        sa.Column("message", TEXT, nullable=False),
        sa.Column("evidence", TEXT, nullable=False),
        sa.Column("since_ms", sa.BigInteger, nullable=False),
        sa.Column("opened_ms", sa.BigInteger, nullable=False),
        sa.Column("updated_ms", sa.BigInteger, nullable=False),
        sa.Column("resolved_ms", sa.BigInteger),
        sa.Column("resolution", TEXT),
        sa.Column("regressions", sa.Integer, nullable=False),
        sa.Column("muted_by", TEXT),
    )
    op.create_index("diagnoses_by_id", "diagnoses", ["id"], unique=True)
    op.create_index("diagnoses_by_fingerprint", "diagnoses", ["subject_kind", "subject_id", "condition", "seq"])
    op.create_index("diagnoses_by_status", "diagnoses", ["status", "seq"])
    op.create_index("diagnoses_by_stream", "diagnoses", ["stream_id", "seq"])
    op.create_table(
        "transitions",
        seq(),
        sa.Column("diagnosis_id", TEXT, nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("certainty", TEXT),
        sa.Column("cause", TEXT, nullable=False),
    )
    op.create_index("transitions_by_diagnosis", "transitions", ["diagnosis_id", "seq"])


def outbox() -> None:
    """What must be told, and to whom."""
    op.create_table(
        "outbox",
        seq(),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("payload", TEXT, nullable=False),
    )
    op.create_table(
        "outbox_due",
        sa.Column("outlet", OUTLET, primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    )


def quarantine() -> None:
    """What could not be verified."""
    op.create_table(
        "quarantine",
        seq(),
        sa.Column("received_ms", sa.BigInteger, nullable=False),
        sa.Column("code", TEXT, nullable=False),
        sa.Column("remote", TEXT, nullable=False),
        sa.Column("signature", TEXT),
        sa.Column("event_id", TEXT),
        sa.Column("webhook_id", TEXT),
        sa.Column("event", TEXT),
        sa.Column("shaped", sa.Boolean, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("bytes", sa.Integer, nullable=False),
    )
    op.create_index("quarantine_by_event", "quarantine", ["event_id"], unique=True)
    op.create_index("quarantine_by_worth", "quarantine", ["shaped", "seq"])
    op.create_index("quarantine_by_source", "quarantine", ["shaped", "remote", "bytes"])


def seq() -> sa.Column[int]:
    """A key made by `receiver.ids`; SQLite keeps the table in the order of an INTEGER key."""
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column("seq", kind, primary_key=True, autoincrement=False)

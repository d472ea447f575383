"""Indexes for every filter of the lists; `failing` in the order of activity, and which webhook has told of which
stream."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
KIND = sa.String(16).with_variant(sa.String(16, collation="C"), "postgresql")


def upgrade() -> None:
    op.drop_index("subjects_by_activity", "subjects")
    op.create_index("subjects_by_state", "subjects", ["kind", "state", "last_event_ms", "id"])
    failing_with_activity()
    callers()
    op.create_index("diagnoses_by_condition", "diagnoses", ["condition", "status", "seq"])
    op.create_index("diagnoses_by_reason", "diagnoses", ["reason", "status", "seq"])
    op.create_index("diagnoses_by_change", "diagnoses", ["updated_ms", "seq"])


def downgrade() -> None:
    for name in ("diagnoses_by_change", "diagnoses_by_reason", "diagnoses_by_condition"):
        op.drop_index(name, "diagnoses")
    op.drop_table("callers")
    op.drop_index("failing_by_condition", "failing")
    for name in ("last_event_ms", "state"):
        op.drop_column("failing", name)
    op.create_index("failing_by_condition", "failing", ["condition", "kind", "id"])
    op.drop_index("subjects_by_state", "subjects")
    op.create_index("subjects_by_activity", "subjects", ["kind", "last_event_ms", "id"])


def failing_with_activity() -> None:
    """The table is made anew: the state and the latest activity of a stream are part of the index."""
    op.drop_index("failing_by_condition", "failing")
    op.rename_table("failing", "failing_before")
    op.create_table(
        "failing",
        sa.Column("kind", KIND, primary_key=True),
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("condition", TEXT, primary_key=True),
        sa.Column("state", TEXT),
        sa.Column("last_event_ms", sa.BigInteger),
    )
    op.execute(
        "INSERT INTO failing (kind, id, condition, state, last_event_ms)"
        " SELECT f.kind, f.id, f.condition, s.state, s.last_event_ms"
        " FROM failing_before f LEFT JOIN subjects s ON s.kind = f.kind AND s.id = f.id"
    )
    op.drop_table("failing_before")
    op.create_index("failing_by_condition", "failing", ["condition", "kind", "state", "last_event_ms", "id"])


def callers() -> None:
    """As far as the log tells."""
    op.create_table(
        "callers",
        sa.Column("webhook_id", TEXT, primary_key=True),
        sa.Column("stream_id", TEXT, primary_key=True),
    )
    op.execute(
        "INSERT INTO callers (webhook_id, stream_id)"
        " SELECT DISTINCT webhook_id, stream_id FROM places WHERE stream_id IS NOT NULL AND webhook_id <> ''"
    )

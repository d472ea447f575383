"""What is to be looked at and when, who looks, for which times the sender's own log was read, and which of the signals
are snapshots of webhooks."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
KIND = sa.String(16).with_variant(sa.String(16, collation="C"), "postgresql")
NAME = sa.String(32).with_variant(sa.String(32, collation="C"), "postgresql")
SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    of_webhooks = sa.text("kind = 'snapshot.webhook'")
    op.create_index(
        "signals_of_webhooks", "signals", ["webhook_id"], sqlite_where=of_webhooks, postgresql_where=of_webhooks
    )
    op.create_table(
        "inquiries",
        sa.Column("stream_id", TEXT, primary_key=True),
        sa.Column("due_ms", sa.BigInteger, nullable=False),
        sa.Column("urgent_ms", sa.BigInteger, nullable=True),
        sa.Column("wanted", TEXT, nullable=False),
    )
    op.create_index("inquiries_by_due", "inquiries", ["due_ms"])
    op.create_index("inquiries_by_urgency", "inquiries", ["urgent_ms"])
    op.create_table(
        "leases",
        sa.Column("name", NAME, primary_key=True),
        sa.Column("node", sa.Integer, nullable=False),
        sa.Column("until_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "reconciled",
        sa.Column("seq", SEQ, primary_key=True, autoincrement=False),
        sa.Column("from_ms", sa.BigInteger, nullable=False),
        sa.Column("until_ms", sa.BigInteger, nullable=False),
    )
    bookmarks = sa.table("bookmarks", sa.column("name", NAME), sa.column("seq", sa.BigInteger))
    op.bulk_insert(bookmarks, [{"name": "reconciled", "seq": 0}])


def downgrade() -> None:
    op.execute("DELETE FROM bookmarks WHERE name = 'reconciled'")
    for table in ("reconciled", "leases", "inquiries"):
        op.drop_table(table)
    op.drop_index("signals_of_webhooks", "signals")

"""What stands for what was removed, how far work in the background has come, and old bodies, compressed."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bases",
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("position", sa.Text, nullable=False),
        sa.Column("folded_count", sa.Integer, nullable=False),
        sa.Column("folded", sa.Text, nullable=False),
    )
    bookmarks = op.create_table(
        "bookmarks",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("seq", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(bookmarks, [{"name": name, "seq": 0} for name in ("retention", "deliveries", "bodies")])
    seq = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "packed_bodies",
        sa.Column("seq", seq, primary_key=True, autoincrement=False),
        sa.Column("coding", sa.Integer, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("idempotency_by_signal", "idempotency", ["signal_seq"])


def downgrade() -> None:
    op.drop_index("idempotency_by_signal", "idempotency")
    for table in ("packed_bodies", "bookmarks", "bases"):
        op.drop_table(table)

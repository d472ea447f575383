"""What stands for what was removed, how far work in the background has come, and old bodies, compressed."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
KIND = sa.String(16).with_variant(sa.String(16, collation="C"), "postgresql")
NAME = sa.String(32).with_variant(sa.String(32, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "bases",
        sa.Column("kind", KIND, primary_key=True),
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("position", TEXT, nullable=False),
        sa.Column("folded_count", sa.Integer, nullable=False),
        sa.Column("folded", TEXT, nullable=False),
    )
    bookmarks = op.create_table(
        "bookmarks",
        sa.Column("name", NAME, primary_key=True),
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

"""What several processes on one database need: nodes for their ids, keys that they share, and rows to lock for what is
no stream's yet."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "nodes",
        sa.Column("node", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("token", TEXT, nullable=False),
        sa.Column("until_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "shared_keys",
        sa.Column("name", TEXT, primary_key=True),
        sa.Column("value", TEXT, nullable=False),
    )
    op.create_table(
        "playback_streams",
        sa.Column("playback_id", TEXT, primary_key=True),
        sa.Column("stream_id", TEXT, nullable=False),
    )
    for statement in _KNOWN:
        op.execute(statement)
    op.drop_index("subjects_by_playback", "subjects")


_KNOWN = (
    """INSERT INTO playback_streams (playback_id, stream_id)
       SELECT playback_id, min(id) FROM subjects
       WHERE kind = 'stream' AND playback_id IS NOT NULL GROUP BY playback_id""",
    """INSERT INTO playback_streams (playback_id, stream_id)
       SELECT DISTINCT playback_id, '' FROM places
       WHERE stream_id IS NULL AND playback_id IS NOT NULL
       AND playback_id NOT IN (SELECT playback_id FROM playback_streams)""",
    """INSERT INTO session_streams (session_id, stream_id)
       SELECT DISTINCT session_id, '' FROM places
       WHERE stream_id IS NULL AND session_id IS NOT NULL
       AND session_id NOT IN (SELECT session_id FROM session_streams)""",
)
"""Whose each playback id is, and what is nobody's yet."""


def downgrade() -> None:
    op.create_index("subjects_by_playback", "subjects", ["playback_id"])
    op.execute("DELETE FROM session_streams WHERE stream_id = ''")
    op.drop_table("playback_streams")
    op.drop_table("shared_keys")
    op.drop_table("nodes")

"""What belongs to no stream is not in the index by stream: SQLite took it to find all of that, where a few sessions' is
asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("places_by_stream", "places")
    of_streams = sa.text("stream_id IS NOT NULL")
    op.create_index(
        "places_by_stream", "places", ["stream_id", "at_ms"], sqlite_where=of_streams, postgresql_where=of_streams
    )


def downgrade() -> None:
    op.drop_index("places_by_stream", "places")
    op.create_index("places_by_stream", "places", ["stream_id", "at_ms"])

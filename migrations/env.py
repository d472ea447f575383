"""How Alembic runs the migrations: on the connection that the service hands in, on one opened for `-x url=...`, or
as SQL text for `-x dialect=...`."""

from alembic import context
from sqlalchemy import Connection

from receiver.storage.engine import connect
from receiver.storage.tables import Base


def run(connection: Connection) -> None:
    """Run in the connection's transaction: all migrations are applied, or none."""
    context.configure(
        connection=connection, target_metadata=Base.metadata, transactional_ddl=True, render_as_batch=True
    )
    context.run_migrations()


def run_on(url: str) -> None:
    """Open a database for a developer's command."""
    engine = connect(url, writable=True, create=True)
    with engine.begin() as connection:
        run(connection)
    engine.dispose()


def print_for(dialect: str) -> None:
    """Print the SQL instead of running it."""
    context.configure(dialect_name=dialect, target_metadata=Base.metadata)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if context.is_offline_mode():
    print_for(context.get_x_argument(as_dictionary=True).get("dialect", "postgresql"))
elif given is not None:
    run(given)
else:
    run_on(context.get_x_argument(as_dictionary=True)["url"])

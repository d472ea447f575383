"""For tests that concern one kind of database only."""

import pytest

sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""The database is a SQLite file, whose like there is not on a server, or it does not matter which it is."""
postgresql_only = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

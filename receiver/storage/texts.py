"""Texts in a SQLite file that are none any more: a disk may spoil one.

What cannot be read at all would keep everything else from being read. So what is wrong in a text is replaced, and found
out where it is looked at. To look at each text costs as much as to read it: only a connection that has met a spoiled
one does so.
"""

import sqlite3
from typing import Final

from sqlalchemy import Connection
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError

_EXACT: Final = "exact"
_NOT_DECODED: Final = "Could not decode to UTF-8"
"""How the driver's words for it begin, which have no code. The text follows."""


class SpoiledText(DBAPIError):
    """A transaction has met one. Its connection reads such from now on: begin again."""


def read_on(context: ExceptionContext) -> SpoiledText | None:
    """What SQLAlchemy raises in the place of an error of the driver's, where it is this one."""
    connection, error = context.connection, context.original_exception
    if connection is None or not isinstance(error, sqlite3.OperationalError) or not str(error).startswith(_NOT_DECODED):
        return None
    driver = connection.connection.driver_connection
    if not isinstance(driver, sqlite3.Connection) or connection.info.get(_EXACT):
        return None
    driver.text_factory = _replacing
    return SpoiledText(None, None, sqlite3.OperationalError("a text of the file is spoiled"))


def read_exactly(connection: Connection) -> None:
    """From now on, a text that is none fails the statement that reads it, and nothing else is read in its place."""
    driver = connection.connection.driver_connection
    if isinstance(driver, sqlite3.Connection):
        connection.info[_EXACT] = True
        driver.text_factory = str


def _replacing(text: bytes) -> str:
    return text.decode("utf-8", "replace")

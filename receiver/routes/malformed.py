"""What is no HTTP at all: aiohttp answers it with 400 before any of our handlers, and would log it as an error, with a
traceback. Anybody can send such, any number of times, so it is worth no line."""

import logging
from typing import Final

from aiohttp.http_exceptions import HttpProcessingError

SERVER_LOG: Final = logging.getLogger("aiohttp.server.receiver")
"""For the server to log to; whatever else it says passes."""


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


SERVER_LOG.addFilter(_is_worth_a_line)

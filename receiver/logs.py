"""Log lines: one formatter for ours and the libraries', one JSON object per line (DESIGN 8).

Event names are static and dotted, data goes in fields: `get_logger().info("webhook.accepted", event_id=...)`. Every
line has `timestamp`, `level` and `event`; those of libraries also `logger`. Whatever a line holds is redacted last,
behind everything else that could add to it.
"""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from threading import Lock
from typing import Literal, TextIO, TypeAlias, cast

import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from receiver.clock import Clock, SystemClock
from receiver.redaction import Redactor
from receiver.terminal import printable
from receiver.times import rfc3339

__all__ = ["LogFormat", "configure", "get_logger", "protect", "redact", "together"]

LogFormat: TypeAlias = Literal["json", "console"]

_QUIET_LIBRARIES = ("aiohttp.access", "alembic", "asyncio")
"""What they say below a warning is said better by our own lines, or not worth a line."""

_SEVERAL_LINES = frozenset({"exception", "stack", "stack_info"})

_encode = json.JSONEncoder().encode
_known = {"redactor": Redactor()}
_held: ContextVar["list[tuple[_Lines, str]] | None"] = ContextVar("held", default=None)


def get_logger(name: str = "receiver") -> FilteringBoundLogger:
    """A logger of ours. Event names are static; `event_name` is for Livepeer's."""
    return cast("FilteringBoundLogger", structlog.get_logger(name))


def protect(*secrets: str) -> None:
    """Never let these come out, in whatever line and form. Those shorter than four characters cannot be protected."""
    _known["redactor"] = _known["redactor"].protecting(*secrets)


def redact(_logger: WrappedLogger, _name: str, event_dict: EventDict) -> EventDict:
    """The processor that lets no secret out (P10)."""
    return _known["redactor"].mapping(event_dict)


def redacted_json(logger: WrappedLogger, name: str, event_dict: EventDict) -> str:
    """The processor that writes a line as JSON, redacted. What was redacted is JSON through and through."""
    with suppress(TypeError, ValueError, RecursionError):  # for what is no JSON, or has no end
        written = _encode(event_dict)
        if _known["redactor"].leaves(written, tuple(event_dict)):
            return written
    return _encode(redact(logger, name, event_dict))


def configure(log_format: LogFormat | None, level: str, stream: TextIO, clock: Clock | None = None) -> None:
    """Send every log line of the process to `stream`, from `level` up (`debug`, `info`, `warning`, `error`).

    Without a format: `console` on a terminal, else `json`. The clock gives the lines their time. May be called again:
    the last call counts.
    """
    chosen = log_format or ("console" if stream.isatty() else "json")
    lowest = logging.getLevelNamesMapping()[level.upper()]
    ending = _ending(chosen, clock or SystemClock(), colors=stream.isatty())
    lines = _Lines(stream)
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, structlog.processors.StackInfoRenderer(), *ending],
        wrapper_class=structlog.make_filtering_bound_logger(lowest),
        logger_factory=lambda *_names: lines,
        cache_logger_on_first_use=False,
    )
    handler = _Handler(stream)
    handler.setFormatter(ProcessorFormatter(processors=[_theirs, *ending]))
    _install(handler, lowest)


@contextmanager
def together() -> Iterator[None]:
    """Write our lines of this block at once, at its end: each write to a file lets another thread take over."""
    held: list[tuple[_Lines, str]] = []
    token = _held.set(held)
    try:
        yield
    finally:
        _held.reset(token)
        if held:
            held[-1][0].write("\n".join(line for _, line in held))


class _Lines:
    """Writes our lines, each whole. What cannot be written is lost: a full disk or a closed pipe must stop nothing."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = Lock()

    def write(self, line: str) -> None:
        """A line, or several, without the last one's end."""
        held = _held.get()
        if held is not None:
            held.append((self, line))
            return
        with self._lock, suppress(OSError, ValueError):
            try:
                self._stream.write(f"{line}\n")
            except UnicodeEncodeError:
                self._stream.write(f"{line.encode('ascii', 'backslashreplace').decode()}\n")
            self._stream.flush()

    debug = info = warning = error = critical = write


class _Handler(logging.StreamHandler[TextIO]):
    """Says that a line could not be written without repeating what was in it: the standard library would print the
    arguments, secrets and all, to stderr."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the standard library's name
        if isinstance(sys.exception(), OSError) or self.stream.closed:
            return
        line = logging.LogRecord(record.name, logging.ERROR, record.pathname, 0, "log.unrenderable", None, None)
        self.stream.write(self.format(line) + self.terminator)


def _ending(chosen: LogFormat, clock: Clock, *, colors: bool) -> list[Processor]:
    """What all lines go through, whoever wrote them."""
    return [
        partial(_in_order, clock),
        structlog.processors.format_exc_info,
        *_renderers(chosen, colors=colors),
    ]


def _theirs(_logger: WrappedLogger, _name: str, event_dict: EventDict) -> EventDict:
    """The libraries' lines name their logger."""
    record: logging.LogRecord = event_dict.pop("_record")
    del event_dict["_from_structlog"]
    return {**event_dict, "logger": record.name}


def _in_order(clock: Clock, _logger: WrappedLogger, level: str, event_dict: EventDict) -> EventDict:
    """What every line begins with, whatever fields it has. What is not known is left out."""
    line = {"timestamp": rfc3339(clock.now_ms()), "level": level, "event": event_dict["event"]}
    for key, value in event_dict.items():
        if value is not None and key not in line:
            line[key] = value
    return line


def _renderers(chosen: LogFormat, *, colors: bool) -> list[Processor]:
    if chosen == "json":
        return [redacted_json]
    console = structlog.dev.ConsoleRenderer(
        colors=colors, exception_formatter=structlog.dev.plain_traceback, sort_keys=False
    )
    return [redact, _printable, console]


def _printable(_logger: WrappedLogger, _name: str, event_dict: EventDict) -> EventDict:
    """A terminal obeys control characters: they are shown instead, but for the line ends of a traceback."""
    return {
        key: printable(value, keep="\n" if key in _SEVERAL_LINES else "") if isinstance(value, str) else value
        for key, value in event_dict.items()
    }


def _install(handler: logging.Handler, level: int) -> None:
    root = logging.getLogger()
    for earlier in [known for known in root.handlers if isinstance(known, _Handler)]:
        root.removeHandler(earlier)
    root.addHandler(handler)
    root.setLevel(level)
    for library in _QUIET_LIBRARIES:
        logging.getLogger(library).setLevel(max(root.level, logging.WARNING))

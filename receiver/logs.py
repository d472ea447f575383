"""Log lines: one formatter for ours and the libraries', one JSON object per line (DESIGN 8).

Event names are static and dotted, data goes in fields: `get_logger().info("webhook.accepted", event_id=...)`. Every
line has `timestamp`, `level` and `event`; those of libraries also `logger`. Whatever a line holds is redacted last,
behind everything else that could add to it.
"""

import json
import logging
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from threading import Lock
from typing import Literal, TextIO, TypeAlias, cast

import msgspec
import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from receiver.clock import Clock, SystemClock
from receiver.redaction import Redactor
from receiver.terminal import printable
from receiver.times import rfc3339

__all__ = ["Level", "LogFormat", "configure", "get_logger", "log_all", "protect", "redact"]

LogFormat: TypeAlias = Literal["json", "console"]
Level: TypeAlias = Literal["debug", "info", "warning", "error", "critical"]
_Rendering: TypeAlias = Callable[[Sequence[EventDict]], str]
"""What becomes of lines, one or many: their text, redacted, without the last one's end."""

_QUIET_LIBRARIES = ("aiohttp.access", "alembic", "asyncio")
"""What they say below a warning is said better by our own lines, or not worth a line."""

_LEVELS = {name.lower(): number for name, number in logging.getLevelNamesMapping().items()}
_SEVERAL_LINES = frozenset({"exception", "stack", "stack_info"})

_PLAIN = frozenset({str, int})
_encode = json.JSONEncoder(separators=(",", ":")).encode
_encode_plain = msgspec.json.Encoder().encode_lines
_known = {"redactor": Redactor()}


def get_logger(name: str = "receiver") -> FilteringBoundLogger:
    """A logger of ours. Event names are static; `event_name` is for Livepeer's."""
    return cast("FilteringBoundLogger", structlog.get_logger(name))


def log_all(lines: Iterable[tuple[Level, EventDict]]) -> None:
    """Log each of these lines, given as a level and its fields, `event` among them, none of them an exception: as if a
    logger were called for each, but what the calls have in common is done once, and they are written at once."""
    config, logger = structlog.get_config(), get_logger().bind()
    if config["processors"][-1] is _whole:
        enabled = {level for level, number in _LEVELS.items() if logger.is_enabled_for(number)}
        config["logger_factory"]().take_all((level, fields) for level, fields in lines if level in enabled)
        return
    for level, fields in lines:  # somebody else looks at them, such as a test
        getattr(logger, level)(**fields)


def protect(*secrets: str) -> None:
    """Never let these come out, in whatever line and form. Those shorter than four characters cannot be protected."""
    _known["redactor"] = _known["redactor"].protecting(*secrets)


def redact(_logger: WrappedLogger, _name: str, event_dict: EventDict) -> EventDict:
    """The processor that lets no secret out (P10)."""
    return _known["redactor"].mapping(event_dict)


def redacted_json(lines: Sequence[EventDict]) -> str:
    """Each line as JSON, redacted. What was redacted is JSON through and through."""
    return _plain_json(lines) or "\n".join(
        _plain_json([line]) or _encode(_known["redactor"].mapping(line)) for line in lines
    )


def _plain_json(lines: Sequence[EventDict]) -> str | None:
    """What `json.dumps` writes of the lines, if they are of texts and integers with nothing to redact or to escape, as
    most are. The lines of a group have many texts in common: each is looked at once."""
    names = frozenset[str]().union(*lines)
    types = set[type]().union(*(map(type, line.values()) for line in lines))
    if not (types <= _PLAIN and {str}.issuperset(map(type, names))):
        return None
    values = set[object]().union(*(line.values() for line in lines))
    if not _known["redactor"].leaves(names, [value for value in values if type(value) is str]):
        return None
    return _encode_plain(lines).decode().removesuffix("\n")


def configure(log_format: LogFormat | None, level: str, stream: TextIO, clock: Clock | None = None) -> None:
    """Send every log line of the process to `stream`, from `level` up (`debug`, `info`, `warning`, `error`).

    Without a format: `console` on a terminal, else `json`. The clock gives the lines their time. May be called again:
    the last call counts.
    """
    chosen = log_format or ("console" if stream.isatty() else "json")
    lowest = logging.getLevelNamesMapping()[level.upper()]
    rendered = redacted_json if chosen == "json" else _console(colors=stream.isatty())
    lines = _Lines(stream, rendered, clock or SystemClock())
    every: list[Processor] = [lines.in_order, structlog.processors.format_exc_info]
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, structlog.processors.StackInfoRenderer(), *every, _whole],
        wrapper_class=structlog.make_filtering_bound_logger(lowest),
        logger_factory=lambda *_names: lines,
        cache_logger_on_first_use=False,
    )
    handler = _Handler(stream)
    handler.setFormatter(
        ProcessorFormatter(processors=[_theirs, *every, lambda _logger, _name, line: rendered([line])])
    )
    _install(handler, lowest)


class _Lines:
    """Writes our lines, each whole. What cannot be written is lost: a full disk or a closed pipe must stop nothing."""

    def __init__(self, stream: TextIO, rendered: _Rendering, clock: Clock) -> None:
        self._stream = stream
        self._rendered = rendered
        self._clock = clock
        self._lock = Lock()

    def in_order(self, _logger: WrappedLogger, level: str, event_dict: EventDict) -> EventDict:
        """The line, beginning as every one does."""
        return _in_order(rfc3339(self._clock.now_ms()), level, event_dict)

    def take_all(self, lines: Iterable[tuple[Level, EventDict]]) -> None:
        """Put these in order and write them, all at once: each write to a file lets another thread take over."""
        timestamp, shared = rfc3339(self._clock.now_ms()), structlog.contextvars.get_contextvars()
        self._write(
            [
                _in_order(timestamp, level, {**fields, **shared, **fields} if shared else fields)
                for level, fields in lines
            ]
        )

    def take(self, line: EventDict) -> None:
        """Write a line that is in order."""
        self._write([line])

    debug = info = warning = error = critical = take

    def _write(self, lines: Sequence[EventDict]) -> None:
        if not lines:
            return
        text = self._rendered(lines)
        with self._lock, suppress(OSError, ValueError):
            try:
                self._stream.write(f"{text}\n")
            except UnicodeEncodeError:
                self._stream.write(f"{text.encode('ascii', 'backslashreplace').decode()}\n")
            self._stream.flush()


class _Handler(logging.StreamHandler[TextIO]):
    """Says that a line could not be written without repeating what was in it: the standard library would print the
    arguments, secrets and all, to stderr."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the standard library's name
        if isinstance(sys.exception(), OSError) or self.stream.closed:
            return
        line = logging.LogRecord(record.name, logging.ERROR, record.pathname, 0, "log.unrenderable", None, None)
        self.stream.write(self.format(line) + self.terminator)


def _whole(_logger: WrappedLogger, _name: str, event_dict: EventDict) -> tuple[tuple[EventDict], dict[str, object]]:
    """The line goes to `_Lines` as it is: lines are rendered together."""
    return (event_dict,), {}


def _theirs(_logger: WrappedLogger, _name: str, event_dict: EventDict) -> EventDict:
    """The libraries' lines name their logger."""
    record: logging.LogRecord = event_dict.pop("_record")
    del event_dict["_from_structlog"]
    return {**event_dict, "logger": record.name}


def _in_order(timestamp: str, level: str, event_dict: EventDict) -> EventDict:
    """What every line begins with, whatever fields it has. What is not known is left out."""
    own = {"timestamp": timestamp, "level": level}
    line = {**own, "event": event_dict["event"], **event_dict, **own}
    for name in [name for name, value in line.items() if value is None]:
        del line[name]
    return line


def _console(*, colors: bool) -> _Rendering:
    """Lines for people."""
    shown = structlog.dev.ConsoleRenderer(
        colors=colors, exception_formatter=structlog.dev.plain_traceback, sort_keys=False
    )

    def rendered(lines: Sequence[EventDict]) -> str:
        return "\n".join(shown(None, "", _printable(redact(None, "", line))) for line in lines)

    return rendered


def _printable(event_dict: EventDict) -> EventDict:
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

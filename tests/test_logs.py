import io
import json
import logging
from collections.abc import Iterator, Mapping

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from receiver import logs
from receiver.clock import ManualClock
from receiver.redaction import MASK

NOW_MS = 1_726_153_200_123
SECRET = "whole-story-41c7"
logs.protect(SECRET)


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Other tests find the logging of the process as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def configured(log_format: logs.LogFormat | None = "json", level: str = "info") -> io.StringIO:
    """A stream that the process's log lines go to, and nothing else: pytest's own handler stumbles over broken ones."""
    logging.getLogger().handlers.clear()
    stream = io.StringIO()
    logs.configure(log_format, level, stream, ManualClock(NOW_MS))
    return stream


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    """What was logged, each line read as JSON."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_of_ours_is_one_json_object() -> None:
    """Time from the clock, level and event first, then the fields as they were given."""
    stream = configured()
    logs.get_logger("receiver.inbox").info("webhook.accepted", event_id="e1", bytes=12)
    assert (
        '{"timestamp":"2024-09-12T15:00:00.123Z","level":"info","event":"webhook.accepted",'
        '"event_id":"e1","bytes":12}\n'
    ) == stream.getvalue()


def test_a_librarys_line_goes_through_the_same_formatter() -> None:
    """The standard library's loggers get the same form, and name themselves."""
    stream = configured()
    logging.getLogger("aiohttp.server").warning("odd %s", "request")
    assert [
        {
            "timestamp": "2024-09-12T15:00:00.123Z",
            "level": "warning",
            "event": "odd request",
            "logger": "aiohttp.server",
        }
    ] == lines(stream)


def test_an_exception_is_a_field_and_redacted() -> None:
    """The traceback stays in its line, and no secret stands in it, wherever it was raised."""
    stream = configured()
    for logger in (logs.get_logger("receiver.inbox"), logging.getLogger("aiohttp.server")):
        try:
            int(SECRET)
        except ValueError:
            logger.exception("store.unavailable")
    ours, library = lines(stream)
    for line in (ours, library):
        assert str(line["exception"]).endswith("invalid literal for int() with base 10: '[redacted]'")
    assert SECRET not in stream.getvalue()


def test_a_stack_is_a_field() -> None:
    """`stack_info` shows where a line comes from, for ours and the libraries'."""
    stream = configured()
    logs.get_logger("receiver").info("a.b", stack_info=True)
    logging.getLogger("x").info("c", stack_info=True)
    ours, library = lines(stream)
    assert "test_logs.py" in str(ours["stack"])
    assert "test_logs.py" in str(library["stack_info"])


def test_bound_context_is_in_every_line() -> None:
    """What is bound once, such as the request's id, stands in each line until it is unbound."""
    stream = configured()
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        logs.get_logger("receiver").info("http.request")
    logs.get_logger("receiver").info("http.request")
    assert ["r1", None] == [line.get("request_id") for line in lines(stream)]


def test_the_level_holds_for_ours_and_theirs() -> None:
    """Below the level nothing is written; chatty libraries are heard from a warning up."""
    stream = configured(level="info")
    logs.get_logger("receiver").debug("a.b")
    logging.getLogger("aiohttp.server").debug("no")
    logging.getLogger("alembic.runtime.migration").info("Context impl SQLiteImpl.")
    logging.getLogger("aiohttp.access").info("GET /")
    assert [] == lines(stream)


def test_the_last_configuration_counts() -> None:
    """Configuring again replaces the stream instead of adding one."""
    first, second = configured(), configured()
    logs.get_logger("receiver").info("a.b")
    assert (0, 1) == (len(lines(first)), len(lines(second)))


def test_fields_cannot_pose_as_the_lines_own() -> None:
    """A field called `level` or `timestamp` does not replace what the line says of itself."""
    stream = configured()
    logs.get_logger("receiver").info("a.b", level="critical", timestamp="never")
    assert ["info", "2024-09-12T15:00:00.123Z"] == [lines(stream)[0][key] for key in ("level", "timestamp")]


def test_a_line_that_cannot_be_written_is_told_without_its_arguments() -> None:
    """A wrong format string costs the line, not the secret in its arguments."""
    stream = configured()
    logging.getLogger("aiohttp.server").warning("%d", SECRET)
    assert [("log.unrenderable", "aiohttp.server")] == [(line["event"], line["logger"]) for line in lines(stream)]


def test_a_closed_stream_does_not_stop_the_program() -> None:
    """Nobody reads any more: the line is lost, and nothing else."""
    stream = configured()
    stream.close()
    logs.get_logger("receiver").info("a.b")
    assert stream.closed


def test_a_console_line_reads_as_text() -> None:
    """For people: time, level, event, then fields as name=value, without colours where there is no terminal."""
    stream = configured("console")
    logs.get_logger("receiver").info("webhook.accepted", event_id="e1", token="t")
    assert ["2024-09-12T15:00:00.123Z", "[info", "]", "webhook.accepted", "event_id=e1", "token=[redacted]"] == (
        stream.getvalue().split()
    )


def test_a_console_obeys_nothing_that_was_logged() -> None:
    """Control characters and line ends from outside are shown, not carried out."""
    stream = configured("console")
    logging.getLogger("x").warning("a\x1b[31m\nb")
    logs.get_logger("receiver").info("a.b", remote="\x1b[2J\n")
    assert 2 == len(stream.getvalue().splitlines())
    assert "\x1b" not in stream.getvalue()


def test_a_console_shows_a_traceback_as_lines() -> None:
    """A person reads a traceback line by line."""
    stream = configured("console")
    try:
        int(SECRET)
    except ValueError:
        logs.get_logger("receiver").exception("a.b")
    assert "ValueError: invalid literal for int() with base 10: '[redacted]'" == stream.getvalue().splitlines()[-1]


@pytest.mark.parametrize(("terminal", "expected"), [(True, "a.b  "), (False, '{"timestamp":')])
def test_without_a_format_the_stream_decides(terminal: bool, expected: str) -> None:  # noqa: FBT001 - a parameter
    """Console on a terminal, JSON everywhere else."""

    class Stream(io.StringIO):
        def isatty(self) -> bool:
            return terminal

    stream = Stream()
    logs.configure(None, "info", stream)
    logs.get_logger("receiver").info("a.b")
    assert expected in stream.getvalue()


@given(st.text(max_size=20), st.text(max_size=20))
def test_no_way_into_a_line_lets_a_secret_out(before: str, after: str) -> None:
    """Event, fields, nested values, keys, arguments, library lines: a protected secret never comes out."""
    stream = configured()
    hidden = f"{before}{SECRET}{after}"
    log = logs.get_logger("receiver").bind(bound=hidden)
    log.info(hidden, field=hidden, nested=[{hidden: (hidden.encode("utf-8", "surrogatepass"), {hidden})}])
    log.info("%s and %s", hidden, [hidden])
    logging.getLogger("aiohttp.server").warning("%s %r", hidden, ValueError(hidden))
    assert 3 == len(lines(stream))
    assert SECRET not in stream.getvalue()
    assert MASK in stream.getvalue()


def plainly(line: dict[str, object]) -> str:
    """A line as the standard library writes it, redacted."""
    return compact(logs.redact(None, "info", line))


def compact(line: Mapping[str, object]) -> str:
    """A line as the standard library writes it."""
    return json.dumps(line, separators=(",", ":"))


odd_texts = st.text(max_size=8) | st.sampled_from(
    [SECRET, "2f8a-x1k9-zz0q-7bb3", "a\nb", '"', "%s", "}, {", "eyJhbGciOi"]
)
plain_texts = st.sampled_from(["stored", "not_understood", "127.0.0.1", "2024-09-12T15:00:00.000Z", ""])
values = plain_texts | st.integers() | st.booleans() | odd_texts | st.floats() | st.lists(odd_texts, max_size=2)
plain_lines = st.dictionaries(st.sampled_from(["code", "event_id", "bytes"]), plain_texts | st.integers(), min_size=1)
odd_lines = st.dictionaries(st.sampled_from(["code", "token", "a b", "%d", SECRET]) | odd_texts, values, min_size=1)


@given(st.lists(plain_lines, min_size=1, max_size=4))
def test_plain_lines_are_written_as_the_standard_library_would(group: list[dict[str, object]]) -> None:
    """The quick way gives the same bytes, and is taken."""
    written = logs._plain_json(group)
    assert "\n".join(map(compact, group)) == written


@given(st.lists(plain_lines | odd_lines, min_size=1, max_size=4))
def test_any_lines_are_written_as_the_standard_library_would(group: list[dict[str, object]]) -> None:
    """Whatever is in a line, in whatever company: redacted JSON, byte for byte."""
    assert "\n".join(plainly(line) for line in group) == logs.redacted_json(group)


def test_lines_logged_at_once_are_those_logged_one_by_one() -> None:
    """The same processors, level, context and redaction."""
    group: list[tuple[logs.Level, dict[str, object]]] = [
        ("info", {"event": "a.b", "event_id": "e1", "none": None}),
        ("debug", {"event": "not.heard"}),
        ("warning", {"event": "c.d", "token": "t", "detail": f"says {SECRET}", "level": "posed"}),
    ]
    alone, at_once = configured(), configured()
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        logs.log_all((level, dict(fields)) for level, fields in group)
        logging.getLogger().handlers.clear()
        logs.configure("json", "info", alone, ManualClock(NOW_MS))
        for level, fields in group:
            getattr(logs.get_logger(), level)(**fields)
    assert 2 == len(lines(at_once))
    assert alone.getvalue() == at_once.getvalue()


def test_lines_logged_at_once_can_be_captured() -> None:
    """Structlog's own way to test them."""
    configured()
    with structlog.testing.capture_logs() as captured:
        logs.log_all([("info", {"event": "a.b", "bytes": 1}), ("warning", {"event": "c.d"})])
    assert [{"event": "a.b", "bytes": 1, "log_level": "info"}, {"event": "c.d", "log_level": "warning"}] == captured


def test_console_lines_logged_at_once_are_lines() -> None:
    """For people, too, each has its own."""
    stream = configured("console")
    logs.log_all([("info", {"event": "a.b"}), ("info", {"event": "c.d", "token": "t"})])
    assert ["a.b", "c.d"] == [line.split()[3] for line in stream.getvalue().splitlines()]
    assert MASK in stream.getvalue()

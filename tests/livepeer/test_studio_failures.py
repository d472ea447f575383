"""What can go wrong when the Studio API is asked, and what each failure is."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.clock import ManualClock
from receiver.livepeer.studio import StudioClient
from receiver.livepeer.studio.failures import (
    Denied,
    InsufficientScope,
    Invalid,
    NotFound,
    RateLimited,
    Redirected,
    StudioError,
    Unauthorized,
    Unavailable,
    UserSuspended,
)
from receiver.livepeer.studio.refusals import error_texts, failure, read_retry_after
from tests.running import logged
from tests.sender import T0_MS
from tests.studio import KEY, Credential, fake_studio
from tests.studio_client import QUICK, Waits, asked, client_of
from tests.studio_faults import (
    ANOTHER_JSON,
    BROKEN,
    HANG,
    NO_JSON,
    SLOW,
    Fault,
    failing,
    huge,
    limited,
    redirecting,
)
from tests.studio_rows import stream_row

ROUTES: dict[str, Callable[[StudioClient], Awaitable[object]]] = {
    "reading": lambda client: client.asset("a"),
    "resending": lambda client: client.resend("w", "l"),
    "changing": lambda client: client.update_webhook("w", name="n"),
}
"""Those that read are repeated, the others never."""


def refusal(status: int, body: str, **headers: str) -> Fault:
    """An answer of the API."""
    return Fault("answer", status, body, headers)


@pytest.mark.parametrize(
    ("fault", "expected", "status"),
    [
        (refusal(401, '{"errors":["request is not authenticated"]}'), Unauthorized, 401),
        (refusal(403, '{"errors":["user is suspended"]}'), UserSuspended, 403),
        (refusal(403, '{"errors":["credential has insufficent privileges"]}'), InsufficientScope, 403),
        (refusal(403, '{"errors":["credential has insufficient privileges"]}'), InsufficientScope, 403),
        (refusal(403, '{"errors":["useremail not verified"]}'), Denied, 403),
        (refusal(404, '{"errors":["not found"]}'), NotFound, 404),
        (refusal(404, "<html>"), NotFound, 404),
        (refusal(400, '{"errors":["bad request"]}'), Invalid, 400),
        (refusal(422, '{"error":"unfit","error_detail":"of no use"}'), Invalid, 422),
        (limited("0"), RateLimited, 429),
        (failing(500), Unavailable, 500),
        (failing(501), Unavailable, 501),
        (failing(503), Unavailable, 503),
        (refusal(502, ""), Unavailable, 502),
        (refusal(408, ""), Unavailable, 408),
        (NO_JSON, Unavailable, 200),
        (ANOTHER_JSON, Unavailable, None),
        (refusal(200, "[" * 100_000), Unavailable, 200),
        (refusal(200, '{"id": NaN}'), Unavailable, 200),
        (refusal(200, '{"id": "\ud800"}'.encode("utf-8", "replace").decode()), Unavailable, None),
        (HANG, Unavailable, None),
        (SLOW, Unavailable, None),
        (BROKEN, Unavailable, None),
        (huge(5000), Unavailable, 200),
        (redirecting("https://livepeer.studio/api"), Redirected, 302),
        (refusal(304, ""), Redirected, 304),
    ],
)
async def test_each_failure_has_its_class(fault: Fault, expected: type[StudioError], status: int | None) -> None:
    """One for each decision that a caller may take; none has a cause that could tell more than it does."""
    async with asked(patience=replace(QUICK, retries=0, max_bytes=4000, total_s=0.1)) as (studio, client, _):
        studio.faults["/"] = fault
        with pytest.raises(StudioError) as met:
            await client.asset("a")
    assert (expected, status) == (type(met.value), met.value.status)
    assert (None, None) == (met.value.__cause__, met.value.__context__)


async def test_what_the_account_and_the_key_may_not() -> None:
    """As the fake, which is written from FACTS, tells of them."""
    async with asked() as (studio, client, _):
        studio.add(studio.streams, stream_row())
        for credential, expected in (
            (Credential(suspended=True), UserSuspended),
            (Credential(may=frozenset()), Denied),
        ):
            studio.keys[KEY] = credential
            with pytest.raises(expected):
                await client.stream("s")
        studio.keys.clear()
        with pytest.raises(Unauthorized):
            await client.stream("s")


async def test_nobody_there() -> None:
    """No connection is an answer that may be another later."""
    waits = Waits()
    async with fake_studio(waits.clock) as studio:
        client = client_of(studio, waits)
    with pytest.raises(Unavailable) as met:
        await client.asset("a")
    await client.close()
    assert (None, 3) == (met.value.status, len(waits.slept))
    assert "ClientConnectorError" in met.value.detail


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("name", ROUTES)
async def test_no_redirect_is_followed(name: str, status: int) -> None:
    """P13: the key would go along. Wherever it points, nobody is asked there, and nobody is asked again."""
    async with asked() as (studio, client, waits), fake_studio(waits.clock) as elsewhere:
        studio.faults["/"] = redirecting(elsewhere.url, status)
        with pytest.raises(Redirected) as met:
            await ROUTES[name](client)
        assert ([], 1) == (elsewhere.asked, len(studio.asked))
    assert "RECEIVER_STUDIO_URL" in met.value.detail


async def test_reading_is_repeated() -> None:
    """After what passes, until it has passed; with waits that double, each drawn from none to that."""
    async with asked() as (studio, client, waits):
        studio.add(studio.streams, stream_row())
        studio.faults["/stream"] = failing(502, times=3)
        await client.stream(stream_row()["id"])
        assert [0.5, 1.0, 2.0] == waits.slept
        waits.slept.clear()
        waits.chance = 0.25
        studio.faults["/stream"] = failing(502)
        with pytest.raises(Unavailable):
            await client.stream("s")
        assert ([0.125, 0.25, 0.5], 8) == (waits.slept, len(studio.asked))


@pytest.mark.parametrize("fault", [HANG, BROKEN, NO_JSON, failing(500), failing(504), limited("1")])
async def test_what_passes_is_tried_again(fault: Fault) -> None:
    """Silence, an answer that breaks off, a fault of theirs."""
    async with asked(patience=replace(QUICK, retries=1, total_s=0.1)) as (studio, client, _):
        studio.add(studio.streams, stream_row())
        studio.faults["/stream"] = replace(fault, times=1)
        assert stream_row()["id"] == (await client.stream(stream_row()["id"])).id


@pytest.mark.parametrize(
    "fault", [refusal(401, ""), refusal(403, ""), refusal(404, ""), refusal(422, ""), failing(501), huge(5000)]
)
async def test_what_stays_is_not_tried_again(fault: Fault) -> None:
    """It would be the same."""
    async with asked(patience=replace(QUICK, max_bytes=4000)) as (studio, client, _):
        studio.faults["/"] = fault
        with pytest.raises(StudioError):
            await client.asset("a")
        assert 1 == len(studio.asked)


@pytest.mark.parametrize("name", ["resending", "changing"])
@pytest.mark.parametrize("fault", [HANG, BROKEN, failing(500), limited("1")])
async def test_a_change_is_never_repeated(name: str, fault: Fault) -> None:
    """Nobody knows whether it was made."""
    async with asked(patience=replace(QUICK, total_s=0.1, resend_s=0.1)) as (studio, client, _):
        studio.faults["/"] = fault
        with pytest.raises((Unavailable, RateLimited)):
            await ROUTES[name](client)
        assert 1 == len(studio.asked)


async def test_a_resend_has_more_time() -> None:
    """Studio itself waits for half a minute (FACTS 1.4)."""
    async with asked(patience=replace(QUICK, total_s=30, resend_s=0.05)) as (studio, client, _):
        studio.faults["/"] = HANG
        with pytest.raises(Unavailable, match=r"within 0\.05 s"):
            await client.resend("w", "l")


async def test_waits_as_long_as_it_is_told() -> None:
    """`Retry-After` in seconds, or as a date."""
    async with asked() as (studio, client, waits):
        studio.add(studio.streams, stream_row())
        for said in ("7", "Thu, 12 Sep 2024 15:00:14 GMT"):
            studio.faults["/stream"] = limited(said, times=1)
            await client.stream(stream_row()["id"])
    assert [7, 7] == waits.slept


async def test_gives_up_at_once_where_it_would_wait_too_long() -> None:
    """And so does every other call until then, without asking."""
    async with asked() as (studio, client, waits):
        studio.add(studio.streams, stream_row())
        studio.faults["/asset"] = limited("60", times=1)
        with pytest.raises(RateLimited) as met:
            await client.asset("a")
        with pytest.raises(RateLimited) as held:
            await client.stream("s")
        assert (60, 60, 429, None) == (
            met.value.retry_after_s,
            held.value.retry_after_s,
            met.value.status,
            held.value.status,
        )
        assert ([], 1) == (waits.slept, len(studio.asked))
        await waits.sleep(45)
        await client.stream(stream_row()["id"])
        assert [45, 15] == waits.slept


async def test_a_429_without_a_time_is_left_alone_for_a_while() -> None:
    """By all calls, too."""
    async with asked(patience=replace(QUICK, retries=0)) as (studio, client, waits):
        studio.faults["/asset"] = limited(times=1)
        with pytest.raises(RateLimited) as met:
            await client.asset("a")
        with pytest.raises(NotFound):
            await client.stream("s")
    assert (5, [5]) == (met.value.retry_after_s, waits.slept)


async def test_an_unavailable_that_says_how_long_is_believed() -> None:
    """503 with `Retry-After`."""
    async with asked() as (studio, client, waits):
        studio.faults["/asset"] = failing(503, 1, "9")
        with pytest.raises(NotFound):
            await client.asset("a")
    assert [9] == waits.slept


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0", 0),
        (" 12 ", 12),
        ("9" * 30, 3_600),
        ("Thu, 12 Sep 2024 15:02:00 GMT", 120),
        ("Thursday, 12-Sep-24 15:02:00 GMT", 120),
        ("Thu, 12 Sep 2024 14:00:00 GMT", 0),
        ("Thu, 12 Sep 9999 14:00:00 GMT", 3_600),
        ("-1", None),
        ("1.5", None),
        ("²", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after(value: str | None, expected: float | None) -> None:
    """Seconds or a date (RFC 9110, 10.2.3); what is neither says nothing."""
    assert expected == read_retry_after(value, T0_MS)


@given(st.text(max_size=60), st.integers(0, 2**45))
def test_retry_after_may_be_anything(value: str, now_ms: int) -> None:
    """It never fails, and never asks for more than an hour."""
    seconds = read_retry_after(value, ManualClock(now_ms).now_ms())
    assert seconds is None or 0 <= seconds <= 3_600


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"errors":["a","b"]}', ("a", "b")),
        ('{"errors":["a",7,null,""]}', ("a",)),
        ('{"error":"a","error_detail":"b"}', ("a: b",)),
        ('{"error":"a","error_detail":null}', ("a",)),
        ('{"errors":"a"}', ()),
        ("[]", ()),
        ("", ()),
        ("<html>", ()),
        ('{"errors":["{not json"]}', ("{not json",)),
        ('{"errors":["{\\"instancePath\\":\\"\\",\\"message\\":\\"must be object\\"}"]}', ("/ must be object",)),
        ('{"errors":["{\\"keyword\\":\\"type\\"}"]}', ('{"keyword":"type"}',)),
        (
            '{"errors":["{\\"instancePath\\":\\"\\",\\"params\\":{\\"additionalProperty\\":\\"x\\"},\\"message\\":\\"no\\"}"]}',
            ("/ no: x",),
        ),
    ],
)
def test_both_shapes_of_errors(body: str, expected: tuple[str, ...]) -> None:
    """And schema errors, which are JSON in a text, in words (FACTS 9)."""
    assert expected == error_texts(body.encode())


@given(st.integers(300, 599), st.binary(max_size=200))
def test_any_refusal_is_a_failure(status: int, body: bytes) -> None:
    """Whatever it says."""
    found = failure(status, error_texts(body), str, None)
    assert status == found.status
    assert str(found)


async def test_a_failure_is_logged_once() -> None:
    """With the path's pattern, not with an id; what is not there is an answer, and has no line."""
    with logged() as log:
        async with asked() as (studio, client, _):
            with pytest.raises(NotFound):
                await client.asset("an-id")
            studio.faults["/asset"] = failing(500)
            with pytest.raises(Unavailable):
                await client.asset("an-id")
            studio.faults["/asset"] = HANG
            with pytest.raises(Unavailable):
                await client.asset("an-id")
    first, second = log.lines
    assert {
        "level": "warning",
        "event": "studio.failed",
        "method": "GET",
        "route": "/asset/{}",
        "status": 500,
        "code": "studio_unavailable",
        "attempts": 4,
        "detail": "The Studio API failed (500). It says: Internal server error: Error",
    } == {name: value for name, value in first.items() if name not in {"timestamp", "logger"}}
    assert ("status" in second, "studio_unavailable") == (False, second["code"])
    assert "an-id" not in log.getvalue()

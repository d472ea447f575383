"""Lists of the Studio API come to an end, however they are cut; and the API is asked no more than it bears."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.livepeer.studio.failures import NotFound, PagesEndless
from receiver.livepeer.studio.paging import next_cursor
from receiver.livepeer.studio.webhooks import Webhook
from receiver.rates import Rate
from tests.studio import FakeStudio
from tests.studio_client import QUICK, asked
from tests.studio_faults import ENDLESS, Fault
from tests.studio_rows import stream_row

NOWHERE = "http://127.0.0.1:9/webhooks"


def hooks(studio: FakeStudio, count: int) -> None:
    """So many webhooks."""
    for number in range(count):
        studio.add_webhook(NOWHERE, id=f"w{number}", createdAt=number)


async def ids(items: AsyncIterator[Webhook]) -> list[str]:
    """Of all in a list, as far as it goes."""
    return [item.id async for item in items]


@pytest.mark.parametrize(("count", "pages"), [(0, 1), (1, 1), (2, 1), (3, 2), (4, 2), (5, 3)])
async def test_a_list_ends_where_its_link_is_undefined(count: int, pages: int) -> None:
    """The header is there on the last page, too (FACTS 9)."""
    async with asked(patience=replace(QUICK, page_items=2)) as (studio, client, _):
        hooks(studio, count)
        assert [f"w{number}" for number in reversed(range(count))] == await ids(client.webhooks())
        assert pages == len(studio.asked)
        assert {"2"} == {request.query["limit"] for request in studio.asked}


async def test_a_list_ends_where_nothing_is_left() -> None:
    """Though its link goes on: an empty page has none behind it."""
    async with asked(patience=replace(QUICK, page_items=2)) as (studio, client, _):
        hooks(studio, 0)
        studio.faults["/webhook"] = ENDLESS
        assert [] == await ids(client.webhooks())
        assert 1 == len(studio.asked)


async def test_a_list_ends_where_it_turns_in_a_circle() -> None:
    """A cursor that was there before leads to what was read before."""
    link = '<http://elsewhere.example/webhook?cursor=skip20>; rel="next"'
    async with asked() as (studio, client, _):
        studio.faults["/webhook"] = Fault(body='[{"id":"w"}]', headers={"Link": link})
        assert ["w"] == await ids(client.webhooks())
        assert [None, "skip20"] == [request.query.get("cursor") for request in studio.asked]


async def test_a_list_without_an_end_is_told_of() -> None:
    """What was read stands, and that there is more is not kept quiet. What stands on two pages, as a list that is added
    to at its head has it, comes once."""
    found: list[str] = []
    async with asked(patience=replace(QUICK, max_pages=3, page_items=2)) as (studio, client, _):
        hooks(studio, 50)
        studio.faults["/webhook"] = ENDLESS
        with pytest.raises(PagesEndless):
            await _until_it_fails(client.webhooks(), found)
        assert 3 == len(studio.asked)
    assert ["w49", "w48", "w47", "w46"] == found


async def _until_it_fails(items: AsyncIterator[Webhook], found: list[str]) -> None:
    async for item in items:
        found.append(item.id)  # noqa: PERF401 -- what comes before it fails counts


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ('<https://livepeer.studio/api/stream?limit=20&cursor=skip20>; rel="next"', "skip20"),
        ('<https://livepeer.studio/api/stream?cursor=a%26b>; rel="next"', "a&b"),
        ('<https://a/?cursor=x>; rel="prev", <https://a/?cursor=y>; rel="next"', "y"),
        ("<https://a/?cursor=x>; rel=next", "x"),
        ('<https://a/?cursor=undefined>; rel="next"', None),
        ('<https://a/?cursor=null>; rel="next"', None),
        ('<https://a/?cursor=>; rel="next"', None),
        ('<https://a/>; rel="next"', None),
        ('<https://[a/?cursor=x>; rel="next"', None),
        (f'<https://a/?cursor={"x" * 1001}>; rel="next"', None),
        ('<https://a/?cursor=x>; rel="prev"', None),
        ("", None),
    ],
)
def test_the_cursor_of_a_link(link: str, expected: str | None) -> None:
    """It alone is taken: where to ask is not for the answer to say."""
    assert expected == next_cursor(link)


@given(st.text(alphabet='<>;,= "relnextcursor?&://%[]', max_size=200))
def test_a_link_may_be_anything(link: str) -> None:
    """It never fails."""
    cursor = next_cursor(link)
    assert cursor is None or 0 < len(cursor) <= 1000


async def test_the_api_is_asked_within_a_rate() -> None:
    """A burst, then one by one; all calls together."""
    async with asked(patience=replace(QUICK, rate=Rate(2, 3))) as (studio, client, waits):
        studio.add(studio.streams, stream_row())
        before = waits.elapsed_s
        calls = [client.stream(stream_row()["id"]) for _ in range(9)]
        await asyncio.gather(*calls)
        assert 9 == len(studio.asked)
    assert 3.0 == waits.elapsed_s - before


async def test_retries_count_as_well() -> None:
    """The API is asked no more for what fails."""
    async with asked(patience=replace(QUICK, rate=Rate(0.1, 1), first_wait_s=0)) as (studio, client, waits):
        studio.faults["/asset"] = Fault(status=500, times=2)
        with pytest.raises(NotFound):
            await client.asset("a")
        assert [0.0, 10.0, 0.0, 10.0] == waits.slept


async def test_who_gives_up_makes_way() -> None:
    """A call that is cancelled while it waits for its turn holds up nobody."""
    async with asked(patience=replace(QUICK, rate=Rate(1, 1))) as (studio, client, waits):
        studio.add(studio.streams, stream_row())
        calls = [asyncio.create_task(client.stream(stream_row()["id"])) for _ in range(4)]
        await asyncio.sleep(0)
        calls[1].cancel()
        done = await asyncio.gather(*calls, return_exceptions=True)
        assert [True, False, True, True] == [not isinstance(one, BaseException) for one in done]
        assert 3 == len(studio.asked)
    assert sum(waits.slept) == 2

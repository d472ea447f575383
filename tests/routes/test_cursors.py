import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.errors import BadRequest
from receiver.routes.cursors import Cursors
from receiver.routes.parameters import Paging, StreamsQuery


def forged(*parts: object) -> str:
    """A cursor made by hand."""
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).rstrip(b"=").decode()


STREAMS = Cursors.of("streams", StreamsQuery(), (int, str))


@given(st.integers(-1, 2**63 - 1), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_a_key_survives_its_cursor(number: int, text: str) -> None:
    """What a list wrote into a cursor is what it reads from it."""
    cursor = STREAMS.write((number, text[:100]))
    assert (number, text[:100]) == STREAMS.read(cursor)


def test_no_cursor_is_the_start() -> None:
    """A list asked for without a cursor begins at its start."""
    assert None is STREAMS.read(None)


def test_the_limit_may_change_between_parts() -> None:
    """A cursor does not depend on how much was asked for, nor on the cursor before."""
    other = Cursors.of("streams", StreamsQuery(limit=7, cursor="x"), (int, str))
    assert (5, "a") == other.read(STREAMS.write((5, "a")))


@pytest.mark.parametrize(
    "other",
    [
        Cursors.of("streams", StreamsQuery(state="live"), (int, str)),
        Cursors.of("events stream-1", Paging(), (int, str)),
    ],
    ids=["other filters", "another list"],
)
def test_a_cursor_is_good_for_its_own_list_only(other: Cursors) -> None:
    """Given to another list, or with other filters, a cursor is refused rather than misread."""
    with pytest.raises(BadRequest, match="does not belong to this list"):
        STREAMS.read(other.write((5, "a")))


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "====",
        "not base64!",
        "A" * 2000,
        forged(),
        forged(STREAMS.mark),
        forged(STREAMS.mark, 5),
        forged(STREAMS.mark, "5", "a"),
        forged(STREAMS.mark, 5, "a", "b"),
        forged(STREAMS.mark, True, "a"),  # noqa: FBT003
        forged(STREAMS.mark, 5.0, "a"),
        forged(STREAMS.mark, 2**63, "a"),
        forged(STREAMS.mark, -2, "a"),
        forged(STREAMS.mark, 5, "a\0"),
        forged(STREAMS.mark, 5, "\ud800"),
        forged(STREAMS.mark, 5, ["a"]),
        base64.urlsafe_b64encode(b"{}").decode().rstrip("="),
        base64.urlsafe_b64encode(b"\xff\xfe").decode().rstrip("="),
        base64.urlsafe_b64encode(b"[" * 700).decode().rstrip("="),
    ],
)
def test_what_no_list_wrote_is_refused(cursor: str) -> None:
    """Whatever stands in a cursor, it is read or refused; the store is never asked for it."""
    with pytest.raises(BadRequest):
        STREAMS.read(cursor)

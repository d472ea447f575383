"""What is looked at of a body is all that anything asks of it."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.intake import read_event, route
from receiver.livepeer.body import members
from receiver.livepeer.envelope import Envelope, NotUnderstood, decode, envelope_of, read_envelope

EVENTS = sorted((Path(__file__).parents[1] / "fixtures" / "events").glob("*.json"))
BODIES = [json.loads(path.read_bytes()) for path in EVENTS]
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=8)
) | st.sampled_from([{}, [], {"id": "x"}, {"snapshot": {"id": "y"}}, {"status": None}])


def told(envelope: Envelope) -> object:
    """All that is made of an envelope."""
    return (
        envelope.claim(),
        envelope.documented_form,
        route(envelope),
        read_event(envelope, envelope.timestamp_ms, None),
    )


def whole(body: bytes) -> object:
    """What is made of a body that is decoded whole, or why that cannot be."""
    try:
        return told(envelope_of(decode(body)))
    except NotUnderstood as error:
        return str(error)


def in_part(body: bytes) -> object:
    """The same of a body of which only some is looked at."""
    try:
        return told(read_envelope(body))
    except NotUnderstood as error:
        return str(error)


def places(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:  # noqa: ANN401 -- JSON
    """Where something can be put in an object, at any depth."""
    if not isinstance(value, dict):
        return []
    found = [(*path, key) for key in value]
    return found + [place for key, member in value.items() for place in places(member, (*path, key))]


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """A body of the sender's, some of its members missing or something else."""
    body = deepcopy(draw(st.sampled_from(BODIES)))
    for _ in range(draw(st.integers(0, 3))):
        *path, key = draw(st.sampled_from(places(body)))
        holder = body
        for step in path:
            holder = holder.get(step) if isinstance(holder, dict) else None
        if isinstance(holder, dict):
            if draw(st.booleans()):
                holder.pop(key, None)
            else:
                holder[key] = deepcopy(draw(VALUES))  # it may be put into in its turn
    return json.dumps(body, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.stem)
def test_an_event_is_read_in_part(path: Path) -> None:
    """As Livepeer sends it, it is never decoded whole, and nothing is missed."""
    body = path.read_bytes()
    assert members(body) is not None
    assert whole(body) == in_part(body)


@given(bodies())
def test_whatever_it_holds_nothing_is_missed(body: bytes) -> None:
    """What is made of a body is the same however it is read, and so is what is wrong with it."""
    assert whole(body) == in_part(body)


@given(bodies(), st.data())
def test_a_broken_body_is_told_alike(body: bytes, data: st.DataObject) -> None:
    """Whatever byte is another, or missing: in a text that is passed over, too."""
    at = data.draw(st.integers(0, len(body) - 1))
    broken = body[:at] + data.draw(st.binary(max_size=2)) + body[at + 1 :]
    assert whole(broken) == in_part(broken)

"""Bodies of old events, compressed."""

from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.storage.packing import DEFLATED, PLAIN, SMALLEST, pack, unpack
from tests.diagnoser.telling import told, town_hall

PACKED_ONCE = b64decode("eLun0IfjIy71jiojUxkALpVpMQ==")


@given(st.binary(max_size=4 * SMALLEST))
def test_any_body_comes_back_as_it_came(body: bytes) -> None:
    """Whatever is in it; and it is never longer than it was."""
    coding, packed = pack(body)
    assert (body, True) == (unpack(coding, packed), len(packed) <= len(body))


def test_a_body_of_livepeers_takes_a_third(body: bytes) -> None:
    """Or less."""
    coding, packed = pack(body)
    assert (DEFLATED, True) == (coding, 3 * len(packed) < len(body))


@pytest.fixture
def body() -> bytes:
    """As Livepeer writes it."""
    [body] = told(town_hall().recording_started(0))
    return body


def test_what_is_short_stays_as_it_is() -> None:
    """There is nothing to gain."""
    assert (PLAIN, b"x" * (SMALLEST - 1)) == pack(b"x" * (SMALLEST - 1))


def test_what_was_packed_once_can_always_be_unpacked() -> None:
    """This was written by the first version: its bytes are in people's databases."""
    assert b'{"id":"","webhookId":"","createdAt":17}' * 9 == unpack(DEFLATED, PACKED_ONCE)


@pytest.mark.parametrize("coding", [DEFLATED, 7])
def test_what_does_not_read_is_an_error(coding: int, body: bytes) -> None:
    """Of the kind that marks one stream as faulty, and no more: cut off, changed, or of a later version."""
    _, packed = pack(body)
    for spoiled in (packed[:-1], packed[:40] + b"?" + packed[41:], b""):
        with pytest.raises(ValueError, match="body"):
            unpack(coding, spoiled)

from typing import cast

from receiver.livepeer.body import Stream
from receiver.livepeer.envelope import Envelope
from receiver.storage.arrival import NOT_UNDERSTOOD, understood
from tests.sender import T0_MS, Event


class Broken:
    """An object that nothing can be read of."""

    def __getattr__(self, name: str) -> object:
        raise ZeroDivisionError(name)


def test_what_no_rule_can_read_is_stored_all_the_same() -> None:
    """P3: it was signed, and a defect of ours must not cost an event."""
    broken = cast("Stream", Broken())
    envelope = Envelope("ev-1", "wh-1", "stream.started", T0_MS, T0_MS, broken, None, documented_form=False)
    arrival = understood(7, T0_MS, "", None, Event().body(), envelope)
    assert (NOT_UNDERSTOOD, None) == (arrival.code, arrival.signal)
    assert "ZeroDivisionError while it was read" == arrival.problem

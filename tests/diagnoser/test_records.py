"""What is stored of a value does not depend on how the value came about."""

from typing import get_args

import pytest

from receiver.diagnoser.records import CONDITIONS, STREAM, text_of
from receiver.diagnosis.state import BroadcastState, Mark, Recording, RecordingState, StreamState
from receiver.diagnosis.values import Condition, Evidence, Severity

MARK = Mark("ev-1", "stream.started", 1_726_153_200_000)


@pytest.mark.parametrize("broadcast", get_args(BroadcastState))
@pytest.mark.parametrize("session", get_args(RecordingState))
def test_a_state_that_was_read_is_written_as_it_was(broadcast: BroadcastState, session: RecordingState) -> None:
    """P5: defaults are left out of a text, whether they were set, read, or never touched."""
    sessions = (Recording("s-1", session, started=MARK), Recording("s-2"))
    state = StreamState("st-1", broadcast, suspended=False, started=MARK, sessions=sessions)
    text = text_of(state)
    assert state == STREAM.decode(text)
    assert text == text_of(STREAM.decode(text))
    assert (broadcast != "idle") == (f'"broadcast":"{broadcast}"' in text)


@pytest.mark.parametrize("severity", get_args(Severity))
def test_conditions_that_were_read_are_written_as_they_were(severity: Severity) -> None:
    """P5: as with states."""
    known = Condition("playback_forbidden", "unknown", "NotObserved", "Nobody has said.")
    evidence = (Evidence("stream.started", "ev-1", 1_726_153_200_000, "It started."),)
    failing = Condition("hls_manifest_empty", "true", "Stalled", "No.", severity=severity, evidence=evidence)
    text = text_of((known, failing))
    assert (known, failing) == CONDITIONS.decode(text)
    assert text == text_of(CONDITIONS.decode(text))


def test_what_is_no_state_is_told() -> None:
    """A fault of the case, never a state that is half of one."""
    for text in ("{", "[]", '{"broadcast":"napping"}', '{"since_ms":"soon"}'):
        with pytest.raises(ValueError):  # noqa: PT011 -- whatever it says
            STREAM.decode(text)

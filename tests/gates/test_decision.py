import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.diagnosis.reasons_playback import PLAYBACK_REASONS
from receiver.gates.decision import MAX_ANSWER_BYTES, Decision, Outcome, outcome_of


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"ret":0}', ("allowed", 0)),
        (b'{"ret":null}', ("allowed", None)),
        (b'{"ret":false}', ("allowed", None)),
        (b'{"ret":""}', ("allowed", None)),
        (b'{"ret":200}', ("allowed", 200)),
        (b'{"ret":299}', ("allowed", 299)),
        (b'{"ret":"200"}', ("allowed", None)),
        (b'{"ret":1}', ("denied", 1)),
        (b'{"ret":300}', ("denied", 300)),
        (b'{"ret":-1}', ("denied", -1)),
        (b'{"ret":true}', ("denied", None)),
        (b'{"ret":"no"}', ("denied", None)),
        (b'{"ret":"403"}', ("denied", None)),
        (b'{"ret":{}}', ("denied", None)),
        (b'{"ret":[]}', ("denied", None)),
        (b'{"ret":1e999}', ("denied", None)),
        (b'{"ret":' + b"9" * 500 + b"}", ("denied", None)),
        (b'{"ret":199.5}', ("denied", None)),
        (b'{"ret":299.5}', ("allowed", None)),
        (b'{"msg":"\xff","ret":403}', ("denied", 403)),
        (b'{"ret":0,"ret":403}', ("denied", 403)),
        (b"[403]", ("allowed", None)),
        (b"null", ("allowed", None)),
        (b'{"ret":403', ("allowed", None)),
        (b'{"ret":403} trailing', ("allowed", None)),
        (b"", ("allowed", None)),
    ],
)
def test_ret_is_read_as_livepeer_reads_it(body: bytes, expected: tuple[Outcome, int | None]) -> None:
    """FACTS 7.1: a truthy `ret` outside 200 to 299 denies; what is no JSON allows."""
    assert expected == outcome_of(200, body)


@given(st.integers(100, 999), st.binary(max_size=50))
def test_the_status_comes_first(status: int, body: bytes) -> None:
    """A `ret` helps nobody who did not answer with a 2xx."""
    outcome, _ = outcome_of(status, body)
    if status // 100 == 2:
        assert outcome in {"allowed", "denied"}
    else:
        assert outcome == ("denied" if status // 100 == 4 else "failed")


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_any_number_is_read(ret: float) -> None:
    """Allowed where it is 0 or a success, denied else."""
    allowed = ret == 0 or 200 <= ret < 300
    assert ("allowed" if allowed else "denied") == outcome_of(200, json.dumps({"ret": ret}).encode())[0]


@pytest.mark.parametrize("encoding", ["deflate", "DEFLATE "])
def test_an_encoded_answer_is_read(encoding: str) -> None:
    """Within bounds: what unfolds to more, or is not what it says, is read as no JSON."""
    assert ("denied", 403) == outcome_of(200, zlib.compress(b'{"ret":403}'), encoding)
    assert ("allowed", None) == outcome_of(200, b"not encoded", encoding)
    bomb = zlib.compress(b'{"ret":403,"x":"' + b" " * (100 * MAX_ANSWER_BYTES) + b'"}')
    assert ("allowed", None) == outcome_of(200, bomb, encoding)


def test_each_outcome_supports_a_reason_that_exists() -> None:
    """But for what is allowed, and what was refused for other causes than its signature."""
    known = {entry.name for entry in PLAYBACK_REASONS}
    made = [Decision("main", 0, outcome, 1) for outcome in ("denied", "no_key", "failed", "slow")]
    made += [Decision("main", 0, "refused", 1, code="signature_mismatch")]
    assert {"GateDenied", "AccessKeyMissing", "GateEndpointFailed", "GateEndpointSlow", "GateSignatureRejected"} == {
        decision.reason for decision in made
    }
    assert {decision.reason for decision in made} <= known
    assert None is Decision("main", 0, "allowed", 1).reason is Decision("main", 0, "refused", 1, code="x").reason

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from receiver.diagnosis.catalogue import CATALOGUE, Explanation, explain, reason_entry
from receiver.diagnosis.reason import ReasonEntry
from receiver.diagnosis.values import ConditionType
from tests.diagnosis.story import DELIVERIES, FORBIDDEN, MANIFEST, PUSH, RECORDING

PACKAGE = Path(__file__).parents[2] / "receiver" / "diagnosis"
GIVEN_IN: dict[str, tuple[ConditionType, ...]] = {
    "rules/publish.py": (PUSH,),
    "rules/pushed.py": (PUSH,),
    "rules/manifest.py": (MANIFEST,),
    "rules/forbidden.py": (FORBIDDEN,),
    "rules/refused.py": (FORBIDDEN,),
    "players.py": (MANIFEST, FORBIDDEN),
    "rules/recording.py": (RECORDING,),
    "rules/recorded.py": (RECORDING,),
    "rules/rollup.py": (RECORDING,),
    "rules/deliveries.py": (DELIVERIES,),
    "senders/endpoint.py": (DELIVERIES,),
    "senders/webhook.py": (DELIVERIES,),
    "senders/registration.py": (DELIVERIES,),
    "rules/players.py": (MANIFEST, FORBIDDEN),
    "inquiries.py": (RECORDING,),
    "judging.py": (RECORDING, PUSH),
    **{
        f"refusal/{module}.py": (FORBIDDEN,)
        for module in ("explaining", "gate_checks", "origins", "token_checks", "token_times")
    },
}
"""Which modules give reasons, and for which conditions."""
REASON = re.compile(r"([A-Z][a-z]+){2,}|Forbidden")
DESIGNED: dict[ConditionType, str] = {
    PUSH: """
        PublishNotStarted StreamKeyMismatch StreamDeleted StreamSuspended UserSuspended UserDisabled WrongProject
        PushDropped
    """,
    MANIFEST: """
        FirstSegmentPending NoSegments TranscodingStalled ManifestUnreachable NoPlaybackNode WrongIdentifier
        AssetNotReady StreamOffline
    """,
    FORBIDDEN: """
        AccessKeyMissing JwtExpired JwtLifetimeTooLong JwtSubjectMismatch JwtKeyUnknown JwtAlgorithm JwtMalformed
        BothCredentials GateDenied GateEndpointFailed GateEndpointSlow GateWebhookMissing OriginNotAllowed
        ContentSuspended ViewerLimit Forbidden
    """,
    RECORDING: """
        StreamNotIdle RecordingNotQueued ProcessingOverdue ProcessingFailed NothingIngested NoSession SessionResumed
        RecordingDeleted RecordingDisabled RecordingReady StreamStillLive AwaitingRecording
    """,
    DELIVERIES: """
        SignatureMismatch SignatureMissing BodyAltered TimestampOutOfTolerance EventsMissing DeliveriesDelayed
        NeverTriggered UrlNotPublic EndpointFailing RedirectSwallowed NotSubscribed WebhookDeleted WrongProject
    """,
}
"""The reasons that DESIGN 5 names."""
ENTRIES = [(condition, entry) for condition, kind in CATALOGUE.items() for entry in kind.reasons.values()]
NAMES = [f"{condition}.{entry.name}" for condition, entry in ENTRIES]


def reasons_in(source: str) -> Iterator[str]:
    """Every text in the module that is spelled like a reason."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and REASON.fullmatch(node.value):
            yield node.value


def test_the_five_conditions_of_the_guide_are_listed() -> None:
    """In the order in which every answer lists them."""
    assert get_args(ConditionType) == tuple(CATALOGUE)


@pytest.mark.parametrize("module", GIVEN_IN)
def test_every_reason_that_a_rule_gives_is_in_the_catalogue(module: str) -> None:
    """A reason without an entry could not be explained."""
    known = {reason for condition in GIVEN_IN[module] for reason in CATALOGUE[condition].reasons}
    assert set() == set(reasons_in((PACKAGE / module).read_text("utf-8"))) - known


def test_no_other_module_gives_reasons() -> None:
    """A new module of rules must be named above, so that it is looked through."""
    catalogue = {"catalogue.py", *(file.name for file in PACKAGE.glob("reasons_*.py"))}
    giving = {
        file.relative_to(PACKAGE).as_posix()
        for file in PACKAGE.rglob("*.py")
        if file.name not in {*catalogue, "__init__.py"} and any(reasons_in(file.read_text("utf-8")))
    }
    assert set(GIVEN_IN) == giving


def test_every_reason_is_given() -> None:
    """What the catalogue promises, some rule establishes."""
    given = {
        (condition, reason)
        for module, conditions in GIVEN_IN.items()
        for reason in reasons_in((PACKAGE / module).read_text("utf-8"))
        for condition in conditions
    }
    assert set() == {(condition, entry.name) for condition, entry in ENTRIES} - given


@pytest.mark.parametrize(("condition", "entry"), ENTRIES, ids=NAMES)
def test_an_entry_is_whole(condition: ConditionType, entry: ReasonEntry) -> None:
    """What it means and which evidence it needs, in sentences; a failure says what to do next."""
    assert entry == reason_entry(condition, entry.name)
    assert entry.needs
    assert entry.meaning[0].isupper()
    assert entry.meaning.endswith(".")
    assert (entry.kind == "failure") == (entry.next_step != "")
    assert entry.next_step == "" or (entry.next_step[0].isupper() and entry.next_step.endswith("."))
    assert "  " not in entry.meaning + entry.next_step


@pytest.mark.parametrize(("condition", "entry"), ENTRIES, ids=NAMES)
def test_an_entry_is_short(condition: ConditionType, entry: ReasonEntry) -> None:
    """Somebody reads it while viewers wait."""
    assert len(entry.meaning) <= 160
    assert len(entry.next_step) <= 260


def test_what_rests_on_silence_is_marked() -> None:
    """These are muted while deliveries are known to fail (DESIGN 5)."""
    marked = {f"{condition}.{entry.name}" for condition, entry in ENTRIES if entry.absence}
    assert {
        "rtmp_push_rejected.PublishNotStarted",
        "rtmp_push_rejected.StreamSuspended",
        "rtmp_push_rejected.EncoderOrNetwork",
        "recording_not_available.StreamNotIdle",
        "recording_not_available.RecordingNotQueued",
        "recording_not_available.ProcessingOverdue",
        "recording_not_available.SessionResumed",
        "webhook_not_firing.EventsMissing",
    } == marked


@pytest.mark.parametrize("condition", DESIGNED)
def test_every_reason_of_the_design_has_its_place(condition: ConditionType) -> None:
    """Those too that a later version will establish (DESIGN 5)."""
    assert set() == set(DESIGNED[condition].split()) - set(CATALOGUE[condition].reasons)


def test_a_reason_makes_the_guides_words_specific() -> None:
    """The guide's likely cause and fix come first, then what the reason adds."""
    expected = Explanation(
        title="RTMP push rejected",
        likely_cause="Stream key wrong or stream deleted. The stream key that the encoder used is not this stream's.",
        fix="Verify that the stream key matches the stream object. Copy the stream key of this stream from Livepeer "
        "Studio into the encoder.",
    )
    assert expected == explain(PUSH, "StreamKeyMismatch")


def test_a_reason_that_is_not_known_any_more_is_explained_by_the_guide() -> None:
    """An old diagnosis may have a reason that a newer version does not give."""
    expected = Explanation(
        title="RTMP push rejected",
        likely_cause="Stream key wrong or stream deleted.",
        fix="Verify that the stream key matches the stream object.",
    )
    assert expected == explain(PUSH, "SomeFormerReason")

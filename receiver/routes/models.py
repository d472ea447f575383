"""The shapes of the answers (DESIGN 8). What the API says and what `/openapi.json` promises are both these.

They are msgspec's, not pydantic's: a page of fifty streams is some six hundred values, and is made and written while
deliveries wait for the loop. A member that may be missing is `UNSET`.
"""

from typing import Annotated, Any, Generic, Literal, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType

from receiver.diagnosis.looks import PlaybackVerdict
from receiver.diagnosis.values import Certainty, ConditionType, Severity, Status, SubjectKind

Time = Annotated[
    str,
    Meta(
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$",
        description="RFC 3339, UTC, with milliseconds.",
        extra_json_schema={"format": "date-time"},
    ),
]


class Shape(Struct, forbid_unknown_fields=True):
    """A value of the API."""


Item = TypeVar("Item", bound=Shape)


class Page(Shape, Generic[Item]):
    """A part of a list; `next` is the cursor of the part after it."""

    items: list[Item]
    next: str | None


class Evidence(Shape):
    """One thing that a conclusion rests on; `id` leads to the signal, where it is one: `GET /v1/events/{id}`."""

    kind: str
    id: str
    at: Time
    text: str


class Condition(Shape):
    """One symptom of one subject: `true` is failing, `unknown` says what we do not know."""

    type: ConditionType
    status: Status
    reason: str
    message: str
    certainty: Certainty | None
    since: Time | None
    observed_at: Time | None
    evidence: list[Evidence]
    next_check_at: Time | None
    muted_by: str | None


class SubjectRef(Shape):
    """What a diagnosis is about."""

    kind: SubjectKind
    id: str


class Diagnosis(Shape):
    """An episode during which a condition is true. (`subject`, `condition`) is what alerts are deduplicated by."""

    id: str
    condition: ConditionType
    reason: str
    status: Literal["open", "acknowledged", "resolved"]
    certainty: Certainty | None
    severity: Severity
    subject: SubjectRef
    stream_id: str | None
    session_id: str | None
    playback_id: str | None
    title: str
    likely_cause: str
    fix: str
    message: str
    evidence: list[Evidence]
    opened_at: Time
    updated_at: Time
    resolved_at: Time | None
    resolution: str | None
    regressions: int
    muted_by: str | None


class Transition(Shape):
    """One step in the life of a diagnosis."""

    at: Time
    status: str
    reason: str
    certainty: Certainty | None
    cause: str


class DiagnosisDetail(Diagnosis):
    """A diagnosis with all that it went through, oldest first."""

    transitions: list[Transition]


class Session(Shape):
    """A session and its recording."""

    id: str
    stream_id: Annotated[str | None, Meta(description="null until the stream that it belongs to is known.")]
    state: Annotated[
        str | None,
        Meta(description="`recording`, `ending`, `processing`, `ready`, `failed`, `missing`, `deleted` or `off`."),
    ]
    state_since: Time | None
    record: bool | None
    recording_url: str | None
    conditions: list[Condition]


class StreamSummary(Shape):
    """A stream in a list."""

    id: str
    name: str | None
    playback_id: str | None
    state: Annotated[str | None, Meta(description="`idle`, `announced`, `live`, `lost` or `deleted`.")]
    state_since: Time | None
    last_event_at: Time | None
    record: bool | None
    fault: Annotated[
        str | None,
        Meta(
            description="Why nothing new is concluded of it at the moment, a defect of ours: its events are safe, what"
            " is shown is what was known before, and it is tried again each minute."
        ),
    ]
    conditions: list[Condition]


class Stream(StreamSummary):
    """A stream with its sessions, the newest first (at most 50), and its diagnoses that are not resolved."""

    sessions: list[Session]
    diagnoses: list[Diagnosis]


Source = Literal["webhook", "observation", "studio_api", "probe", "gate"]


class StreamEvent(Shape):
    """A signal of a stream: an event, an observation, or what we saw ourselves. `at` is its place in the order at the
    source."""

    id: str
    kind: str
    source: Source
    at: Time
    webhook_ids: list[str]
    first_received_at: Time
    attempts: int
    summary: str


class Event(Shape):
    """One event by Livepeer's id, or an observation by ours, with its body redacted.

    `body` is null where it is no JSON. With `raw=true`, `raw` holds the stored bytes instead of `body`: the text, or
    base64 where it is not UTF-8, as `raw_encoding` says.
    """

    id: str
    event: str
    source: Source
    created_at: Time | None
    first_received_at: Time
    last_received_at: Time
    attempts: int
    webhook_ids: list[str]
    body: Any = UNSET
    raw: str | UnsetType = UNSET
    raw_encoding: Literal["utf-8", "base64"] | UnsetType = UNSET


_OF_CODES = (
    "What was accepted: `stored` as it came; `released` from quarantine; `reconciled`: read in Livepeer's own log, as"
    " it had not reached us (`remote` is `studio_api`); `not_understood`. A duplicate: `repeated`; `contradicting` what"
    " is stored; `reconciled`: an earlier attempt, read in that log. Otherwise why it was refused."
)


class Delivery(Shape, kw_only=True):
    """The verdict on one delivery. What is said of an event in a refused or quarantined one is the body's claim."""

    at: Time
    verdict: Literal["accepted", "duplicate", "quarantined", "refused"]
    code: Annotated[str, Meta(description=_OF_CODES)]
    event_id: str | UnsetType = UNSET
    webhook_id: str | UnsetType = UNSET
    event: str | UnsetType = UNSET
    remote: str
    bytes: int


class Webhook(Shape):
    """A webhook that has called us, or our endpoint, which all of them call."""

    kind: Literal["webhook", "endpoint"]
    id: str
    accepted: Annotated[int, Meta(description="Events taken in for the first time.")]
    repeated: Annotated[int, Meta(description="Deliveries of events that were there already.")]
    refused: Annotated[int | None, Meta(description="Deliveries refused or quarantined; known of the endpoint only.")]
    first_delivery_at: Time | None
    last_delivery_at: Time | None
    last_refused_at: Time | None
    events: Annotated[list[str], Meta(description="The names of the events that it has delivered.")]
    conditions: list[Condition]


class Reason(Shape):
    """A cause of a condition, as rules tell it apart. `kind` is `failure` where the condition is true, `answer` where
    it is false or unknown, `expired` where what it rested on has faded."""

    name: str
    meaning: str
    needs: Annotated[list[str], Meta(description="The evidence without which it cannot be told.")]
    kind: str
    severity: Severity
    fix: str


class ConditionKind(Shape):
    """One of the symptoms in the catalogue."""

    type: ConditionType
    title: str
    likely_cause: str
    fix: str
    reasons: list[Reason]


class Observation(Shape):
    """An observation as it was stored. A reported stream key is never here."""

    id: str
    kind: str
    stream_id: str | None
    playback_id: str | None
    session_id: str | None
    at: Time
    received_at: Time
    error: str | None
    http_status: int | None
    message: str | None


class PlaybackCheck(Shape):
    """One thing that the playback node or the gate checks. `unknown`: not known, or not looked at, as `detail` says."""

    check: Annotated[
        str,
        Meta(
            description="`jwt_form`, `jwt_algorithm`, `jwt_pub`, `jwt_signature`, `jwt_sub`, `jwt_exp`, "
            "`jwt_lifetime`, `jwt_begun`, `content`, `account`, `origin`, `policy`, `credential`, `signing_key`, "
            "`webhook`, `gate`, `error`, `cache`: in the order in which node and gate decide."
        ),
    ]
    verdict: Literal["pass", "fail", "unknown"]
    detail: str


class Probe(Shape):
    """What viewers of a playback id get: `verdict` says whether it plays, `reason` why not, in the catalogue's names.
    `url` is the manifest's, without credentials and query; `segments` counts those of the rendition looked at."""

    playback_id: str
    url: str | None
    verdict: PlaybackVerdict
    reason: str | None
    http_status: int | None
    error_line: str | None
    detail: str | None
    segments: int | None
    renditions: int | None
    redirects: int
    took_ms: int


class PlaybackExplained(Shape):
    """Why playback is refused: by the first check that fails, in the order in which node and gate decide. It is
    `allowed` only if all passes that it depends on."""

    verdict: Literal["allowed", "denied", "unknown"]
    reason: Annotated[str, Meta(description="One of `playback_forbidden` in `GET /v1/conditions`.")]
    message: str
    fix: str
    checks: Annotated[list[PlaybackCheck], Meta(description="All of them, always in the same order.")]


class Alive(Shape):
    """The process answers."""

    status: Literal["ok"]


class StoreState(Shape):
    """Whether every part of the service can use the store."""

    available: bool


class DiagnoserState(Shape):
    """How the diagnoser is doing."""

    running: bool
    pending: Annotated[int, Meta(description="Signals that it has not looked at yet.")]
    lag_ms: Annotated[int | None, Meta(description="How long the oldest of them has been waiting.")]
    faults: Annotated[
        int, Meta(description="Subjects that cannot be judged now, and passes in a row that have failed.")
    ]


class Readiness(Shape):
    """Whether deliveries can be taken in and diagnosed."""

    status: Literal["ready", "not_ready"]
    store: StoreState
    diagnoser: DiagnoserState


class DeliveryBody(Struct, rename="camel"):
    """What Livepeer sends; members that are not listed here are kept."""

    id: Annotated[str, Meta(description="The event's id: the same for every webhook and every attempt.")]
    webhook_id: str
    created_at: Annotated[int, Meta(description="When the event was made, in Unix milliseconds.")]
    timestamp: Annotated[
        int, Meta(description="When this attempt was made, in Unix milliseconds; equals the header's `t`.")
    ]
    event: str
    stream: dict[str, Any] | None = None
    payload: dict[str, Any] | None = None


class GateCall(Struct, rename="camel"):
    """What Livepeer asks an access gate; members that are not listed here are passed on."""

    timestamp: Annotated[int, Meta(description="When it was asked, in Unix milliseconds; equals the header's `t`.")]
    access_key: str | None = None
    context: dict[str, Any] | None = None


class FieldProblem(Shape):
    """One thing that is wrong: `pointer` is a JSON pointer into the body, or a parameter's name."""

    pointer: str
    detail: str


class Problem(Struct):
    """What went wrong (RFC 9457). `code` is stable; programs decide by it. A problem may have more members."""

    title: str
    status: int
    code: str
    detail: str
    errors: list[FieldProblem] | None = None

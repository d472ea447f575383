"""How the values of `receiver.diagnosis` are written to the store and read back."""

from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue, TypeAdapter
from pydantic_core import from_json

from receiver.diagnoser.filing import Fresh
from receiver.diagnosis.life import Diagnosis
from receiver.diagnosis.senders import VERIFIED, EndpointState, Receipt, WebhookState
from receiver.diagnosis.state import StreamState
from receiver.diagnosis.values import Condition, ConditionType, Evidence, Signal, Subject
from receiver.ids import public_id
from receiver.intake import read_event, read_observation
from receiver.livepeer.envelope import read_envelope
from receiver.storage.cases import LogRow

Record = Mapping[str, Any]

STREAM: TypeAdapter[StreamState] = TypeAdapter(StreamState)
ENDPOINT: TypeAdapter[EndpointState] = TypeAdapter(EndpointState)
WEBHOOK: TypeAdapter[WebhookState] = TypeAdapter(WebhookState)
CONDITIONS: TypeAdapter[tuple[Condition, ...]] = TypeAdapter(tuple[Condition, ...])
EVIDENCE: TypeAdapter[tuple[Evidence, ...]] = TypeAdapter(tuple[Evidence, ...])


def signal_of(row: LogRow, stream_id: str | None) -> Signal:
    """The signal that a row of the log holds. `stream_id` is the stream it was found to belong to."""
    if isinstance(row, Fresh):
        return row.signal if row.stream_id == stream_id else row.of_stream(stream_id)
    if row.source == "webhook":
        return read_event(read_envelope(row.body), row.attempted_ms, stream_id)
    stored: JsonValue = from_json(row.body)
    return read_observation(row.id, stored if isinstance(stored, dict) else {}, stream_id)


def is_delivery(row: LogRow) -> bool:
    """Whether a row tells of a delivery: an observation comes without."""
    return isinstance(row, Fresh) or row.delivery_seq is not None


def receipt_of(row: LogRow) -> Receipt:
    """The receipt that a row of the deliveries is. Only a refused one is shown by its public id."""
    if isinstance(row, Fresh):
        return row.receipt
    verdict = row.verdict
    return Receipt(
        "" if verdict in VERIFIED else public_id("dl", row.delivery_seq),
        row.received_ms,
        verdict,
        row.code,
        row.shaped,
        row.told_webhook_id,
        row.event_id,
        row.event,
        row.created_ms,
        row.timestamp_ms,
    )


def conditions_of(record: Record | None) -> tuple[Condition, ...]:
    """The conditions that a subject was last found to have."""
    return () if record is None else CONDITIONS.validate_json(record["conditions"])


def failing_of(record: Record | None) -> set[ConditionType]:
    """The conditions that were last found to be true of a subject. Most have none, and are not even read."""
    if record is None or _TRUE not in record["conditions"]:
        return set()
    return {condition.type for condition in conditions_of(record) if condition.status == "true"}


def text_of(conditions: tuple[Condition, ...]) -> str:
    """The conditions as they are stored: the same conditions always give the same text (P5). What is None is left out:
    a sixth of the text, and half of the time that it takes to write and to read it."""
    return CONDITIONS.dump_json(conditions, exclude_none=True).decode()


def folded_text(state: StreamState) -> str:
    """The state of a stream's machines as it is stored; as with conditions."""
    return STREAM.dump_json(state, exclude_none=True).decode()


def diagnosis_of(record: Record) -> Diagnosis:
    """The diagnosis that a row holds."""
    plain = {name: value for name, value in record.items() if name not in _STORED_APART}
    return Diagnosis(
        subject=Subject(record["subject_kind"], record["subject_id"]),
        evidence=EVIDENCE.validate_json(record["evidence"]),
        **plain,
    )


def diagnosis_record(diagnosis: Diagnosis) -> dict[str, Any]:
    """The row that a diagnosis is stored as, but for its `seq`."""
    record = {name: getattr(diagnosis, name) for name in _PLAIN}
    record["subject_kind"], record["subject_id"] = diagnosis.subject.kind, diagnosis.subject.id
    record["evidence"] = EVIDENCE.dump_json(diagnosis.evidence).decode()
    return record


_TRUE = '"status":"true"'
_STORED_APART = frozenset({"seq", "subject_kind", "subject_id", "evidence"})
_PLAIN = tuple(name for name in Diagnosis.__slots__ if name not in {"subject", "evidence"})

"""How the values of `receiver.diagnosis` are written to the store and read back."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from msgspec.json import Decoder, Encoder
from pydantic import JsonValue
from pydantic_core import from_json

from receiver.diagnoser.filing import Fresh
from receiver.diagnosis.frozen import replace
from receiver.diagnosis.inquiries import Inquiry
from receiver.diagnosis.life import Diagnosis
from receiver.diagnosis.looks import SNAPSHOT_OF_WEBHOOK, WebhookLook
from receiver.diagnosis.ordering import standing_ms
from receiver.diagnosis.senders import EndpointState, Receipt, Registration, WebhookState, is_verified
from receiver.diagnosis.state import StreamState
from receiver.diagnosis.values import Condition, ConditionType, Evidence, Signal, Subject
from receiver.ids import public_id
from receiver.intake import read_event, read_observation
from receiver.livepeer.envelope import read_envelope
from receiver.sightings import read_look
from receiver.sightings import signal_of as sighting_of
from receiver.storage import pending
from receiver.storage.bodies import body_of
from receiver.storage.cases import LogRow

Record = Mapping[str, Any]

_encode: Final = Encoder().encode
STREAM: Final = Decoder(StreamState)
ENDPOINT: Final = Decoder(EndpointState)
WEBHOOK: Final = Decoder(WebhookState)
CONDITIONS: Final = Decoder(tuple[Condition, ...])
EVIDENCE: Final = Decoder(tuple[Evidence, ...])

T = TypeVar("T")


def read(kind: Decoder[T], text: str) -> T:
    """The value that a stored text says. Raises ValueError for whatever is no such thing."""
    try:
        return kind.decode(text)
    except (TypeError, RecursionError) as error:  # no text, or nested without end
        raise ValueError("what is stored cannot be read") from error


def signal_of(row: LogRow, stream_id: str | None) -> Signal:
    """The signal that a row of the log holds. `stream_id` is the stream it was found to belong to."""
    if isinstance(row, Fresh):
        return row.signal if row.stream_id == stream_id else row.of_stream(stream_id)
    if row.source == "webhook":
        return read_event(read_envelope(body_of(row)), row.attempted_ms, stream_id, row.position)
    if row.source != "observation":
        return sighting_of(row.id, standing_ms(row.position), read_look(body_of(row)), stream_id)
    stored: JsonValue = from_json(body_of(row))
    return read_observation(row.id, stored if isinstance(stored, dict) else {}, stream_id)


def is_registration(row: LogRow) -> bool:
    """Whether a row is a snapshot of a webhook: it belongs to no stream."""
    return not isinstance(row, Fresh) and row.kind == SNAPSHOT_OF_WEBHOOK


def registration_of(row: LogRow) -> Registration:
    """The snapshot of a webhook that a row holds. Raises ValueError where it does not read."""
    look = read_look(body_of(row))
    if not isinstance(look, WebhookLook):
        raise ValueError("what is stored is no snapshot of a webhook")  # noqa: TRY004 -- as what does not read
    return Registration(row.webhook_id, row.id, standing_ms(row.position), look)


def is_delivery(row: LogRow) -> bool:
    """Whether a row tells of a delivery: an observation comes without."""
    return isinstance(row, Fresh) or row.delivery_seq is not None


def receipt_of(row: LogRow) -> Receipt:
    """The receipt of a delivery that is pending."""
    return row.receipt if isinstance(row, Fresh) else _receipt(row[pending.RECEIPT])


def receipts_of(rows: Iterable[LogRow]) -> Iterator[Receipt]:
    """The receipts that rows of the deliveries are."""
    return map(_receipt, rows)


def _receipt(columns: Sequence[Any]) -> Receipt:
    """Only a refused one is shown by its public id."""
    receipt = Receipt("", *columns)
    return receipt if is_verified(receipt) else replace(receipt, id=public_id("dl", receipt.seq))


def conditions_of(record: Record | None) -> tuple[Condition, ...]:
    """The conditions that a subject was last found to have."""
    return () if record is None else read(CONDITIONS, record["conditions"])


def failing_of(record: Record | None) -> set[ConditionType]:
    """The conditions that were last found to be true of a subject. Most have none, and are not even read."""
    if record is None or _TRUE not in record["conditions"]:
        return set()
    return {condition.type for condition in conditions_of(record) if condition.status == "true"}


def text_of(value: StreamState | EndpointState | WebhookState | Sequence[Condition | Evidence | Inquiry]) -> str:
    """The value as it is stored: the same value always gives the same text (P5). Of a stream's state, and of what is
    said of it, fields that have their default are left out: they are a fifth of the text. (Of a text, it is the default
    object itself that counts: here it always is, for it is a constant or was read as a literal.)"""
    return _encode(value).decode()


def diagnosis_of(record: Record) -> Diagnosis:
    """The diagnosis that a row holds."""
    plain = {name: value for name, value in record.items() if name not in _STORED_APART}
    return Diagnosis(
        subject=Subject(record["subject_kind"], record["subject_id"]),
        evidence=read(EVIDENCE, record["evidence"]),
        **plain,
    )


def diagnosis_record(diagnosis: Diagnosis) -> dict[str, Any]:
    """The row that a diagnosis is stored as, but for its `seq`."""
    record = {name: getattr(diagnosis, name) for name in _PLAIN}
    record["subject_kind"], record["subject_id"] = diagnosis.subject.kind, diagnosis.subject.id
    record["evidence"] = text_of(diagnosis.evidence)
    return record


_TRUE = '"status":"true"'
_STORED_APART = frozenset({"seq", "subject_kind", "subject_id", "evidence"})
_PLAIN = tuple(name for name in Diagnosis.__struct_fields__ if name not in {"subject", "evidence"})

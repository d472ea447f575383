"""Each transition once (P7): in the store, where a notice is made with what it tells of, and in the logs of all
processes, where a notice may be told again with the same id."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any, Final

from receiver.ids import public_id
from tests.soak.operating import Operator
from tests.soak.stored import Row, Stored

_TOLD: Final = ("status", "reason", "certainty", "severity", "muted_by")
"""What of a diagnosis is worth a notice when it changes."""


def told_twice(stored: Stored) -> Iterator[str]:
    """Transitions that were put into the outbox under two ids, or without being made."""
    yield from _diagnoses_told_twice(stored)
    yield from _states_told_twice(stored)
    made = Counter(row["diagnosis_id"] for row in stored.transitions)
    told = Counter(_payload(row)["diagnosis_id"] for row in _of_diagnoses(stored))
    for diagnosis_id in made.keys() | told.keys():
        if made[diagnosis_id] != told[diagnosis_id]:
            yield f"{diagnosis_id} has {made[diagnosis_id]} transitions and {told[diagnosis_id]} notices"


def _diagnoses_told_twice(stored: Stored) -> Iterator[str]:
    """One after another they must differ; as often as one was resolved it was opened, and once more while it is not."""
    notices: dict[str, list[Row]] = defaultdict(list)
    for row in _of_diagnoses(stored):
        notices[_payload(row)["diagnosis_id"]].append(row)
    for diagnosis in stored.diagnoses:
        mine = notices[diagnosis["id"]]
        for before, after in pairwise(mine):
            if _said(before) == _said(after):
                yield f"{diagnosis['id']} was told twice: {_id(before)} and {_id(after)} say {_said(after)}"
        kinds = Counter(row["kind"] for row in mine)
        opened, resolved = kinds["diagnosis.opened"], kinds["diagnosis.resolved"]
        if (opened, resolved) != (diagnosis["regressions"] + 1, opened - (diagnosis["status"] != "resolved")):
            yield (
                f"{diagnosis['id']} is {diagnosis['status']} after {diagnosis['regressions']} regressions, and was told"
                f" of as opened {opened} times and as resolved {resolved} times"
            )


def _states_told_twice(stored: Stored) -> Iterator[str]:
    """The changes of a state lead from none to the one that stands, each beginning where another ended: with one told
    twice there is no such way, in whatever order they are read."""
    states = {(row["kind"], row["id"]): row["state"] for row in stored.subjects}
    balance: dict[tuple[str, str], Counter[str | None]] = defaultdict(Counter)
    for row in stored.notices:
        told = _payload(row)
        if row["kind"] == "stream.state_changed":
            _walk(balance["stream", told["stream_id"]], told)
        elif row["kind"] == "recording.state_changed":
            _walk(balance["session", told["session_id"]], told)
    for key, steps in balance.items():
        expected: Counter[str | None] = Counter({None: 1})
        expected[states.get(key)] -= 1
        if any(steps[state] != expected[state] for state in {*steps, *expected}):
            yield f"{key} is {states.get(key)}, and its changes as they were told do not lead there: {dict(steps)}"


def _walk(steps: Counter[str | None], told: Mapping[str, Any]) -> None:
    steps[told.get("from")] += 1
    steps[told["to"]] -= 1


def opened_twice(stored: Stored) -> Iterator[str]:
    """Failures that two diagnoses tell of: within a day, the second should be a regression of the first."""
    before: dict[tuple[str, str, str], Row] = {}
    for row in stored.diagnoses:
        fingerprint = row["subject_kind"], row["subject_id"], row["condition"]
        first = before.get(fingerprint)
        if first is not None:
            yield f"{fingerprint} has the diagnoses {first['id']} and {row['id']}"
        before[fingerprint] = row


def logged_wrongly(lines: Iterable[Mapping[str, Any]], stored: Stored) -> Iterator[str]:
    """Notices that the logs of all processes tell differently, tell without their being in the outbox, or do not tell;
    and events that were told of as accepted more than once."""
    seen: dict[str, Mapping[str, Any]] = {}
    accepted: Counter[tuple[str, str]] = Counter()
    for line in lines:
        if "notice_id" in line:
            plain = {name: value for name, value in line.items() if name != "timestamp"}
            if seen.setdefault(line["notice_id"], plain) != plain:
                yield f"{line['notice_id']} was told in two ways"
        elif line["event"] == "webhook.accepted":
            accepted[line["webhook_id"], line["event_id"]] += 1
    outbox = {_id(row) for row in stored.notices}
    yield from (f"{notice_id} was told and is not in the outbox" for notice_id in sorted(seen.keys() - outbox))
    yield from (f"{notice_id} was never told" for notice_id in sorted(outbox - seen.keys()))
    yield from (f"{key} was told of as accepted {times} times" for key, times in accepted.items() if times > 1)


def carried_out_wrongly(operator: Operator, stored: Stored) -> Iterator[str]:
    """What callers were told is done and is not, or was done more than once, or what nobody asked for."""
    yield from operator.troubles
    made = Counter((row["diagnosis_id"], row["cause"].partition(" by ")[0]) for row in stored.transitions)
    words = {"acknowledge": "Acknowledged", "resolve": "Resolved"}
    for diagnosis_id, acts in operator.done.items():
        for act, word in words.items():
            if (times := made[diagnosis_id, word]) != (act in acts):
                yield f"{act} of {diagnosis_id} was carried out {times} times, and asked for: {act in acts}"


def _of_diagnoses(stored: Stored) -> list[Row]:
    return [row for row in stored.notices if row["kind"].startswith("diagnosis.")]


def _payload(row: Row) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(row["payload"])
    return found


def _said(row: Row) -> tuple[Any, ...]:
    told = _payload(row)
    return (row["kind"], *(told.get(name) for name in _TOLD))


def _id(row: Row) -> str:
    return public_id("nt", row["seq"])

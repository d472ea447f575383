"""The store against the ledger: nothing acknowledged is lost (P1), nothing is there that was not sent, and each attempt
counts once."""

from collections import Counter
from collections.abc import Iterator

from tests.soak.ledger import Entry, Ledger
from tests.soak.lives import Key
from tests.soak.stored import Row, Stored


def lost(ledger: Ledger, stored: Stored) -> Iterator[str]:
    """What was acknowledged and is not in the store, or not with its body."""
    for entry in ledger.entries.values():
        if entry.acknowledged_ms and not _signals(entry, stored):
            yield f"{_named(entry)} was acknowledged and is not stored"
    for entry in ledger.events:
        for row in _signals(entry, stored):
            if not _has_its_body(entry, stored.bodies.get(row["seq"])):
                yield f"{_named(entry)} is stored without a body that was sent"


def doubled(ledger: Ledger, stored: Stored) -> Iterator[str]:
    """What is in the store more than once, and what nobody sent."""
    for entry in ledger.entries.values():
        if len(_signals(entry, stored)) > 1:
            yield f"{_named(entry)} is stored {len(_signals(entry, stored))} times"
        if len(entry.named) > 1:
            yield f"{_named(entry)} was answered with several ids: {sorted(entry.named)}"
    sent = {(str(e.errand.report.get("stream_id")), e.errand.observed_ms) for e in ledger.reports}
    for key in stored.events.keys() - ledger.entries.keys():
        yield f"event {key} was never sent"
    for of in stored.observations.keys() - sent:
        yield f"observation {of} was never reported"


def miscounted(ledger: Ledger, stored: Stored) -> Iterator[str]:
    """Attempts that count more than once or not at all: the acknowledged ones count, those without an answer may."""
    for entry in ledger.events:
        rows = stored.receipts.get(entry.errand.key, [])
        counted = Counter(row["timestamp_ms"] for row in rows)
        yield from _wrongly_counted(entry, counted)
        verdicts = Counter(row["verdict"] for row in rows)
        if rows and verdicts["accepted"] != 1:
            yield f"{_named(entry)} was accepted {verdicts['accepted']} times"
        if (total := sum(row["attempts"] for row in _signals(entry, stored))) != len(rows):
            yield f"{_named(entry)} has {total} attempts and {len(rows)} deliveries"


def _wrongly_counted(entry: Entry, counted: Counter[int]) -> Iterator[str]:
    for at_ms, times in counted.items():
        if times > 1:
            yield f"{_named(entry)}: its attempt at {at_ms} is counted {times} times"
    if made_up := counted.keys() - set(entry.tried_ms):
        yield f"{_named(entry)}: attempts that were never made: {sorted(made_up)}"
    if missing := set(entry.acknowledged_ms) - counted.keys():
        yield f"{_named(entry)}: acknowledged attempts that are not counted: {sorted(missing)}"


def turned_away(ledger: Ledger, stored: Stored) -> Iterator[str]:
    """What was signed rightly and was refused for good (P2), or was not taken in as long as the sender tries."""
    for key, status in ledger.refused.items():
        yield f"{key} was answered {status}"
    for key in ledger.given_up:
        yield f"{key} was given up by the sender"
    for row in stored.deliveries:
        if row["verdict"] not in {"accepted", "duplicate"}:
            yield f"a delivery of {row['event_id']} was {row['verdict']}: {row['code']}"


def attempts_that_count(ledger: Ledger, stored: Stored) -> Iterator[tuple[Entry, int]]:
    """Every attempt whose effect must be there, with its time: what was taken in, acknowledged or not."""
    for entry in ledger.events:
        taken = {row["timestamp_ms"] for row in stored.receipts.get(entry.errand.key, [])}
        yield from ((entry, at_ms) for at_ms in sorted(taken | set(entry.acknowledged_ms)))


def _signals(entry: Entry, stored: Stored) -> list[Row]:
    errand = entry.errand
    if errand.event is not None:
        return stored.events.get(errand.key, [])
    return stored.observations.get((str(errand.report.get("stream_id")), errand.observed_ms), [])


def _has_its_body(entry: Entry, body: bytes | None) -> bool:
    event = entry.errand.event
    assert event is not None
    return any(body == event.body(entry.errand.webhook_id, at_ms) for at_ms in entry.tried_ms)


def _named(entry: Entry) -> str:
    key: Key = entry.errand.key
    what = entry.errand.event.name if entry.errand.event is not None else str(entry.errand.report["kind"])
    return f"{what} {key[1]} of {key[0][:8] or 'a caller'}"

"""What is kept of refused deliveries, within which bounds."""

from collections import Counter
from itertools import count

import pytest
from sqlalchemy import Connection, text

from receiver.livepeer.envelope import looks_like_livepeer
from receiver.livepeer.signature import Refusal
from receiver.livepeer.verification import Refused
from receiver.quarantine import CAPS, RATES, RECOUNT_MS, Cap, Caps, Quarantine
from receiver.reception import Delivery
from receiver.storage.engine import Database
from receiver.storage.quarantine import Rejection
from tests.sender import T0_MS, Event

SEQS = count(1)
MISMATCH = Refusal.SIGNATURE_MISMATCH


def refuse(
    quarantine: Quarantine,
    body: bytes,
    remote: str = "a",
    *,
    now_ms: int = T0_MS,
    code: Refusal = MISMATCH,
    secret_id: str | None = None,
) -> Rejection | None:
    """What the quarantine makes of one refused delivery."""
    refused = Refused(code, "why", claim=looks_like_livepeer(body), secret_id=secret_id)
    return quarantine.consider(Delivery(body, "t=1,v1=x", remote, now_ms), refused, next(SEQS))


def keep(database: Database, quarantine: Quarantine, *bodies: bytes, remote: str = "a", now_ms: int = T0_MS) -> str:
    """The verdicts on bodies that come one after another: q(uarantined), r(efused), or - for only counted."""
    verdicts = ""
    for body in bodies:
        rejection = refuse(quarantine, body, remote, now_ms=now_ms)
        if rejection is None:
            verdicts += "-"
        else:
            stored = database.write_now(lambda c, one=rejection: quarantine.store(c, [one]))  # type: ignore[misc]
            verdicts += stored[0].verdict[0]
    return verdicts


def held(database: Database) -> list[bytes]:
    """The bodies that are kept, oldest first."""
    return list(database.read_now(lambda c: c.execute(text("SELECT body FROM quarantine ORDER BY seq")).scalars()))


def shaped(number: int) -> bytes:
    """A body of Livepeer's shape; all have the same length."""
    return Event(f"ev-{number:04}").body()


def noise(number: int) -> bytes:
    """Any other body, of ten bytes."""
    return b"%010d" % number


SIZE = len(shaped(0))


def test_one_copy_of_each_event_is_kept(database: Database) -> None:
    """A repetition counts as kept: the first copy is enough."""
    assert keep(database, Quarantine(), shaped(1), shaped(2), shaped(1)) == "qqq"
    assert held(database) == [shaped(1), shaped(2)]


def test_bodies_of_our_shape_never_give_way(database: Database) -> None:
    """When their room is full the newest is refused, so that its sender comes back."""
    quarantine = Quarantine(Caps(shaped=Cap(2, 1 << 20)))
    assert keep(database, quarantine, *map(shaped, range(4)), noise(1)) == "qqrrq"
    assert held(database) == [shaped(0), shaped(1), noise(1)]


def test_other_bodies_give_way_to_newer_ones(database: Database) -> None:
    """The oldest goes first, and bodies of our shape stay."""
    quarantine = Quarantine(Caps(others=Cap(2, 1 << 20)))
    assert keep(database, quarantine, shaped(1), *map(noise, range(4))) == "qqqqq"
    assert held(database) == [shaped(1), noise(2), noise(3)]


def test_bytes_are_bounded(database: Database) -> None:
    """Few large bodies fill the room as well as many small ones."""
    quarantine = Quarantine(Caps(shaped=Cap(100, 2 * SIZE), others=Cap(100, 25)))
    assert keep(database, quarantine, *map(shaped, range(3)), *map(noise, range(3))) == "qqrqqq"
    assert held(database) == [shaped(0), shaped(1), noise(1), noise(2)]


def test_a_source_cannot_take_all_room(database: Database) -> None:
    """Each has a bound of its own; what others may keep stays free."""
    caps = Caps(shaped=Cap(3, 1 << 20), shaped_per_source=Cap(2, 1 << 20), others_per_source=Cap(1, 1 << 20))
    quarantine = Quarantine(caps)
    assert keep(database, quarantine, *map(shaped, range(3)), remote="a") == "qqr"
    later_ms = T0_MS + RECOUNT_MS
    assert keep(database, quarantine, shaped(3), remote="b", now_ms=later_ms) == "q"
    assert keep(database, quarantine, noise(1), remote="b", now_ms=later_ms) == "q"
    assert keep(database, quarantine, noise(2), noise(3), remote="c", now_ms=later_ms) == "qq"
    assert held(database) == [shaped(0), shaped(1), shaped(3), noise(1), noise(3)]


def test_a_large_body_that_is_not_ours_is_not_kept(database: Database) -> None:
    """It would push out everything else."""
    quarantine = Quarantine(Caps(largest_other=10))
    assert keep(database, quarantine, noise(1), noise(1) + b"x") == "qr"


def test_a_body_larger_than_the_room_pushes_nothing_out(database: Database) -> None:
    """What can never fit is refused before anything gives way."""
    quarantine = Quarantine(Caps(others=Cap(10, 10)))
    assert keep(database, quarantine, noise(1), noise(2) + b"x") == "qr"
    assert held(database) == [noise(1)]


def test_room_that_another_process_made_is_found(database: Database) -> None:
    """A release from the command line is noticed within ten seconds."""
    quarantine = Quarantine(Caps(shaped=Cap(1, 1 << 20)))
    assert keep(database, quarantine, shaped(1), shaped(2)) == "qr"
    database.write_now(lambda c: c.execute(text("DELETE FROM quarantine")))
    assert keep(database, quarantine, shaped(2), now_ms=T0_MS + RECOUNT_MS - 1) == "r"
    assert keep(database, quarantine, shaped(2), now_ms=T0_MS + RECOUNT_MS) == "q"


def test_a_restart_knows_what_is_held(database: Database) -> None:
    """The bounds hold across processes."""
    caps = Caps(shaped=Cap(2, 1 << 20))
    keep(database, Quarantine(caps), shaped(1))
    assert keep(database, Quarantine(caps), shaped(2), shaped(3)) == "qr"


def test_a_failed_transaction_is_not_counted(database: Database) -> None:
    """What was rolled back takes no room."""
    quarantine = Quarantine(Caps(shaped=Cap(1, 1 << 20)))
    rejection = refuse(quarantine, shaped(1))
    assert rejection is not None

    def work(connection: Connection) -> None:
        quarantine.store(connection, [rejection])
        raise LookupError("stop")

    with pytest.raises(LookupError):
        database.write_now(work)
    quarantine.forget()
    assert keep(database, quarantine, shaped(2)) == "q"


@pytest.mark.parametrize(
    ("code", "body", "expected"),
    [
        (Refusal.SIGNATURE_MISSING, shaped(1), True),
        (Refusal.SIGNATURE_MALFORMED, noise(1), True),
        (Refusal.TIMESTAMP_MISMATCH, shaped(1), True),
        (Refusal.TIMESTAMP_OUT_OF_TOLERANCE, shaped(1), False),
        (Refusal.TIMESTAMP_IN_SECONDS, shaped(1), False),
        (Refusal.GATE_REQUEST, noise(1), False),
    ],
)
def test_what_is_answered_401_is_kept(code: Refusal, body: bytes, expected: bool) -> None:  # noqa: FBT001
    """After that the sender never comes back; what is answered 503 comes again, and a gate's body is no event."""
    rejection = refuse(Quarantine(), body, code=code)
    assert rejection is not None
    assert rejection.keep is expected


def test_floods_of_one_kind_leave_the_others_room() -> None:
    """Noise, bodies of our shape and validly signed ones have rates of their own."""
    quarantine = Quarantine()
    counted: Counter[str] = Counter()
    for _ in range(1500):
        counted["other"] += refuse(quarantine, noise(1)) is not None
        counted["shaped"] += refuse(quarantine, shaped(1)) is not None
        counted["signed"] += refuse(quarantine, shaped(1), secret_id="s") is not None
    assert counted == {name: per_source.burst for name, (per_source, _) in RATES.items()}


def test_what_was_only_counted_is_told_later() -> None:
    """The next one that is recorded says how many before it were not."""
    quarantine = Quarantine()
    for number in range(65):
        refuse(quarantine, noise(number))
    later = refuse(quarantine, shaped(1))
    assert later is not None
    assert later.unrecorded == 5


def test_while_the_room_is_full_little_is_recorded(database: Database) -> None:
    """Deliveries that cannot be kept come again and again: they have the rate of noise, not their own."""
    quarantine = Quarantine(Caps(shaped=Cap(1, 1 << 20)))
    verdicts = keep(database, quarantine, *(shaped(number) for number in range(100)))
    assert Counter(verdicts) == {"q": 1, "r": 61, "-": 38}


def test_the_whole_quarantine_stays_small() -> None:
    """Some megabytes of a disk, whoever sends."""
    assert CAPS.shaped.bytes + CAPS.others.bytes == 72 << 20

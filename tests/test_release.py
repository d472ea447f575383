"""Taking in what could not be verified when it came."""

import subprocess
import sys
from collections.abc import Iterable, Mapping

from sqlalchemy import text

from receiver.clock import ManualClock
from receiver.ids import Ids
from receiver.livepeer.signature import Keyring
from receiver.livepeer.verification import Refused
from receiver.quarantine import Quarantine
from receiver.reception import Delivery, Reception
from receiver.release import Released, listing, release
from receiver.storage.engine import Database
from tests.sender import SECRET, T0_MS, Event

WRONG = Reception(Keyring(["another"]), tolerance_ms=300_000)
RIGHT = Reception(Keyring(["another", SECRET]), tolerance_ms=300_000)
AGELESS = Reception(Keyring([SECRET]), tolerance_ms=None)
UNSIGNED = Reception(Keyring([]), tolerance_ms=300_000, allow_unsigned=True)
IDS = Ids(ManualClock(T0_MS), node=0)
LATER_IDS = Ids(ManualClock(T0_MS + 86_400_000), node=1)


def quarantine(
    database: Database, deliveries: Iterable[tuple[bytes, str | None]], received_ms: int = T0_MS, remote: str = "a"
) -> None:
    """Deliveries that were refused and kept."""
    keeper = Quarantine()
    for body, signature in deliveries:
        delivery = Delivery(body, signature, remote, received_ms)
        try:
            WRONG.receive(delivery, IDS.next())
        except Refused as refused:
            rejection = keeper.consider(delivery, refused, IDS.next())
            assert rejection is not None
            database.write_now(lambda c, one=rejection: keeper.store(c, [one]))  # type: ignore[misc]


def rows(database: Database, query: str) -> list[Mapping[str, object]]:
    """What a query finds."""
    return [dict(row) for row in database.read_now(lambda c: c.execute(text(query)).mappings().all())]


def test_the_right_secret_takes_them_in(database: Database) -> None:
    """P3: as if they had been verified when they came, a day ago."""
    quarantine(database, [Event("ev-1").signed(), Event("ev-2").signed()])
    assert release(database, LATER_IDS, RIGHT) == Released(accepted=2, duplicate=0, refused={})
    assert list(listing(database)) == []
    query = "SELECT id, first_received_ms, last_received_ms, attempted_ms, stream_id FROM signals ORDER BY seq"
    expected = {"first_received_ms": T0_MS, "last_received_ms": T0_MS, "attempted_ms": T0_MS, "stream_id": "7c1ea8c3"}
    assert rows(database, query) == [{"id": "ev-1", **expected}, {"id": "ev-2", **expected}]


def test_both_verdicts_are_on_record(database: Database) -> None:
    """The delivery that was quarantined stays, and the one that was released names the secret."""
    quarantine(database, [Event().signed()])
    release(database, LATER_IDS, AGELESS)
    found = rows(
        database, "SELECT verdict, code, received_ms, secret_id IS NULL AS strange FROM deliveries ORDER BY seq"
    )
    assert found == [
        {"verdict": "quarantined", "code": "signature_mismatch", "received_ms": T0_MS, "strange": 1},
        {"verdict": "accepted", "code": "released", "received_ms": T0_MS, "strange": 0},
    ]


def test_the_diagnoser_is_told(database: Database) -> None:
    """The signal waits in `pending`, whether or not a service is running."""
    quarantine(database, [Event().signed()])
    release(database, LATER_IDS, RIGHT)
    found = rows(
        database,
        "SELECT signals.id, changed FROM pending JOIN signals ON signals.seq = signal_seq ORDER BY pending.seq",
    )
    assert found[-1] == {"id": "ev-1", "changed": 1}


def test_without_the_right_secret_they_stay(database: Database) -> None:
    """Nothing is lost by trying too early."""
    quarantine(database, [Event().signed()])
    assert release(database, LATER_IDS, WRONG) == Released(0, 0, {"signature_mismatch": 1})
    assert len(list(listing(database))) == 1


def test_an_event_that_came_again_meanwhile_is_a_duplicate(database: Database) -> None:
    """It is counted once, and its first receipt is the one in quarantine."""
    quarantine(database, [Event().signed()])
    quarantine(database, [Event().signed(T0_MS + 60_000)], T0_MS + 60_000)
    release(database, LATER_IDS, RIGHT)
    quarantine(database, [Event().signed(T0_MS - 5000)], T0_MS - 5000)
    assert release(database, LATER_IDS, RIGHT) == Released(0, 1, {})
    query = "SELECT attempts, attempted_ms, first_received_ms FROM signals"
    assert rows(database, query) == [{"attempts": 2, "attempted_ms": T0_MS - 5000, "first_received_ms": T0_MS - 5000}]


def test_age_is_judged_at_the_receipt(database: Database) -> None:
    """What was stale when it came stays, unless the age is to be ignored."""
    quarantine(database, [Event().signed(T0_MS - 300_001)])
    assert release(database, LATER_IDS, RIGHT) == Released(0, 0, {"timestamp_out_of_tolerance": 1})
    assert release(database, LATER_IDS, AGELESS) == Released(1, 0, {})


def test_a_gate_request_is_never_released(database: Database) -> None:
    """P12: it verifies, and is no event all the same."""
    quarantine(database, [Event().signed(context={})])
    assert release(database, LATER_IDS, AGELESS) == Released(0, 0, {"gate_request": 1})


def test_unsigned_ones_are_released_where_that_is_allowed(database: Database) -> None:
    """P9: the setting decides then as now."""
    quarantine(database, [(Event().body(), None)])
    assert release(database, LATER_IDS, RIGHT) == Released(0, 0, {"signature_missing": 1})
    assert release(database, LATER_IDS, UNSIGNED) == Released(1, 0, {})


def test_a_body_not_understood_is_released_raw(database: Database) -> None:
    """Signed is signed: it is stored as it came, and flagged."""
    quarantine(database, [Event().signed(webhookId=7)])
    assert release(database, LATER_IDS, RIGHT) == Released(1, 0, {})
    assert rows(database, "SELECT flag FROM signals") == [{"flag": "not_understood"}]


def test_many_are_released_in_the_order_of_receipt(database: Database) -> None:
    """More than one transaction's worth, from several sources, with some that stay in between."""
    for number in range(250):
        event, secret = Event(f"ev-{number:03}"), "unknown" if number % 10 == 0 else SECRET
        quarantine(database, [event.signed(T0_MS, secret)], remote=f"source {number}")
    assert len(list(listing(database))) == 250
    assert release(database, LATER_IDS, RIGHT) == Released(225, 0, {"signature_mismatch": 25})
    released = [row["id"] for row in rows(database, "SELECT id FROM signals ORDER BY seq")]
    assert released == sorted(f"ev-{number:03}" for number in range(250) if number % 10)
    assert len(list(listing(database))) == 25


def test_a_second_release_finds_nothing_left(database: Database) -> None:
    """Releasing twice takes nothing in twice."""
    quarantine(database, [Event().signed()])
    release(database, LATER_IDS, RIGHT)
    assert release(database, LATER_IDS, RIGHT) == Released(0, 0, {})


def test_it_works_from_another_process(database: Database, database_url: str) -> None:
    """While one process has the database open, another releases."""
    quarantine(database, [Event().signed()])
    script = (
        "import sys\n"
        "from receiver.clock import SystemClock\n"
        "from receiver.ids import Ids\n"
        "from receiver.livepeer.signature import Keyring\n"
        "from receiver.reception import Reception\n"
        "from receiver.release import release\n"
        "from receiver.storage.engine import Database\n"
        "database = Database.open(sys.argv[1])\n"
        "print(release(database, Ids(SystemClock(), 2), Reception(Keyring([sys.argv[2]]), 300_000)))\n"
        "database.close_now()\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, database_url, SECRET], capture_output=True, text=True, check=True
    )
    assert ran.stdout == "Released(accepted=1, duplicate=0, refused={})\n"
    assert rows(database, "SELECT id FROM signals") == [{"id": "ev-1"}]


def test_what_is_held_is_listed_without_bodies(database: Database) -> None:
    """Enough to recognise it, and nothing that a body holds but its names."""
    body, signature = Event().signed()
    quarantine(database, [(body, signature), (b"noise", None)])
    known = [(h.code, h.remote, h.event_id, h.webhook_id, h.event, h.shaped, h.bytes) for h in listing(database)]
    assert known == [
        ("signature_mismatch", "a", "ev-1", "wh-1", "stream.started", True, len(body)),
        ("signature_missing", "a", None, None, None, False, 5),
    ]

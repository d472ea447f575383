"""What is read of the sender's own log: each event that never reached us, and why it did not."""

import json
from dataclasses import replace

import pytest
from aiohttp import web
from sqlalchemy import text

from receiver.diagnoser import Diagnoser
from receiver.diagnosis.values import Limits
from receiver.evidence.reconciling.values import Report
from receiver.livepeer.envelope import read_envelope
from receiver.simulation.sender import Event
from receiver.storage import inbox
from receiver.storage.arrival import understood
from receiver.storage.arrivals import append
from receiver.storage.engine import Database
from tests.evidence.reading import DAY_MS, HOUR_MS, Room, resending, room, story
from tests.sender import T0_MS
from tests.studio import PROJECT
from tests.studio_client import QUICK
from tests.studio_faults import ENDLESS, HANG, failing, limited


def ids_of(events: list[Event]) -> list[str]:
    """Their ids, in order."""
    return sorted(event.id for event in events)


@pytest.mark.parametrize("status", [400, 401, 404, 409, 410, 429])
async def test_what_was_answered_4xx_and_lost_is_taken_in(database: Database, status: int) -> None:
    """It is not tried again (FACTS 1.3). Each event stands as if it had been delivered at its first attempt."""
    async with room(database, status) as here:
        events = story()
        await here.tell(*events)
        report = await here.run()
        rows = here.rows("SELECT attempted_ms, first_received_ms, attempts, source FROM signals ORDER BY attempted_ms")
        now_ms = here.waits.clock.now_ms()
        assert ids_of(events) == here.stored()
    count = len(events)
    assert (count, count, {str(status): count}, 0, 0) == (
        report.missing, report.taken_in, report.answered, report.unanswered, report.not_stored,
    )  # fmt: skip
    assert report.whole
    assert [
        {"attempted_ms": T0_MS + 1000 * number, "first_received_ms": now_ms, "attempts": 1, "source": "webhook"}
        for number in range(1, count + 1)
    ] == rows


async def test_it_is_marked_as_such(database: Database) -> None:
    """The delivery says that it came from the log; the diagnoser has yet to look at it."""
    async with room(database) as here:
        [first, *_] = story()
        await here.tell(first)
        await here.run()
        assert [{"verdict": "accepted", "code": "reconciled", "remote": "studio_api", "secret_id": None}] == here.rows(
            "SELECT verdict, code, remote, secret_id FROM deliveries"
        )
        assert [{"count": 1}] == here.rows("SELECT count(*) AS count FROM pending WHERE changed")


async def test_what_was_not_answered(database: Database) -> None:
    """Nobody was there: of all attempts at an event, the first counts as when it was made."""
    async with room(database) as here:
        here.webhook["url"] = "http://127.0.0.1:9/webhooks/livepeer"
        [event, *_] = story()
        await here.tell(event)
        await here.retry(200_000)
        report = await here.run()
        assert [{"attempted_ms": T0_MS + 1000, "attempts": 1}] == here.rows(
            "SELECT attempted_ms, attempts FROM signals"
        )
    assert (1, 1, 1) == (report.missing, report.taken_in, report.unanswered)
    [missed] = report.examples
    assert (event.id, "unanswered", None, 6, T0_MS + 1000) == (
        missed.event_id, missed.fate, missed.status, missed.attempts, missed.first_ms,
    )  # fmt: skip


async def test_what_was_answered_with_success_and_is_not_here(database: Database) -> None:
    """Another server answered, or a redirect swallowed the body."""
    async with room(database, 200) as here:
        await here.tell(*story()[:2])
        here.sink.answers = [web.Response(status=302, headers={"Location": "/"}), web.Response(status=200)]
        await here.tell(story()[2])
        report = await here.run()
        assert "GET" == here.sink.came[-1]
    assert (3, 3, 3, {}) == (report.missing, report.taken_in, report.not_stored, report.answered)


async def test_the_last_answer_counts(database: Database) -> None:
    """It was tried again after a 503, and then refused for good."""
    async with room(database, 503) as here:
        await here.tell(story()[0])
        here.sink.answers = [web.Response(status=403)]
        await here.retry(20_000)
        report = await here.run()
    assert (1, {"403": 1}, 2) == (report.missing, report.answered, report.examples[0].attempts)


async def test_nothing_is_doubled(database: Database) -> None:
    """A second run finds all of it known; so does one that reads it all once more."""
    async with room(database) as here:
        await here.tell(*story())
        first = await here.run()
        second, third = await here.run(), await here.run(since_ms=T0_MS - HOUR_MS)
        assert [len(story())] == [row["count"] for row in here.rows("SELECT count(*) AS count FROM deliveries")]
    assert first.missing == first.taken_in == third.known == len(story())
    assert (0, 0) == (second.missing, third.missing)


async def test_a_dry_run_stores_nothing(database: Database) -> None:
    """It says what would be taken in; the next run takes it in."""
    async with room(database) as here:
        await here.tell(*story())
        dry = await here.run(dry_run=True)
        assert ([], (), 0) == (here.stored(), here.heard(), here.bookmark())
        assert len(story()) == (await here.run()).taken_in
    assert (len(story()), 0) == (dry.missing, dry.taken_in)


async def test_what_is_here_is_not_taken_in_again(database: Database) -> None:
    """But an earlier attempt at it tells when it was really first sent: a recording is awaited from then on."""
    async with room(database, 503) as here:
        [event, *_] = story()
        await here.tell(event)
        await here.retry(5000)
        body = here.log()[-1]["request"]["body"].encode()
        delivered = understood(here.by.ids.next(), T0_MS, "198.51.100.7", None, body, read_envelope(body))
        database.write_now(lambda connection: append(connection, [delivered]))
        report = await here.run()
        assert [{"attempted_ms": T0_MS + 1000, "attempts": 2}] == here.rows(
            "SELECT attempted_ms, attempts FROM signals"
        )
        assert [("accepted", "stored"), ("duplicate", "reconciled")] == [
            (row["verdict"], row["code"]) for row in here.rows("SELECT verdict, code FROM deliveries ORDER BY seq")
        ]
        assert 0 == (await here.run(since_ms=T0_MS)).earlier
    assert (0, 1, 2) == (report.missing, report.earlier, report.known)


async def test_what_is_not_filed_yet_is_here(database: Database) -> None:
    """It was answered 204 a moment ago, and the diagnoser is behind."""
    async with room(database, 503) as here:
        [event, *_] = story()
        await here.tell(event)
        await here.retry(5000)
        body = here.log()[-1]["request"]["body"].encode()
        delivered = understood(here.by.ids.next(), T0_MS, "198.51.100.7", None, body, read_envelope(body))
        database.write_now(lambda connection: inbox.put(connection, [delivered]))
        report = await here.run()
        assert [] == here.stored()
    assert (0, 2, 0) == (report.missing, report.known, report.earlier)


async def test_what_counts_as_heard(database: Database) -> None:
    """From when the webhook was made, or a day and two hours ago, up to a minute ago; the next run goes on there."""
    async with room(database) as here:
        await here.tell(story()[0])
        first = await here.run()
        now_ms = here.waits.clock.now_ms()
        assert [(T0_MS - HOUR_MS, now_ms - 60_000)] == list(here.heard())
        assert (T0_MS - HOUR_MS, now_ms - 60_000) == (first.from_ms, first.until_ms)
        second = await here.run()
        assert first.until_ms - 600_000 == second.from_ms
        assert [(T0_MS - HOUR_MS, second.until_ms)] == list(here.heard())
        assert second.until_ms == here.bookmark()
        here.webhook["createdAt"] = T0_MS - 100 * DAY_MS
        third = await here.run(since_ms=T0_MS - 99 * DAY_MS)
        assert [(third.until_ms + 60_000 - 90 * DAY_MS, third.until_ms)] == list(here.heard())


async def test_without_webhooks_nothing_is_heard(database: Database) -> None:
    """Nobody was to be told anything."""
    async with room(database) as here:
        here.studio.webhooks.clear()
        report = await here.run()
        assert ((), False, 0) == (here.heard(), report.whole, report.webhooks)


async def test_webhooks_of_others_are_not_read(database: Database) -> None:
    """Those that lead elsewhere, and have never called us."""
    async with room(database) as here:
        other = here.studio.add_webhook(f"{here.sink.url}/elsewhere")
        await here.tell(story()[0])
        report = await here.run()
        assert 1 == len(here.log(other["id"])) == report.missing == report.webhooks


async def test_what_is_no_event_of_this_webhook_is_refused(database: Database) -> None:
    """A gate's body that somebody had signed (FACTS 12), one of another webhook, and what is no event at all."""
    async with room(database) as here:
        await here.tell(*story()[:8])
        bodies = [json.loads(entry["request"]["body"]) for entry in here.log()]
        forged = [
            {**bodies[0], "context": {}},
            {**bodies[1], "accessKey": "key-of-a-viewer"},
            {**bodies[2], "webhookId": "another"},
            {**bodies[3], "createdAt": "yesterday"},
            {name: value for name, value in bodies[4].items() if name != "id"},
        ]
        for entry, body in zip(here.log(), forged, strict=False):
            entry["request"]["body"] = json.dumps(body)
        here.log()[5]["request"]["body"] = "it works"
        del here.log()[6]["request"]["body"]
        report = await here.run()
        assert [bodies[7]["id"]] == here.stored()
    assert {"gate_request": 2, "foreign_webhook": 1, "not_an_event": 3, "no_body": 1} == report.refused
    assert (1, 1, True) == (report.missing, report.taken_in, report.whole)


async def test_a_body_that_is_too_large_is_refused(database: Database) -> None:
    """As at our endpoint."""
    async with room(database) as here:
        await here.tell(story()[0])
        report = await here.run(by=replace(here.by, max_body_bytes=100))
        assert [] == here.stored()
    assert {"too_large": 1} == report.refused


@pytest.mark.parametrize("fault", [failing(500), limited("3600"), HANG, failing(403)])
async def test_a_fault_midway(database: Database, fault: object) -> None:
    """What was read before is taken in, and nothing is called heard; the next run does the rest."""
    async with room(database) as here:
        other = here.studio.add_webhook(f"{here.sink.url}/webhooks/livepeer", createdAt=T0_MS - HOUR_MS)
        await here.tell(*story())
        here.studio.faults[f"/webhook/{other['id']}/log"] = fault  # type: ignore[assignment]
        failed = await here.run()
        assert ((), 0) == (here.heard(), here.bookmark())
        assert len(story()) == len(here.stored()) == failed.taken_in
        del here.studio.faults[f"/webhook/{other['id']}/log"]
        here.waits.elapsed_s += 3600
        again = await here.run()
        assert 2 * len(story()) == len(here.stored())
        assert again.until_ms == here.bookmark()
    assert (False, True) == (failed.whole, failed.failure is not None)
    assert (True, None, len(story()), len(story())) == (again.whole, again.failure, again.missing, again.known)


async def test_a_log_too_long_for_one_reading_is_read_in_parts(database: Database) -> None:
    """Each half of a time has less in it."""
    async with room(database, patience=replace(QUICK, page_items=2, max_pages=4)) as here:
        for number in range(6):
            await here.tell(*story(str(number))[:4])
            here.waits.clock.advance(20 * 60_000)
        report = await here.run()
        assert 24 == len(here.stored())
    assert (24, 24, True) == (report.missing, report.taken_in, report.whole)


async def test_an_endless_log_is_no_end(database: Database) -> None:
    """What was read of it is taken in, and only the time before, in which nothing was told, is called heard."""
    async with room(database, patience=replace(QUICK, page_items=2, max_pages=3)) as here:
        await here.studio.sender.deliver(*story()[:9])
        here.studio.faults[f"/webhook/{here.webhook['id']}/log"] = ENDLESS
        report = await here.run()
        [(_, until_ms)] = here.heard()
        assert here.bookmark() == until_ms < T0_MS
        assert here.stored()
    assert (False, "studio_pages_endless") == (report.whole, report.failure)


class Killed(Exception):
    """As if the process had been."""


async def test_a_crash_between_two_batches(database: Database) -> None:
    """What was stored before is there, and the next run does the rest."""
    async with room(database) as here:
        events = [event for number in range(8) for event in story(str(number))]
        await here.tell(*events)

        def die() -> None:
            raise Killed

        with pytest.raises(Killed):
            await here.run(by=replace(here.by, on_taken=die))
        before = len(here.stored())
        assert 0 < before < len(events)
        assert ((), 0) == (here.heard(), here.bookmark())
        report = await here.run()
        assert ids_of(events) == here.stored()
        assert [len(events)] == [row["count"] for row in here.rows("SELECT count(*) AS count FROM deliveries")]
    assert (len(events) - before, before) == (report.taken_in, report.known)


async def test_it_stops_where_another_took_over(database: Database) -> None:
    """Nothing is called heard that was not read."""
    async with room(database) as here:
        await here.tell(story()[0])

        async def no() -> bool:
            return False

        report = await here.run(go_on=no)
        assert ([], (), False) == (here.stored(), here.heard(), report.whole)


async def test_a_webhook_that_is_not_found(database: Database) -> None:
    """It has called us, and the key does not find it any more: what it was to tell is not known until it has long been
    silent; what the others were to tell is taken in."""
    async with room(database) as here:
        lost = Event("ev-lost", "stream.started", T0_MS, 0, {"id": "s-1"}).body("wh-lost", T0_MS + 500)
        gone = await _called(here, "wh-lost", lost)
        await here.tell(story()[0])
        report = await here.run()
        assert () == here.heard()
        assert report.until_ms == here.bookmark()
        here.waits.clock.advance(27 * HOUR_MS)
        later = await here.run()
        assert not later.whole
        assert (await here.run()).whole
    assert ((gone,), False, 1) == (report.unread, report.whole, report.taken_in)


async def test_a_webhook_whose_state_is_spoiled(database: Database) -> None:
    """It is ours all the same."""
    async with room(database) as here:
        here.webhook["url"] = f"{here.sink.url}/behind/a/proxy"
        await here.tell(story()[0])
        await _called(here, here.webhook["id"], Event("ev", "stream.idle", T0_MS, 0).body(here.webhook["id"], T0_MS))
        spoil = text("UPDATE subjects SET folded = 'spoiled' WHERE kind = 'webhook'")
        database.write_now(lambda connection: connection.execute(spoil))
        report = await here.run()
    assert (1, 1) == (report.webhooks, report.taken_in)


async def _called(here: Room, webhook_id: str, body: bytes) -> str:
    """A webhook has called us, and the diagnoser has looked at it."""
    arrival = understood(here.by.ids.next(), here.waits.clock.now_ms(), "::1", None, body, read_envelope(body))
    await here.database.write(lambda connection: append(connection, [arrival]))
    await Diagnoser(here.database, here.by.ids, here.waits.clock, Limits()).settle()
    return webhook_id


async def test_what_has_no_body_is_sent_again(database: Database) -> None:
    """Once, where our endpoint would verify it and the attempt had failed; the answer says whether it came."""
    async with room(database) as here:
        await here.tell(*story()[:3])
        for entry in here.log():
            body = json.loads(entry["request"]["body"])
            entry["request"]["body"] = json.dumps({**body, "createdAt": None})
        here.log()[2]["success"] = True
        here.sink.answers = [web.Response(status=204)]
        report = await here.run(by=resending(here))
        again = await here.run(by=resending(here))
        assert 5 == len(here.sink.came)
    assert (2, 0, {"not_an_event": 3}) == (report.resent, report.not_resent, report.refused)
    assert (0, 0) == (again.resent, again.not_resent)


@pytest.mark.parametrize(
    "changed", [{"sharedSecret": "of-another"}, {"sharedSecret": ""}, {"url": "http://127.0.0.1:9/x"}]
)
async def test_what_would_not_be_verified_is_not_sent_again(database: Database, changed: dict[str, str]) -> None:
    """It would only be refused once more, or go elsewhere."""
    async with room(database) as here:
        await here.tell(story()[0])
        here.log()[0]["request"]["body"] = "{}"
        here.webhook.update(changed)
        await here.run(by=resending(here))
        assert 1 == len(here.sink.came)


async def test_a_resend_that_does_not_arrive_is_the_last(database: Database) -> None:
    """Each makes an entry in the log."""
    async with room(database) as here:
        await here.tell(*story()[:3])
        for entry in here.log():
            entry["request"]["body"] = json.dumps({"webhookId": here.webhook["id"], "event": "stream.idle"})
        report = await here.run(by=resending(here))
        assert 4 == len(here.sink.came)
    assert (0, 1) == (report.resent, report.not_resent)


async def test_a_key_that_is_not_known(database: Database) -> None:
    """The report says so, and nothing else is done."""
    async with room(database) as here:
        here.studio.keys.clear()
        report = await here.run()
        assert 0 == here.bookmark()
    assert ("studio_unauthorized", False) == (report.failure, report.whole)
    assert report == Report(report.from_ms, report.until_ms, failure=report.failure, detail=report.detail)
    assert PROJECT not in str(report)

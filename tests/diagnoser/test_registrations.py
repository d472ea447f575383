"""Snapshots of webhooks in the pipeline: they make webhooks known, and come out the same however the log is read."""

from collections.abc import Sequence

import pytest

from receiver.diagnoser.records import conditions_of
from receiver.diagnosis.looks import WebhookLook
from receiver.diagnosis.senders.registration import NEEDED
from receiver.simulation.scenes import MINUTE, go_live
from receiver.storage.tables import SignalRow
from tests.diagnoser.tales import DAY, HOUR, START_MS, Sight
from tests.diagnoser.telling import FIRST_WEBHOOK, arrive, told, town_hall
from tests.diagnoser.test_forgetting import forget
from tests.diagnoser.world import World

NEVER_CALLED = "wh-never-called"


def seen(made: World, webhook_id: str, number: int, **facts: object) -> Sight:
    """The webhook as it is shown now; in order, unless said otherwise."""
    look = WebhookLook("found", events=NEEDED, secret="ours", **facts)  # type: ignore[arg-type]
    return Sight(f"snap_{webhook_id}{number:03d}", made.now_ms, None, look, webhook_id)


def said(made: World, webhook_id: str) -> Sequence[tuple[str, str]]:
    """Status and reason of the webhook's condition."""
    row = made.subjects()["webhook", webhook_id]
    return [(condition.status, condition.reason) for condition in conditions_of(row)]


def test_a_webhook_that_never_called_is_told_of(made: World) -> None:
    """Livepeer has it, streams were active, and it was never called: it is known from its snapshot alone."""
    made.live(START_MS + HOUR)
    made.see(seen(made, NEVER_CALLED, 1, created_ms=START_MS - DAY, active_ms=made.now_ms - 5 * MINUTE))
    made.settle()
    assert [("true", "NeverTriggered")] == said(made, NEVER_CALLED)
    made.see(seen(made, NEVER_CALLED, 2, created_ms=START_MS - DAY, triggered_ms=made.now_ms))
    made.settle()
    assert "true" not in dict(said(made, NEVER_CALLED))
    assert 0 == made.rebuild().differing


def test_what_explains_a_webhook_fades(made: World) -> None:
    """Nobody has asked for three quarters of an hour: nothing is said of now."""
    arrive(made, told(*go_live(town_hall())))
    made.live(START_MS + HOUR)
    made.see(seen(made, FIRST_WEBHOOK, 1, redirects=301, url="https://a.example/hook"))
    made.settle()
    assert [("true", "RedirectSwallowed")] == said(made, FIRST_WEBHOOK)
    made.live(made.now_ms + 46 * MINUTE)
    assert "true" not in dict(said(made, FIRST_WEBHOOK))


@pytest.mark.parametrize("together", [True, False])
def test_snapshots_come_out_the_same_after_old_ones_were_removed(made: World, *, together: bool) -> None:
    """A base stands for those that were removed: since when it is so is not forgotten."""
    arrive(made, told(*go_live(town_hall())))
    begun_ms = START_MS + HOUR
    for number in range(6):
        made.live(begun_ms + number * 15 * MINUTE)
        made.see(seen(made, FIRST_WEBHOOK, number, redirects=301, url="https://a.example/hook"))
        if not together:
            made.settle()
    made.settle()
    since = conditions_of(made.subjects()["webhook", FIRST_WEBHOOK])[0].since_ms
    assert begun_ms == since
    assert forget(made, begun_ms + 40 * MINUTE) >= 3
    assert 3 == sum(row["kind"] == "snapshot.webhook" for row in made.rows(SignalRow))
    assert 0 == made.rebuild().differing
    assert since == conditions_of(made.subjects()["webhook", FIRST_WEBHOOK])[0].since_ms

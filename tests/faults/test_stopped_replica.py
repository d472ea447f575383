"""P1, P7: a replica is stopped (SIGSTOP) in the middle of a transaction, while it holds its locks."""

import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg

from tests.faults.asking import ask, deliver, event, is_ready
from tests.faults.running import stored
from tests.served import Served, served, wait

SECRET, TOKEN = "whsec_of-the-replicas", "rcv_of-the-replicas"
SETTINGS = {
    "RECEIVER_WEBHOOK_SECRETS": SECRET,
    "RECEIVER_API_TOKENS": TOKEN,
    "RECEIVER_DATABASE_STATEMENT_TIMEOUT_S": "0.9",
}
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


def replica(stack: ExitStack, folder: Path, url: str) -> Served:
    """A process that serves; what it was configured with is where one finds what it makes by itself."""
    data = folder / "data"
    data.mkdir(parents=True)
    (data / "webhook_secret").write_text(SECRET)
    (data / "api_token").write_text(TOKEN)
    return stack.enter_context(served(folder, {**SETTINGS, "RECEIVER_DATABASE_URL": url}))


@contextmanager
def stopped_in_a_pass(process: Served, url: str) -> Iterator[None]:
    """It has claimed what was delivered to it, and is stopped where it would tell of it: for a moment somebody else
    holds the lock that it needs then."""
    with psycopg.connect(url) as session, psycopg.connect(url, autocommit=True) as looking:
        session.execute("LOCK TABLE outbox IN SHARE MODE")
        assert 204 == deliver(process, event(1)).status
        wait(lambda: looking.execute(WAITING).fetchone() != (0,))
        process.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.process.send_signal(signal.SIGCONT)


def known(process: Served) -> int:
    """How many streams it knows of."""
    return len(ask(process, "/v1/streams").body["items"])


def test_a_replica_that_stands_still_holds_nobody_up(postgres_url: str, tmp_path: Path) -> None:
    """P1, P7: the other one takes in what comes, and, once the server has given up the session of the first, concludes
    what that had begun. Awake again, the first goes on; each event is there once, and each notice was told once."""
    url = postgres_url.replace("postgresql+psycopg:", "postgresql:", 1)
    with ExitStack() as stack:
        first, second = (replica(stack, tmp_path / name, url) for name in ("first", "second"))
        with stopped_in_a_pass(first, url):
            assert 204 == deliver(second, event(2)).status
            wait(lambda: known(second) == 2)
        assert [204, 204] == [deliver(one, event(3)).status for one in (first, second)]
        wait(lambda: known(first) == 3)
        wait(lambda: all(is_ready(one) for one in (first, second)))
        assert [0, 0] == [one.stop() for one in (first, second)]
        lines = [line for one in (first, second) for line in one.lines]
    notices = [line["notice_id"] for line in lines if line["event"] == "stream.state_changed"]
    assert (3, 3) == (len(notices), len({*notices}))
    assert (Counter(event(number).id for number in (1, 2, 3)), 0) == stored(postgres_url)

"""P1: told to stop, and told so again and again, in the middle of a burst."""

import signal
import subprocess
from pathlib import Path
from random import Random

from tests.served import Served, served, wait
from tests.test_kill import Sender, errands, folder, is_settled, kept, once, settings


def told_again_and_again(server: Served) -> int:
    """Its exit code, where it is told to stop until it has."""
    while True:
        server.process.send_signal(signal.SIGTERM)
        try:
            return server.process.wait(0.001)
        except subprocess.TimeoutExpired:
            continue


async def test_nothing_acknowledged_is_lost_however_often_it_is_told_to_stop(tmp_path: Path) -> None:
    """It ends in order, with exit code 0: what was answered 2xx is there, and nothing else. The next process goes on,
    and what it takes in twice is there once."""
    work = errands(Random(31), 15)  # noqa: S311 -- ids of a fiction
    sender, data, codes = Sender(list(work)), folder(tmp_path / "data"), list[int]()
    with served(folder(tmp_path / "first"), settings(data)) as server:
        await sender.send_until(
            server.url, len(work), len(work) // 3, lambda: codes.append(told_again_and_again(server))
        )
    assert [0] == codes
    assert once(errand for errand in work if errand.id in sender.acknowledged) == kept(data)
    with served(folder(tmp_path / "second"), settings(data)) as server:
        sender.waiting = list(work)
        await sender.send(server.url, len(work))
        wait(lambda: is_settled(data))
        assert 0 == server.stop()
    assert once(work) == kept(data)

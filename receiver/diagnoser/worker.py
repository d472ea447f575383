"""The process that concludes beside the one that serves (`worker_process`): `python -m receiver.diagnoser.worker FD`.

It is told through a pipe which database to read, and then what to conclude, one pass after another, and answers with
what came of it. It writes nothing, logs nothing, and ends when the other side of the pipe is gone, however that ended.
"""

import os
import signal
import sys
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, Final

from receiver.diagnoser.moment import Moment
from receiver.diagnoser.passing import Conclusions, Taken, conclude
from receiver.storage.engine import Database

READY: Final = "ready"
NICE: Final = 5
"""A third of what who takes in has of a core that both want. With next to nothing (`SCHED_IDLE`) a machine that was
busy with other things kept conclusions waiting for seconds, and deliveries were answered no sooner."""


def work(pipe: "Connection[Any, Any]") -> None:
    """Answer, until nobody asks any more. Whoever asks has sent the database's URL first, and is told when we begin."""
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        database = Database.open(pipe.recv())
        pipe.send(READY)
        while True:
            pipe.send(concluded(database, *pipe.recv()))


def concluded(database: Database, moment: Moment, taken: Taken) -> Conclusions | None:
    """What comes of what was taken; None where that cannot be said here, or a rule fails for a subject: whoever asks
    then concludes it, and logs what is wrong."""
    try:
        conclusions = database.read_now(lambda c: conclude(c, taken, moment.outcome(), moment.limits))
    except Exception:  # noqa: BLE001 -- as it says above
        return None
    return None if conclusions.outcome.faulty else conclusions


def _give_way() -> None:
    """Deliveries go first where there is one core for both. What stops the service is for it to hear, not us."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    os.nice(NICE)


if __name__ == "__main__":
    _give_way()
    work(Connection(int(sys.argv[1])))
    os._exit(0)  # at once: who starts the service again is to find the file in nobody's hands

"""A soak: many streams live, a sender delivers, the service is killed again and again; then all is held against what
the sender knows, against what happened in the lives, and against a calm run."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from receiver.clock import SystemClock
from tests.soak import conclusions, notices, receipts
from tests.soak.calm import Calm
from tests.soak.houses import House
from tests.soak.ledger import Ledger
from tests.soak.lives import Life, errands, lives
from tests.soak.operating import Operator
from tests.soak.replicas import Replica, keep_killing
from tests.soak.sending import SECRET, TOKEN, Outside, Sender
from tests.soak.stored import Stored, is_settled
from tests.soak.violations import Violation, violations

LIMITS: Final[Mapping[str, float]] = {
    "delivery_grace_s": 2,
    "publish_start_within_s": 3,
    "recording_queued_within_s": 5,
    "recording_ready_within_s": 10,
}
"""Short, so that deadlines pass in a soak; a life takes half a minute."""
SETTLES_WITHIN_S: Final = 120.0
LOOK_S: Final = 0.05
LOST, DOUBLED, MISCOUNTED = "acknowledged and lost", "stored twice, or never sent", "attempts miscounted"
TURNED_AWAY, TOLD_TWICE, OPENED_TWICE = "turned away for good", "transition told twice", "failure diagnosed twice"
LOGGED, CARRIED_OUT = "logged wrongly", "callers' acts"
PROCESSES, UNSETTLED = "processes and faults", "does not come to rest"
UNTOLD, CALM, REPLAY = "diagnosed wrongly", "differs from a calm run", "differs from a replay"
PROMISES: Final = (
    *(LOST, DOUBLED, MISCOUNTED, TURNED_AWAY, TOLD_TWICE, OPENED_TWICE),
    *(LOGGED, CARRIED_OUT, PROCESSES, UNSETTLED, UNTOLD, CALM, REPLAY),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """How long the service is disturbed, and at least until there were so many kills; how often each replica is killed
    while it serves, on average; how many replicas and lives."""

    lasts_s: float
    kill_every_s: float
    replicas: int
    lives: int
    least_kills: int = 1
    seed: int = 1


@dataclass
class Soak:
    """One soak in a folder of its own."""

    plan: Plan
    house: House
    folder: Path
    ledger: Ledger = field(default_factory=Ledger)
    told: list[Life] = field(default_factory=list)
    replicas: list[Replica] = field(default_factory=list)
    unsettled: list[str] = field(default_factory=list)
    ended_ms: int = 0

    @property
    def kills(self) -> int:
        """How many processes were killed."""
        return sum(replica.kills for replica in self.replicas)

    async def run(self) -> list[Violation]:
        """Everything that was found wrong. No process is left, whatever happens."""
        try:
            operator = await self._disturbed()
        finally:
            for replica in self.replicas:
                replica.end()
        stored = Stored.read(self.house.url)
        found = self._held_against_the_ledger(operator, stored)
        copy, settings = self.house.copy("replayed")
        found += violations(REPLAY, await asyncio.to_thread(_replayed, self.folder, copy, settings))
        copy, _ = self.house.copy("compared")
        calm = Calm(self.ledger, stored, operator, dict(LIMITS), self.ended_ms)
        differing, at_last = await calm.compare(copy, self.folder)
        return [*found, *violations(CALM, differing), *violations(UNTOLD, conclusions.untold(self.told, at_last))]

    async def _disturbed(self) -> Operator:
        """The sender sends all while everything is disturbed, then until all is taken in; the replicas are stopped."""
        random = Random(self.plan.seed)  # noqa: S311 -- ids of a fiction, and moments
        self._prepare(random)
        outside = Outside.calling([replica.url for replica in self.replicas], Random(random.random()))  # noqa: S311
        operator = Operator(outside)
        async with outside.http:
            sending = asyncio.create_task(Sender(outside, self.ledger).send_all(errands(self.told)))
            await self._disturb(operator, random)
            try:
                async with asyncio.timeout(SETTLES_WITHIN_S):
                    await sending
                    await self._settled()
                    await operator.look()
                    await self._settled()
            except TimeoutError:
                self.unsettled.append(
                    f"{SETTLES_WITHIN_S:.0f} s after all kills not all was taken in, looked at and told"
                )
        await asyncio.gather(*(replica.stop() for replica in self.replicas))
        self.ended_ms = SystemClock().now_ms()
        return operator

    def _prepare(self, random: Random) -> None:
        lasts_ms = round(self.plan.lasts_s * 1000)
        self.told = lives(self.plan.lives, SystemClock().now_ms(), lasts_ms, random)
        for number in range(self.plan.replicas):
            folder = self.folder / f"replica-{number}"
            folder.mkdir()
            self.replicas.append(Replica(folder, {**service_settings(), **self.house.settings(folder)}))

    async def _disturb(self, operator: Operator, random: Random) -> None:
        over = asyncio.Event()
        async with asyncio.TaskGroup() as at_work:
            for replica in self.replicas:
                chance = Random(random.random())  # noqa: S311 -- moments
                at_work.create_task(keep_killing(replica, self.plan.kill_every_s, chance, over))
            at_work.create_task(self.house.disturb(over))
            at_work.create_task(operator.work(over))
            await asyncio.sleep(self.plan.lasts_s)
            while self.kills < self.plan.least_kills:  # noqa: ASYNC110 -- nor has a process that ends
                await asyncio.sleep(LOOK_S)
            over.set()

    async def _settled(self) -> None:
        while not await asyncio.to_thread(is_settled, self.house.url):  # noqa: ASYNC110 -- a store has no event for it
            await asyncio.sleep(LOOK_S)

    def _held_against_the_ledger(self, operator: Operator, stored: Stored) -> list[Violation]:
        away = self.house.goes_away
        lines = [line for replica in self.replicas for process in replica.processes for line in process.lines]
        ended = [what for replica in self.replicas for what in replica.troubles(store_goes_away=away)]
        return [
            *violations(LOST, receipts.lost(self.ledger, stored)),
            *violations(DOUBLED, receipts.doubled(self.ledger, stored)),
            *violations(MISCOUNTED, receipts.miscounted(self.ledger, stored)),
            *violations(TURNED_AWAY, receipts.turned_away(self.ledger, stored)),
            *violations(TOLD_TWICE, notices.told_twice(stored)),
            *violations(OPENED_TWICE, notices.opened_twice(stored)),
            *violations(LOGGED, notices.logged_wrongly(lines, stored)),
            *violations(CARRIED_OUT, notices.carried_out_wrongly(operator, stored)),
            *violations(PROCESSES, ended),
            *violations(UNSETTLED, self.unsettled),
        ]


def service_settings() -> dict[str, str]:
    """Those of every process, besides where its store is."""
    limits = {f"RECEIVER_{name.upper()}": str(value) for name, value in LIMITS.items()}
    return {"RECEIVER_WEBHOOK_SECRETS": SECRET, "RECEIVER_API_TOKENS": TOKEN, **limits}


def _replayed(folder: Path, copy: str, settings: Mapping[str, str]) -> list[str]:
    """What `receiver replay` says of a copy, where it is not that nothing differs; and what it folded differently."""
    before = Stored.read(copy)
    done = subprocess.run(
        [sys.executable, "-m", "receiver", "replay", "--json"],
        env={"PATH": os.environ["PATH"], **service_settings(), **settings},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return []
    changed = conclusions.refolded(before, Stored.read(copy))
    return [f"exit code {done.returncode}: {done.stdout}{done.stderr}", *changed]

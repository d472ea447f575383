"""The outside: a sender that behaves as Livepeer's (FACTS 1.3, 12), and callers of the API who retry as it does.

What got a 5xx or no answer is tried again after growing pauses, signed anew with a new timestamp and else the same;
after any other answer it never is. The pauses are those of FACTS 1.3, shortened. At most `AT_ONCE` deliveries are open
at a time, each on a connection of its own. Some answers are lost on their way: what they answered was taken in, and
comes again.
"""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice, repeat
from random import Random
from typing import Any, Final

import aiohttp

from receiver.clock import SystemClock
from receiver.simulation.schedule import RETRY_WAITS_MS, TIMEOUT_MS
from receiver.simulation.sender import attempt
from tests.soak.ledger import Entry, Ledger
from tests.soak.lives import Errand

SECRET: Final = "whsec_of-the-soak"
TOKEN: Final = "rcv_of-the-soak-of-the-service"
AT_ONCE: Final = 10
FASTER: Final = 50
"""How much shorter the pauses are than Livepeer's: the first is a tenth of a second."""
LONGEST_PAUSE_S: Final = 1.0
ANSWERS_LOST: Final = 0.1
"""Which share."""
PAUSES_S: Final = tuple(min(wait_ms / 1000 / FASTER, LONGEST_PAUSE_S) for wait_ms in RETRY_WAITS_MS)
GIVES_UP_S: Final = sum(RETRY_WAITS_MS) / 1000 / FASTER
"""Half an hour. As the long pauses are cut short, there are more attempts in it than Livepeer makes."""
UNHEARD_S: Final = 0.03
"""To learn that nobody is there takes the way there and back; without, a sender would do nothing but learn it."""
_JSON: Final = {"Content-Type": "application/json"}
_AUTHORIZED: Final = {"Authorization": f"Bearer {TOKEN}"}


@dataclass(frozen=True, slots=True)
class Answer:
    """A status with its body; status 0 where none came."""

    status: int
    body: bytes = b""

    @property
    def taken(self) -> bool:
        """Whether it is a success."""
        return 200 <= self.status < 300

    @property
    def is_final(self) -> bool:
        """Whether the sender never comes again."""
        return self.status != 0 and self.status < 500

    def json(self) -> Any:  # noqa: ANN401 -- whatever the API says
        """What it says."""
        return json.loads(self.body)


@dataclass
class Outside:
    """All who call the replicas at these URLs: one chosen at random, after a failure another one."""

    urls: Sequence[str]
    http: aiohttp.ClientSession
    random: Random
    gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    @classmethod
    def calling(cls, urls: Sequence[str], random: Random) -> "Outside":
        """To be made inside a running event loop; its `http` is to be closed."""
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_MS / 1000)
        session = aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(force_close=True, limit=0))
        return cls(urls, session, random)

    def another(self, url: str | None) -> str:
        """Where to try next after this one failed."""
        others = [one for one in self.urls if one != url]
        return self.random.choice(others or list(self.urls))

    async def ask(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        """One attempt at a request."""
        async with self.gate:
            try:
                async with self.http.request(method, url, data=body, headers=headers) as response:
                    answer = Answer(response.status, await response.read())
                    return Answer(0) if self.random.random() < ANSWERS_LOST else answer
            except (aiohttp.ClientError, ConnectionError, TimeoutError):
                await asyncio.sleep(UNHEARD_S)
                return Answer(0)

    async def call(self, method: str, path: str) -> Answer:
        """What the API answers at last to a caller who retries as the sender does."""
        url, answer = None, Answer(0)
        for pause_s in pauses():
            url = self.another(url)
            answer = await self.ask(method, f"{url}{path}", None, _AUTHORIZED)
            if answer.is_final:
                break
            await asyncio.sleep(pause_s)
        return answer


def pauses() -> Iterator[float]:
    """How long to wait after each attempt, until the sender gives up."""
    most = len(PAUSES_S) + round((GIVES_UP_S - sum(PAUSES_S)) / LONGEST_PAUSE_S)
    return islice(chain(PAUSES_S, repeat(LONGEST_PAUSE_S)), most)


class Sender:
    """Sends all errands, each at its time, and writes down what became of them."""

    def __init__(self, outside: Outside, ledger: Ledger) -> None:
        self._outside, self._ledger = outside, ledger

    async def send_all(self, errands: Sequence[Errand]) -> None:
        """Comes back when everything is acknowledged, refused or given up."""
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        self._ledger.open(errands)
        async with asyncio.TaskGroup() as at_work:
            for errand in errands:
                await asyncio.sleep(max(begun_s + errand.at_ms / 1000 - loop.time(), 0))
                at_work.create_task(self._send(self._ledger.entries[errand.key]))

    async def _send(self, entry: Entry) -> None:
        url = None
        for pause_s in pauses():
            url = self._outside.another(url)
            answer = await self._attempt(entry, url)
            if answer.is_final:
                self._note(entry, answer)
                return
            await asyncio.sleep(pause_s)
        self._ledger.given_up.append(entry.errand.key)

    async def _attempt(self, entry: Entry, url: str) -> Answer:
        at_ms, errand = entry.try_at(SystemClock().now_ms()), entry.errand
        if errand.event is not None:
            made = attempt(errand.event, errand.webhook_id, SECRET, at_ms)
            headers = {**_JSON, "User-Agent": "livepeer.studio", "Livepeer-Signature": made.signature}
            answer = await self._outside.ask("POST", f"{url}/webhooks/livepeer", made.body, headers)
        else:
            headers = {**_JSON, **_AUTHORIZED, "Idempotency-Key": errand.id}
            body = json.dumps({**errand.report}).encode()
            answer = await self._outside.ask("POST", f"{url}/v1/observations", body, headers)
        self._ledger.statuses[answer.status] += 1
        if answer.taken:
            entry.acknowledged_ms.append(at_ms)
        return answer

    def _note(self, entry: Entry, answer: Answer) -> None:
        if not answer.taken:
            self._ledger.refused[entry.errand.key] = answer.status
        elif entry.errand.event is None:
            entry.named.add(str(answer.json()["id"]))

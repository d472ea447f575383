"""The operator's callers: they acknowledge and resolve diagnoses while everything else happens, and retry."""

import asyncio
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from tests.soak.lives import ACTED_ON
from tests.soak.sending import Answer, Outside

Act: TypeAlias = Literal["acknowledge", "resolve"]
EVERY_S: Final = 0.5
MOST: Final = 500
_PLANS: Final[Sequence[tuple[Act, ...]]] = (("acknowledge",), ("resolve",), ("acknowledge", "resolve"), ())
_SAYS: Final = {"acknowledge": {"acknowledged"}, "resolve": {"resolved"}}


@dataclass
class Operator:
    """Acts once on each diagnosis of `ACTED_ON`, in a way that its subject decides: acknowledge, resolve, both or
    nothing. `done` are the acts that were answered with 2xx, by diagnosis; `troubles` the answers that are wrong."""

    outside: Outside
    done: dict[str, tuple[Act, ...]] = field(default_factory=dict)
    subjects: dict[str, str] = field(default_factory=dict)
    """The subject of each diagnosis acted on."""
    troubles: list[str] = field(default_factory=list)

    async def work(self, until: asyncio.Event) -> None:
        """Look again and again, and act on what is new."""
        while not until.is_set():
            await self.look()
            await asyncio.sleep(EVERY_S)

    async def look(self) -> None:
        """Act on every open diagnosis that was not acted on yet."""
        path = f"/v1/diagnoses?status=open&reason={ACTED_ON}&limit={MOST}"
        cursor: str | None = ""
        while cursor is not None:
            answer = await self.outside.call("GET", path + cursor)
            if not answer.taken:
                self._blame("GET", path, answer)
                return
            page = answer.json()
            new = [item for item in page["items"] if item["id"] not in self.done]
            await asyncio.gather(*(self._act(item) for item in new))
            cursor = None if page["next"] is None else f"&cursor={page['next']}"

    async def _act(self, item: dict[str, Any]) -> None:
        """One act after another; each is sent again until it is answered."""
        diagnosis_id, subject_id = str(item["id"]), str(item["subject"]["id"])
        acts = plan(subject_id)
        self.done[diagnosis_id], self.subjects[diagnosis_id] = acts, subject_id
        for act in acts:
            path = f"/v1/diagnoses/{diagnosis_id}/{act}"
            answer = await self.outside.call("POST", path)
            if not answer.taken or answer.json()["status"] not in _SAYS[act]:
                self._blame("POST", path, answer)

    def _blame(self, method: str, path: str, answer: Answer) -> None:
        self.troubles.append(f"{method} {path} was answered {answer.status} {answer.body[:200].decode()}")


def plan(subject_id: str) -> tuple[Act, ...]:
    """What is to be done with the diagnosis of this subject."""
    return _PLANS[zlib.crc32(subject_id.encode()) % len(_PLANS)]

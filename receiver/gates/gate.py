"""An access gate: between Livepeer's call and the operator's own decision URL (FACTS 7.1, DESIGN P12).

    verify with the gate's own secret ─► ask the decision URL, bytes and signature as they came ─► pass its answer on

The answer is out within the budget: whatever the decision URL does, nobody waits for it longer. What is not a decision
is a fault, which denies (P9), unless the operator wants it to allow.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from msgspec import Struct

from receiver.clock import Clock
from receiver.errors import DecisionFailed, DecisionSlow, Overloaded
from receiver.gate_values import GateSetting
from receiver.gates.decision import Decision, Outcome, decides, outcome_of
from receiver.gates.upstream import Answer, DecisionUrl, NoAnswer
from receiver.livepeer.gate import CallRefused, Claims, verify_call
from receiver.livepeer.signature import Keyring

MOST_AT_HAND: Final = 2000
"""Calls of one gate at once; one more is a fault at once."""
SHARE: Final = 0.8
"""Of the budget, for the decision URL. Where a thousand viewers come at once and it hangs, all their answers are due at
once, and the rest of the budget is for these."""
ALLOWED: Final = Answer(200, b'{"ret":0}', "application/json")
"""What lets a viewer in (FACTS 7.1)."""


class Posted(Struct, frozen=True, gc=False):
    """One call as it came: `headers` are those that are passed on, `begun_s` is when it was heard, on the loop's
    clock."""

    body: bytes
    signature: str | None
    headers: Mapping[str, str]
    remote: str
    request_id: str
    begun_s: float

    def __repr__(self) -> str:
        return f"Posted(bytes={len(self.body)}, request_id={self.request_id!r})"


class Fault(Struct, frozen=True, gc=False):
    """What stands where there is no answer of the decision URL, and by which code."""

    outcome: Outcome
    code: str


class Recorded(Struct, frozen=True, gc=False):
    """A decision, its call, and the viewer's address, which may be logged only where that was asked for."""

    decision: Decision
    posted: Posted
    viewer_ip: str | None

    def __repr__(self) -> str:
        return f"Recorded({self.decision})"


@dataclass(frozen=True, slots=True)
class Rules:
    """What all gates have in common: how old a call may be, how long an answer may take, whether a fault lets viewers
    in, and how many calls may be at hand."""

    tolerance_ms: int
    budget_s: float
    allow_on_fault: bool = False
    most_at_hand: int = MOST_AT_HAND


class Gate:
    """One gate. Every decision is handed to `record`, once it is answered."""

    def __init__(self, setting: GateSetting, rules: Rules, clock: Clock, record: Callable[[Recorded], None]) -> None:
        self.name = setting.name
        self.rules = rules
        self._keyring = Keyring([setting.secret])
        self._url = DecisionUrl(setting.url)
        self._clock = clock
        self._record = record
        self._at_hand = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def start(self) -> None:
        """Make ready to ask."""
        await self._url.start()

    async def stop(self) -> None:
        """Answer the calls at hand, and let go of the connections."""
        await self._idle.wait()
        await self._url.stop()

    async def decide(self, posted: Posted) -> Answer:
        """What the decision URL answers, or what stands for it. Raises CallRefused for what is no genuine call, and
        where faults deny, DecisionFailed, DecisionSlow, and Overloaded."""
        self._at_hand += 1
        self._idle.clear()
        try:
            return await self._decide(posted)
        finally:
            self._at_hand -= 1
            if not self._at_hand:
                self._idle.set()

    def unread(self, code: str, posted: Posted) -> None:
        """Record that a call was refused with `code` before its body was read."""
        self._tell(posted, Claims(), Fault("refused", code))

    async def _decide(self, posted: Posted) -> Answer:
        try:
            claims = verify_call(
                posted.body,
                posted.signature,
                keyring=self._keyring,
                now_ms=self._clock.now_ms(),
                tolerance_ms=self.rules.tolerance_ms,
            )
        except CallRefused as refused:
            self._tell(posted, Claims(), Fault("refused", refused.code))
            raise
        if self._at_hand > self.rules.most_at_hand:
            return self._fault(posted, claims, "overloaded")
        try:
            until_s = posted.begun_s + self.rules.budget_s * SHARE
            answer = await self._url.ask(posted.body, posted.headers, until_s)
        except NoAnswer as none:
            return self._fault(posted, claims, none.code)
        self._tell(posted, claims, answer)
        return answer if decides(answer.status) or not self.rules.allow_on_fault else ALLOWED

    def _fault(self, posted: Posted, claims: Claims, code: str) -> Answer:
        self._tell(posted, claims, Fault("slow" if code == "timed_out" else "failed", code))
        if self.rules.allow_on_fault:
            return ALLOWED
        if code == "timed_out":
            raise DecisionSlow(f"The gate's decision URL gave no answer within {self.rules.budget_s * SHARE:g} s.")
        if code == "overloaded":
            raise Overloaded("Too many calls wait for the gate's decision URL.")
        raise DecisionFailed(f"The gate's decision URL gave no answer that could be passed on: {code}.")

    def _tell(self, posted: Posted, claims: Claims, came: Answer | Fault) -> None:
        """Soon: who asked is answered first, and what the call and its answer say is read only then."""
        loop = asyncio.get_running_loop()
        latency_ms = round((loop.time() - posted.begun_s) * 1000)
        loop.call_soon(self._told, posted, claims, came, self._clock.now_ms(), latency_ms)

    def _told(self, posted: Posted, claims: Claims, came: Answer | Fault, at_ms: int, latency_ms: int) -> None:
        call = claims.read()
        code: str | None
        if isinstance(came, Fault):
            outcome, code, status, ret = came.outcome, came.code, None, None
        else:
            status = came.status
            outcome, ret = outcome_of(status, came.body, came.encoding)
            if outcome == "denied" and call.lacks_key:
                outcome = "no_key"
            code = "no_decision" if outcome == "failed" else None
        about = call.playback_id, call.origin, code
        decision = Decision(self.name, at_ms, outcome, latency_ms, status, ret, *about)
        self._record(Recorded(decision, posted, call.viewer_ip))

"""What a process that serves answers while something is wrong."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from receiver.clock import SystemClock
from receiver.simulation.sender import Event, Studio, attempt
from tests.served import PATIENCE_S, Served


@dataclass(frozen=True)
class Answer:
    """Status, `Retry-After`, and the JSON of an answer, if it has any."""

    status: int
    retry_after: str | None
    body: dict[str, Any]


def ask(process: Served, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answer:
    """What one request is answered, whatever that is."""
    known = {"Authorization": f"Bearer {process.token}", "Content-Type": "application/json"}
    request = Request(f"{process.url}{path}", body, {**known, **(headers or {})})  # noqa: S310 -- http
    try:
        with urlopen(request, timeout=PATIENCE_S) as response:  # noqa: S310 -- http
            return Answer(response.status, response.headers["Retry-After"], json.loads(response.read() or b"{}"))
    except HTTPError as error:
        with error:
            return Answer(error.code, error.headers["Retry-After"], json.loads(error.read() or b"{}"))


def deliver(process: Served, event: Event) -> Answer:
    """What one attempt, signed now, is answered."""
    made = attempt(event, "wh-1", process.secret, SystemClock().now_ms())
    return ask(process, "/webhooks/livepeer", made.body, {"Livepeer-Signature": made.signature})


def report(process: Served, **observation: object) -> Answer:
    """What an observation is answered."""
    return ask(process, "/v1/observations", json.dumps(observation).encode())


def event(number: int) -> Event:
    """The start of a stream of its own."""
    return Studio(SystemClock().now_ms(), Random(f"fault {number}")).started(0)  # noqa: S311 -- ids of a fiction


def is_ready(process: Served) -> bool:
    """Whether it says that it can do its work; else it says so with 503."""
    answer = ask(process, "/readyz")
    assert answer.body["status"] == {200: "ready", 503: "not_ready"}[answer.status]
    return answer.status == 200


def told(process: Served, event: str) -> list[str]:
    """The parts that have told of it in the log."""
    return [line["part"] for line in process.lines if line["event"] == event]

"""What Livepeer would send: whole stories of many streams, interleaved, signed, as the bytes of HTTP requests.

The stories end about now: the age of each signature is within the service's tolerance, and each event is delivered
300 ms after it was made, as on the wire.
"""

from collections.abc import Callable, Iterator
from itertools import islice, zip_longest
from random import Random

from receiver.simulation.scenes import SECOND, WAITING_AFTER_MS, go_live, make_recording, progress, queue_recording
from receiver.simulation.script import LATENCY_MS
from receiver.simulation.sender import Event, Studio, attempt

PATH = "/webhooks/livepeer"
STREAMS_AT_ONCE = 200
WEBHOOK_ID = "0f2ff2a4-6dbd-4a4b-b2cd-bd3ae2e1ae0c"
_IDLE_MS = 20 * SECOND
_BEGAN_BEFORE_MS = 280 * SECOND
"""A story takes 320 s; the tolerance is 300 s both ways."""


def healthy(studio: Studio) -> list[Event]:
    """A broadcast and its recording: 19 events."""
    return [*go_live(studio), studio.idle(_IDLE_MS), *make_recording(studio, _IDLE_MS)]


def reconnecting(studio: Studio) -> list[Event]:
    """The encoder drops and returns inside one session."""
    events = [*go_live(studio), studio.idle(_IDLE_MS - 9 * SECOND), studio.started(_IDLE_MS - 5 * SECOND)]
    return [*events, studio.idle(_IDLE_MS), *make_recording(studio, _IDLE_MS - 9 * SECOND)]


def failing(studio: Studio) -> list[Event]:
    """The recording fails: a diagnosis."""
    queued_ms = _IDLE_MS + WAITING_AFTER_MS
    events = [*go_live(studio), studio.idle(_IDLE_MS), *queue_recording(studio, queued_ms, _IDLE_MS)]
    for share in (0.25, 0.5, 0.75):
        events += progress(studio, queued_ms + int(share * 120 * SECOND), share)
    failed: dict[str, str] = {"errorMessage": "error processing file: no video track found in source"}
    return [
        *events,
        studio.task_changed("task.failed", queued_ms + 130 * SECOND, "failed", **failed),
        studio.asset_changed("asset.failed", queued_ms + 130 * SECOND + 44, "failed", **failed),
    ]


STORIES: tuple[Callable[[Studio], list[Event]], ...] = (*[healthy] * 8, reconnecting, failing)
"""One stream in ten fails."""


def requests(secret: str, now_ms: int, most: int, random: Random) -> list[bytes]:
    """So many signed requests, each of an event of its own, in the order in which they are to be sent."""
    return [_request(told, secret) for told in islice(_events(now_ms, random), most)]


def _events(now_ms: int, random: Random) -> Iterator[tuple[int, Event]]:
    """Batch after batch of streams."""
    while True:
        yield from batch(now_ms, random)


def batch(now_ms: int, random: Random) -> Iterator[tuple[int, Event]]:
    """The events of so many streams, each with the time at which its story begins: of each stream the first, then of
    each the second, and so on. Those of one stream are far enough apart to arrive in order."""
    begun_ms = [now_ms - _BEGAN_BEFORE_MS + random.randrange(15 * SECOND) for _ in range(STREAMS_AT_ONCE)]
    told = [[(at_ms, event) for event in _story(at_ms, index, random)] for index, at_ms in enumerate(begun_ms)]
    for row in zip_longest(*told):
        yield from (pair for pair in row if pair is not None)


def _story(start_ms: int, index: int, random: Random) -> list[Event]:
    studio = Studio(start_ms, Random(random.getrandbits(64)), name=f"room-{index}")  # noqa: S311 -- ids of a fiction
    return STORIES[index % len(STORIES)](studio)


def _request(told: tuple[int, Event], secret: str) -> bytes:
    start_ms, event = told
    sent = attempt(event, WEBHOOK_ID, secret, start_ms + event.emitted_ms + LATENCY_MS)
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nUser-Agent: livepeer.studio\r\n"
        f"Livepeer-Signature: {sent.signature}\r\nAccept: */*\r\nAccept-Encoding: gzip,deflate\r\n"
        f"Content-Length: {len(sent.body)}\r\n\r\n"
    )
    return head.encode() + sent.body

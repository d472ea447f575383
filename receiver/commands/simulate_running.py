"""`receiver simulate STORY --url`: one story in real time, against a receiver that runs already."""

import secrets
import sys
from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import urlsplit

from receiver.clock import SystemClock
from receiver.commands.options import current_settings, print_json, print_lines
from receiver.errors import SettingsError
from receiver.keys import existing_keys
from receiver.simulation.answers import Answer, SeenDiagnosis
from receiver.simulation.client import WEBHOOK_PATH, Client, NotRead
from receiver.simulation.player import Played, WrongSecret, play
from receiver.simulation.results import result, timeline
from receiver.simulation.running import Running
from receiver.simulation.script import Deliver, Story
from receiver.simulation.stories import build
from receiver.simulation.telling import Teller, at, cause, conclusion, headline
from receiver.simulation.watch import Watcher, only
from receiver.times import rfc3339
from receiver.tokens import ApiToken

OTHERWISE: Final = 1
_NEEDED: Final = {"read", "write"}


async def run_against(url: str, name: str, seed: int | None, *, as_json: bool) -> int:
    """Play the story of that name; without a seed, its ids are new. Raises SettingsError for whatever makes that
    impossible."""
    webhook_secrets, tokens = existing_keys(current_settings())
    client = Client(address(url), _token(tokens))
    try:
        stage = Running(client, webhook_secrets[0], SystemClock())
        story = build(name, stage.start_ms, secrets.randbits(32) if seed is None else seed)
        played = await play_against(stage, story, as_json=as_json)
    finally:
        await client.close()
    return 0 if played.as_expected else OTHERWISE


async def play_against(stage: Running, story: Story, *, as_json: bool) -> Played:
    """Play a story and print it as it goes, or all of it at its end. Raises SettingsError where the service cannot be
    reached, refuses our secret or token, or would have to be stopped."""
    if story.takes_us_down:
        raise SettingsError(f"`{story.name}` takes the service down for a while: play it without --url.")
    watcher = Watcher(stage.client, story, stage.start_ms, only(story, stage.start_ms))
    try:
        standing = await watcher.begin()
        _say(_introduction(stage, story, standing), as_json=as_json)
        played = await play(story, stage, watcher, Teller(lambda lines: _say(lines, as_json=as_json), live=True))
    except NotRead as error:
        raise SettingsError(_unusable(stage.client.url, error.answer)) from None
    except WrongSecret:
        raise SettingsError(_refused(stage.client.url)) from None
    if as_json:
        print_json({**result(played), "timeline": timeline(played.happenings)})
    else:
        print_lines([f"{at(story.ends_ms)}  the end", "", *conclusion(played)])
    return played


def address(url: str) -> str:
    """The root of a service; the address of its webhook will do. Raises SettingsError."""
    text = url.rstrip("/").removesuffix(WEBHOOK_PATH)
    try:
        parts = urlsplit(text)
        valid = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        raise SettingsError(_NO_ADDRESS) from None
    if not valid or parts.username is not None or parts.query or parts.fragment:
        raise SettingsError(_NO_ADDRESS)
    return text


_NO_ADDRESS: Final = "--url must be the address of a receiver, such as http://127.0.0.1:8080."


def _token(tokens: Sequence[ApiToken]) -> str:
    for one in tokens:
        if one.scopes >= _NEEDED:
            return one.token
    raise SettingsError("RECEIVER_API_TOKENS: a story needs a token with the scopes read and write; none has both.")


def _introduction(stage: Running, story: Story, standing: Sequence[SeenDiagnosis]) -> Iterator[str]:
    yield from headline(story)
    yield f"Played in real time against {stage.client.url}; it ends at {_due(stage, story.ends_ms)}. Ctrl-C stops it."
    yield f"Its stream is {story.stream_id}; what is diagnosed of it stays in that service's store."
    for one in story.expects:
        expected = cause((one.condition, one.reason))
        yield f"Due by {_due(stage, one.by_ms)}, with the default settings: {expected}"
    if not story.expects:
        yield "Nothing should be diagnosed."
    if any(isinstance(step, Deliver) and step.flaw for step in story.steps):
        yield "What is refused stays in its quarantine; its endpoint is diagnosed until a delivery is accepted again."
    for seen in standing:
        yield f"Diagnosed already, of the {seen.subject.kind}: {cause((seen.condition, seen.reason))}"
    yield ""


def _due(stage: Running, at_ms: int) -> str:
    return f"{at(at_ms)} ({rfc3339(stage.start_ms + at_ms)[11:19]}Z)"


def _say(lines: Sequence[str] | Iterator[str], *, as_json: bool) -> None:
    """At once, as minutes may pass before there is more. JSON has stdout for itself."""
    if as_json:
        sys.stderr.writelines(f"{line}\n" for line in lines)
    else:
        print_lines(lines)
        sys.stdout.flush()


def _unusable(url: str, answer: Answer) -> str:
    if answer.status is None:
        return f"Nothing answers at {url}: {answer.detail}. Start the service (`receiver serve`), or correct --url."
    if answer.status == 401:
        return (
            f"The service at {url} does not know our token. Set RECEIVER_API_TOKENS, or RECEIVER_DATA_DIR, as the"
            " service has it."
        )
    said = f", and says: {answer.detail}" if answer.detail else ""
    return f"What answers at {url} cannot be used as a receiver: it answered {answer.status}{said}."


def _refused(url: str) -> str:
    return (
        f"The service at {url} refuses our signature; it keeps that delivery in its quarantine. Set"
        " RECEIVER_WEBHOOK_SECRETS, or RECEIVER_DATA_DIR, as the service has it."
    )

"""`receiver probe`: what viewers of a playback id get, looked at once."""

import argparse
import asyncio
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec import to_builtins

from receiver.clock import SystemClock
from receiver.commands.options import Commands, add_json, current_settings, print_json, print_lines
from receiver.diagnosis.catalogue import reason_entry
from receiver.errors import InvalidRequest, SettingsError
from receiver.evidence.probing.fetching import GuardedClient
from receiver.evidence.probing.probe import probe
from receiver.evidence.probing.studio import StudioPlaybackInfo
from receiver.evidence.probing.values import Probed, ProbeRequest, Verdict
from receiver.evidence.probing.verdicts import condition_of
from receiver.hosts import AllowedHosts
from receiver.settings import Settings

PLAYS: Final = 0
DOES_NOT: Final = 1
NOT_FOUND_OUT: Final = 4
_STDIN: Final = "-"
_FILE: Final = "@"
_LARGEST: Final = 1 << 16
_SAID: Final[dict[Verdict, str]] = {
    "plays": "It plays.",
    "degraded": "It plays, but not as it should.",
    "empty": "It does not play: the manifest has no segments.",
    "stalled": "It does not play on: no new segments come.",
    "denied": "It does not play: access was denied.",
    "offline": "It does not play: the stream is offline.",
    "missing": "It does not play: there is nothing under this playback id.",
    "not_ready": "It does not play yet.",
    "unreachable": "It does not play: nobody answered as they should.",
    "unknown": "Whether it plays could not be found out.",
}


def declare(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "probe",
        help="look at what viewers get",
        description="Ask Livepeer where a playback id is played, and read its HLS manifests as a player would; of a"
        " live stream, wait for new segments. Only hosts in RECEIVER_PROBE_ALLOWED_HOSTS are asked; no media is read,"
        " and none is published. Exit code 0 says that it plays, 1 that it does not, or not as it should, 2 that it"
        " cannot be asked like this, 4 that it could not be found out.",
    )
    parser.add_argument("playback_id", metavar="PLAYBACK_ID", help="as the player has it")
    credential = parser.add_mutually_exclusive_group()
    hint = "`-` reads it from stdin and @FILE from a file: others on this machine can see arguments"
    credential.add_argument("--jwt", metavar="TOKEN", help=f"a viewer's JWT; {hint}")
    credential.add_argument("--access-key", metavar="KEY", help="a viewer's access key, given likewise")
    parser.add_argument("--origin", metavar="ORIGIN", help="of the page with the player, as https://www.example.com")
    parser.add_argument("--url", metavar="HLS_URL", help="ask there, and do not ask Livepeer where it is played")
    expected = "how many renditions there should be, the source's too; more than 1: says if there is only the source"
    parser.add_argument("--expect", type=int, metavar="N", help=expected)
    parser.add_argument("--webrtc", action="store_true", help="look what WebRTC answers, too; nothing is offered to it")
    add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Look, and print it. Raises SettingsError."""
    settings = current_settings()
    request = ProbeRequest(
        options.playback_id,
        SystemClock().now_ms(),
        jwt=_credential(options.jwt, "--jwt"),
        access_key=_credential(options.access_key, "--access-key"),
        origin=options.origin,
        hls_url=options.url,
        expected_renditions=options.expect,
        webrtc="always" if options.webrtc else "inconclusive",
    )
    try:
        found = asyncio.run(_probe(request, settings))
    except InvalidRequest as error:
        raise SettingsError("; ".join(f"{one['pointer'][1:]} {one['detail']}" for one in error.errors)) from None
    if options.json:
        print_json(to_builtins(found))
    else:
        print_lines(_lines(found))
    return {"plays": PLAYS, "unknown": NOT_FOUND_OUT}.get(found.verdict, DOES_NOT)


async def _probe(request: ProbeRequest, settings: Settings) -> Probed:
    async with (
        GuardedClient(AllowedHosts(settings.probe_allowed_hosts)) as client,
        StudioPlaybackInfo(settings.studio_url) as playback_info,
    ):
        return await probe(request, client, playback_info)


def _credential(given: str | None, option: str) -> str | None:
    """What was given, or what stands where it names. Raises SettingsError."""
    if given is None:
        return None
    try:
        if given == _STDIN:
            text = sys.stdin.read(_LARGEST)
        elif given.startswith(_FILE):
            with Path(given[1:]).open(encoding="utf-8") as file:
                text = file.read(_LARGEST)
        else:
            text = given
    except OSError as error:
        raise SettingsError(f"{option}: the file cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{option}: what was given is no text") from None
    if not text.strip():
        raise SettingsError(f"{option}: what was given is empty")
    return text.strip()


def _lines(found: Probed) -> Iterator[str]:
    yield f"{found.playback_id}: {_SAID[found.verdict]}"
    if found.reason is not None:
        entry = reason_entry(condition_of(found.verdict, found.reason), found.reason)
        yield from _wrapped(f"{found.reason}: {entry.meaning}")
        yield from _wrapped(_NO_RULE_NAMED if found.reason == "AccessDenied" else entry.next_step)
    for name, value in _facts(found):
        if value is not None:
            yield f"  {name + ':':<16}{value}"


def _facts(found: Probed) -> Iterator[tuple[str, object]]:
    """What it rests on."""
    yield "asked", found.url
    yield "answered by", found.node
    yield "HTTP status", found.http_status
    yield "it says", found.error_line
    yield "what happened", found.detail
    yield "renditions", found.renditions
    yield "segments", found.segments
    yield "new segments", None if found.moved is None else "came" if found.moved else "did not come"
    yield "redirects", found.redirects or None
    yield "policy", found.policy
    if found.verdict == "denied":
        yield "sent", f"{_SENT[found.credential]}, {'no origin' if found.origin is None else f'origin {found.origin}'}"
    if found.webrtc is not None:
        yield "WebRTC", f"{found.webrtc.http_status} {found.webrtc.text}".strip()
    yield "took", f"{found.took_ms / 1000:.1f} s"


_NO_RULE_NAMED: Final = reason_entry("playback_forbidden", "Forbidden").next_step
"""The catalogue's next step for a denied manifest leads to the other condition, which a single look does not have."""
_SENT: Final = {
    "none": "no credential",
    "jwt": "a JWT",
    "access_key": "an access key",
    "both": "a JWT and an access key",
}


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 110, initial_indent="  ", subsequent_indent="  ")

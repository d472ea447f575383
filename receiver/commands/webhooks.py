"""`receiver webhooks`: the registration with Livepeer explained, made and repaired; and what never arrived taken in."""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, TypeVar
from urllib.parse import urlsplit

from msgspec import to_builtins

from receiver.clock import SystemClock
from receiver.commands.options import Commands, add_json, current_settings, print_json, print_lines
from receiver.commands.store import beside, existing_store
from receiver.commands.webhook_texts import lines_of_checks, lines_of_registered, lines_of_report
from receiver.diagnosis.looks import WebhookLook
from receiver.errors import SettingsError
from receiver.evidence.reconciling.checking import Checked, check, check_missing
from receiver.evidence.reconciling.ours import Ours, known_webhooks, ours
from receiver.evidence.reconciling.reach import Reach, is_public_url
from receiver.evidence.reconciling.registered import last_active_ms, look_at
from receiver.evidence.reconciling.registering import WANTED, Registered, register, with_path
from receiver.evidence.reconciling.run import Reconciler
from receiver.evidence.reconciling.values import Report
from receiver.keys import Keys, existing_webhook_secrets
from receiver.livepeer.studio import StudioClient, studio_client
from receiver.livepeer.studio.failures import Invalid, NotFound, StudioError, UserSuspended
from receiver.livepeer.studio.webhooks import Webhook
from receiver.logs import configure, protect
from receiver.settings import Settings
from receiver.storage.engine import Database
from receiver.times import read_rfc3339

WRONG: Final = 1
NOT_FOUND_OUT: Final = 4
_NO_KEY: Final = (
    "RECEIVER_STUDIO_API_KEY: is not set, and without it Livepeer Studio cannot be asked; make a key in Livepeer Studio"
    " under Developers, in the project of the streams, and set it here and for the service"
)
T = TypeVar("T")


def declare(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("webhooks", help="check, repair or make up for the webhook", description=__doc__)
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    checked = actions.add_parser(
        "check",
        help="explain a registration",
        description="Look at the webhooks that lead here, as Livepeer Studio has them and as their URLs answer. Exit"
        " code 1 says that something is wrong, 4 that Livepeer Studio could not be asked.",
    )
    checked.add_argument("webhook", nargs="?", metavar="URL-or-ID", help="this one alone; else all that lead here")
    checked.set_defaults(run=run_check)
    reconciled = actions.add_parser(
        "reconcile",
        help="take in what never arrived",
        description="Read Livepeer's own log of deliveries, take in every event that is not here, and say why it was"
        " not. A running service diagnoses it at once, a stopped one when it starts. Exit code 1 says that something"
        " could not be taken in, or with --dry-run that something is missing; 4 that Livepeer Studio could not be asked"
        " to the end.",
    )
    reconciled.add_argument("--since", metavar="TIME", help="read from then on, as 2024-09-12T15:00:00Z")
    reconciled.set_defaults(run=run_reconcile)
    registered = actions.add_parser(
        "register",
        help="make or repair a registration",
        description="Make a webhook with this URL, or repair the one that has it: lacking events are added, none is"
        " removed, and it is given this service's current secret. Exit code 1 says that others have the same URL.",
    )
    registered.add_argument("url", metavar="URL", help="where Livepeer is to deliver to; /webhooks/livepeer is added")
    registered.add_argument("--name", metavar="N", help="its name in Livepeer Studio")
    registered.add_argument("--events", nargs="+", metavar="EVENT", help="in place of all that are read here")
    registered.add_argument(
        "--allow-private", action="store_true", help="for a Studio of your own: any http:// address"
    )
    registered.set_defaults(run=run_register)
    for action in (reconciled, registered):
        action.add_argument("--dry-run", action="store_true", help="only say what would be done")
    for action in (checked, reconciled, registered):
        add_json(action)


def run_check(options: argparse.Namespace) -> int:
    """Print what is found of each webhook. Raises SettingsError, StoreUnavailable."""
    settings = _settings()
    with existing_store(settings) as database:

        async def look(client: StudioClient) -> Sequence[Checked]:
            return await _checked(client, database, options.webhook)

        found = _asked(settings, look)
    if found is None:
        return NOT_FOUND_OUT
    if options.json:
        print_json(to_builtins(found))
    else:
        print_lines(lines_of_checks(found, options.webhook))
    return WRONG if not found or any(one.wrong for one in found) else 0


def run_reconcile(options: argparse.Namespace) -> int:
    """Take in what is missing, and print what that was. Raises SettingsError, StoreUnavailable."""
    settings = _settings()
    since_ms = None if options.since is None else _moment(options.since)
    with existing_store(settings) as database, beside(database) as member:

        async def reconcile(client: StudioClient) -> Report:
            keep_ms, clock = settings.keeping().events_ms, SystemClock()
            by = Reconciler(client, database, member.ids, clock, keep_ms, settings.max_body_bytes)
            return await by.run(since_ms=since_ms, dry_run=options.dry_run)

        report = _asked(settings, reconcile)
    if report is None:
        return NOT_FOUND_OUT
    if options.json:
        print_json(to_builtins(report))
    else:
        print_lines(lines_of_report(report, dry_run=options.dry_run))
    if report.failure is not None:
        return NOT_FOUND_OUT
    return WRONG if report.missing > report.taken_in or report.refused or not (report.whole or options.dry_run) else 0


def run_register(options: argparse.Namespace) -> int:
    """Make or repair it, and print what was done. Raises SettingsError."""
    settings = _settings()
    url = _registrable(options.url, allow_private=options.allow_private)
    secret = existing_webhook_secrets(settings)[0]
    events = tuple(options.events or WANTED)

    async def make(client: StudioClient) -> Registered:
        try:
            return await register(client, url, secret, name=options.name, events=events, dry_run=options.dry_run)
        except Invalid as error:
            raise SettingsError(error.detail) from None

    done = _asked(settings, make)
    if done is None:
        return NOT_FOUND_OUT
    if options.json:
        print_json({**to_builtins(done), "dry_run": options.dry_run})
    else:
        print_lines(lines_of_registered(done, dry_run=options.dry_run))
    return WRONG if done.others else 0


def _settings() -> Settings:
    settings = current_settings()
    if settings.studio_api_key is None:
        raise SettingsError(_NO_KEY)
    configure(settings.log_format, "error", sys.stderr)
    return settings


def _asked(settings: Settings, ask: Callable[[StudioClient], Awaitable[T]]) -> T | None:
    """What comes of asking Livepeer Studio; None, with a line on stderr, where it cannot be asked."""
    secrets = existing_webhook_secrets(settings)
    protect(*secrets, settings.studio_api_key or "")

    async def asking() -> T:
        async with _client(settings, secrets) as client:
            return await ask(client)

    try:
        return asyncio.run(asking())
    except StudioError as error:
        sys.stderr.write(f"receiver: {error.detail}\n")
        return None


@asynccontextmanager
async def _client(settings: Settings, secrets: tuple[str, ...]) -> AsyncIterator[StudioClient]:
    async with studio_client(settings, Keys(secrets, (), digest_key=b"")) as client:
        yield client


def _moment(text: str) -> int:
    try:
        since_ms = read_rfc3339(text)
    except ValueError as error:
        raise SettingsError(f"--since: {error}") from None
    if since_ms > SystemClock().now_ms():
        raise SettingsError("--since: this lies ahead; write a time that has passed")
    return since_ms


async def _checked(client: StudioClient, database: Database, named: str | None) -> Sequence[Checked]:
    now_ms = SystemClock().now_ms()
    states = await database.read(known_webhooks)
    try:
        everything = [webhook async for webhook in client.webhooks()]
        mine = await _wanted(client, database, everything, named)
    except UserSuspended:
        suspended = WebhookLook("user_suspended")
        return [check_missing(one, suspended, states[one].last_ms, now_ms) for one in sorted(states)]
    active_ms = await last_active_ms(client)
    found = []
    async with Reach() as reach:
        for webhook in mine.found:
            look = await look_at(webhook, reach, active_ms)
            same = [one.id for one in everything if one.url == webhook.url and one.id != webhook.id]
            found.append(check(webhook, look, mine.last_call_ms(webhook.id) or None, now_ms, same))
    missing = WebhookLook("missing")
    found += [check_missing(one, missing, mine.last_call_ms(one) or None, now_ms) for one in mine.missing]
    return found


async def _wanted(client: StudioClient, database: Database, everything: Sequence[Webhook], named: str | None) -> Ours:
    """Those to be checked: all that lead here, or the one that was named by its URL or its id."""
    if named is None:
        return await ours(client, database)
    states = await database.read(known_webhooks)
    if "://" in named:
        return Ours(tuple(one for one in everything if one.url in {named, with_path(named)}), (), states)
    try:
        return Ours((await client.webhook(named),), (), states)
    except NotFound:
        return Ours((), (named,), states)


def _registrable(text: str, *, allow_private: bool) -> str:
    """A URL that Livepeer can deliver to. Raises SettingsError."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"https", "http"} or not parts.hostname or not text.isprintable() or " " in text:
        raise SettingsError("URL: is none; write e.g. https://receiver.example.com")
    if parts.fragment:
        raise SettingsError("URL: has a part behind #, which is never sent; leave it out")
    if not allow_private and parts.scheme != "https":
        raise SettingsError(
            "URL: does not begin with https://: what Livepeer tells could be read, and changed, on its way"
        )
    url = with_path(text)
    if not allow_private:
        public = asyncio.run(is_public_url(url))
        if public is None:
            raise SettingsError(f"URL: the name {parts.hostname} has no address; check it, or wait until it is known")
        if not public:
            raise SettingsError(
                f"URL: {parts.hostname} is a private address, whose events Livepeer drops without a trace; give a"
                " public one"
            )
    return url

"""`receiver serve`: the service, until it is told to stop."""

import argparse
import asyncio
import gc
import os
import signal
import sys
from importlib.metadata import version
from pathlib import Path

from aiohttp import web

from receiver.app import Service
from receiver.clock import SystemClock
from receiver.commands.options import Commands, current_settings
from receiver.commands.store import plainly, ready_place
from receiver.errors import SettingsError
from receiver.keys import Keys, all_secrets, ensure_keys
from receiver.logs import configure, get_logger, protect
from receiver.routes.webhook import PATH
from receiver.settings import Settings
from receiver.storage.engine import ProcessLock
from receiver.storage.schema import migrate

GARBAGE = 50_000
"""How many more objects there must be before the collector looks for cycles."""
_log = get_logger("receiver")


def declare(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "serve",
        help="run the service",
        description="Run the service until SIGTERM or SIGINT. Its log goes to stdout; what a new user needs, such as "
        "the URL to register, to stderr. It brings an embedded database to its own schema by itself. Exit code 2: "
        "wrong settings, or the address or the database is taken; 3: the database cannot be used.",
    )
    parser.set_defaults(run=run)


def run(_options: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT. Raises SettingsError, StoreUnavailable."""
    settings = current_settings()
    clock = SystemClock()
    configure(settings.log_format, settings.log_level, sys.stdout, clock)
    ready_place(settings)
    keys = ensure_keys(settings)
    protect(*all_secrets(settings, keys))
    with ProcessLock(settings.url), plainly(settings):
        migrate(settings.url)
        service = Service.build(settings, keys, clock)
        _collect_seldom()
        asyncio.run(serve(service))
    return 0


def _collect_seldom() -> None:
    """What is loaded stays, and what a request makes is freed without the collector: looking for cycles as often as
    usual costs a tenth of the throughput."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE)


async def serve(service: Service) -> None:
    """Listen, say so, and stop in order when SIGTERM or SIGINT comes: what was taken in is committed first. Raises
    SettingsError where the address cannot be had, StoreUnavailable."""
    settings = service.settings
    runner = service.web_runner()
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.host, settings.port)
        await _listen(site, settings)
        _announce(settings, service.keys, _url(runner, settings))
        await _told_to_stop()
        _log.info("service.stopping", waiting=service.inbox.waiting)
    finally:
        await runner.cleanup()


async def _listen(site: web.TCPSite, settings: Settings) -> None:
    try:
        await site.start()
    except OSError as error:
        # asyncio words its own text, and a name that is not found has a number that is no errno
        reason = os.strerror(error.errno) if error.errno is not None and error.errno > 0 else error.strerror
        raise SettingsError(
            f"Cannot listen on {settings.host}:{settings.port}: {reason}. Stop what is listening there, or set"
            " RECEIVER_HOST and RECEIVER_PORT to an address of this machine that is free."
        ) from error


async def _told_to_stop() -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await stopping.wait()


def _announce(settings: Settings, keys: Keys, url: str) -> None:
    _introduce(settings, keys, url)
    for warning in settings.warnings():
        _log.warning("service.warning", detail=warning)
    installed = version("livepeer-receiver")
    _log.info("service.started", version=installed, url=url, webhook_url=f"{url}{PATH}", pid=os.getpid())


def _url(runner: web.AppRunner, settings: Settings) -> str:
    port = runner.addresses[0][1]
    host = settings.host if settings.host not in {"0.0.0.0", "::", ""} else "127.0.0.1"  # noqa: S104 -- told apart
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _introduce(settings: Settings, keys: Keys, url: str) -> None:
    """What a new user needs next, on stderr: stdout carries log lines only. Of secrets it says where they are."""
    secret = _where(settings.data_dir / "webhook_secret", configured=bool(settings.webhook_secrets))
    token = _where(settings.data_dir / "api_token", configured=bool(settings.api_tokens))
    shown = "YOUR-TOKEN" if settings.api_tokens else f"$(cat '{settings.data_dir / 'api_token'}')"
    lines = [
        f"receiver listens on {url}",
        f"  Webhook URL for Livepeer Studio: https://YOUR-PUBLIC-NAME{PATH} (to be forwarded to {url}{PATH})",
        f"  Its shared secret: {secret}",
        f"  Token for the API: {token}",
        f'  Try: curl -H "Authorization: Bearer {shown}" {url}/v1/streams',
        "  See it work: receiver simulate all",
    ]
    if keys.made:
        lines.append(f"  Made on this first start: {', '.join(keys.made)}")
    sys.stderr.write("\n".join(lines) + "\n")
    sys.stderr.flush()


def _where(file: Path, *, configured: bool) -> str:
    return "as configured" if configured else f"the content of {file}"

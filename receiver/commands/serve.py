"""`receiver serve`: the service, until it is told to stop."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from types import FrameType

from aiohttp import web

from receiver.app import Service
from receiver.clock import SystemClock
from receiver.commands.garbage import collect_seldom
from receiver.commands.introduction import Listening, called_as, introduction, replaced
from receiver.commands.open_files import allow_enough
from receiver.commands.options import Commands, current_settings
from receiver.commands.store import lost_in_crash, plainly, ready_place, ready_schema
from receiver.errors import SettingsError
from receiver.keys import all_secrets, ensure_keys
from receiver.logs import configure, get_logger, protect
from receiver.reception import PATH
from receiver.settings import Settings
from receiver.storage.latest import latest_seq
from receiver.storage.sqlite import ProcessLock

_STOPS = (signal.SIGTERM, signal.SIGINT)
HAND_OVER_S = 0.00005
"""How long the thread that diagnoses may keep the one that answers waiting for the interpreter: Python's own five
milliseconds are longer than a delivery takes."""
BACKLOG = 1024
"""Connections that wait to be accepted: viewers come all at once, and Livepeer opens one for each (FACTS 12). One that
finds no room is tried again after a second."""
_log = get_logger("receiver")


def declare(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "serve",
        help="run the service",
        description="Run the service until SIGTERM or SIGINT. Its log goes to stdout; what a new user needs, such as "
        "the URL to register, to stderr. It brings an embedded database to its own schema by itself. Exit code 2: "
        "wrong settings, the address or the database is taken, or the database is another program's or a newer "
        "version's; 3: the database cannot be used.",
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
    if settings.gates:
        allow_enough()
    with ProcessLock(settings.url), plainly(settings):
        lost = lost_in_crash(settings)
        ready_schema(settings)
        service = Service.build(settings, keys, clock, beside=True)
        collect_seldom()
        sys.setswitchinterval(HAND_OVER_S)
        with asyncio.Runner(loop_factory=_new_loop) as runner:
            runner.run(serve(service, lost))
            _hear_no_more()
    _leave_unwritten()
    return 0


def _leave_unwritten() -> None:
    """What the log has no room for is lost; that is no failure of the service."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _new_loop() -> asyncio.AbstractEventLoop:
    """uvloop's, where it is installed (the extra `fast`), else asyncio's own."""
    try:
        uvloop = import_module("uvloop")
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


async def serve(service: Service, lost: Sequence[str] = ()) -> None:
    """Listen, say so, and what was `lost` before; stop in order when SIGTERM or SIGINT comes: what was taken in is
    committed first. Raises SettingsError where the address cannot be had, StoreUnavailable."""
    settings, stopping = service.settings, _told_to_stop()
    runner = service.web_runner()
    first = await service.database.read(latest_seq) == 0
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.host, settings.port, backlog=BACKLOG)
        await _listen(site, settings)
        _announce(service, Listening(settings.host, runner.addresses[0][1]), lost, first=first)
        await stopping.wait()
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


def _told_to_stop() -> asyncio.Event:
    """Set by SIGTERM or SIGINT, from now on: who reads that we serve may stop us at once. The loop's own handlers are
    not used: once they are taken away, a second signal would end a process that is stopping in order."""
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()

    def hear(_number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(stopping.set)

    for number in _STOPS:
        signal.signal(number, hear)
    return stopping


def _hear_no_more() -> None:
    """We are stopping already; the interpreter, which ends next, leaves what is ignored ignored."""
    for number in _STOPS:
        signal.signal(number, signal.SIG_IGN)


def _announce(service: Service, listening: Listening, lost: Sequence[str], *, first: bool) -> None:
    """On stderr for a new user, on stdout, which carries log lines only, for the log."""
    settings, keys = service.settings, service.keys
    warnings = [*lost, *settings.warnings(), *([] if first else replaced(keys))]
    sys.stderr.write(introduction(settings, listening, warnings, keys.made if first else (), called_as(sys.argv[0])))
    sys.stderr.flush()
    for warning in warnings:
        _log.warning("service.warning", detail=warning)
    url = listening.url
    _log.info(
        "service.started",
        version=version("livepeer-receiver"),
        listens_on=listening.address,
        url=url,
        webhook_url=f"{url}{PATH}",
        pid=os.getpid(),
        loop=type(asyncio.get_running_loop()).__module__.partition(".")[0],
    )

"""The composition root: everything that serves, built from the settings in this one place. Nobody imports it but the
entry points."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from functools import partial

from aiohttp import web

from receiver.clock import Clock
from receiver.delivery_log import log_filed
from receiver.diagnoser import Diagnoser, WorkerProcess
from receiver.errors import StoreUnavailable
from receiver.evidence.access import FoundAccess
from receiver.evidence.gatekeeping import Gatekeeping
from receiver.evidence.lookout import Lookout
from receiver.evidence.reconciling.run import Reconciler
from receiver.evidence.reconciling.schedule import Reconciliation
from receiver.gates.gates import Gates
from receiver.heartbeat import Heartbeat
from receiver.inbox import Inbox
from receiver.keys import Keys, with_digest_key
from receiver.livepeer.signature import Keyring
from receiver.livepeer.studio import AT_ONCE, StudioClient, studio_client
from receiver.livepeer.studio.budget import Timing
from receiver.logs import protect
from receiver.membership import Membership
from receiver.outlets.log import LogOutlet
from receiver.reception import Reception
from receiver.refusals import StoredAccess
from receiver.retention import Retention
from receiver.routes import keys as shared
from receiver.routes.api import PREFIX, add_open, api_app
from receiver.routes.front import FrontRunner
from receiver.routes.webhook import WebhookEndpoint
from receiver.settings import Settings
from receiver.storage import nodes
from receiver.storage.engine import Database
from receiver.storage.opening import open_store
from receiver.write_ahead import WriteAhead

DRAIN_S = 10.0
"""How long requests at hand may take to end once we are told to stop."""
LINGER_S = 2.0
"""How long we go on reading a body that was answered before its end."""
HEAD_WITHIN_S = 75.0
"""How long a connection may be silent, or take over the head of its first or next request. Longer than proxies keep a
silent connection to us (nginx: 60 s): who closes first spoils no request."""


@dataclass(frozen=True, slots=True)
class Service:
    """The parts of one serving process. `start` and `stop` belong together."""

    settings: Settings
    keys: Keys
    clock: Clock
    database: Database
    membership: Membership
    inbox: Inbox
    diagnoser: Diagnoser
    worker: WorkerProcess | None
    outlet: LogOutlet
    heartbeat: Heartbeat
    retention: Retention
    write_ahead: WriteAhead
    studio: StudioClient
    studio_waited_for: StudioClient
    lookout: Lookout
    gates: Gates
    reconciliation: Reconciliation | None = None
    """Only with a key of the Studio API."""

    @classmethod
    def build(cls, settings: Settings, keys: Keys, clock: Clock, *, beside: bool = False) -> "Service":
        """The service on a database that is migrated already; with `beside`, it may conclude in a process of its own.
        Blocks. Raises StoreUnavailable."""
        database = open_store(settings)
        membership = Membership(database, clock)
        keys = with_digest_key(keys, partial(_share, database))
        ids, outlet = membership.ids, LogOutlet(database)
        limits = settings.limits() if settings.diagnoses else None
        diagnoser = Diagnoser(database, ids, clock, limits, tell=outlet.wake, on_filed=log_filed)
        reception = Reception(Keyring(keys.webhook_secrets), settings.tolerance_ms, settings.allow_unsigned)
        inbox = Inbox(database, ids, clock, reception, on_stored=diagnoser.stored)
        heartbeat = Heartbeat(
            database, ids, clock, able=inbox.rehearse, renew=membership.keep, accepting=settings.takes_in
        )
        inbox.call_when_lost(heartbeat.wake)
        retention = Retention(database, clock, settings.keeping(), settings.limits())
        worker = WorkerProcess(settings.url) if beside and limits is not None and database.has_one_writer else None
        studio = studio_client(settings, keys, Timing(clock))
        waited_for = studio_client(settings, keys, patience=AT_ONCE)
        lookout = Lookout(settings, database, ids, clock, studio, diagnoser.wake)
        gates = Gates(settings, clock, Gatekeeping(database, ids, clock, diagnoser.wake))
        parts = inbox, diagnoser, worker, outlet, heartbeat, retention, WriteAhead(database)
        reconciliation = None
        if studio.configured and settings.diagnoses:
            keep_ms, most = settings.keeping().events_ms, settings.max_body_bytes
            by = Reconciler(studio, database, ids, clock, keep_ms, most, diagnoser.wake, resends=settings.takes_in)
            reconciliation = Reconciliation(by, settings.reconcile_every_s)
        return cls(
            settings, keys, clock, database, membership, *parts, studio, waited_for, lookout, gates, reconciliation
        )

    @property
    def store_lost(self) -> bool:
        """Whether the store has failed a part of this, which has not been able to use it since."""
        return any(fault is not None for fault in self._store_faults())

    def store_damaged(self) -> bool:
        """Whether it has because what it holds is damaged: more is not entrusted to it."""
        return any(fault is not None and fault.damaged for fault in self._store_faults())

    def _store_faults(self) -> Iterable[StoreUnavailable | None]:
        parts = (
            self.inbox,
            self.diagnoser,
            self.outlet,
            self.heartbeat,
            self.retention,
            self.lookout,
            self.gates,
            self.reconciliation,
        )
        return (part.store_fault for part in parts if part is not None)

    async def start(self, *, attended: bool = False) -> None:
        """Begin to take in and to diagnose, as far as that is our role. With `attended`, nothing happens by itself:
        whoever moves the clock calls `settle`. Raises StoreUnavailable."""
        self.inbox.refuse_while(self.store_damaged)
        await self.heartbeat.begin()
        if self.settings.takes_in:
            await self.inbox.start()
        await self.lookout.start(attended=attended)
        await self.gates.start(attended=attended)
        if not attended:
            if self.database.has_one_writer:
                await self.write_ahead.start()
            await self.heartbeat.start()
            await self.diagnoser.start(self.worker)
            if self.settings.diagnoses:
                await self.outlet.start()
                await self.retention.start()
            if self.reconciliation is not None:
                await self.reconciliation.start()

    async def stop(self) -> None:
        """Commit what was accepted, tell what was concluded, and let go of the database."""
        await self.gates.stop()
        if self.reconciliation is not None:
            await self.reconciliation.stop()
        await self.inbox.stop()
        await self.lookout.stop()
        await self.studio.close()
        await self.studio_waited_for.close()
        await self.diagnoser.stop()
        await self.outlet.stop()
        await self.retention.stop()
        await self.heartbeat.stop()
        await self.write_ahead.stop()
        with contextlib.suppress(StoreUnavailable):
            await self.beat()
            await asyncio.to_thread(self.membership.end)
        if self.studio is not None:
            await self.studio.close()
        await self.database.close()

    async def beat(self) -> None:
        """Write down that we are here. Raises StoreUnavailable."""
        await self.heartbeat.beat()

    async def settle(self) -> None:
        """Do all that is due at this moment: for a clock that is moved by hand. Raises StoreUnavailable."""
        await self.beat()
        await self.gates.tell()
        await self.diagnoser.settle()
        while await self.lookout.look():
            await self.diagnoser.settle()
        await self.outlet.tell()

    def web_runner(self, *, attended: bool = False, head_within_s: float = HEAD_WITHIN_S) -> web.AppRunner:
        """What serves `web_app`. Bodies are read as they came: the signature is over their bytes."""
        return FrontRunner(
            self.web_app(attended=attended),
            self._endpoint(),
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=head_within_s,
            lingering_time=LINGER_S,
            shutdown_timeout=DRAIN_S,
        )

    def web_app(self, *, attended: bool = False) -> web.Application:
        """The HTTP side. Its start and clean-up are the service's."""
        app = web.Application(client_max_size=self.settings.max_body_bytes)
        app[shared.DATABASE], app[shared.CLOCK], app[shared.IDS] = self.database, self.clock, self.membership.ids
        app[shared.SETTINGS], app[shared.KEYS] = self.settings, self.keys
        app[shared.DIAGNOSER], app[shared.INBOX], app[shared.LOOKOUT] = self.diagnoser, self.inbox, self.lookout
        app[shared.ACCESS] = FoundAccess(StoredAccess(self.database), self.studio_waited_for)
        app[shared.GATES] = self.gates
        app[shared.STORE_LOST] = lambda: self.store_lost
        self._endpoint().add_to(app.router)
        app.add_subapp(PREFIX, api_app(self.keys))
        add_open(app)

        async def running(_: web.Application) -> AsyncIterator[None]:
            await self.start(attended=attended)
            yield
            await self.stop()

        app.cleanup_ctx.append(running)
        return app

    def _endpoint(self) -> WebhookEndpoint:
        return WebhookEndpoint(self.inbox, self.settings.max_body_bytes)


def _share(database: Database, proposed: str) -> str:
    """The digest key of all processes, which is protected from now on as the others are."""
    key = database.write_now(lambda connection: nodes.shared_key(connection, "digest_key", proposed))
    protect(key)
    return key

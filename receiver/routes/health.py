"""Whether the process lives, and whether it can do its work."""

from aiohttp import web
from sqlalchemy import select

from receiver.errors import StoreUnavailable
from receiver.routes.answers import answer
from receiver.routes.keys import DATABASE, DIAGNOSER, STORE_LOST
from receiver.routes.models import Alive, DiagnoserState, Readiness, StoreState
from receiver.routes.parameters import NoQuery
from receiver.storage.engine import Database
from receiver.storage.tables import SubjectRow


async def healthz(_request: web.Request, _query: NoQuery) -> web.Response:
    """`GET /healthz`: the process answers; says nothing of what it depends on."""
    return answer(Alive(status="ok"))


async def readyz(request: web.Request, _query: NoQuery) -> web.Response:
    """`GET /readyz`: 200 while the store can be used by every part and the diagnoser runs, else 503 with the same
    shape."""
    available = await _available(request.config_dict[DATABASE]) and not request.config_dict[STORE_LOST]()
    health = request.config_dict[DIAGNOSER].health
    ready = available and health.running
    report = Readiness(
        status="ready" if ready else "not_ready",
        store=StoreState(available=available),
        diagnoser=DiagnoserState(
            running=health.running, pending=health.pending, lag_ms=health.lag_ms, faults=health.faults
        ),
    )
    return answer(report, status=200 if ready else 503)


async def _available(database: Database) -> bool:
    """Whether a transaction can be begun and committed. One that changes nothing costs no sync to disk."""
    try:
        await database.write(lambda conn: conn.execute(select(SubjectRow.id).limit(1)).first())
    except StoreUnavailable:
        return False
    return True

"""Streams, their signals and their sessions."""

from aiohttp import web
from sqlalchemy import Connection

from receiver.diagnosis.ordering import standing_ms
from receiver.errors import NotFound
from receiver.routes import models, shapes
from receiver.routes.answers import answer, conditional, listed
from receiver.routes.cursors import Cursors
from receiver.routes.keys import DATABASE
from receiver.routes.parameters import NoQuery, Paging, StreamsQuery, path_id
from receiver.routes.shapes import Stored
from receiver.routes.ways import Ways
from receiver.storage.queries import Found, diagnoses, signals, streams
from receiver.storage.queries.listing import NEVER, Wanted

MAX_SESSIONS = 50
"""As many of a stream's sessions and of its open diagnoses are shown with it."""


async def list_streams(request: web.Request, query: StreamsQuery) -> web.Response:
    """`GET /v1/streams`"""
    cursors = Cursors.of("streams", query, (int, str))
    key = cursors.read(query.cursor)
    after = None if key is None else (int(key[0]), str(key[1]))

    def read(conn: Connection) -> list[tuple[Found, Stored | None]]:
        ways = Ways.read(conn)
        rows = streams.streams(conn, _wanted(query, ways), after, query.limit + 1)
        return [(row, ways.failing_for(conn, row.id)) for row in rows]

    found = await request.config_dict[DATABASE].read(read)
    shown = found[: query.limit]
    items = [shapes.stream_summary(row, failing) for row, failing in shown]
    return listed(request, items, _key(shown[-1][0]) if len(found) > query.limit else None, cursors)


async def show_stream(request: web.Request, _: NoQuery) -> web.Response:
    """`GET /v1/streams/{id}`"""
    stream_id = path_id(request)

    def read(conn: Connection) -> models.Stream | None:
        row = streams.stream(conn, stream_id)
        return None if row is None else _whole(conn, row)

    found = await request.config_dict[DATABASE].read(read)
    if found is None:
        raise unknown_stream(stream_id)
    return conditional(request, found)


async def list_events(request: web.Request, query: Paging) -> web.Response:
    """`GET /v1/streams/{id}/events`"""
    stream_id = path_id(request)
    cursors = Cursors.of(f"events {stream_id}", query, (int, str))
    key = cursors.read(query.cursor)
    after = None if key is None else (int(key[0]), str(key[1]))

    def read(conn: Connection) -> tuple[bool, list[list[Found]]]:
        found = signals.signals_of_stream(conn, stream_id, after, query.limit + 1)
        return bool(found) or streams.stream(conn, stream_id) is not None, found

    known, found = await request.config_dict[DATABASE].read(read)
    if not known:
        raise unknown_stream(stream_id)
    shown = found[: query.limit]
    items = [shapes.stream_event(rows) for rows in shown]
    last = shown[-1][0].position if len(found) > query.limit else None
    return listed(request, items, None if last is None else (standing_ms(last), last), cursors)


async def show_session(request: web.Request, _: NoQuery) -> web.Response:
    """`GET /v1/sessions/{id}`"""
    session_id = path_id(request)
    row = await request.config_dict[DATABASE].read(lambda conn: streams.session(conn, session_id))
    if row is None:
        raise NotFound(
            f"No session `{session_id}` is known. A session is known once `recording.started` or another event names "
            f"it; a session that does not record has no events of its own. The id is `payload.session.id`."
        )
    return answer(shapes.session(row))


def unknown_stream(stream_id: str) -> NotFound:
    """What to answer for a stream of which nothing was heard."""
    return NotFound(
        f"No stream `{stream_id}` is known. A stream is known once Livepeer has delivered a verified event of it, or "
        f"an observation named it. Use the stream's id, not its playback id or stream key; if events should have come, "
        f"look at /v1/webhooks."
    )


def _whole(conn: Connection, row: Found) -> models.Stream:
    wanted = diagnoses.Wanted(statuses=diagnoses.NOT_RESOLVED, stream_id=row.id)
    return shapes.stream(
        row,
        Ways.read(conn).failing_for(conn, row.id),
        streams.sessions_of(conn, row.id, MAX_SESSIONS),
        diagnoses.diagnoses(conn, wanted, None, MAX_SESSIONS),
    )


def _key(row: Found) -> tuple[int, str]:
    return NEVER if row.last_event_ms is None else row.last_event_ms, row.id


def _wanted(query: StreamsQuery, ways: Ways) -> Wanted:
    if query.condition is None or ways.shut_for_all(query.condition):
        return Wanted(query.state)
    told_by = ways.webhook_ids if query.condition == "webhook_not_firing" else ()
    return Wanted(query.state, query.condition, told_by)

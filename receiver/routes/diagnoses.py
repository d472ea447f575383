"""Diagnoses: what is failing, since when, and who looks after it."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from sqlalchemy import Connection

from receiver.errors import NotFound
from receiver.routes import models, shapes
from receiver.routes.answers import answer, listed
from receiver.routes.cursors import Cursors
from receiver.routes.keys import CALLER, DATABASE, DIAGNOSER
from receiver.routes.parameters import DiagnosesQuery, NoQuery, path_id
from receiver.storage.queries import diagnoses

_STATUSES = {"open": diagnoses.NOT_RESOLVED, "acknowledged": ("acknowledged",), "resolved": ("resolved",)}


async def list_diagnoses(request: web.Request, query: DiagnosesQuery) -> web.Response:
    """`GET /v1/diagnoses`"""
    cursors = Cursors.of("diagnoses", query, (int,))
    key = cursors.read(query.cursor)
    before = None if key is None else int(key[0])
    wanted = _wanted(query)
    found = await request.config_dict[DATABASE].read(
        lambda conn: diagnoses.diagnoses(conn, wanted, before, query.limit + 1)
    )
    shown = found[: query.limit]
    items = [shapes.diagnosis(row) for row in shown]
    return listed(request, items, (shown[-1].seq,) if len(found) > query.limit else None, cursors)


async def show_diagnosis(request: web.Request, _: NoQuery) -> web.Response:
    """`GET /v1/diagnoses/{id}`"""
    return await _shown(request, path_id(request))


async def acknowledge(request: web.Request, _: NoQuery) -> web.Response:
    """`POST /v1/diagnoses/{id}/acknowledge`"""
    return await _changed(request, request.config_dict[DIAGNOSER].acknowledge)


async def resolve(request: web.Request, _: NoQuery) -> web.Response:
    """`POST /v1/diagnoses/{id}/resolve`"""
    return await _changed(request, request.config_dict[DIAGNOSER].resolve)


async def _changed(request: web.Request, change: Callable[[str, str], Awaitable[bool]]) -> web.Response:
    diagnosis_id = path_id(request)
    if not await change(diagnosis_id, request[CALLER].name):
        raise _unknown(diagnosis_id)
    return await _shown(request, diagnosis_id)


async def _shown(request: web.Request, diagnosis_id: str) -> web.Response:
    def read(conn: Connection) -> models.DiagnosisDetail | None:
        row = diagnoses.diagnosis(conn, diagnosis_id)
        return None if row is None else shapes.diagnosis_detail(row, diagnoses.transitions(conn, diagnosis_id))

    found = await request.config_dict[DATABASE].read(read)
    if found is None:
        raise _unknown(diagnosis_id)
    return answer(found)


def _unknown(diagnosis_id: str) -> NotFound:
    return NotFound(f"There is no diagnosis `{diagnosis_id}`; /v1/diagnoses lists them.")


def _wanted(query: DiagnosesQuery) -> diagnoses.Wanted:
    return diagnoses.Wanted(
        statuses=None if query.status is None else _STATUSES[query.status],
        condition=query.condition,
        reason=query.reason,
        stream_id=query.stream_id,
        changed_from_ms=query.since,
    )

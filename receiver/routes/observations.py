"""`POST /v1/observations`."""

import re
from collections.abc import Mapping
from typing import Any

from aiohttp import hdrs, web

from receiver.errors import BadRequest
from receiver.observations import NewObservation, Reported, report
from receiver.routes.answers import answer
from receiver.routes.bodies import read_model
from receiver.routes.keys import CALLER, CLOCK, DATABASE, DIAGNOSER, IDS, KEYS
from receiver.routes.models import Observation
from receiver.routes.parameters import NoQuery
from receiver.times import rfc3339

_KEY = re.compile(r"[!-~]{1,200}", re.ASCII)


async def observe(request: web.Request, _: NoQuery) -> web.Response:
    """Takes an observation in; the same one again under the same `Idempotency-Key` gets the same answer."""
    key = _idempotency_key(request)
    observed = await read_model(request, NewObservation, "The observation is not valid.")
    given = request.config_dict
    reported = await report(
        observed,
        key=None if key is None else f"{request[CALLER].name} {key}",
        database=given[DATABASE],
        ids=given[IDS],
        now_ms=given[CLOCK].now_ms(),
        digest_key=given[KEYS].digest_key,
    )
    given[DIAGNOSER].wake()
    return _answer(reported)


def _answer(reported: Reported) -> web.Response:
    response = answer(_shape(reported, reported.stored), status=201)
    response.headers[hdrs.LOCATION] = f"/v1/events/{reported.id}"
    if reported.replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return response


def _idempotency_key(request: web.Request) -> str | None:
    given = request.headers.getall("Idempotency-Key", [])
    if not given:
        return None
    if len(given) > 1 or not _KEY.fullmatch(given[0]):
        raise BadRequest("Idempotency-Key must be given once, with 1 to 200 visible ASCII characters.")
    return given[0]


def _shape(reported: Reported, stored: Mapping[str, Any]) -> Observation:
    return Observation(
        id=reported.id,
        kind=stored["kind"],
        stream_id=stored.get("stream_id"),
        playback_id=stored.get("playback_id"),
        session_id=stored.get("session_id"),
        at=rfc3339(stored["at_ms"]),
        received_at=rfc3339(reported.received_ms),
        error=stored.get("error"),
        http_status=stored.get("http_status"),
        message=stored.get("message"),
    )

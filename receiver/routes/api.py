"""The routes of the API in one table, and how they are mounted.

    api_app(keys)      all of /v1, behind a token: `root.add_subapp("/v1", api_app(keys))`
    add_open(root)     /healthz, /readyz, /openapi.json and the answer to every other path: call it last

Handlers find what they need on the root application: see `receiver.routes.keys`.
"""

import json
from collections.abc import Sequence
from functools import cache

from aiohttp import web

from receiver.errors import (
    BadRequest,
    BodyTimeout,
    BodyTooLarge,
    Conflict,
    DecisionFailed,
    DecisionSlow,
    Forbidden,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    Overloaded,
    StoreUnavailable,
    Unauthorized,
    Unavailable,
    UnsupportedMediaType,
)
from receiver.keys import Keys
from receiver.livepeer.gate import EVENT_DELIVERY, CallRefused
from receiver.livepeer.signature import Refusal
from receiver.livepeer.verification import Refused
from receiver.observations import NewObservation
from receiver.reception import PATH as DELIVERIES
from receiver.refusals import PlaybackQuestion
from receiver.routes import gate, models, webhook
from receiver.routes.catalogue import list_conditions, list_webhooks
from receiver.routes.diagnoses import acknowledge, list_diagnoses, resolve, show_diagnosis
from receiver.routes.edge import Next, bearer, canonical_line, edge
from receiver.routes.endpoints import Route, endpoint, methods
from receiver.routes.explain import explain
from receiver.routes.health import healthz, readyz
from receiver.routes.keys import INBOX
from receiver.routes.log import list_deliveries, show_event
from receiver.routes.observations import observe
from receiver.routes.openapi import document
from receiver.routes.parameters import (
    AnyQuery,
    DeliveriesQuery,
    DiagnosesQuery,
    EventQuery,
    NoQuery,
    Paging,
    StreamsQuery,
)
from receiver.routes.probes import NewProbe, probe_stream
from receiver.routes.streams import list_events, list_streams, show_session, show_stream

PREFIX = "/v1"
_ASKED = (BadRequest, Unauthorized, Forbidden, StoreUnavailable)
_LISTED = (*_ASKED, InvalidRequest)
_FOUND = (*_ASKED, NotFound)

API: Sequence[Route] = (
    Route(
        "GET",
        "/streams",
        "Streams, latest activity first",
        list_streams,
        models.Page[models.StreamSummary],
        query=StreamsQuery,
        problems=_LISTED,
    ),
    Route(
        "GET",
        "/streams/{id}",
        "A stream with its sessions, its five conditions and its open diagnoses",
        show_stream,
        models.Stream,
        also=(304,),
        headers=(("If-None-Match", "The `ETag` of an answer that you have: where nothing has changed, you get 304."),),
        problems=_FOUND,
    ),
    Route(
        "GET",
        "/streams/{id}/events",
        "A stream's signals in source order",
        list_events,
        models.Page[models.StreamEvent],
        query=Paging,
        problems=(*_LISTED, NotFound),
    ),
    Route("GET", "/sessions/{id}", "A session and its recording", show_session, models.Session, problems=_FOUND),
    Route(
        "GET",
        "/diagnoses",
        "Diagnoses, newest first",
        list_diagnoses,
        models.Page[models.Diagnosis],
        query=DiagnosesQuery,
        problems=_LISTED,
    ),
    Route(
        "GET",
        "/diagnoses/{id}",
        "A diagnosis with all that it went through",
        show_diagnosis,
        models.DiagnosisDetail,
        problems=_FOUND,
    ),
    Route(
        "POST",
        "/diagnoses/{id}/acknowledge",
        "Say that somebody looks after it",
        acknowledge,
        models.DiagnosisDetail,
        scope="write",
        problems=_FOUND,
    ),
    Route(
        "POST",
        "/diagnoses/{id}/resolve",
        "Close it by hand",
        resolve,
        models.DiagnosisDetail,
        scope="write",
        problems=_FOUND,
    ),
    Route(
        "GET",
        "/events/{id}",
        "An event by Livepeer's id, or an observation by ours",
        show_event,
        models.Event,
        query=EventQuery,
        problems=(*_FOUND, InvalidRequest),
    ),
    Route(
        "GET",
        "/deliveries",
        "The verdict on every delivery, newest first",
        list_deliveries,
        models.Page[models.Delivery],
        query=DeliveriesQuery,
        problems=_LISTED,
    ),
    Route(
        "POST",
        "/observations",
        "Report what no webhook tells",
        observe,
        models.Observation,
        scope="write",
        body=NewObservation,
        status=201,
        headers=(("Idempotency-Key", "Yours for this observation; again with it, the answer is the same."),),
        problems=(*_LISTED, Conflict, BodyTooLarge, UnsupportedMediaType, BodyTimeout),
    ),
    Route(
        "POST",
        "/streams/{id}/probe",
        "Look now at what viewers of the stream get; what is found counts as evidence",
        probe_stream,
        models.Probe,
        scope="write",
        body=NewProbe,
        problems=(*_LISTED, NotFound, BodyTooLarge, UnsupportedMediaType, BodyTimeout, Unavailable),
    ),
    Route(
        "POST",
        "/playback/explain",
        "Why playback is refused, from the viewer's credentials and what is known; nothing is kept",
        explain,
        models.PlaybackExplained,
        body=PlaybackQuestion,
        problems=(*_LISTED, BodyTooLarge, UnsupportedMediaType, BodyTimeout),
    ),
    Route(
        "GET",
        "/conditions",
        "The catalogue: what can be diagnosed, and on what evidence",
        list_conditions,
        models.Page[models.ConditionKind],
        problems=_ASKED,
    ),
    Route(
        "GET",
        "/webhooks",
        "Our endpoint, and each webhook that has called it",
        list_webhooks,
        models.Page[models.Webhook],
        problems=_ASKED,
    ),
)


def api_app(keys: Keys) -> web.Application:
    """All of `/v1`: each request has a token, an id, one line in the log, and problems where it fails."""
    app = web.Application(middlewares=[canonical_line(), edge, bearer(keys)])
    for route in API:
        if route.handler is not None:
            _mount(app.router, route, endpoint(route, route.handler))
    return app


def add_open(root: web.Application) -> None:
    """What needs no token, and the answer to whatever nothing else answers."""
    for route in OPEN:
        if route.handler is not None:
            _mount(root.router, route, _at_the_edge(endpoint(route, route.handler)))
    root.router.add_route("*", "/{path:.*}", _at_the_edge(_unmatched))


def _mount(router: web.UrlDispatcher, route: Route, handler: Next) -> None:
    resource = router.add_resource(route.path)
    for method in methods(route):
        resource.add_route(method, handler)


def _at_the_edge(handler: Next) -> Next:
    async def handle(request: web.Request) -> web.StreamResponse:
        return await edge(request, handler)

    return handle


async def _unmatched(request: web.Request) -> web.StreamResponse:
    """405 where the path exists for another method, else 404."""
    allowed: set[str] = set()
    for resource in request.app.router.resources():
        _, known = await resource.resolve(request)
        allowed |= known - {"*"}
    if allowed:
        raise MethodNotAllowed(f"{request.method} is not possible here.", allowed=sorted(allowed))
    raise _astray(request) or NotFound("There is no such path; /openapi.json lists them all.")


def _astray(request: web.Request) -> NotFound | None:
    """A delivery whose webhook was registered with another path would be lost without a trace."""
    inbox = request.config_dict.get(INBOX)
    if inbox is None or webhook.SIGNATURE not in request.headers:
        return None
    fault = NotFound(f"A delivery came to the wrong path: in Livepeer Studio, let the URL end in {DELIVERIES}.")
    inbox.turned_away(fault, request.remote or "")
    return fault


async def _openapi(_request: web.Request, _query: NoQuery) -> web.Response:
    return web.Response(text=_document(), content_type="application/json")


@cache
def _document() -> str:
    return json.dumps(document([(PREFIX, API), ("", OPEN)]), separators=(",", ":"))


_OF_CALLS = (
    Refusal.SIGNATURE_MISSING,
    Refusal.SIGNATURE_MALFORMED,
    Refusal.SIGNATURE_MISMATCH,
    Refusal.TIMESTAMP_MISMATCH,
    Refusal.TIMESTAMP_OUT_OF_TOLERANCE,
)
OPEN: Sequence[Route] = (
    Route("GET", "/healthz", "Whether the process answers", healthz, models.Alive, scope=None),
    Route(
        "GET",
        "/readyz",
        "Whether deliveries can be taken in and diagnosed",
        readyz,
        models.Readiness,
        scope=None,
        also=(503,),
    ),
    Route("GET", "/openapi.json", "This description", _openapi, None, scope=None),
    Route(
        "POST",
        DELIVERIES,
        "Take in one of Livepeer's deliveries; 204 means that it is stored, or was already",
        None,
        None,
        scope=None,
        body=models.DeliveryBody,
        status=204,
        problems=(
            BadRequest,
            MethodNotAllowed,
            BodyTooLarge,
            UnsupportedMediaType,
            StoreUnavailable,
            Overloaded,
            BodyTimeout,
        ),
        codes=tuple((Refused(code, "").status, code.value) for code in Refusal),
        headers=(("Livepeer-Signature", "`t=<ms>,v1=<hex HMAC-SHA256 of the raw body>`."),),
    ),
    Route(
        "POST",
        "/gates/{name}",
        "Ask the decision URL of an access gate; the answer is that URL's own",
        gate.decide,
        None,
        scope=None,
        query=AnyQuery,
        body=models.GateCall,
        problems=(
            BadRequest,
            NotFound,
            BodyTooLarge,
            UnsupportedMediaType,
            DecisionFailed,
            Overloaded,
            BodyTimeout,
            DecisionSlow,
        ),
        codes=tuple((CallRefused(code, "").status, code) for code in (*_OF_CALLS, EVENT_DELIVERY)),
        headers=(("Livepeer-Signature", "`t=<ms>,v1=<hex HMAC-SHA256 of the raw body>`, with the gate's secret."),),
    ),
)

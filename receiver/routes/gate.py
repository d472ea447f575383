"""`POST /gates/{name}`: Livepeer's access-control call (FACTS 7.1), passed on to the operator's decision URL."""

from collections.abc import Mapping
from typing import Final

from aiohttp import hdrs, web
from msgspec.structs import replace

from receiver.errors import NotFound, ReceiverError
from receiver.gates.gate import Posted
from receiver.gates.upstream import Answer
from receiver.livepeer.gate import CallRefused
from receiver.routes.bodies import read_body
from receiver.routes.keys import GATES, INBOX, REQUEST_ID
from receiver.routes.malformed import heard_s
from receiver.routes.parameters import AnyQuery
from receiver.routes.problems import refusal
from receiver.routes.webhook import SIGNATURE, check_post, signature_of

MAX_CALL_BYTES: Final = 64 * 1024
_PASSED_ON: Final = (hdrs.CONTENT_TYPE, hdrs.USER_AGENT)
_USUAL: Final[Mapping[str, str]] = {hdrs.USER_AGENT: "receiver", hdrs.ACCEPT: "*/*", hdrs.ACCEPT_ENCODING: "identity"}
"""An encoded answer could not be read here."""


async def decide(request: web.Request, _query: AnyQuery) -> web.Response:
    """The decision URL's answer. Nothing that is not signed with the gate's own secret gets there."""
    gate = request.config_dict[GATES].find(request.match_info["name"])
    if gate is None:
        raise _unknown(request)
    posted = _posted(request)
    try:
        check_post(request)
        body = await read_body(request, most=MAX_CALL_BYTES, within_s=gate.rules.budget_s)
    except ReceiverError as error:
        gate.unread(error.code, posted)
        raise
    try:
        answer = await gate.decide(replace(posted, body=body))
    except CallRefused as refused:
        return refusal(refused)
    return _passed_on(answer)


def _unknown(request: web.Request) -> NotFound:
    """A call with a name that is not configured is logged as a delivery to a wrong path is: viewers are refused."""
    fault = NotFound("There is no gate of this name; RECEIVER_GATES lists those that are.")
    if SIGNATURE in request.headers:
        request.config_dict[INBOX].turned_away(fault, request.remote or "")
    return fault


def _posted(request: web.Request) -> Posted:
    """The call but for its body, with the headers that the decision URL gets."""
    signature = signature_of(request)
    headers = {**_USUAL, SIGNATURE: signature or ""}
    headers |= {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
    return Posted(b"", signature, headers, request.remote or "", request[REQUEST_ID], heard_s(request))


def _passed_on(answer: Answer) -> web.Response:
    named = {hdrs.CONTENT_TYPE: answer.content_type, hdrs.CONTENT_ENCODING: answer.encoding}
    headers = {name: value for name, value in named.items() if value is not None}
    return web.Response(status=answer.status, body=answer.body, headers=headers)

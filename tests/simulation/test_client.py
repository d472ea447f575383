import json

import pytest
from aiohttp import web
from pytest_aiohttp.plugin import AiohttpServer

from receiver.simulation.answers import Answer, SeenDiagnosis, SeenStream
from receiver.simulation.client import Client, NotRead
from receiver.simulation.sender import Attempt

PROBLEM = json.dumps({"code": "overloaded", "detail": "Too much waits.", "status": 503, "title": "T"})


class Server:
    """Answers everything alike, and remembers what it was asked."""

    def __init__(self, status: int, body: str, headers: dict[str, str] | None = None) -> None:
        self._status, self._body, self._answered = status, body, headers
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []

    async def answer(self, request: web.Request) -> web.Response:
        """The handler."""
        self.asked.append((request.method, request.path_qs, dict(request.headers), await request.read()))
        return web.Response(status=self._status, text=self._body, headers=self._answered)


async def client_of(serve: AiohttpServer, server: Server) -> Client:
    """A client of a server that is running."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    return Client(str((await serve(app)).make_url("/")).rstrip("/"), "a-token")


async def test_a_delivery_travels_as_livepeers(aiohttp_server: AiohttpServer) -> None:
    """Raw bytes, the sender's headers, and no token of ours (FACTS 1.1)."""
    server = Server(204, "")
    client = await client_of(aiohttp_server, server)
    answer = await client.deliver(Attempt(b'{"a":"\xc3\xa9"}', "t=1,v1=00"))
    await client.close()
    ((method, path, headers, body),) = server.asked
    assert (Answer(204), True) == (answer, answer.taken)
    assert ("POST", "/webhooks/livepeer", b'{"a":"\xc3\xa9"}') == (method, path, body)
    assert ("application/json", "livepeer.studio", "t=1,v1=00") == (
        headers["Content-Type"],
        headers["User-Agent"],
        headers["Livepeer-Signature"],
    )
    assert "Authorization" not in headers


async def test_a_problem_is_read(aiohttp_server: AiohttpServer) -> None:
    """Its code and what it says."""
    client = await client_of(aiohttp_server, Server(503, PROBLEM))
    answer = await client.report({"kind": "publish_intent"})
    await client.close()
    assert (Answer(503, "overloaded", "Too much waits."), False) == (answer, answer.taken)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (503, PROBLEM, Answer(503, "overloaded", "Too much waits.")),
        (404, "<h1>Not found</h1>", Answer(404)),
        (302, "", Answer(302)),
        (200, "<h1>Welcome</h1>", Answer(200, None, "the answer is not what a receiver says")),
    ],
)
async def test_what_is_no_answer_of_a_receiver_is_not_read(
    aiohttp_server: AiohttpServer, status: int, body: str, expected: Answer
) -> None:
    """Whatever else it is; redirects are not followed, as the token would go along."""
    server = Server(status, body, {"Location": "/elsewhere"})
    client = await client_of(aiohttp_server, server)
    with pytest.raises(NotRead) as caught:
        await client.read("/v1/streams/7c1e", SeenStream)
    await client.close()
    assert (expected, 1) == (caught.value.answer, len(server.asked))


async def test_what_is_not_there_is_none(aiohttp_server: AiohttpServer) -> None:
    """Where a receiver says so."""
    client = await client_of(aiohttp_server, Server(404, PROBLEM))
    assert await client.read("/v1/streams/7c1e", SeenStream) is None
    with pytest.raises(NotRead):
        await client.read_all("/v1/diagnoses", SeenDiagnosis, {})
    await client.close()


async def test_a_list_is_read_to_its_end(aiohttp_server: AiohttpServer) -> None:
    """By the cursor of each part."""
    asked = []

    async def parts(request: web.Request) -> web.Response:
        asked.append(dict(request.query))
        following = None if "cursor" in request.query else "the-next"
        return web.json_response({"items": [{"id": "7c1e", "state": None, "sessions": []}], "next": following})

    app = web.Application()
    app.router.add_get("/v1/streams", parts)
    client = Client(str((await aiohttp_server(app)).make_url("/")).rstrip("/"), "a-token")
    found = await client.read_all("/v1/streams", SeenStream, {"state": "live"})
    await client.close()
    assert ["7c1e", "7c1e"] == [one.id for one in found]
    limited = {"state": "live", "limit": "500"}
    assert [limited, {**limited, "cursor": "the-next"}] == asked

import json
from typing import Any

import pytest
from aiohttp import web

from receiver.observations import NewObservation
from receiver.reception import PATH
from receiver.routes.api import API, OPEN
from tests.routes.service import Service


@pytest.fixture
async def document(service: Service) -> dict[str, Any]:
    """What `/openapi.json` says."""
    response = await service.get("/openapi.json", {})
    assert (200, "application/json") == (response.status, response.content_type)
    return dict(await response.json())


def mounted(app: web.Application | None) -> set[tuple[str, str]]:
    """Every method and path that the application answers, but for HEAD and the catch-all."""
    assert app is not None
    return {
        (route.method, route.resource.canonical)
        for route in app.router.routes()
        if route.resource is not None and route.method not in {"HEAD", "*"}
    }


async def test_what_is_mounted_is_described_and_nothing_else(service: Service, document: dict[str, Any]) -> None:
    """Every route of the running application is in the description, and every one described is there."""
    described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert mounted(service.client.app) == described - {("POST", PATH)}
    assert len(API) + len(OPEN) == len(described)


async def test_the_way_in_is_described_too(document: dict[str, Any]) -> None:
    """Livepeer's own path is described with every code that it may answer."""
    operation = document["paths"][PATH]["post"]
    assert ["204", "400", "401", "403", "405", "413", "415", "503"] == list(operation["responses"])
    assert "content" not in operation["responses"]["204"]
    assert "`timestamp_out_of_tolerance`" in operation["responses"]["503"]["description"]
    assert ["Livepeer-Signature"] == [one["name"] for one in operation["parameters"]]


async def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    """No `$ref` dangles."""
    text = json.dumps(document)
    schemas = document["components"]["schemas"]
    wanted = {part.split('"')[0] for part in text.split('"$ref": "#/components/schemas/')[1:]}
    assert set() == wanted - set(schemas)
    assert "NewObservation" in wanted


async def test_answers_are_described_in_full(document: dict[str, Any]) -> None:
    """Words have a type, texts no indentation, and what may be left out is not required."""
    schemas = document["components"]["schemas"]
    kinds = {"type": "string", "enum": ["endpoint", "session", "stream", "webhook"]}
    assert kinds == schemas["SubjectRef"]["properties"]["kind"]
    assert all("\n " not in schema.get("description", "") for schema in schemas.values())
    assert {"body", "raw", "raw_encoding"} == set(schemas["Event"]["properties"]) - set(schemas["Event"]["required"])


async def test_operations_have_ids_of_their_own(document: dict[str, Any]) -> None:
    """Operation ids are unique, so that clients can be generated."""
    found = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    assert sorted(set(found)) == sorted(found)


async def test_lists_describe_their_parameters(document: dict[str, Any]) -> None:
    """The parameters of a list are described with their bounds."""
    parameters = {one["name"]: one["schema"] for one in document["paths"]["/v1/diagnoses"]["get"]["parameters"]}
    assert {"cursor", "limit", "status", "condition", "reason", "stream_id", "since"} == set(parameters)
    assert {"type": "integer", "minimum": 1, "maximum": 500, "default": 50} == parameters["limit"]
    assert {"type": "string", "enum": ["open", "acknowledged", "resolved"]} == parameters["status"]
    assert {"type": "string", "format": "date-time"} == parameters["since"]


async def test_what_needs_a_token_says_so(document: dict[str, Any]) -> None:
    """All of /v1 names the bearer scheme, and nothing else does."""
    for path, item in document["paths"].items():
        for operation in item.values():
            assert ([{"token": []}] if path.startswith("/v1") else []) == operation["security"]


async def test_statuses_are_described(document: dict[str, Any]) -> None:
    """A route tells its answers and its problems."""
    assert ["201", "400", "401", "403", "409", "413", "415", "422", "503"] == list(
        document["paths"]["/v1/observations"]["post"]["responses"]
    )
    assert ["200", "503"] == list(document["paths"]["/readyz"]["get"]["responses"])


def test_a_stream_key_is_described_as_a_secret() -> None:
    """Generated clients learn that a stream key is written only, and never shown."""
    schema = NewObservation.model_json_schema()["properties"]["stream_key"]
    assert {"password"} == {one["format"] for one in schema["anyOf"] if one["type"] == "string"}


async def test_a_conditional_request_is_described(service: Service) -> None:
    """What may be asked with, and the answer that has nothing in it."""
    found = await (await service.get("/openapi.json")).json()
    operation = found["paths"]["/v1/streams/{id}"]["get"]
    assert "If-None-Match" in {one["name"] for one in operation["parameters"]}
    assert {"description": "Not Modified"} == operation["responses"]["304"]

"""`/openapi.json`: OpenAPI 3.1, made of the routes that are mounted and the models that they answer with."""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from inspect import cleandoc
from typing import Any

from msgspec import Struct
from msgspec.json import schema_components
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from receiver.routes.endpoints import Route
from receiver.routes.models import Problem

_Model = type[BaseModel] | type[Struct]
_Schemas = Mapping[_Model, dict[str, Any]]
_AT = "#/components/schemas/"
_TITLE = "Livepeer webhook receiver"
_ABOUT = (
    "What failed in your Livepeer streams, why, on what evidence, and what to do. Times are RFC 3339 in UTC, ids are "
    "Livepeer's where it has one. Lists go on under `next`, which the `Link` header holds as well. What answers GET "
    "answers HEAD."
)


def document(groups: Sequence[tuple[str, Sequence[Route]]]) -> dict[str, Any]:
    """The whole description of routes, in groups with their prefixes."""
    routes = [(f"{prefix}{route.path}", route) for prefix, group in groups for route in group]
    schemas, definitions = _models([route for _, route in routes])
    paths: dict[str, dict[str, Any]] = {}
    for path, route in routes:
        paths.setdefault(path, {})[route.method.lower()] = _operation(path, route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": _TITLE, "version": "1", "description": _ABOUT},
        "paths": paths,
        "components": {
            "schemas": definitions,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _models(routes: Sequence[Route]) -> tuple[_Schemas, dict[str, Any]]:
    """What stands for each model, and the definitions by name. Pydantic's models are of what people send us, with its
    findings where that is wrong; msgspec's are of what we say."""
    bodies = [route.body for route in routes if route.body is not None]
    sent = [body for body in bodies if issubclass(body, BaseModel)]
    said: list[type[Struct]] = [Problem, *(body for body in bodies if issubclass(body, Struct))]
    said += [route.answer for route in routes if route.answer is not None]
    read, definitions = models_json_schema([(one, "validation") for one in sent], ref_template=f"{_AT}{{model}}")
    written, definitions_of_said = schema_components(said, ref_template=f"{_AT}{{name}}")
    schemas: dict[_Model, dict[str, Any]] = {one: read[one, "validation"] for one in sent}
    schemas.update(zip(said, written, strict=True))
    return schemas, dict(sorted({**definitions["$defs"], **_tidied(definitions_of_said)}.items()))


def _tidied(schema: Any) -> Any:  # noqa: ANN401 -- any JSON
    """What msgspec leaves open, as pydantic writes it: docstrings without their indentation, and the type of words."""
    if isinstance(schema, list):
        return [_tidied(one) for one in schema]
    if not isinstance(schema, dict):
        return cleandoc(schema) if isinstance(schema, str) else schema
    words = {"type": "string"} if {str} == {type(one) for one in schema.get("enum", ())} else {}
    return {**words, **{key: _tidied(value) for key, value in schema.items()}}


def _operation(path: str, route: Route, schemas: _Schemas) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{route.method.lower()}{re.sub(r'[^A-Za-z0-9]+', '_', path).rstrip('_')}",
        "summary": route.summary,
        "description": f"Scope: {route.scope}" if route.scope else "Needs no token",
        "parameters": [*_path_parameters(path), *_query_parameters(route.query), *_header_parameters(route)],
        "responses": _responses(route, schemas),
        "security": [{"token": []}] if route.scope else [],
    }
    if route.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schemas[route.body]}},
        }
    return operation


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", path)
    ]


def _query_parameters(query: type[BaseModel]) -> list[dict[str, Any]]:
    properties: dict[str, dict[str, Any]] = query.model_json_schema().get("properties", {})
    return [
        {
            "name": name,
            "in": "query",
            "required": False,
            "description": schema.get("description", ""),
            "schema": _given(schema),
        }
        for name, schema in properties.items()
    ]


def _given(schema: dict[str, Any]) -> dict[str, Any]:
    """What a parameter must be where it is given: leaving it out is no null."""
    kept = {key: schema[key] for key in schema.keys() - {"anyOf", "title", "description"} if schema[key] is not None}
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    return {**kept, **kinds[0]} if kinds else dict(sorted(kept.items()))


def _header_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "header", "required": False, "description": meaning, "schema": {"type": "string"}}
        for name, meaning in route.headers
    ]


def _responses(route: Route, schemas: _Schemas) -> dict[str, Any]:
    answers = {
        str(status): {"description": HTTPStatus(status).phrase, **_content(route, status, schemas)}
        for status in (route.status, *route.also)
    }
    return dict(sorted({**_problems(route, schemas[Problem]), **answers}.items()))


def _content(route: Route, status: int, schemas: _Schemas) -> dict[str, Any]:
    if status in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
        return {}
    schema = {"type": "object"} if route.answer is None else schemas[route.answer]
    return {"content": {"application/json": {"schema": schema}}}


def _problems(route: Route, schema: dict[str, Any]) -> dict[str, Any]:
    """One entry for each status; several codes may share it."""
    codes: dict[int, list[str]] = {}
    for status, code in (*((one.status, one.code) for one in route.problems), *route.codes):
        codes.setdefault(status, []).append(code)
    return {
        str(status): {
            "description": " or ".join(f"`{code}`" for code in found),
            "content": {"application/problem+json": {"schema": schema}},
        }
        for status, found in codes.items()
    }

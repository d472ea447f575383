from collections.abc import Iterator

import pytest

from receiver import errors
from receiver.errors import InvalidRequest, MethodNotAllowed, NotFound, ReceiverError, StoreUnavailable, Unauthorized


def every_class(root: type[ReceiverError] = ReceiverError) -> Iterator[type[ReceiverError]]:
    """The whole tree."""
    yield root
    for child in root.__subclasses__():
        yield from every_class(child)


@pytest.mark.parametrize("error", list(every_class()))
def test_the_drawn_tree_names_each_class(error: type[ReceiverError]) -> None:
    """The drawing in the module's docstring shows each class, with its status and code where it has an answer."""
    drawing = errors.__doc__ or ""
    line = next(row for row in drawing.splitlines() if error.__name__ in row.split())
    assert "no HTTP" in line or f"{error.status} {error.code}" in line


def test_codes_are_unique() -> None:
    """A program can tell every failure apart by its code."""
    codes = [error.code for error in every_class()]
    assert sorted(set(codes)) == sorted(codes)


def test_an_error_answers_for_itself() -> None:
    """The edge takes status, headers and body from the error."""
    error = NotFound("There is no stream abc.", extra={"stream_id": "abc"})
    assert {} == error.headers()
    assert {
        "title": "There is no such thing",
        "status": 404,
        "code": "not_found",
        "detail": "There is no stream abc.",
        "stream_id": "abc",
    } == error.problem()


def test_a_passing_fault_says_when_to_come_back() -> None:
    """Every 503 carries Retry-After."""
    assert {"Retry-After": "5"} == StoreUnavailable("The disk is full.").headers()
    assert {"Retry-After": "30"} == StoreUnavailable("The disk is full.", retry_after_s=30).headers()


def test_a_refused_method_names_those_allowed() -> None:
    """405 carries Allow, sorted."""
    assert {"Allow": "GET, POST"} == MethodNotAllowed("No DELETE here.", allowed=["POST", "GET"]).headers()


def test_a_missing_token_names_the_scheme() -> None:
    """401 carries WWW-Authenticate."""
    assert {"WWW-Authenticate": 'Bearer realm="receiver"'} == Unauthorized("Send a token.").headers()


def test_an_invalid_request_lists_everything_that_is_wrong() -> None:
    """All errors are in the body, each with a pointer."""
    error = InvalidRequest("Two fields are wrong.", [{"pointer": "/kind", "detail": "is unknown"}])
    assert [{"pointer": "/kind", "detail": "is unknown"}] == error.problem()["errors"]
    assert ({"pointer": "/kind", "detail": "is unknown"},) == error.errors

"""What may stand in a query string, and how it is read."""

from typing import Annotated, Literal, TypeVar

from aiohttp import web
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from receiver.diagnosis.catalogue import CATALOGUE
from receiver.diagnosis.state import BroadcastState
from receiver.diagnosis.values import ConditionType
from receiver.errors import BadRequest, FieldError, InvalidRequest, NotFound
from receiver.times import Moment

DEFAULT_LIMIT = 50
MAX_LIMIT = 500
MAX_ID_LENGTH = 200
Query = TypeVar("Query", bound=BaseModel)


def storable(text: str) -> bool:
    """Whether every store can be asked for this text: no NUL, no half of a surrogate pair."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _storable(text: str) -> str:
    if not storable(text):
        raise ValueError("must not hold a NUL or half a surrogate pair")
    return text


def _of_the_catalogue(reason: str) -> str:
    """A misspelt reason must not look like health."""
    if not any(reason in kind.reasons for kind in CATALOGUE.values()):
        raise ValueError("must be a reason that /v1/conditions lists")
    return reason


Name = Annotated[str, Field(min_length=1, max_length=MAX_ID_LENGTH), AfterValidator(_storable)]


class NoQuery(BaseModel):
    """Nothing may stand in the query."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AnyQuery(BaseModel):
    """Whatever stands in the query is not looked at: the URL of a webhook may have one."""

    model_config = ConfigDict(frozen=True)


class Paging(NoQuery):
    """Which part of a list, and how much of it."""

    cursor: str | None = Field(None, description="`next` of the part before; leave it out to begin at the start.")
    limit: int = Field(DEFAULT_LIMIT, ge=1, le=MAX_LIMIT)


class StreamsQuery(Paging):
    """`GET /v1/streams`."""

    state: BroadcastState | None = Field(None, description="Only streams in this state.")
    condition: ConditionType | None = Field(None, description="Only streams of which this condition is true.")


class DiagnosesQuery(Paging):
    """`GET /v1/diagnoses`."""

    status: Literal["open", "acknowledged", "resolved"] | None = Field(
        None, description="`open` includes those acknowledged."
    )
    condition: ConditionType | None = None
    reason: Annotated[Name, AfterValidator(_of_the_catalogue)] | None = None
    stream_id: Name | None = None
    since: Moment | None = Field(None, description="Only what was opened, changed or resolved at that time or later.")


class EventQuery(NoQuery):
    """`GET /v1/events/{id}`."""

    raw: bool = Field(
        default=False, description="The stored bytes instead of the redacted body; needs the scope `raw`."
    )


class DeliveriesQuery(Paging):
    """`GET /v1/deliveries`."""

    verdict: Literal["accepted", "duplicate", "quarantined", "refused"] | None = None


def read_query(model: type[Query], request: web.Request) -> Query:
    """The query as `model` reads it.

    Raises BadRequest for a parameter that is not known or given twice, and InvalidRequest for a value out of range.
    """
    if issubclass(model, AnyQuery):
        return model()
    _check_names(request, tuple(model.model_fields))
    try:
        return model.model_validate(dict(request.query))
    except ValidationError as fault:
        raise invalid("The query is not valid.", fault, prefix="") from None


def path_id(request: web.Request) -> str:
    """The id in the path. Raises NotFound for what can be no id of anything."""
    found = request.match_info["id"]
    if len(found) > MAX_ID_LENGTH or not storable(found):
        raise NotFound(f"Ids have at most {MAX_ID_LENGTH} characters and no NUL among them; this is none.")
    return found


def invalid(detail: str, fault: ValidationError, *, prefix: str) -> InvalidRequest:
    """All that pydantic found wrong; what was given is not repeated, it may be a secret."""
    errors = [_field_error(error, prefix) for error in fault.errors(include_url=False, include_input=False)]
    return InvalidRequest(detail, errors)


def _field_error(error: ErrorDetails, prefix: str) -> FieldError:
    pointer = "/".join(str(part).replace("~", "~0").replace("/", "~1")[:100] for part in error["loc"])
    text = error["msg"].removeprefix("Value error, ")
    return {"pointer": prefix + pointer if pointer else "", "detail": text}


def _check_names(request: web.Request, known: tuple[str, ...]) -> None:
    listed = ", ".join(known) if known else "none"
    unknown = sorted({name[:50] for name in request.query if name not in known})
    if unknown:
        raise BadRequest(f"Unknown query parameters: {', '.join(unknown[:10])}. Known here: {listed}.")
    twice = sorted({name for name in request.query if len(request.query.getall(name)) > 1})
    if twice:
        raise BadRequest(f"Given more than once: {', '.join(twice)}. Give each parameter once.")

"""`POST /v1/streams/{id}/probe`."""

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from receiver.errors import InvalidRequest, NotFound
from receiver.evidence.probing.values import Probed, ProbeRequest
from receiver.routes import models
from receiver.routes.answers import answer
from receiver.routes.bodies import read_model
from receiver.routes.keys import CLOCK, DATABASE, LOOKOUT
from receiver.routes.parameters import NoQuery, path_id
from receiver.storage.queries import streams


class NewProbe(BaseModel):
    """What `POST /v1/streams/{id}/probe` takes; all of it may be left out."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)

    jwt: SecretStr | None = Field(None, max_length=8192, description="A viewer's token; used, never kept.")
    access_key: SecretStr | None = Field(None, max_length=8192, description="Likewise.")
    origin: str | None = Field(None, max_length=300, description="Of the page with the player, as browsers send it.")


async def probe_stream(request: web.Request, _: NoQuery) -> web.Response:
    """Looks at what viewers of the stream get, tells the state machines, and answers."""
    stream_id, given = path_id(request), request.config_dict
    asked = await read_model(request, NewProbe, "The probe is not valid.") if request.can_read_body else NewProbe()
    row = await given[DATABASE].read(lambda connection: streams.stream(connection, stream_id))
    if row is None:
        raise NotFound(f"No stream `{stream_id}` is known.")
    if row.playback_id is None:
        raise InvalidRequest(
            "The stream cannot be probed.", [{"pointer": "id", "detail": "its playback id is not known yet"}]
        )
    probed = await given[LOOKOUT].probe(
        ProbeRequest(
            row.playback_id,
            given[CLOCK].now_ms(),
            jwt=None if asked.jwt is None else asked.jwt.get_secret_value(),
            access_key=None if asked.access_key is None else asked.access_key.get_secret_value(),
            origin=asked.origin,
        ),
        stream_id,
    )
    return answer(shape(probed))


def shape(probed: Probed) -> models.Probe:
    """The answer."""
    return models.Probe(
        playback_id=probed.playback_id,
        url=probed.url,
        verdict=probed.verdict,
        reason=probed.reason,
        http_status=probed.http_status,
        error_line=probed.error_line,
        detail=probed.detail,
        segments=probed.segments,
        renditions=probed.renditions,
        redirects=probed.redirects,
        took_ms=probed.took_ms,
    )

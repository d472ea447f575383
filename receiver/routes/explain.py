"""`POST /v1/playback/explain`."""

from aiohttp import web

from receiver.diagnosis.refusal import Explained
from receiver.refusals import PlaybackQuestion, explain_playback
from receiver.routes import models
from receiver.routes.answers import answer
from receiver.routes.bodies import read_model
from receiver.routes.keys import ACCESS, CLOCK
from receiver.routes.parameters import NoQuery


async def explain(request: web.Request, _: NoQuery) -> web.Response:
    """Says why playback is refused; nothing of the question is kept."""
    question = await read_model(request, PlaybackQuestion, "The question is not valid.")
    given = request.config_dict
    return answer(shape(await explain_playback(question, given[ACCESS], given[CLOCK].now_ms())))


def shape(explained: Explained) -> models.PlaybackExplained:
    """The answer."""
    return models.PlaybackExplained(
        verdict=explained.verdict,
        reason=explained.reason,
        message=explained.message,
        fix=explained.fix,
        checks=[
            models.PlaybackCheck(check=one.check, verdict=one.verdict, detail=one.detail) for one in explained.checks
        ],
    )

"""The client of the Studio API: the one part of `receiver.livepeer` that acts.

`client` says what can be asked, `asking` how, `budget` how often; `objects` and `webhooks` are what is answered,
`failures` what goes wrong.
"""

from functools import partial

from receiver.keys import Keys
from receiver.livepeer.studio.budget import Timing
from receiver.livepeer.studio.client import Door, StudioClient
from receiver.livepeer.studio.webhooks import known_secret
from receiver.settings import Settings
from receiver.stream_keys import key_digest

__all__ = ["StudioClient", "studio_client"]


def studio_client(settings: Settings, keys: Keys, timing: Timing | None = None) -> StudioClient:
    """The client that the settings and keys make. One for each process: it keeps all calls together within a rate."""
    door = Door(partial(key_digest, keys.digest_key), known_secret(keys.webhook_secrets))
    return StudioClient(settings.studio_url, settings.studio_api_key, door, timing=timing)

"""The client of the Studio API: the one part of `receiver.livepeer` that acts.

`client` says what can be asked, `asking` how, `budget` how often; `objects` and `webhooks` are what is answered,
`failures` what goes wrong.
"""

from functools import partial

from receiver.keys import Keys
from receiver.livepeer.studio.budget import Patience, Timing
from receiver.livepeer.studio.client import Door, StudioClient
from receiver.livepeer.studio.webhooks import known_secret
from receiver.settings import Settings
from receiver.stream_keys import key_digest

__all__ = ["AT_ONCE", "StudioClient", "studio_client"]


AT_ONCE = Patience(total_s=4, connect_s=2, retries=0, longest_wait_s=1)
"""For calls that somebody waits for."""


def studio_client(
    settings: Settings, keys: Keys, timing: Timing | None = None, patience: Patience | None = None
) -> StudioClient:
    """The client that the settings and keys make. One for each process, but for calls that somebody waits for: it keeps
    all calls together within a rate."""
    door = Door(partial(key_digest, keys.digest_key), known_secret(keys.webhook_secrets))
    return StudioClient(settings.studio_url, settings.studio_api_key, door, timing=timing, patience=patience)

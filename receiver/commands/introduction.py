"""What `receiver serve` says first, for a new user. Of secrets it says where they are, never what they are."""

import shlex
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from receiver.keys import Keys
from receiver.reception import PATH
from receiver.setting_values import is_unspecified
from receiver.settings import Settings

_REPLACED: Final = {
    "webhook_secret": "webhook_secret was missing, so a NEW webhook secret was made: set it in the webhook in Livepeer"
    " Studio too, or its deliveries are refused.",
    "api_token": "api_token was missing, so a NEW API token was made: who calls the API needs it.",
    "digest_key": "digest_key was missing, so a NEW one was made: stream keys reported before are not known again.",
}
_LOOKS: Final = "It looks for itself: in Livepeer Studio, with RECEIVER_STUDIO_API_KEY, and at what viewers get."
_COULD_LOOK: Final = (
    "With RECEIVER_STUDIO_API_KEY it would look for itself, and take in what never arrived; without, it believes what"
    " comes."
)


@dataclass(frozen=True, slots=True)
class Listening:
    """Where a service listens."""

    host: str
    port: int

    @property
    def address(self) -> str:
        """As it was configured, with the port that it really is."""
        return f"{_bracketed(self.host)}:{self.port}"

    @property
    def url(self) -> str:
        """One that works on this machine."""
        here = ("::1" if ":" in self.host else "127.0.0.1") if is_unspecified(self.host) else self.host
        return f"http://{_bracketed(here)}:{self.port}"

    def __str__(self) -> str:
        return f"all addresses ({self.address}), here: {self.url}" if is_unspecified(self.host) else self.url


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def replaced(keys: Keys) -> list[str]:
    """What it means for a service that has run before that keys were made, a sentence each."""
    return [_REPLACED[name] for name in keys.made]


def introduction(
    settings: Settings, listening: Listening, warnings: Iterable[str], made: Sequence[str], command: str
) -> str:
    """The lines: what a new user needs next, what to beware of, and which keys a first start has `made`. `command` is
    how `receiver` is called."""
    secret = _where(settings.data_dir / "webhook_secret", configured=bool(settings.webhook_secrets))
    token = _where(settings.data_dir / "api_token", configured=bool(settings.api_tokens))
    shown = "YOUR-TOKEN" if settings.api_tokens else f"$(cat '{settings.data_dir / 'api_token'}')"
    url = listening.url
    lines = [
        f"receiver listens on {listening}",
        f"  Webhook URL for Livepeer Studio: https://YOUR-PUBLIC-NAME{PATH} (to be forwarded to {url}{PATH})",
        f"  Its shared secret: {secret}",
        f"  Token for the API: {token}",
        *(f"  Gate for access control: https://YOUR-PUBLIC-NAME/gates/{gate.name}" for gate in settings.gates),
        f"  {_LOOKS if settings.studio_api_key else _COULD_LOOK}",
        f'  Try: curl -H "Authorization: Bearer {shown}" {url}/v1/streams',
        f"  See it work: {command} simulate all",
        *(f"  Warning: {warning}" for warning in warnings),
        *([f"  Made on this first start: {', '.join(made)}"] if made else []),
    ]
    return "\n".join(lines) + "\n"


def _where(file: Path, *, configured: bool) -> str:
    return "as configured" if configured else f"the content of {file}"


def called_as(program: str, search: str | None = None) -> str:
    """How to call `receiver` again, of which `program` (its `sys.argv[0]`) was started: by its name where that is found
    in `search`, by default the PATH."""
    if Path(program).name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m receiver"
    found = shutil.which("receiver", path=search)
    same = found is not None and Path(program).exists() and Path(program).samefile(found)
    return "receiver" if same else shlex.quote(program)

"""The settings (DESIGN 8): their names, defaults and limits, and which of them contradict each other."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

import platformdirs
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from receiver.diagnosis.values import Limits
from receiver.environment import Given, gather
from receiver.errors import SettingsError
from receiver.gate_values import GateSetting, must_be_apart, read_gates
from receiver.hosts import LIVEPEER, AllowedHost
from receiver.keeping import DAY_MS, Keeping
from receiver.redaction import redact_text
from receiver.setting_values import (
    OneOf,
    Seconds,
    Whole,
    read_allowed_hosts,
    read_database_url,
    read_directory,
    read_host,
    read_one_secret,
    read_secrets,
    read_studio_url,
    read_tokens,
    read_yes_or_no,
)
from receiver.tokens import ApiToken

__all__ = ["ApiToken", "Settings", "load_settings"]

_MINUTE_S = 60
_HOUR_S = 3600
_DAY_S = 24 * _HOUR_S
_SESSION_QUIET_S = 70
"""How long after the idle Livepeer itself sends `recording.waiting` (FACTS 4)."""
_LONGEST_TIMER_S = 7 * _DAY_S
"""A recording's failure is told of for so long (DESIGN 5)."""
_CENTURY_DAYS = 36_500
_WEAK_SECRET = 16
_SECRET_FIELDS = frozenset({"database_url", "webhook_secrets", "api_tokens", "studio_api_key", "gates"})
DOCUMENTS = ("GATES",)
IN_FILES = ("WEBHOOK_SECRETS", "API_TOKENS", "STUDIO_API_KEY", *DOCUMENTS)
"""Those that may also stand in a file, one entry on each line, or one document: `RECEIVER_<name>_FILE`."""


def _user_data() -> Path:
    return platformdirs.user_data_path("livepeer-receiver", appauthor=False)


class Settings(BaseModel):
    """All settings, checked. Frozen; its `repr` shows no secret. Lengths of time (`_s`) are seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    database_url: Annotated[str, BeforeValidator(read_database_url)] | None = Field(default=None, repr=False)
    role: Annotated[Literal["all", "ingest", "diagnose"], BeforeValidator(OneOf(("all", "ingest", "diagnose")))] = "all"
    database_writers: Annotated[int, BeforeValidator(Whole(1, 64, 4))] = 4
    database_readers: Annotated[int, BeforeValidator(Whole(1, 64, 4))] = 4
    database_statement_timeout_s: Annotated[float, BeforeValidator(Seconds(_HOUR_S, 30))] = 30
    database_lock_timeout_s: Annotated[float, BeforeValidator(Seconds(_HOUR_S, 5))] = 5
    data_dir: Annotated[Path, BeforeValidator(read_directory)] = Field(default_factory=_user_data)
    host: Annotated[str, BeforeValidator(read_host)] = "127.0.0.1"
    port: Annotated[int, BeforeValidator(Whole(0, 65535, 8080))] = 8080
    """0 takes any free one."""
    webhook_secrets: Annotated[tuple[str, ...], BeforeValidator(read_secrets)] = Field(default=(), repr=False)
    """The first is the current one. Empty: those of the data directory (`receiver.keys`)."""
    api_tokens: Annotated[tuple[ApiToken, ...], BeforeValidator(read_tokens)] = Field(default=(), repr=False)
    allow_unsigned: Annotated[bool, BeforeValidator(read_yes_or_no)] = False
    tolerance_s: Annotated[float, BeforeValidator(Seconds(_HOUR_S, 300))] = 300
    max_body_bytes: Annotated[int, BeforeValidator(Whole(4096, 64 << 20, 1 << 20))] = 1 << 20
    log_format: Annotated[Literal["json", "console"], BeforeValidator(OneOf(("json", "console")))] | None = None
    """None: `console` on a terminal, else `json`."""
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], BeforeValidator(OneOf(("debug", "info", "warning", "error")))
    ] = "info"
    studio_url: Annotated[str, BeforeValidator(read_studio_url)] = "https://livepeer.studio/api"
    studio_api_key: Annotated[str, BeforeValidator(read_one_secret)] | None = Field(default=None, repr=False)
    probe_allowed_hosts: Annotated[tuple[AllowedHost, ...], BeforeValidator(read_allowed_hosts)] = LIVEPEER
    probes: Annotated[bool, BeforeValidator(read_yes_or_no)] | None = None
    """Whether streams are probed without being asked to; None: where there is an API key."""
    gates: Annotated[tuple[GateSetting, ...], BeforeValidator(read_gates)] = Field(default=(), repr=False)
    gate_on_fault: Annotated[Literal["deny", "allow"], BeforeValidator(OneOf(("deny", "allow")))] = "deny"
    gate_timeout_s: Annotated[float, BeforeValidator(Seconds(1.9, 1.5))] = 1.5
    """The playback node waits two seconds (FACTS 7.1)."""
    gate_keep_viewers: Annotated[bool, BeforeValidator(read_yes_or_no)] = False
    reconcile_every_s: Annotated[float, BeforeValidator(Seconds(_DAY_S, 900, _MINUTE_S))] = 900
    publish_start_within_s: Annotated[float, BeforeValidator(Seconds(_HOUR_S, 30))] = 30
    push_dropped_within_s: Annotated[float, BeforeValidator(Seconds(_HOUR_S, 10))] = 10
    first_segment_within_s: Annotated[float, BeforeValidator(Seconds(_HOUR_S, 10))] = 10
    recording_queued_within_s: Annotated[float, BeforeValidator(Seconds(_DAY_S, 420))] = 420
    recording_ready_within_s: Annotated[float, BeforeValidator(Seconds(7 * _DAY_S, 900))] = 900
    max_broadcast_s: Annotated[float, BeforeValidator(Seconds(31 * _DAY_S, 43200))] | None = None
    delivery_grace_s: Annotated[float, BeforeValidator(Seconds(_HOUR_S, 60))] = 60
    report_ttl_s: Annotated[float, BeforeValidator(Seconds(_DAY_S, 600))] = 600
    keep_events_days: Annotated[int, BeforeValidator(Whole(1, _CENTURY_DAYS, 90))] = 90
    keep_deliveries_days: Annotated[int, BeforeValidator(Whole(2, _CENTURY_DAYS, 30))] = 30
    keep_quarantine_days: Annotated[int, BeforeValidator(Whole(1, _CENTURY_DAYS, 30))] = 30
    keep_notices_days: Annotated[int, BeforeValidator(Whole(1, _CENTURY_DAYS, 7))] = 7
    keep_diagnoses_days: Annotated[int, BeforeValidator(Whole(2, _CENTURY_DAYS, 365))] = 365
    """Resolved ones; what fails again within a day is a regression of the same."""
    compress_after_days: Annotated[int, BeforeValidator(Whole(1, _CENTURY_DAYS, 2))] = 2

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if {entry.token for entry in self.api_tokens} & set(self.webhook_secrets):
            raise ValueError(
                "RECEIVER_API_TOKENS: one token is also a secret in RECEIVER_WEBHOOK_SECRETS; use a different value for"
                " each, as whoever knows one would know both"
            )
        must_be_apart(self.gates, self.webhook_secrets, (entry.token for entry in self.api_tokens))
        self._keep_long_enough()
        return self

    def _keep_long_enough(self) -> None:
        """What a conclusion rests on must be there when it is drawn. Raises ValueError."""
        longest_s = max(_LONGEST_TIMER_S, self.recording_ready_within_s, self.max_broadcast_s or 0)
        if self.keep_events_days * _DAY_S <= longest_s:
            longer = "RECEIVER_MAX_BROADCAST_S" if longest_s > _LONGEST_TIMER_S else "a recording's failure, 7 days"
            raise ValueError(
                f"RECEIVER_KEEP_EVENTS_DAYS: {self.keep_events_days} is not longer than the longest timer ({longer});"
                f" write {math.floor(longest_s / _DAY_S) + 1} or more, so that what a diagnosis rests on is still there"
            )

    @property
    def embedded(self) -> bool:
        """Whether the database is a SQLite file of ours."""
        return self.database_url is None or self.database_url.startswith("sqlite:")

    @property
    def takes_in(self) -> bool:
        """Whether this process takes in deliveries."""
        return self.role != "diagnose"

    @property
    def diagnoses(self) -> bool:
        """Whether this process concludes anything of what was taken in."""
        return self.role != "ingest"

    @property
    def url(self) -> str:
        """The database's URL for SQLAlchemy. It may hold a password."""
        if self.database_url is None:
            return f"sqlite:///{self.data_dir / 'receiver.sqlite3'}"
        return self.database_url.replace("postgresql://", "postgresql+psycopg://", 1)

    @property
    def tolerance_ms(self) -> int:
        """How far a delivery's signed time may lie from ours, either way."""
        return _ms(self.tolerance_s)

    def limits(self) -> Limits:
        """How long things may take before their absence means something, for the state machines."""
        return Limits(
            publish_start_within_ms=_ms(self.publish_start_within_s),
            push_dropped_within_ms=_ms(self.push_dropped_within_s),
            first_segment_within_ms=_ms(self.first_segment_within_s),
            recording_queued_within_ms=_ms(self.recording_queued_within_s),
            recording_ready_within_ms=_ms(self.recording_ready_within_s),
            max_broadcast_ms=None if self.max_broadcast_s is None else _ms(self.max_broadcast_s),
            delivery_grace_ms=_ms(self.delivery_grace_s),
            report_ttl_ms=_ms(self.report_ttl_s),
            asks_studio=self.studio_api_key is not None,
            probes=self.looks,
        )

    @property
    def looks(self) -> bool:
        """Whether we probe by ourselves what viewers get."""
        return self.studio_api_key is not None if self.probes is None else self.probes

    def keeping(self) -> Keeping:
        """How long what is stored is kept."""
        return Keeping(
            events_ms=self.keep_events_days * DAY_MS,
            deliveries_ms=self.keep_deliveries_days * DAY_MS,
            quarantine_ms=self.keep_quarantine_days * DAY_MS,
            notices_ms=self.keep_notices_days * DAY_MS,
            diagnoses_ms=self.keep_diagnoses_days * DAY_MS,
            plain_ms=self.compress_after_days * DAY_MS,
        )

    def warnings(self) -> tuple[str, ...]:
        """What is allowed but seldom meant, a sentence each."""
        found = (
            self.allow_unsigned
            and "RECEIVER_ALLOW_UNSIGNED is true: who reaches it, through a proxy too, can make up events.",
            any(len(secret) < _WEAK_SECRET for secret in self.webhook_secrets)
            and f"RECEIVER_WEBHOOK_SECRETS has a secret of fewer than {_WEAK_SECRET} characters: it can be guessed.",
            any(len(gate.secret) < _WEAK_SECRET for gate in self.gates)
            and f"RECEIVER_GATES has a secret of fewer than {_WEAK_SECRET} characters: it can be guessed.",
            self.gate_on_fault == "allow"
            and bool(self.gates)
            and "RECEIVER_GATE_ON_FAULT is allow: while a gate's URL fails, everybody may watch.",
            self.embedded
            and self.role != "all"
            and f"RECEIVER_ROLE is {self.role}, and SQLite has one process: the other half is done by nobody.",
            self.recording_queued_within_s <= _SESSION_QUIET_S
            and f"RECEIVER_RECORDING_QUEUED_WITHIN_S is not above the {_SESSION_QUIET_S} s that Livepeer itself waits:"
            " healthy recordings will be reported.",
        )
        return tuple(sentence for sentence in found if sentence)


def load_settings(environ: Mapping[str, str], env_file: Path | None) -> Settings:
    """The settings from variables named `RECEIVER_...` in `environ`, and in `env_file` where there is one.

    Raises SettingsError with one message that names the variable, what is wrong and what to write instead, for the
    first thing that is wrong: a value, a contradiction, a variable of ours that is no setting. It never repeats a
    secret.
    """
    known = [name.upper() for name in Settings.model_fields]
    found = gather(environ, env_file, known=known, in_files=IN_FILES, documents=DOCUMENTS)
    given = {name.lower(): entry for name, entry in found.items()}
    try:
        return Settings.model_validate({name: entry.value for name, entry in given.items()})
    except ValidationError as error:
        raise SettingsError(_message(error, given)) from None


def _message(error: ValidationError, given: Mapping[str, Given]) -> str:
    first = next(found for found in error.errors(include_url=False) if found["type"] == "value_error")
    reason = str(first["ctx"]["error"])
    if not first["loc"]:
        variable, _, rest = reason.partition(": ")
        return f"{next((entry.named for entry in given.values() if entry.variable == variable), variable)}: {rest}"
    name = str(first["loc"][0])
    entry = given[name]
    shown = "" if name in _SECRET_FIELDS else f'"{_shortened(str(entry.value))}" '
    return f"{entry.named}: {shown}{reason}"


def _shortened(text: str) -> str:
    """A wrong value as it may be shown: a secret may have been put in the wrong place."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in redact_text(text))
    return plain if len(plain) <= 60 else f"{plain[:59]}…"


def _ms(seconds: float) -> int:
    return round(seconds * 1000)

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from receiver.diagnosis.values import Limits
from receiver.errors import SettingsError
from receiver.gate_values import GateSetting
from receiver.hosts import AllowedHost
from receiver.keeping import DAY_MS, Keeping
from receiver.settings import ApiToken, Settings, load_settings

TOKEN = "rcv_0123456789abcdef"
WRITTEN_OUT = {
    "RECEIVER_DATABASE_URL": "sqlite:////srv/receiver/data.sqlite3",
    "RECEIVER_DATABASE_WRITERS": "5",
    "RECEIVER_DATABASE_READERS": "6",
    "RECEIVER_DATABASE_STATEMENT_TIMEOUT_S": "31",
    "RECEIVER_DATABASE_LOCK_TIMEOUT_S": "6",
    "RECEIVER_ROLE": "Ingest",
    "RECEIVER_DATA_DIR": "/srv/receiver",
    "RECEIVER_HOST": "::1",
    "RECEIVER_PORT": "0",
    "RECEIVER_WEBHOOK_SECRETS": "lp-demo-secret-41c7, s€cret",
    "RECEIVER_API_TOKENS": f"{TOKEN},{TOKEN}-2:read+raw",
    "RECEIVER_ALLOW_UNSIGNED": "True",
    "RECEIVER_TOLERANCE_S": "1.5",
    "RECEIVER_MAX_BODY_BYTES": "65536",
    "RECEIVER_LOG_FORMAT": "console",
    "RECEIVER_LOG_LEVEL": "DEBUG",
    "RECEIVER_STUDIO_URL": "http://127.0.0.1:3004/api/",
    "RECEIVER_STUDIO_API_KEY": "studio-key",
    "RECEIVER_PROBES": "False",
    "RECEIVER_PROBE_ALLOWED_HOSTS": ".livepeercdn.studio, CDN.example.com.,127.0.0.1:8935,::1",
    "RECEIVER_GATES": '{"main": {"url": "https://example.com/may-watch", "secret": "gate-secret-0123"}}',
    "RECEIVER_GATE_ON_FAULT": "Allow",
    "RECEIVER_GATE_TIMEOUT_S": "1.25",
    "RECEIVER_GATE_KEEP_VIEWERS": "true",
    "RECEIVER_RECONCILE_EVERY_S": "901",
    "RECEIVER_PUBLISH_START_WITHIN_S": "31",
    "RECEIVER_PUSH_DROPPED_WITHIN_S": "11",
    "RECEIVER_FIRST_SEGMENT_WITHIN_S": "12",
    "RECEIVER_RECORDING_QUEUED_WITHIN_S": "421",
    "RECEIVER_RECORDING_READY_WITHIN_S": "901",
    "RECEIVER_MAX_BROADCAST_S": "7200",
    "RECEIVER_DELIVERY_GRACE_S": "61",
    "RECEIVER_REPORT_TTL_S": "601.5",
    "RECEIVER_KEEP_EVENTS_DAYS": "91",
    "RECEIVER_KEEP_DELIVERIES_DAYS": "31",
    "RECEIVER_KEEP_QUARANTINE_DAYS": "32",
    "RECEIVER_KEEP_NOTICES_DAYS": "8",
    "RECEIVER_KEEP_DIAGNOSES_DAYS": "366",
    "RECEIVER_COMPRESS_AFTER_DAYS": "3",
}


def refusal(environ: dict[str, str], env_file: Path | None = None) -> str:
    """The one message with which the start is refused."""
    with pytest.raises(SettingsError) as caught:
        load_settings(environ, env_file)
    return caught.value.detail


def test_everything_has_a_default() -> None:
    """With nothing configured the service listens on this machine alone, and keeps its data with the user's."""
    settings = load_settings({}, None)
    assert ("127.0.0.1", 8080, False, 300_000, 1_048_576) == (
        settings.host,
        settings.port,
        settings.allow_unsigned,
        settings.tolerance_ms,
        settings.max_body_bytes,
    )
    assert ("https://livepeer.studio/api", None, None, "info") == (
        settings.studio_url,
        settings.studio_api_key,
        settings.log_format,
        settings.log_level,
    )
    assert f"sqlite:///{settings.data_dir}/receiver.sqlite3" == settings.url
    assert (Limits(), Keeping(), ()) == (settings.limits(), settings.keeping(), settings.warnings())


def test_every_setting_can_be_written_out() -> None:
    """Each variable sets the value of its name."""
    settings = load_settings(WRITTEN_OUT, None)
    expected = Settings(
        database_url="sqlite:////srv/receiver/data.sqlite3",
        database_writers=5,
        database_readers=6,
        database_statement_timeout_s=31,
        database_lock_timeout_s=6,
        role="ingest",
        data_dir=Path("/srv/receiver"),
        host="::1",
        port=0,
        webhook_secrets=("lp-demo-secret-41c7", "s€cret"),
        api_tokens=(ApiToken(TOKEN), ApiToken(f"{TOKEN}-2", frozenset({"read", "raw"}))),
        allow_unsigned=True,
        tolerance_s=1.5,
        max_body_bytes=65_536,
        log_format="console",
        log_level="debug",
        studio_url="http://127.0.0.1:3004/api",
        studio_api_key="studio-key",
        probes=False,
        probe_allowed_hosts=(
            AllowedHost("livepeercdn.studio", subdomains=True),
            AllowedHost("cdn.example.com"),
            AllowedHost("127.0.0.1", 8935),
            AllowedHost("::1"),
        ),
        gates=(GateSetting("main", "https://example.com/may-watch", "gate-secret-0123"),),
        gate_on_fault="allow",
        gate_timeout_s=1.25,
        gate_keep_viewers=True,
        reconcile_every_s=901,
        publish_start_within_s=31,
        push_dropped_within_s=11,
        first_segment_within_s=12,
        recording_queued_within_s=421,
        recording_ready_within_s=901,
        max_broadcast_s=7200,
        delivery_grace_s=61,
        report_ttl_s=601.5,
        keep_events_days=91,
        keep_deliveries_days=31,
        keep_quarantine_days=32,
        keep_notices_days=8,
        keep_diagnoses_days=366,
        compress_after_days=3,
    )
    assert expected == settings
    assert set(WRITTEN_OUT) == {f"RECEIVER_{name.upper()}" for name in Settings.model_fields}
    assert "sqlite:////srv/receiver/data.sqlite3" == settings.url
    assert (
        Limits(31_000, 11_000, 12_000, 421_000, 901_000, 7_200_000, 61_000, 601_500, asks_studio=True)
        == settings.limits()
    )
    assert Keeping(*(days * DAY_MS for days in (91, 31, 32, 8, 366, 3))) == settings.keeping()


def seconds(name: str, high: float, example: float, wrong: str) -> tuple[str, str, str]:
    """What is said of a wrong length of time."""
    said = f'"{wrong}" is not a number of seconds above 0 and at most {high}; write e.g. {example}'
    return name, wrong, said


SQLITE_ADVICE = "write three slashes and a path, e.g. sqlite:////var/lib/receiver/receiver.sqlite3"
DATABASE_ADVICE = (
    "is no database that is known; write e.g. postgresql://user:password@host/database or"
    " sqlite:////var/lib/receiver/receiver.sqlite3, or remove it for a file in the data directory"
)
HOST_ADVICE = (
    "is not an address to listen on; write e.g. 127.0.0.1, or 0.0.0.0 for every network (the port has its own setting)"
)
STUDIO_ADVICE = "is not the address of an API; write e.g. https://livepeer.studio/api"
PROBED_ADVICE = (
    "is none; write a name such as livepeercdn.studio, .livepeercdn.studio for all below it, or an address, each with a"
    " port where only that may be used, and without https:// or a path"
)
CLEAR_ADVICE = "would send the API key in the clear; write an address that begins with https://"
GATE_ADVICE = '`url` and `secret`; write e.g. {"main": {"url": "https://example.com/may-watch", "secret": "..."}}'
KUBERNETES_ADVICE = (
    "is no setting, but what Kubernetes makes for a service named `receiver`; set `enableServiceLinks: false` in the"
    " pod, or name the service differently"
)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("DATABASE_URL", "mysql://u:p@h/db", DATABASE_ADVICE),
        ("DATABASE_URL", "postgresql://", DATABASE_ADVICE),
        ("DATABASE_URL", "sqlite://", f"names no file, and what is in memory alone is lost; {SQLITE_ADVICE}"),
        ("DATABASE_URL", "sqlite:///:memory:", f"names no file, and what is in memory alone is lost; {SQLITE_ADVICE}"),
        ("DATABASE_WRITERS", "0", '"0" is not a whole number between 1 and 64; write e.g. 4'),
        ("DATABASE_READERS", "all", '"all" is not a whole number between 1 and 64; write e.g. 4'),
        seconds("DATABASE_STATEMENT_TIMEOUT_S", 3600, 30, "0"),
        seconds("DATABASE_LOCK_TIMEOUT_S", 3600, 5, "short"),
        ("ROLE", "both", '"both" is unknown; write all, ingest or diagnose'),
        ("DATA_DIR", "~nobody-here/x", '"~nobody-here/x" names a home that is not known; write the whole path'),
        (
            "HOST",
            "127.0.0.1:80",
            f'"127.0.0.1:80" {HOST_ADVICE}',
        ),
        ("PORT", "eighty", '"eighty" is not a whole number between 0 and 65535; write e.g. 8080'),
        ("PORT", "65536", '"65536" is not a whole number between 0 and 65535; write e.g. 8080'),
        ("PORT", "-1", '"-1" is not a whole number between 0 and 65535; write e.g. 8080'),
        ("WEBHOOK_SECRETS", "one,,two", "secret 2 is empty; write it out, or remove the comma"),
        ("WEBHOOK_SECRETS", "one,one", "has one secret twice; remove the second"),
        (
            "WEBHOOK_SECRETS",
            "one,t\x07wo",
            "secret 2 holds a control character or is not UTF-8; write it again as plain text",
        ),
        ("API_TOKENS", "short", "token 1 is too short; write at least 16 characters"),
        (
            "API_TOKENS",
            f"{TOKEN} x",
            "token 1 holds characters that a token cannot have; write letters, digits and . _ ~ + / = - only",
        ),
        (
            "API_TOKENS",
            f"{TOKEN}:read+admin",
            "token 1 has something after its colon that is no scope; write scopes as in token:read+write+raw",
        ),
        (
            "API_TOKENS",
            f"{TOKEN}:",
            "token 1 has something after its colon that is no scope; write scopes as in token:read+write+raw",
        ),
        ("API_TOKENS", f"{TOKEN},{TOKEN}:read", "has one token twice; remove the second"),
        ("ALLOW_UNSIGNED", "yes", '"yes" is neither true nor false; write one of them'),
        seconds("TOLERANCE_S", 3600, 300, "0"),
        ("MAX_BODY_BYTES", "1", '"1" is not a whole number between 4096 and 67108864; write e.g. 1048576'),
        ("LOG_FORMAT", "xml", '"xml" is unknown; write json or console'),
        ("LOG_LEVEL", "loud", '"loud" is unknown; write debug, info, warning or error'),
        ("STUDIO_URL", "livepeer.studio", f'"livepeer.studio" {STUDIO_ADVICE}'),
        (
            "STUDIO_URL",
            "https://me:hidden@livepeer.studio/api",
            f'"https://[redacted]@livepeer.studio/api" {STUDIO_ADVICE}',
        ),
        (
            "STUDIO_URL",
            "https://livepeer.studio:port/api",
            f'"https://livepeer.studio:port/api" {STUDIO_ADVICE}',
        ),
        (
            "STUDIO_URL",
            "http://livepeer.studio/api",
            f'"http://livepeer.studio/api" {CLEAR_ADVICE}',
        ),
        ("STUDIO_API_KEY", "two words", "holds a blank or a letter that no key has; write the key alone"),
        ("PROBES", "often", '"often" is neither true nor false; write one of them'),
        ("PROBE_ALLOWED_HOSTS", "a.example,https://b.example", f'"a.example,https://b.example" host 2 {PROBED_ADVICE}'),
        ("PROBE_ALLOWED_HOSTS", "a.example,", '"a.example," host 2 is empty; write it out, or remove the comma'),
        ("PROBE_ALLOWED_HOSTS", "::1,0:0::1", '"::1,0:0::1" has one host twice; remove the second'),
        ("GATES", '{"main": "https://example.com"}', f"the gate `main` is no object of two texts, {GATE_ADVICE}"),
        ("GATE_ON_FAULT", "open", '"open" is unknown; write deny or allow'),
        seconds("GATE_TIMEOUT_S", 1.9, 1.5, "2"),
        ("GATE_KEEP_VIEWERS", "1", '"1" is neither true nor false; write one of them'),
        (
            "RECONCILE_EVERY_S",
            "59.9",
            '"59.9" is not a number of seconds of at least 60 and at most 86400; write e.g. 900',
        ),
        seconds("PUBLISH_START_WITHIN_S", 3600, 30, "soon"),
        seconds("PUSH_DROPPED_WITHIN_S", 3600, 10, "-5"),
        seconds("FIRST_SEGMENT_WITHIN_S", 3600, 10, "1e3"),
        seconds("RECORDING_QUEUED_WITHIN_S", 86400, 420, "86401"),
        seconds("RECORDING_READY_WITHIN_S", 604800, 900, "nan"),
        seconds("MAX_BROADCAST_S", 2678400, 43200, "inf"),
        seconds("DELIVERY_GRACE_S", 3600, 60, "1 min"),
        seconds("REPORT_TTL_S", 86400, 600, "0.0001"),
        ("KEEP_EVENTS_DAYS", "1.5", '"1.5" is not a whole number between 1 and 36500; write e.g. 90'),
        ("KEEP_DELIVERIES_DAYS", "1", '"1" is not a whole number between 2 and 36500; write e.g. 30'),
        ("KEEP_QUARANTINE_DAYS", "0", '"0" is not a whole number between 1 and 36500; write e.g. 30'),
        ("KEEP_NOTICES_DAYS", "never", '"never" is not a whole number between 1 and 36500; write e.g. 7'),
        ("COMPRESS_AFTER_DAYS", "0", '"0" is not a whole number between 1 and 36500; write e.g. 2'),
        ("KEEP_DIAGNOSES_DAYS", "1", '"1" is not a whole number between 2 and 36500; write e.g. 365'),
    ],
)
def test_a_wrong_value_gives_one_clear_message(name: str, value: str, said: str) -> None:
    """The message names the variable, says what is wrong and what to write instead."""
    assert f"RECEIVER_{name}: {said}" == refusal({f"RECEIVER_{name}": value})


def test_every_setting_has_been_wrong_once() -> None:
    """A setting that is added needs its line in the test above."""
    (mark,) = test_a_wrong_value_gives_one_clear_message.pytestmark  # type: ignore[attr-defined]
    assert {name.upper() for name in Settings.model_fields} == {row[0] for row in mark.args[1]}


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_an_empty_setting_is_a_mistake(name: str) -> None:
    """A variable that is set to nothing was meant to be something."""
    variable = f"RECEIVER_{name.upper()}"
    assert f"{variable}: is empty; write a value, or remove it to use the default" == refusal({variable: " "})


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("RECEIVER_PROT", "is no setting; did you mean RECEIVER_PORT?"),
        ("RECEIVER_WEBHOOK_SECRET", "is no setting; did you mean RECEIVER_WEBHOOK_SECRETS?"),
        ("RECEIVER_PORT_FILE", "is no setting; did you mean RECEIVER_PORT?"),
        ("RECEIVER_QQQ", "is no setting; remove it; the README lists all settings"),
        (
            "RECEIVER_SERVICE_HOST",
            KUBERNETES_ADVICE,
        ),
        ("Receiver_Port", "names of settings are written in capitals; write RECEIVER_PORT"),
    ],
)
def test_an_unknown_setting_is_a_mistake(variable: str, said: str) -> None:
    """A mistyped name would otherwise leave a default in force; the nearest name is offered."""
    assert f"{variable}: {said}" == refusal({variable: "1"})


def test_other_programs_variables_are_left_alone() -> None:
    """Only names with our prefix are ours."""
    assert load_settings({}, None) == load_settings({"PORT": "x", "MY_RECEIVER_PORT": "x"}, None)


@pytest.mark.parametrize("name", ["WEBHOOK_SECRETS", "API_TOKENS", "STUDIO_API_KEY", "DATABASE_URL", "GATES"])
@given(value=st.text("xyz09 :/@\x07\x85", min_size=8, max_size=30).map(str.strip))
def test_a_secrets_value_is_never_repeated(name: str, value: str) -> None:
    """Whatever is wrong with a secret, a token, a key or a database's URL, the message does not show it."""
    shown = outcome({f"RECEIVER_{name}": f"{value},,{value}"})
    assert len(value) < 4 or value not in shown


def outcome(environ: dict[str, str]) -> str:
    """What comes of it: the message, with all that stands behind it, or the settings as they show themselves."""
    try:
        return repr(load_settings(environ, None))
    except SettingsError as error:
        return f"{error!r} {error.detail} {error.__cause__!r}"


def test_a_secret_in_the_wrong_place_is_not_repeated() -> None:
    """A key that was put into another setting by mistake is not shown, and a long value is cut."""
    assert "hidden" not in refusal({"RECEIVER_PORT": "whsec_hidden-hidden"})
    assert "RECEIVER_PORT: " + '"' + "x" * 59 + '…" is not' in refusal({"RECEIVER_PORT": "x" * 500})
    assert '"a?b"' in refusal({"RECEIVER_PORT": "a\x1bb"})


def test_a_token_that_is_also_a_secret_is_a_contradiction() -> None:
    """Livepeer knows the secret, and must not hold a key to the API."""
    assert (
        "RECEIVER_API_TOKENS: one token is also a secret in RECEIVER_WEBHOOK_SECRETS; use a different value for each,"
        " as whoever knows one would know both"
    ) == refusal({"RECEIVER_API_TOKENS": TOKEN, "RECEIVER_WEBHOOK_SECRETS": f"other,{TOKEN}"})


@pytest.mark.parametrize(
    ("days", "more", "timer", "least"),
    [
        ("7", {}, "a recording's failure, 7 days", 8),
        ("14", {"RECEIVER_MAX_BROADCAST_S": "1209600"}, "RECEIVER_MAX_BROADCAST_S", 15),
    ],
)
def test_events_are_kept_longer_than_the_longest_timer(days: str, more: dict[str, str], timer: str, least: int) -> None:
    """What a conclusion rests on must be there when it is drawn; a day more is enough."""
    assert (
        f"RECEIVER_KEEP_EVENTS_DAYS: {days} is not longer than the longest timer ({timer}); write {least} or more, so"
        " that what a diagnosis rests on is still there"
    ) == refusal({"RECEIVER_KEEP_EVENTS_DAYS": days, **more})
    assert least == load_settings({"RECEIVER_KEEP_EVENTS_DAYS": str(least), **more}, None).keep_events_days


@pytest.mark.parametrize("rest", ["u@db/x", "/x?host=/run/postgresql"])
def test_a_postgresql_url_names_its_driver(rest: str) -> None:
    """SQLAlchemy would take another driver. A server may be reached by its name or by the folder of its socket."""
    settings = Settings(database_url=f"postgres://{rest}")
    assert (f"postgresql+psycopg://{rest}", False) == (settings.url, settings.embedded)


def test_what_is_seldom_meant_is_said() -> None:
    """Unsigned deliveries, wherever it listens, a secret that can be guessed, a limit below Livepeer's own: allowed,
    with a warning each."""
    settings = Settings(allow_unsigned=True, webhook_secrets=("abc",), recording_queued_within_s=70)
    assert ["RECEIVER_ALLOW_UNSIGNED", "RECEIVER_WEBHOOK_SECRETS", "RECEIVER_RECORDING_QUEUED_WITHIN_S"] == [
        sentence.split()[0] for sentence in settings.warnings()
    ]
    assert () == Settings(host="0.0.0.0").warnings()
    assert False is load_settings({"RECEIVER_ALLOW_UNSIGNED": "false"}, None).allow_unsigned


def test_settings_made_in_a_program_are_checked_too() -> None:
    """The same limits hold for values, and settings do not change."""
    with pytest.raises(ValidationError, match="is not a whole number between 0 and 65535"):
        Settings(port=70_000)
    with pytest.raises(ValidationError, match="frozen"):
        Settings().port = 1  # type: ignore[misc]
    with pytest.raises(ValidationError, match="is no list of texts"):
        Settings.model_validate({"webhook_secrets": (1,)})

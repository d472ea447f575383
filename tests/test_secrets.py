"""P10: secrets stay inside. A service is told secrets in every way there is, and none comes out anywhere."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from pydantic import JsonValue

from receiver.cli import main
from receiver.clock import SystemClock
from receiver.livepeer.signature import sign
from receiver.simulation.sender import Attempt, Event, Studio, attempt, compact
from tests.served import Served, served, wait

SECRET = "planted-webhook-secret-1"
ROTATED = "planted-webhook-secret-2"
TOKEN = "planted-api-token-0001"
STUDIO_KEY = "planted-studio-key-0001"
JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJwbGFudGVkIn0.cGxhbnRlZC1zaWduYXR1cmU"
CONFIGURED = {
    "RECEIVER_WEBHOOK_SECRETS": f"{SECRET},{ROTATED}",
    "RECEIVER_API_TOKENS": TOKEN,
    "RECEIVER_STUDIO_API_KEY": STUDIO_KEY,
    "RECEIVER_STUDIO_URL": "http://127.0.0.1:9/api",
    "RECEIVER_LOG_LEVEL": "debug",
}
IN_BODIES: Mapping[str, str] = {
    "stream key": "plan-ted1-stre-amke",
    "pull header": "planted-pull-header",
    "webhook context": "planted-webhook-context",
    "credentials in a URL": "planted-user:planted-password",
    "token in a URL": "planted-url-token",
    "access key": "planted-access-key",
    "viewer's address": "198.51.100.77",
}
IN_OBSERVATIONS: Mapping[str, str] = {
    "reported key": "repo-rted-stre-amk1",
    "key in a message": "mess-age0-stre-amk2",
    "JWT": JWT,
    "bearer": "planted-bearer-0001",
    "key as an id": "asid-0000-stre-amk3",
    "wrong token": "planted-wrong-token-1",
}
PLANTED: Mapping[str, str] = {
    "secret": SECRET,
    "second secret": ROTATED,
    "token": TOKEN,
    "Studio key": STUDIO_KEY,
    **IN_BODIES,
    **IN_OBSERVATIONS,
}


@dataclass
class Run:
    """A service that was told everything, and all that came out of it."""

    process: Served
    said: dict[str, str]

    def ask(self, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> tuple[int, str]:
        """Status and text of an answer, which is kept."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = Request(f"{self.process.url}{path}", body, named, method=method)  # noqa: S310 -- http
        try:
            with urlopen(request, timeout=20) as response:  # noqa: S310 -- http
                status, text, sent = response.status, response.read().decode(), str(response.headers)
        except HTTPError as error:
            status, text, sent = error.code, error.read().decode(), str(error.headers)
        self.said[f"{method} {path} ({len(self.said)})"] = sent + text
        return status, text

    def get(self, path: str) -> dict[str, Any]:
        """What the API answers to its one token."""
        status, text = self.ask(path, Authorization=f"Bearer {TOKEN}")
        assert 200 == status, text
        return dict(json.loads(text))

    def deliver(self, made: Attempt) -> int:
        """One delivery."""
        signed = {"Livepeer_Signature": made.signature, "Content_Type": "application/json"}
        return self.ask("/webhooks/livepeer", "POST", made.body, **signed)[0]

    def report(self, token: str = TOKEN, **observation: object) -> int:
        """One observation."""
        headers = {"Authorization": f"Bearer {token}", "Content_Type": "application/json"}
        return self.ask("/v1/observations", "POST", json.dumps(observation).encode(), **headers)[0]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Told everything, asked for everything, and stopped."""
    with served(tmp_path_factory.mktemp("secrets"), CONFIGURED) as process:
        told = Run(process, {})
        studio = _deliveries(told)
        _observations(told, studio)
        _questions(told, studio)
        assert 0 == process.stop()
        told.said |= {"stdout": process.out, "stderr": process.introduction}
        yield told


def _deliveries(run: Run) -> Studio:
    """Bodies that hold what bodies can hold (FACTS 2.1), accepted, refused, repeated and not understood; a gate's."""
    now_ms = SystemClock().now_ms()
    studio = Studio(now_ms, Random("secrets"))  # noqa: S311 -- ids of a fiction
    url = f"rtmp://{IN_BODIES['credentials in a URL']}@origin.example/live/{IN_BODIES['stream key']}"
    failure = f"cannot read {url} or https://cdn.example/a.mp4?token={IN_BODIES['token in a URL']}"
    events = [studio.started(0), studio.recording_started(1)]
    events.append(studio.asset_changed("asset.failed", 3, "failed", errorMessage=failure))
    for event in map(_filled, events):
        assert [204, 204] == [run.deliver(attempt(event, "wh-1", secret, now_ms)) for secret in (SECRET, ROTATED)]
        assert 401 == run.deliver(attempt(replace(event, id=f"{event.id}-other"), "wh-1", "another", now_ms))
        assert 503 == run.deliver(attempt(event, "wh-1", SECRET, now_ms - 3_600_000))
    odd = compact({"webhookId": 7, "streamKey": IN_BODIES["stream key"], "timestamp": now_ms})
    assert 204 == run.deliver(Attempt(odd, sign(SECRET, odd, now_ms)))
    gate = compact({"accessKey": IN_BODIES["access key"], "context": {"userIP": IN_BODIES["viewer's address"]}})
    assert 403 == run.deliver(Attempt(gate, sign(SECRET, gate, now_ms)))
    return studio


def _filled(event: Event) -> Event:
    """An event whose stream holds everything that it could."""
    more: dict[str, JsonValue] = {
        "streamKey": IN_BODIES["stream key"],
        "pull": {
            "source": f"https://{IN_BODIES['credentials in a URL']}@a.example/?token={IN_BODIES['token in a URL']}",
            "headers": {"X-Anything": IN_BODIES["pull header"]},
        },
        "playbackPolicy": {"type": "webhook", "webhookContext": {"any": [IN_BODIES["webhook context"]]}},
        "context": {"userIP": IN_BODIES["viewer's address"]},
        "accessKey": IN_BODIES["access key"],
    }
    return event if event.stream is None else replace(event, stream={**event.stream, **more})


def _observations(run: Run, studio: Studio) -> None:
    """Reports that hold what reporters may think of, taken and refused."""
    stream_id = studio.stream.id
    key, bearer = IN_OBSERVATIONS["key in a message"], IN_OBSERVATIONS["bearer"]
    message = f"401 for key {key}, sent Authorization: Bearer {bearer}"
    rejected = {"kind": "publish_rejected", "stream_key": IN_OBSERVATIONS["reported key"]}
    assert 201 == run.report(**rejected, stream_id="of-another-key", message=message)
    assert 201 == run.report(kind="playback_error", stream_id=stream_id, http_status=403, message=f"jwt={JWT}: {JWT}")
    assert 422 == run.report(kind="playback_ok", stream_id=IN_OBSERVATIONS["key as an id"])
    assert 422 == run.report(**rejected, at="yesterday")
    assert 401 == run.report(IN_OBSERVATIONS["wrong token"], kind="playback_ok", stream_id=stream_id)
    assert 404 == run.ask(f"/v1/{IN_OBSERVATIONS['reported key']}", Authorization=f"Bearer {TOKEN}")[0]


def _questions(run: Run, studio: Studio) -> None:
    """Everything that the API can be asked, once the failures have been diagnosed."""
    stream_id = studio.stream.id
    wait(lambda: len(run.get("/v1/diagnoses")["items"]) >= 3)
    for path in ("/healthz", "/readyz", "/openapi.json", "/v1/conditions", "/v1/webhooks", "/v1/deliveries"):
        run.get(path)
    for stream in run.get("/v1/streams")["items"]:
        run.get(f"/v1/streams/{stream['id']}")
        for event in run.get(f"/v1/streams/{stream['id']}/events")["items"]:
            run.get(f"/v1/events/{event['id']}")
    for delivery in run.get("/v1/deliveries?verdict=accepted")["items"]:
        run.get(f"/v1/events/{delivery['event_id']}")
    for diagnosis in run.get("/v1/diagnoses")["items"]:
        run.get(f"/v1/diagnoses/{diagnosis['id']}")
    run.get("/v1/streams/of-another-key")
    run.get(f"/v1/sessions/{studio.session.id if studio.session else ''}")
    run.ask(f"/v1/streams/{stream_id}", "DELETE", Authorization=f"Bearer {TOKEN}")


@pytest.mark.parametrize("name", PLANTED)
def test_no_secret_comes_out(name: str, run: Run) -> None:
    """Not in an answer, not in the log at its most talkative, not in the first words."""
    assert [] == [where for where, text in run.said.items() if PLANTED[name] in text]


def test_what_was_asked_is_what_was_told(run: Run) -> None:
    """The secrets were in reach: the events, reports and failures that held them are all there."""
    shown = "".join(run.said.values())
    for proof in ("cannot read rtmp", "401 for key [redacted]", "raw_", "ProcessingFailed", "StreamKeyMismatch"):
        assert proof in shown


@pytest.mark.parametrize("command", [("diagnoses", "--all"), ("diagnoses", "--all", "--json"), ("quarantine", "list")])
def test_no_secret_comes_out_of_a_command(
    command: tuple[str, ...], run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of what is printed of the same store."""
    for variable, value in {**CONFIGURED, **run.process.environment}.items():
        monkeypatch.setenv(variable, value)
    assert main(command) in {0, 1}
    printed = capsys.readouterr()
    assert printed.out
    assert [] == [name for name, secret in PLANTED.items() if secret in printed.out + printed.err]


@pytest.mark.parametrize("name", IN_OBSERVATIONS)
def test_what_is_reported_is_not_even_stored(name: str, run: Run) -> None:
    """A reported key is kept as a keyed digest, and a message without what looks like a secret."""
    files = [file for file in Path(run.process.data_dir).iterdir() if file.name.startswith("receiver.sqlite3")]
    assert [] == [file.name for file in files if IN_OBSERVATIONS[name].encode() in file.read_bytes()]

import pytest
from msgspec.json import decode
from sqlalchemy import Connection

from receiver.routes.models import Diagnosis, DiagnosisDetail, Page
from tests.routes.rows import NOW_MS, PLAYBACK_ID, SESSION_ID, STREAM_ID, add_diagnosis, add_transition
from tests.routes.service import READER, WRITER, Service, problem

DIAGNOSES = Page[Diagnosis]


async def test_a_diagnosis_is_shown_with_its_transitions(service: Service) -> None:
    """One diagnosis has the guide's cause and fix made specific, its evidence, and all that it went through."""

    def fill(conn: Connection) -> None:
        diagnosis_id = add_diagnosis(conn, 5, regressions=1)
        add_transition(conn, 2, diagnosis_id, reason="ProcessingOverdue", certainty="confirmed", cause="time passed")
        add_transition(conn, 1, diagnosis_id)
        add_transition(conn, 3, "dg_other")

    service.fill(fill)
    found = await service.json("/v1/diagnoses/dg_5", DiagnosisDetail)
    title, likely_cause, fix = found.pop("title"), found.pop("likely_cause"), found.pop("fix")
    expected = {
        "id": "dg_5",
        "condition": "recording_not_available",
        "reason": "RecordingNotQueued",
        "status": "open",
        "certainty": "suspected",
        "severity": "warning",
        "subject": {"kind": "session", "id": SESSION_ID},
        "stream_id": STREAM_ID,
        "session_id": SESSION_ID,
        "playback_id": PLAYBACK_ID,
        "message": "The recording has not been queued.",
        "evidence": [{"kind": "stream.idle", "id": "ev-1", "at": "2024-09-12T15:00:00.000Z", "text": "idle"}],
        "opened_at": "2024-09-12T15:00:00.005Z",
        "updated_at": "2024-09-12T15:00:00.005Z",
        "resolved_at": None,
        "resolution": None,
        "regressions": 1,
        "muted_by": None,
        "transitions": [
            {
                "at": "2024-09-12T15:00:00.001Z",
                "status": "open",
                "reason": "RecordingNotQueued",
                "certainty": "suspected",
                "cause": "time passed",
            },
            {
                "at": "2024-09-12T15:00:00.002Z",
                "status": "open",
                "reason": "ProcessingOverdue",
                "certainty": "confirmed",
                "cause": "time passed",
            },
        ],
    }
    assert expected == found
    assert "Recording not available" == title
    assert likely_cause.startswith("Stream did not go idle cleanly")
    assert "stream.idle" in fix


async def test_diagnoses_come_newest_first(service: Service) -> None:
    """The list is in order of opening, and its parts hold every diagnosis once while others are opened."""

    def fill(conn: Connection) -> None:
        for seq in range(1, 6):
            add_diagnosis(conn, seq)

    service.fill(fill)
    first = await service.json("/v1/diagnoses?limit=2", DIAGNOSES)
    service.fill(lambda conn: add_diagnosis(conn, 6))
    rest = await service.pages(f"/v1/diagnoses?limit=2&cursor={first['next']}", DIAGNOSES)
    parts = [first["items"], *rest]
    assert [["dg_5", "dg_4"], ["dg_3", "dg_2"], ["dg_1"]] == [[one["id"] for one in part] for part in parts]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("status=open", ["dg_2", "dg_1"]),
        ("status=acknowledged", ["dg_2"]),
        ("status=resolved", ["dg_4", "dg_3"]),
        ("condition=rtmp_push_rejected", ["dg_3"]),
        ("reason=ProcessingFailed", ["dg_4"]),
        ("stream_id=another", ["dg_4"]),
        ("stream_id=another&status=open", []),
        ("since=2024-09-12T15:00:00.004Z", ["dg_4", "dg_1"]),
        ("since=2024-09-12T17:00:00.004%2B02:00", ["dg_4", "dg_1"]),
    ],
)
async def test_diagnoses_are_filtered(service: Service, query: str, expected: list[str]) -> None:
    """By status (`open` includes acknowledged), condition, reason, stream, and the time of the last change."""

    def fill(conn: Connection) -> None:
        add_diagnosis(conn, 1, updated_ms=NOW_MS + 9)
        add_diagnosis(conn, 2, status="acknowledged")
        add_diagnosis(conn, 3, status="resolved", condition="rtmp_push_rejected", reason="PushDropped")
        add_diagnosis(conn, 4, status="resolved", reason="ProcessingFailed", stream_id="another")

    service.fill(fill)
    found = await service.json(f"/v1/diagnoses?{query}", DIAGNOSES)
    assert expected == [one["id"] for one in found["items"]]


@pytest.mark.parametrize(
    ("action", "status", "resolution"), [("acknowledge", "acknowledged", None), ("resolve", "resolved", "manual")]
)
async def test_a_diagnosis_is_acknowledged_and_resolved(
    service: Service, action: str, status: str, resolution: str | None
) -> None:
    """Both answer the diagnosis as it is then; who asked is told by the token's name, never the token."""
    service.fill(lambda conn: add_diagnosis(conn, 5))
    response = await service.client.post(f"/v1/diagnoses/dg_5/{action}", headers=WRITER)
    found = decode(await response.read(), type=DiagnosisDetail)
    assert (200, status, resolution) == (response.status, found.status, found.resolution)
    assert [True] == [caller.startswith("token-") for caller in service.diagnoser.callers]
    assert "writer-token" not in service.diagnoser.callers[0]


@pytest.mark.parametrize("action", ["acknowledge", "resolve"])
async def test_a_reader_changes_nothing(service: Service, action: str) -> None:
    """Without the scope `write` a diagnosis is neither acknowledged nor resolved."""
    service.fill(lambda conn: add_diagnosis(conn, 5))
    response = await service.client.post(f"/v1/diagnoses/dg_5/{action}", headers=READER)
    assert (403, "scope_missing") == await problem(response)
    assert "open" == (await service.json("/v1/diagnoses/dg_5", DiagnosisDetail))["status"]


@pytest.mark.parametrize("path", ["", "/acknowledge", "/resolve"])
async def test_an_unknown_diagnosis_is_explained(service: Service, path: str) -> None:
    """Whatever is asked of it, a diagnosis that does not exist is a 404."""
    method = "POST" if path else "GET"
    response = await service.client.request(method, f"/v1/diagnoses/dg_none{path}", headers=WRITER)
    assert (404, "not_found") == await problem(response)


async def test_a_misspelt_reason_is_no_filter(service: Service) -> None:
    """An empty list would read as if all were well."""
    response = await service.get("/v1/diagnoses?reason=ProcessingFaild")
    assert 422 == response.status
    assert "/v1/conditions" in (await response.json())["errors"][0]["detail"]

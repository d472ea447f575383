"""What the Studio API adds to what is known of access, over real HTTP."""

import pytest

from receiver.diagnosis.refusal import Access, Asked, explain
from receiver.evidence.access import FoundAccess
from receiver.livepeer.studio.budget import Patience
from tests.sender import T0_MS
from tests.studio import KEY, Credential, FakeStudio
from tests.studio_client import asked
from tests.studio_faults import HANG, Fault, failing, limited
from tests.studio_rows import stream_row

QUICK = Patience(total_s=0.2, connect_s=0.2, retries=0, longest_wait_s=0.2)
KNOWN = Access(stream_id=stream_row()["id"])
PLAYBACK_ID = stream_row()["playbackId"]


async def found(fill: "list[tuple[str, Fault]]", key: str | None = KEY, **row: object) -> tuple[Access, FakeStudio]:
    """What is found of the stream of the fixtures, and who was asked."""

    async def stored(playback_id: str) -> Access:
        assert playback_id == PLAYBACK_ID
        return KNOWN

    async with asked(key, QUICK) as (studio, client, _):
        studio.add(studio.streams, stream_row(**row))
        studio.faults.update(fill)
        studio.keys["of-a-suspended-account"] = Credential(suspended=True)
        return await FoundAccess(stored, client)(PLAYBACK_ID), studio


async def test_all_that_decides_is_asked_for() -> None:
    """The policy and its webhook, whether it is suspended, the signing keys."""
    access, studio = await found([], playbackPolicy={"type": "webhook", "webhookId": "gone"}, suspended=False)
    assert ("webhook", False) == (
        access.policy_type and access.policy_type.value,
        access.suspended and access.suspended.value,
    )
    assert access.webhook_known is not None
    assert access.webhook_known.value is False
    assert access.signing_keys is not None
    assert {"/stream/", "/webhook/", "/playback/"} <= {f"/{one.path.split('/')[1]}/" for one in studio.asked}


async def test_without_a_key_playback_info_alone_is_asked_for() -> None:
    """It is given to everybody, and no key is sent."""
    access, studio = await found([], key=None)
    assert [f"/playback/{PLAYBACK_ID}"] == [one.path for one in studio.asked]
    assert "Authorization" not in studio.asked[0].headers
    assert (200, "it takes RECEIVER_STUDIO_API_KEY") == (access.playback_status, access.untold)


@pytest.mark.parametrize("fault", [HANG, failing(500), limited("60"), failing(401)])
async def test_an_api_that_does_not_tell_is_named_as_why(fault: Fault) -> None:
    """That a key would be needed is not said to who has one; and it is asked once, not for each thing."""
    access, studio = await found([("/stream", fault), ("/playback", failing(500))])
    assert "the Studio API was asked, and did not tell (studio_" in access.untold
    assert 2 == len(studio.asked)
    explained = explain(Asked(PLAYBACK_ID), access, T0_MS)
    assert any(access.untold in check.detail for check in explained.checks)


async def test_a_suspended_account_is_found() -> None:
    """Every call is refused so."""
    access, _ = await found([], key="of-a-suspended-account")
    assert access.user_disabled is not None
    assert access.user_disabled.value

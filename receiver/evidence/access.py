"""What decides about access to a playback id, from all who know: our store, playback info, and the Studio API."""

from dataclasses import dataclass, replace

from receiver.diagnosis.refusal import Access, Known, SigningKey
from receiver.livepeer.studio import StudioClient
from receiver.livepeer.studio.failures import Invalid, NotFound, StudioError, UserSuspended
from receiver.livepeer.studio.objects import Policy
from receiver.refusals import AccessFacts


@dataclass(frozen=True, slots=True)
class FoundAccess:
    """Asks the Studio API for what the store does not know; where it does not answer, that stays not known. Playback
    info is given without an API key (FACTS 8)."""

    stored: AccessFacts
    studio: StudioClient

    async def __call__(self, playback_id: str) -> Access:
        """See `AccessFacts`."""
        known = await self.stored(playback_id)
        known = await self._played(known, playback_id)
        if not self.studio.configured:
            return known
        for ask in (self._of_stream, self._of_gate, self._of_keys):
            try:
                known = await ask(known)
            except UserSuspended:
                return replace(known, user_disabled=Known(value=True, source="studio_api"))
            except StudioError as error:
                return replace(known, untold=f"the Studio API was asked, and did not tell ({error.code})")
        return replace(known, untold="the Studio API does not tell")

    async def _played(self, known: Access, playback_id: str) -> Access:
        try:
            playback = await self.studio.playback(playback_id)
        except NotFound:
            return replace(known, playback_status=404)
        except Invalid as error:
            return replace(known, playback_status=error.status)
        except StudioError:
            return known
        meta = playback.meta
        return _with_policy(replace(known, playback_status=200), None if meta is None else meta.playback_policy)

    async def _of_stream(self, known: Access) -> Access:
        """The stream's own policy is newer than that of its playback info, which may be two minutes old."""
        if known.stream_id is None:
            return known
        try:
            stream = await self.studio.stream(known.stream_id)
        except NotFound:
            return known
        return replace(
            _with_policy(known, stream.playback_policy),
            suspended=None if stream.suspended is None else Known(stream.suspended, "studio_api"),
            deleted=Known(bool(stream.deleted), "studio_api"),
        )

    async def _of_gate(self, known: Access) -> Access:
        if known.policy_type is None or known.policy_type.value != "webhook" or known.webhook_id is None:
            return known
        try:
            webhook = await self.studio.webhook(known.webhook_id)
        except NotFound:
            return replace(known, webhook_known=Known(value=False, source="studio_api"))
        status = webhook.status
        failure = None if status is None else status.last_failure
        return replace(
            known,
            webhook_known=Known(value=True, source="studio_api"),
            webhook_last_failure_ms=None if failure is None else failure.at_ms,
            webhook_last_triggered_ms=None if status is None else status.last_triggered_ms,
        )

    async def _of_keys(self, known: Access) -> Access:
        keys = await self.studio.signing_keys()
        if keys is None:
            return known
        told = tuple(
            SigningKey(key.public_key, disabled=bool(key.disabled or key.deleted))
            for key in keys
            if key.public_key is not None
        )
        return replace(known, signing_keys=Known(told, "studio_api"))


def _with_policy(known: Access, policy: Policy | None) -> Access:
    return replace(
        known,
        policy_type=Known("public" if policy is None or policy.type is None else policy.type, "studio_api"),
        allowed_origins=Known(() if policy is None else policy.allowed_origins, "studio_api"),
        webhook_id=None if policy is None else policy.webhook_id,
    )

"""What Studio's gate checks, in its order (FACTS 7.2), all but the origin."""

from typing import Final

from receiver.diagnosis.refusal.public_key import same_key
from receiver.diagnosis.refusal.token_checks import pub_of
from receiver.diagnosis.refusal.values import Access, Asked, Finding, GateHistory, Quote, aside, failed, passed, unknown
from receiver.diagnosis.verdicts import span

CACHED_MS: Final = 600_000
"""For so long a node may serve a decision (FACTS 7.4)."""
_POLICIES: Final = ("public", "jwt", "webhook")


def check_content(access: Access) -> Finding:
    """Whether there is such content, neither suspended nor deleted."""
    for known, said in ((access.suspended, "suspended"), (access.deleted, "deleted")):
        if known is not None and known.value:
            seen = ", as its last event says" if known.source == "store" else ""
            return failed("ContentSuspended", f"The stream is {said}{seen}: to the gate there is no such content.")
    if access.playback_status == 404:
        return failed(
            "ContentSuspended",
            "Livepeer has nothing to play under this id: it is unknown, deleted or suspended, or no playback id.",
        )
    there = access.playback_status is not None and access.playback_status < 400
    if there or (access.suspended is not None and access.deleted is not None) or _plays(access):
        return passed("It is there, neither deleted nor suspended.")
    return unknown(f"Whether it is suspended or deleted is not known: {access.untold}.")


def check_account(access: Access) -> Finding:
    """Whether the owner's account is in order."""
    if access.user_disabled is None:
        return aside("Whether the owner's account is suspended or disabled is not known; Livepeer Studio shows it.")
    if access.user_disabled.value:
        return failed("ContentSuspended", "The owner's account is suspended or disabled: all its content is refused.")
    return passed("The owner's account is in order.")


def policy_of(access: Access) -> str | None:
    """The type of the playback policy; what plays without a credential is public."""
    if access.policy_type is not None:
        return access.policy_type.value
    return "public" if _plays(access) else None


def check_policy(access: Access, quote: Quote) -> Finding:
    """Whether the policy is of a type that the gate knows."""
    policy = policy_of(access)
    if policy is None:
        refused = access.probe is not None and access.probe.played is False
        seen = " It was refused without a credential, so there is one, or a list of origins." if refused else ""
        return unknown(f"The playback policy is not known: {access.untold}.{seen}")
    if policy not in _POLICIES:
        return failed("PolicyUnknown", f"The policy's type is {quote(policy)}, which the gate does not know.")
    seen = "" if access.policy_type is not None else ", for it was played without a credential"
    return passed(f"The policy is `{policy}`{seen}.")


def check_credential(asked: Asked, access: Access) -> Finding:
    """Whether the credential is of the policy's kind."""
    policy = policy_of(access)
    if policy is None:
        both = " With a JWT policy the access key, which wins, would be refused." if asked.key_wins else ""
        return unknown(f"Whether a credential is wanted, and which, is not known: {access.untold}.{both}")
    if policy not in _POLICIES:
        return unknown("What the policy wants is not known.")
    if policy == "public":
        return passed("None is wanted.")
    if policy == "jwt":
        return _for_jwt(asked)
    if asked.access_key:
        return passed("The access key is used." + (" The token is not looked at." if asked.jwt else ""))
    sent = "only a token was given" if asked.jwt else _nothing(asked)
    return failed("AccessKeyMissing", f"The policy is `webhook` and wants an access key; {sent}.")


def check_signing_key(asked: Asked, access: Access) -> Finding:
    """Whether the key that the token names is known to Livepeer, and enabled."""
    policy = policy_of(access)
    if not asked.jwt or asked.access_key:
        return aside("No token is looked at.")
    if policy is not None and policy != "jwt":
        return aside("Keys count for the policy `jwt` only.")
    pub = pub_of(asked.jwt)
    if pub is None:
        return unknown("The token names no key.")
    if access.signing_keys is None:
        return unknown(f"Whether Livepeer knows the token's key, and has it enabled, is not known: {access.untold}.")
    matching = [key for key in access.signing_keys.value if key.public_key == pub]
    fault = _key_fault(pub, access, [key.disabled for key in matching])
    if fault is None:
        return passed("The key is listed once among the account's signing keys, and enabled.")
    return unknown(f"{fault} That counts if the policy is `jwt`.") if policy is None else failed("JwtKeyUnknown", fault)


def check_webhook(asked: Asked, access: Access, now_ms: int) -> Finding:
    """Whether the policy's webhook exists, and was answered when it was last called."""
    if not _asks_webhook(asked, access):
        return aside("No webhook is asked.")
    if access.webhook_known is None:
        return unknown(f"Whether the policy's webhook exists, and how it fares, is not known: {access.untold}.")
    if not access.webhook_known.value:
        return failed("GateWebhookMissing", "The policy names a webhook that does not exist.")
    failed_ms, called_ms = access.webhook_last_failure_ms, access.webhook_last_triggered_ms
    if failed_ms is None or now_ms - failed_ms > CACHED_MS:
        return passed("The policy's webhook exists, and no call of it has failed in the last 10 minutes.")
    ago = span(now_ms - failed_ms)
    if called_ms is None or called_ms <= failed_ms:
        return failed("GateEndpointFailed", f"The last call of the policy's webhook failed, {ago} ago.")
    return unknown(
        f"A call of the policy's webhook failed {ago} ago, a later one did not: who was refused still may be."
    )


def check_gate(asked: Asked, access: Access) -> Finding:
    """What the operator's endpoint has said, as far as our gate has seen it."""
    if not _asks_webhook(asked, access):
        return aside("No endpoint is asked.")
    if access.gate is None:
        return unknown("What your endpoint says of this access key is not known: look into its log.")
    return _decided(access.gate) or _counted(access.gate)


def _decided(gate: GateHistory) -> Finding | None:
    """What was said of this very access key."""
    match gate.decision:
        case "allowed":
            return passed("Your endpoint allowed this access key when it was last asked.")
        case "denied":
            return failed("GateDenied", "Your endpoint said no to this access key when it was last asked.")
        case "failed":
            return failed("GateEndpointFailed", "Your endpoint failed when it was last asked about this access key.")
        case "slow":
            return failed("GateEndpointSlow", "Your endpoint was too slow when it was last asked about this key.")
    return None


def _counted(gate: GateHistory) -> Finding:
    """What was said of others."""
    if gate.asked == 0 and gate.rejected:
        return failed(
            "GateSignatureRejected", f"{gate.rejected} calls were refused, because their signature did not match."
        )
    if gate.asked == 0:
        return unknown("The gate was not asked about this playback id lately: a cached decision may have been served.")
    if gate.failed + gate.slow == gate.asked:
        reason = "GateEndpointSlow" if gate.slow > gate.failed else "GateEndpointFailed"
        return failed(reason, f"Of {gate.asked} calls lately {gate.failed} failed and {gate.slow} were too slow.")
    return unknown(
        f"Of {gate.asked} calls lately your endpoint refused {gate.denied}, failed at {gate.failed}, and was too slow "
        f"for {gate.slow}; what it says of this access key is not known."
    )


def _for_jwt(asked: Asked) -> Finding:
    if asked.key_wins:
        return failed(
            "BothCredentials",
            "A token and an access key were given: the access key wins, and the policy is `jwt`, so no token is seen.",
        )
    if asked.jwt:
        return passed("The token is used.")
    sent = "only an access key was given" if asked.access_key else _nothing(asked)
    return failed("AccessKeyMissing", f"The policy is `jwt` and wants a token; {sent}.")


def _nothing(asked: Asked) -> str:
    return "an empty one was given" if "" in {asked.jwt, asked.access_key} else "none was given"


def _key_fault(pub: str, access: Access, disabled: list[bool]) -> str | None:
    """What is wrong with the token's key, by the keys of that very text; None where nothing is."""
    if len(disabled) > 1:
        return f"The key is listed {len(disabled)} times among the account's signing keys."
    if disabled:
        return "The key is disabled." if disabled[0] else None
    keys = () if access.signing_keys is None else access.signing_keys.value
    if any(same_key(pub, key.public_key) for key in keys):
        return "The key is known, but `pub` writes it in another way than Livepeer lists it, and texts are compared."
    return f"The key is none of the {len(keys)} signing keys of the account: it is another's, or deleted."


def _asks_webhook(asked: Asked, access: Access) -> bool:
    return policy_of(access) == "webhook" and bool(asked.access_key)


def _plays(access: Access) -> bool:
    return access.probe is not None and access.probe.played is True

"""What is kept of a stream key, which is a secret: a digest that only the service's own key can make (P10)."""

import hashlib
import hmac


def key_digest(digest_key: bytes, stream_key: str) -> str:
    """The keyed HMAC-SHA256 of a stream key, in hex. A key that was reported and one that the Studio API shows are the
    same if their digests are."""
    return hmac.new(digest_key, stream_key.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()

"""What all of them do first: check that Livepeer has signed a body."""

import hmac


def is_signed(header: str, body: bytes, secret: str) -> bool:
    """Whether a `v1` of the header (`t=...,v1=...`) is the hex of HMAC-SHA256 over the body, keyed with the secret."""
    expected = hmac.new(secret.encode(), body, "sha256").hexdigest().encode()
    elements = (element.strip().partition("=") for element in header.split(","))
    return any(name == "v1" and hmac.compare_digest(value.encode(), expected) for name, _, value in elements)

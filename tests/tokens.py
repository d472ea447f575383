"""Viewers' tokens for tests: signed with real keys, right, or wrong in one way."""

import base64
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

PLAYBACK_ID = "7c1ek7izba9nzj4b"
STREAM_ID = "7c1ea8c3-7aeb-4789-9460-a106bfc33508"
NOW_MS = 1_726_153_200_000
"""2024-09-12T15:00:00Z"""
NOW_S = NOW_MS // 1000
DAY_S = 24 * 3600


@dataclass(frozen=True)
class Signer:
    """A pair of keys on a curve, as Livepeer makes them (P-256)."""

    private: ec.EllipticCurvePrivateKey

    @classmethod
    def fresh(cls, curve: ec.EllipticCurve | None = None) -> "Signer":
        """A new pair."""
        return cls(ec.generate_private_key(curve or ec.SECP256R1()))

    @cached_property
    def pem(self) -> bytes:
        """The public key."""
        return self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    @cached_property
    def private_pem(self) -> bytes:
        """The private key, which should never be in a token."""
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @cached_property
    def pub(self) -> str:
        """What a token names the key by."""
        return base64.b64encode(self.pem).decode()

    def claims(self, **changes: object) -> dict[str, Any]:
        """Those of the official helper (FACTS 7.3), with changes; what is changed to Ellipsis is left out."""
        claims = {
            "action": "pull",
            "iss": "https://livepeer.studio",
            "pub": self.pub,
            "sub": PLAYBACK_ID,
            "video": "none",
            "exp": NOW_S + 3600,
            "iat": NOW_S - 5,
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not ...}

    def token(self, **changes: object) -> str:
        """A token that is right but for the changes."""
        payload = json.dumps(self.claims(**changes)).encode()
        return jwt.PyJWS().encode(payload, self.private, algorithm="ES256")


def b64url(data: bytes) -> str:
    """As the parts of a token are written."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def assembled(header: object, claims: object, signature: bytes = b"\1" * 64) -> str:
    """A token of any parts, signed by nobody."""
    return ".".join((b64url(json.dumps(header).encode()), b64url(json.dumps(claims).encode()), b64url(signature)))

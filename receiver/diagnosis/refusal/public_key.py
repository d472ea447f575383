"""Reads the `pub` of a token: base64 of the PEM of a P-256 public key (FACTS 7.3)."""

import binascii
from base64 import b64decode
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from jwt import get_algorithm_by_name
from jwt.algorithms import ECAlgorithm

ALGORITHM: Final = "ES256"
SIGNATURE_BYTES: Final = 64
_DER: Final = 0x30


class MalformedKey(ValueError):
    """This is no such key; the message says why, and holds nothing of it."""


def read_public_key(pub: str) -> EllipticCurvePublicKey:
    """The key. Raises MalformedKey."""
    if "-----BEGIN" in pub:
        raise MalformedKey("`pub` is a PEM itself; it must be the base64 of the whole PEM.")
    text = pub.replace("\r", "").replace("\n", "")
    if set(text) & {"-", "_"}:
        raise MalformedKey("`pub` is base64url: it holds `-` or `_`; it must be plain base64.")
    try:
        pem = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise MalformedKey("`pub` is not base64, or lacks its `=` at the end.") from None
    if b"PRIVATE KEY" in pem:
        raise MalformedKey("`pub` holds a PRIVATE key, which every viewer can read: replace that key at once.")
    if b"-----BEGIN" not in pem:
        raise MalformedKey("`pub` holds no PEM; it must be the base64 of the whole PEM, with its first and last line.")
    return _of_the_kind(pem)


def same_key(one: str, other: str) -> bool:
    """Whether two `pub` stand for the same key, however they are written."""
    try:
        first, second = (
            read_public_key(pub).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) for pub in (one, other)
        )
    except MalformedKey:
        return False
    return first == second


def signature_fault(key: EllipticCurvePublicKey, signed: bytes, signature: bytes) -> str | None:
    """What is wrong with a signature, or None where the key's owner made it."""
    if not signature:
        return "There is no signature."
    if len(signature) != SIGNATURE_BYTES:
        hint = ": it is in DER, as OpenSSL writes it" if signature[0] == _DER else ""
        return f"The signature has {len(signature)} bytes, and one of {ALGORITHM} has {SIGNATURE_BYTES}{hint}."
    algorithm = get_algorithm_by_name(ALGORITHM)
    if isinstance(algorithm, ECAlgorithm) and algorithm.verify(signed, key, signature):
        return None
    return "The signature was not made over this header and these claims with the private key of `pub`."


def _of_the_kind(pem: bytes) -> EllipticCurvePublicKey:
    try:
        key = load_pem_public_key(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise MalformedKey("`pub` holds a PEM that is no public key, or a broken one.") from None
    if not isinstance(key, EllipticCurvePublicKey):
        kind = type(key).__name__.lstrip("_").partition("Public")[0]
        raise MalformedKey(f"`pub` holds a key of another kind ({kind}); {ALGORITHM} wants one of the curve P-256.")
    if not isinstance(key.curve, SECP256R1):
        raise MalformedKey(f"`pub` holds a key of the curve {key.curve.name}; {ALGORITHM} wants P-256.")
    return key

import hashlib
import hmac
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.livepeer.signature import (
    MAX_HEADER_CHARS,
    Keyring,
    MalformedSignature,
    SignatureHeader,
    looks_reserialised,
    parse_header,
    secret_id,
    sign,
)

A = "a" * 64
B = "b1" * 32
BODY = '{"event":"stream.idle","name":"Município ⚽\u2028","rate":312571.43}'.encode()


def test_a_header_as_livepeer_sends_it_is_read() -> None:
    """One `t` and one `v1`, no spaces."""
    assert SignatureHeader(1726153200497, (A,)) == parse_header(f"t=1726153200497,v1={A}")


@pytest.mark.parametrize(
    "value",
    [
        f"t=1,v1={A},v2=something,v0=,flag",
        f"v1={A},t=1",
        f"t=1,,v1={A},",
        f" t=1 ,\tv1={A} ",
        f"t=0001,v1={A}",
        f"t=1,v1={A},T=2,V1=no",
    ],
)
def test_what_the_grammar_does_not_name_is_ignored(value: str) -> None:
    """Unknown and empty elements, another order, and spaces around elements change nothing."""
    assert SignatureHeader(1, (A,)) == parse_header(value)


def test_several_signatures_are_kept_in_order() -> None:
    """The documentation allows for more than one `v1`."""
    assert SignatureHeader(1, (A, B)) == parse_header(f"t=1,v1={A},v1={B}")


def test_uppercase_hex_means_the_same() -> None:
    """A digest in capitals is the same digest."""
    assert SignatureHeader(1, (B,)) == parse_header(f"t=1,v1={B.upper()}")


@pytest.mark.parametrize(
    "value",
    [
        "",
        ",",
        "t",
        "t=",
        "t=1",
        f"v1={A}",
        f"t=1,t=1,v1={A}",
        f"t=1,t=2,v1={A}",
        f"t=-1,v1={A}",
        f"t=1.5,v1={A}",
        f"t=1e3,v1={A}",
        f"t=1_000,v1={A}",
        f"t=0x1,v1={A}",
        f"t= 1,v1={A}",
        f"t=\u0661,v1={A}",
        f"t={'9' * 17},v1={A}",
        "t=1,v1=",
        f"t=1,v1={A[1:]}",
        f"t=1,v1={A}a",
        f"t=1,v1={'g' * 64}",
        f"t=1,v1={A},v1=short",
        f"t=1,v1={A}\x00",
        "t=1,v1=" + "\u212a" * 64,
        f"t=1;v1={A}",
        "t=1," + ",".join([f"v1={A}"] * 17),
        f"t=1,v1={A}," + "x" * MAX_HEADER_CHARS,
        "t=1726153200,v1=" + "z" * 67,
    ],
)
def test_what_breaks_the_grammar_is_malformed(value: str) -> None:
    """No `t` or two, no `v1` or too many, either in another form, or a header beyond bounds."""
    with pytest.raises(MalformedSignature):
        parse_header(value)


@given(
    st.text() | st.text(alphabet="tv1=, \t0aF\x00", max_size=200) | st.binary().map(lambda raw: raw.decode("latin-1"))
)
def test_any_text_is_read_or_malformed(value: str) -> None:
    """Whatever a stranger writes into the header, nothing but the documented exception comes out."""
    try:
        header = parse_header(value)
    except MalformedSignature:
        return
    assert all(set(signature) <= set(string.hexdigits.lower()) for signature in header.v1)


@given(st.text(min_size=1, alphabet=st.characters(exclude_categories=["Cs"])), st.binary(), st.integers(0, 10**15))
def test_what_is_signed_is_matched(secret: str, body: bytes, t_ms: int) -> None:
    """Any secret, any bytes: the header that `sign` makes is read back and matches."""
    header = parse_header(sign(secret, body, t_ms))
    assert (t_ms, secret_id(secret)) == (header.t_ms, Keyring([secret]).match(body, header.v1))


def test_the_signature_is_over_the_body_alone() -> None:
    """`t` is no part of the signed message (FACTS 1.2)."""
    digest = hmac.new("s€cret".encode(), BODY, hashlib.sha256).hexdigest()
    assert f"t=7,v1={digest}" == sign("s€cret", BODY, 7)


def test_the_secret_that_matched_is_named() -> None:
    """With several secrets, the answer tells which one signed, without giving it away."""
    keyring = Keyring(["current", "previous"])
    matched = keyring.match(BODY, parse_header(sign("previous", BODY, 1)).v1)
    assert secret_id("previous") == matched
    assert matched not in {None, secret_id("current")}


def test_any_of_several_signatures_suffices() -> None:
    """During a rotation of secrets, a sender may sign with both."""
    v1 = (A, *parse_header(sign("current", BODY, 1)).v1)
    assert secret_id("current") == Keyring(["current"]).match(BODY, v1)


@pytest.mark.parametrize("secrets", [[], ["other"], ["other", "current "]])
def test_no_match_without_the_secret(secrets: list[str]) -> None:
    """No secret, another one, or one with a stray space: nothing matches."""
    assert Keyring(secrets).match(BODY, parse_header(sign("current", BODY, 1)).v1) is None


def test_a_keyring_can_be_used_again() -> None:
    """A keyed HMAC is copied for each body, never spent."""
    keyring = Keyring(["current"])
    first = keyring.match(BODY, parse_header(sign("current", BODY, 1)).v1)
    assert first == keyring.match(BODY, parse_header(sign("current", BODY, 2)).v1) == secret_id("current")


def test_an_empty_secret_is_refused() -> None:
    """An empty key would let anyone sign."""
    with pytest.raises(ValueError, match="empty"):
        Keyring(["current", ""])


def test_a_keyring_does_not_show_its_secrets() -> None:
    """Its representation may end in a log."""
    assert "hunter2" not in repr(Keyring(["hunter2"]))


@pytest.mark.parametrize(
    "altered",
    [
        BODY.replace(b":", b": ").replace(b",", b", "),
        BODY + b"\n",
        BODY.decode().encode("ascii", "backslashreplace"),
        b"\n  " + BODY,
    ],
)
def test_a_body_written_anew_by_a_proxy_is_recognised(altered: bytes) -> None:
    """Spaces, line ends and escapes that keep the value and the order of its keys."""
    altered = altered.replace(b"\\xed", b"\\u00ed")
    keyring = Keyring(["current"])
    header = parse_header(sign("current", BODY, 1))
    assert keyring.match(altered, header.v1) is None
    assert looks_reserialised(altered, header, keyring)


@pytest.mark.parametrize(
    "altered",
    [
        BODY.replace(b"idle", b"started"),
        b"",
        b"{",
        b"[1e999]",
        b"[" * 100_000,
        b'"\xff"',
        b" " * 70_000 + BODY,
    ],
)
def test_what_was_not_merely_written_anew_is_not_taken_for_it(altered: bytes) -> None:
    """Another value, no JSON at all, or a body too large to try."""
    header = parse_header(sign("current", BODY, 1))
    assert not looks_reserialised(altered, header, Keyring(["current"]))

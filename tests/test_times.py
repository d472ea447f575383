import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.times import LATEST_MS, read_rfc3339, rfc3339


@given(st.integers(0, LATEST_MS))
def test_what_is_written_is_read_back(at_ms: int) -> None:
    """Every moment of the years 1970 to 9999 survives being written and read."""
    assert at_ms == read_rfc3339(rfc3339(at_ms))


@pytest.mark.parametrize(
    ("text", "at_ms"),
    [
        ("2024-09-12T15:00:00.000Z", 1_726_153_200_000),
        ("2024-09-12t15:00:00z", 1_726_153_200_000),
        ("2024-09-12T17:00:00.5+02:00", 1_726_153_200_500),
        ("2024-09-12T15:00:00.123456789-00:00", 1_726_153_200_123),
        ("1969-12-31T23:59:59.999Z", -1),
        ("0001-01-01T00:00:00+23:59", -62_135_683_140_000),
    ],
)
def test_every_form_of_rfc_3339_is_read(text: str, at_ms: int) -> None:
    """Small letters, offsets and fractions of any length are read, finer than milliseconds cut off."""
    assert at_ms == read_rfc3339(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "1726153200000",
        "2024-09-12",
        "2024-09-12T15:00:00",
        "2024-09-12 15:00:00Z",
        "2024-09-12T15:00Z",
        "2024-13-12T15:00:00Z",
        "2024-02-30T15:00:00Z",
        "2024-09-12T15:00:60Z",
        "2024-09-12T15:00:00+25:00",
        "٢٠٢٤-09-12T15:00:00Z",
        "2024-09-12T15:00:00Z\n",
    ],
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    """Another form, a time without a zone and a day that does not exist are refused with a word for people."""
    with pytest.raises(ValueError, match="must be a time"):
        read_rfc3339(text)


@pytest.mark.parametrize(("at_ms", "text"), [(-5, "1970-01-01T00:00:00.000Z"), (10**18, "9999-12-31T23:59:59.999Z")])
def test_a_moment_out_of_range_is_written_as_the_nearest(at_ms: int, text: str) -> None:
    """Whatever a stored number says, an answer can be written."""
    assert text == rfc3339(at_ms)

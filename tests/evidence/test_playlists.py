from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.evidence.probing.playback_info import PlaybackInfo, read_playback_info
from receiver.evidence.probing.playlists import Playlist, Rendition, Unreadable, is_playlist, read_playlist

FIXTURES = Path(__file__).parents[1] / "fixtures" / "probe"
LINES = st.sampled_from(
    [
        "#EXTM3U",
        "#EXT-X-ERROR: no",
        "#EXTINF:2,",
        "#EXTINF:nan,x",
        "#EXTINF:",
        "#EXT-X-TARGETDURATION:2",
        "#EXT-X-TARGETDURATION:1e9",
        "#EXT-X-MEDIA-SEQUENCE:" + "9" * 30,
        "#EXT-X-MEDIA-SEQUENCE:-1",
        '#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS="a,b',
        "#EXT-X-STREAM-INF:BANDWIDTH=inf",
        "#EXT-X-STREAM-INF",
        "#EXT-X-KEY:METHOD",
        "#EXT-X-PROGRAM-DATE-TIME:yesterday",
        "#EXT-X-BYTERANGE:1@",
        "#EXT-X-DATERANGE:ID",
        "#EXT-X-PART:x",
        "#EXT-X-ENDLIST",
        "1.ts",
        "",
        "\u2028#EXT-X-KEY:A",
    ]
)
PLAYLISTS = st.lists(LINES | st.text(max_size=12), max_size=12).map(
    lambda lines: "\r\n".join(["#EXTM3U", *lines]).encode()
)


@given(st.binary(max_size=200) | PLAYLISTS | st.binary(max_size=100).map(lambda tail: b"#EXTM3U\n" + tail))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """Nothing else is ever raised, whatever the library makes of it; what is read fits together."""
    try:
        found = read_playlist(body)
    except Unreadable:
        return
    assert is_playlist(body)
    assert (found.segments == 0) == (found.last is None)
    assert (found.kind == "master") == bool(found.renditions)
    assert found.target_duration_s is None or found.target_duration_s >= 0


@given(st.binary(max_size=200))
def test_any_bytes_may_be_playback_info(body: bytes) -> None:
    """Nothing is raised for them."""
    found = read_playback_info(body)
    assert found is None or isinstance(found, PlaybackInfo)


@pytest.mark.parametrize("name", sorted(file.name for file in FIXTURES.glob("*.m3u8")))
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_line_ends_do_not_matter(name: str, end: bytes) -> None:
    """Mist writes CRLF, the gate LF (fixtures' README)."""
    body = (FIXTURES / name).read_bytes()
    assert read_playlist(body) == read_playlist(b"\xef\xbb\xbf" + end.join(body.splitlines()))


def test_a_master_lists_renditions() -> None:
    """As the fixture has it."""
    found = read_playlist((FIXTURES / "hls-master-live.m3u8").read_bytes())
    assert Playlist("master", renditions=(Rendition("0_1/index.m3u8?tkn=2941073316", 2_502_000, "1280x720"),)) == found


def test_a_media_playlist_counts_its_segments() -> None:
    """The newest is told without its query, and what has no address is none."""
    text = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:7\n#EXTINF:4,\na.ts?t=1\n#EXTINF:4,\n"
    assert Playlist("media", segments=1, media_sequence=7, target_duration_s=4, last="a.ts") == read_playlist(
        text.encode()
    )


def test_an_error_is_read_besides_all_else() -> None:
    """The first; one without text is one as well."""
    assert "a b" == read_playlist(b"#EXTM3U\n#EXT-X-ERROR: a b \n#EXT-X-ERROR: c\n").error
    assert "" == read_playlist(b"#EXTM3U\n#EXT-X-ERROR").error


def test_what_is_not_looked_at_cannot_be_malformed_nor_costly() -> None:
    """Ten thousand different keys cost the library the square of their number."""
    keys = "".join(f"#EXT-X-KEY:METHOD=NONE,URI={number}\n" for number in range(40_000))
    assert 1 == read_playlist(f"#EXTM3U\n{keys}#EXT-X-DATERANGE\n#EXTINF:1,\n1.ts\n".encode()).segments


@pytest.mark.parametrize("body", [b"", b"<html>", b"EXTM3U", b" \n#EXT-X-VERSION:3", b"\x00#EXTM3U"])
def test_what_is_no_playlist_is_refused(body: bytes) -> None:
    """Whatever status came with it."""
    with pytest.raises(Unreadable):
        read_playlist(body)

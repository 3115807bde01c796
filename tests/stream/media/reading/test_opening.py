import http.server
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from av.stream import Disposition

from emocolor.errors import SourceError
from stream.media.reading.opening import NETWORK_PROTOCOLS, allowed_protocols, main_video, open_container
from stream.media.reading.source_options import SourceOptions
from stream.media.source import VideoSource
from tests.stream.media.clip_io import frames_of, packets_of, read

AUDIO = {"codec": "mp2", "parts": 30}


def playlist(path: Path, segment: str) -> Path:
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1,\n{segment}\n#EXT-X-ENDLIST\n")
    return path


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """The address of a server that serves ``tmp_path``."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given, directory=str(tmp_path))

        def log_message(self, *words: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_playlist_reaches_what_lies_beside_it(make_clip: Any, tmp_path: Path, web: str) -> None:
    make_clip("part.ts", frames=25)
    path = playlist(tmp_path / "list.m3u8", "part.ts")
    for location in (path, f"{web}/list.m3u8"):
        assert len(frames_of(read(location)[1])) == 25


def test_a_playlist_from_the_network_never_reaches_a_file(make_clip: Any, tmp_path: Path, web: str) -> None:
    playlist(tmp_path / "list.m3u8", f"file://{make_clip('part.ts', frames=25)}")
    with pytest.raises(SourceError, match="wants to use the protocol 'file'"):
        open_container(f"{web}/list.m3u8", SourceOptions())


def test_a_playlist_in_a_pipe_reaches_no_file(make_clip: Any, tmp_path: Path) -> None:
    path = playlist(tmp_path / "list.m3u8", str(make_clip("part.ts", frames=25)))
    code = "from stream.media.source import VideoSource\nVideoSource('-')"
    with path.open("rb") as file:
        done = subprocess.run([sys.executable, "-c", code], stdin=file, capture_output=True, text=True)
    assert "SourceError: Cannot read standard input" in done.stderr


def test_a_local_playlist_reaches_the_network_where_that_is_asked_for(make_clip: Any, tmp_path: Path, web: str) -> None:
    make_clip("part.ts", frames=25)
    path = playlist(tmp_path / "list.m3u8", f"{web}/part.ts")
    with pytest.raises(SourceError, match=r"protocol 'http', and only file,crypto,data .* option input\.protocol_wh"):
        open_container(str(path), SourceOptions())
    assert len(frames_of(read(path, protocol_whitelist="file,http,tcp")[1])) == 25


def test_an_sdp_file_opens_the_network_only_where_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "camera.sdp"
    path.write_text(
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\n"
        "m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n"
    )
    with pytest.raises(SourceError, match=r"protocol 'rtp'.*input\.protocol_whitelist \(SDP files need file,rtp,udp\)"):
        open_container(str(path), SourceOptions())


@contextmanager
def sending(url: str, format_name: str, codec: str = "mpeg2video") -> Iterator[None]:
    """Sends a video over RTP until the block is left."""
    done = threading.Event()

    def send() -> None:
        with av.open(url, "w", format=format_name) as container:
            stream: Any = container.add_stream(codec, rate=25, options={"g": "5"})
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            index = 0
            while not done.wait(1 / 100):
                frame = av.VideoFrame(64, 48, "yuv420p")
                frame.pts, frame.time_base = index, Fraction(1, 25)
                container.mux(stream.encode(frame))
                index += 1

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def free_port() -> int:
    """A free even port; RTCP takes the next."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.bind(("127.0.0.1", 0))
            port: int = one.getsockname()[1]
        if port % 2 == 0:
            return port


def test_rtp_is_read_by_its_address_and_by_an_sdp_file(tmp_path: Path) -> None:
    port, path = free_port(), tmp_path / "camera.sdp"
    path.write_text(f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} RTP/AVP 32\n")
    by_file = SourceOptions(protocol_whitelist="file,rtp,udp")
    for location, options in ((f"rtp://127.0.0.1:{port}", SourceOptions()), (str(path), by_file)):
        with sending(f"rtp://127.0.0.1:{port}", "rtp"):
            source = VideoSource(location, options)
            units = source.units()
            assert next(unit.frame for unit in units if unit.frame is not None).size_wh == (64, 48)
            source.close()


def test_rtp_that_does_not_say_what_it_sends_needs_an_sdp_file() -> None:
    port = free_port()
    with (
        sending(f"rtp://127.0.0.1:{port}", "rtp", "libx264"),
        pytest.raises(SourceError, match="Give the SDP file that describes it"),
    ):
        open_container(f"rtp://127.0.0.1:{port}", SourceOptions())


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("https://host/film.m3u8", NETWORK_PROTOCOLS),
        ("rtp://127.0.0.1:5004", NETWORK_PROTOCOLS),
        ("film.mkv", "file,crypto,data"),
        ("file:film.mkv", "file,crypto,data"),
        ("frames/%04d.png", "file,crypto,data"),
        ("-", "crypto,data"),
        ("concat:a.ts|b.ts", None),
    ],
)
def test_what_an_input_may_open_depends_on_where_it_lies(location: str, expected: str | None) -> None:
    assert allowed_protocols(location) == expected


def test_no_network_protocol_reads_files() -> None:
    assert not {"file", "pipe", "fd", "concat", "subfile", "unix"} & set(NETWORK_PROTOCOLS.split(","))


@pytest.fixture
def late_video(make_clip: Any, tmp_path: Path) -> Path:
    """MPEG-TS that announces a video whose first frame comes 7 s after the audio's."""
    path = make_clip(
        "late.ts", times=[12800 * 7 + 512 * k for k in range(10)], audio=[{**AUDIO, "parts": 400}], options={"bf": "0"}
    )
    return path


def test_more_is_analysed_where_the_video_begins_late(late_video: Path) -> None:
    source, units = read(late_video)
    assert (source.info.width, source.info.height) == (64, 48)
    assert frames_of(units)[0].time == pytest.approx(7, abs=0.1)
    assert source.warnings == []


def test_what_is_analysed_can_be_limited(late_video: Path) -> None:
    with pytest.raises(SourceError, match=r"begin late: then set the option input\.analyzeduration"):
        read(late_video, probesize=5000, analyzeduration=100_000)


@pytest.mark.parametrize("limit", [None, 5000])
def test_audio_that_begins_late_is_taken_or_named(make_clip: Any, tmp_path: Path, limit: int | None) -> None:
    both, path = make_clip("both.ts", frames=200, audio=[AUDIO]), tmp_path / "late.ts"
    with av.open(str(both)) as given, av.open(str(path), "w") as made:
        streams = {stream.index: made.add_stream_from_template(stream) for stream in given.streams}
        for packet in [packet for packet in given.demux() if packet.size]:
            if packet.stream.type == "audio":
                packet.pts, packet.dts = packet.pts + 90_000 * 7, packet.dts + 90_000 * 7
            packet.stream = streams[packet.stream.index]
            made.mux(packet)
    source, units = read(path, probesize=limit)
    if limit is None:
        assert [companion.handle.codec_context.sample_rate for companion in source.info.companions] == [48000]
        assert len(packets_of(units)) > 20
    else:
        assert source.info.companions == ()
        assert source.info.left_out[0].startswith("audio 1 (")
    assert len(frames_of(units)) == 200


def test_the_header_of_a_flash_video_announces_audio(make_clip: Any) -> None:
    path = make_clip("clip.flv", frames=5)
    data = bytearray(path.read_bytes())
    data[4] |= 4
    path.write_bytes(bytes(data))
    assert len(frames_of(read(path)[1])) == 5, "though none comes"


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("big.png", {"codec": "png", "pix_fmt": "rgb24", "format_name": "image2"}),
        ("big.mp4", {}),
        ("big.avi", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}),
    ],
)
def test_frames_that_are_too_large_are_named_with_their_size(make_clip: Any, name: str, settings: Any) -> None:
    path = make_clip(name, frames=1, size_wh=(2400, 1800), **settings)
    options = SourceOptions(max_pixels=1000)
    with pytest.raises(SourceError, match=r"is 2400x1800, more than 1000 pixels.*input\.max_pixels to 4320000"):
        main_video(open_container(str(path), options), str(path), options)


def test_audio_alone_is_no_video(make_clip: Any, tmp_path: Path) -> None:
    clip, path = make_clip("clip.mkv", audio=[AUDIO]), tmp_path / "audio.mkv"
    with av.open(str(clip)) as given, av.open(str(path), "w") as made:
        stream = made.add_stream_from_template(given.streams.audio[0])
        for packet in given.demux(audio=0):
            if packet.size:
                packet.stream = stream
                made.mux(packet)
    options = SourceOptions()
    with pytest.raises(SourceError, match="only audio"):
        main_video(open_container(str(path), options), str(path), options)


def test_music_with_cover_art_has_no_video(make_clip: Any, tmp_path: Path) -> None:
    cover = make_clip("cover.jpg", codec="mjpeg", pix_fmt="yuvj420p", format_name="image2", frames=1)
    song, path, options = make_clip("song.mkv", audio=[AUDIO]), tmp_path / "song.mp4", SourceOptions()
    with av.open(str(song)) as audio, av.open(str(cover)) as art, av.open(str(path), "w") as made:
        given = (audio.streams.audio[0], art.streams.video[0])
        streams = [made.add_stream_from_template(stream) for stream in given]
        streams[1].disposition = Disposition.attached_pic
        for container, stream, source in zip((audio, art), streams, given, strict=True):
            for packet in container.demux(source):
                if packet.size:
                    packet.stream = stream
                    made.mux(packet)
    with pytest.raises(SourceError, match="only audio and still images"):
        main_video(open_container(str(path), options), str(path), options)


def test_animated_webp_is_named_as_what_it_is(make_clip: Any) -> None:
    path = make_clip("moving.webp", codec="libwebp_anim", format_name="webp", frames=3)
    with pytest.raises(SourceError, match="still WebP images alone"):
        read(path)

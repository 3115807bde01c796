"""A video that was encoded before becomes a stream of another container."""

from fractions import Fraction

import av
import pytest

from emocolor.errors import SinkError
from stream.media.sink import VideoSink
from stream.media.source import VideoSource
from stream.media.writing.encoded_video import EncodedStream, EncodedVideo
from tests.stream.archive.films import frames_of, make_film, packets_of


@pytest.fixture
def film(tmp_path):
    return make_film(tmp_path / "film.mp4")


def test_packets_go_into_another_container_as_they_are(film, tmp_path):
    source, target = VideoSource(str(film)), tmp_path / "out.mkv"
    with av.open(str(film)) as given:
        stream = given.streams.video[0]
        sink = VideoSink(str(target), source, encoded=EncodedStream(stream, stream.time_base))
        for packet in given.demux(stream):
            if packet.size:
                sink.write_encoded([packet], [])
        assert sink.frames_written == 40
        assert sink.summary.startswith("matroska, h264 as it is")
        sink.finish()
    source.close()
    assert frames_of(target) == frames_of(film)
    assert [len(data) for *_, data in packets_of(target, "video")] == [
        len(data) for *_, data in packets_of(film, "video")
    ]


def test_a_container_that_cannot_hold_it_says_so(film, tmp_path):
    with av.open(str(film)) as given, av.open(str(tmp_path / "out.webm"), "w") as container:
        encoded = EncodedStream(given.streams.video[0], Fraction(1, 25))
        with pytest.raises(SinkError, match="webm cannot hold the video of the pieces"):
            EncodedVideo(container, encoded)

"""Audio that outlives the input it came from: copied or encoded, at its time."""

import io
from dataclasses import replace
from fractions import Fraction

import av
import pytest

from stream.live.audio import AudioFormat, AudioPacket, add_audio

FIRST_S = 7


def audio_of(clip):
    """The format and the packets of a clip that is closed by then, shifted to start at seven seconds."""
    with av.open(str(clip)) as container:
        stream = container.streams.audio[0]
        audio_format = AudioFormat.of(stream)
        packets = [AudioPacket.of(packet, audio_format) for packet in container.demux(stream) if packet.size]
    shift = round(FIRST_S / packets[0].time_base) - packets[0].pts
    return audio_format, [replace(packet, pts=packet.pts + shift, dts=packet.dts + shift) for packet in packets]


def written(path, audio_format, packets):
    """What an output at ``path`` holds: codec, samples, time of the first, warnings."""
    warnings = []
    with av.open(str(path), "w") as container:
        output = add_audio(container, audio_format, warnings)
        for packet in packets:
            container.mux(output.put(packet.packet_after(Fraction(FIRST_S))))
        container.mux(output.flush())
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
        codec = container.streams.audio[0].codec_context.codec.canonical_name
    return codec, sum(frame.samples for frame in frames), frames[0].time, warnings


@pytest.mark.parametrize(
    ("codec", "source", "target", "becomes"),
    [
        ("aac", "in.mp4", "out.mkv", "aac"),
        ("aac", "in.ts", "out.mp4", "aac"),
        ("aac", "in.ts", "out.flv", "aac"),
        ("libopus", "in.mkv", "out.mkv", "opus"),
        ("libopus", "in.mkv", "out.flv", "aac"),
        ("flac", "in.mkv", "out.ts", "aac"),
        ("pcm_s16le", "in.mkv", "out.mp4", "aac"),
    ],
)
def test_audio_is_copied_where_it_can_be(codec, source, target, becomes, make_clip, tmp_path):
    clip = make_clip(source, audio=[{"codec": codec, "parts": 40}])
    audio_format, packets = audio_of(clip)
    found, samples, first, warnings = written(tmp_path / target, audio_format, packets)
    assert found == becomes
    assert samples == pytest.approx(40 * 1024, abs=3 * 1024)
    assert first == pytest.approx(0, abs=0.05)
    assert bool(warnings) == (becomes != audio_format.codec)


class Pipe:
    """What can only be written to."""

    def __init__(self):
        self.data = b""

    def write(self, data):
        self.data += data
        return len(data)


@pytest.mark.parametrize(("source", "is_encoded"), [("in.ts", True), ("in.mp4", False)])
@pytest.mark.parametrize("container_format", ["matroska", "mp4"])
def test_aac_without_a_header_is_encoded_anew_for_a_pipe(source, is_encoded, container_format, make_clip):
    """As MPEG-TS has it; FFmpeg would refuse to write the container's header."""
    audio_format, packets = audio_of(make_clip(source, audio=[{"codec": "aac", "parts": 40}]))
    assert bool(audio_format.extradata) != is_encoded
    warnings, pipe = [], Pipe()
    options = {"movflags": "frag_keyframe+empty_moov"} if container_format == "mp4" else {}
    with av.open(pipe, "w", format=container_format, container_options=options) as container:
        output = add_audio(container, audio_format, warnings, seekable=False)
        for packet in packets:
            container.mux(output.put(packet.packet_after(Fraction(FIRST_S))))
        container.mux(output.flush())
    with av.open(io.BytesIO(pipe.data)) as container:
        samples = sum(frame.samples for frame in container.decode(audio=0))
    assert samples == pytest.approx(40 * 1024, abs=3 * 1024)
    assert bool(warnings) == is_encoded


def test_the_same_audio_of_another_connection_goes_on(make_clip, tmp_path):
    """Two inputs with the same settings: the second's packets fit an output that was opened for the first."""
    first, _ = audio_of(make_clip("one.mp4", audio=[{"codec": "aac", "parts": 10}]))
    second, packets = audio_of(make_clip("two.mp4", audio=[{"codec": "aac", "parts": 40}]))
    assert first == second
    assert written(tmp_path / "out.mkv", first, packets)[1] == pytest.approx(40 * 1024, abs=3 * 1024)


def test_other_formats_are_told_apart(make_clip):
    aac, _ = audio_of(make_clip("one.mp4", audio=[{"codec": "aac", "parts": 4}]))
    slower, _ = audio_of(make_clip("two.mp4", audio=[{"codec": "aac", "parts": 4, "rate": 44100}]))
    opus, _ = audio_of(make_clip("three.mkv", audio=[{"codec": "libopus", "parts": 4}]))
    assert len({aac, slower, opus}) == 3

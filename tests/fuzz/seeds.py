"""What files are mutated: small clips in many formats, made here, and those that a folder of scripts makes."""

import contextlib
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import numpy as np

CASES: Final = "EMOCOLOR_CASES"
"""Variable that names the folder of scripts, each of which makes a file: ``NAME.sh OUTPUT``, listed in INDEX.tsv."""
MOST_BYTES: Final = 300_000
"""Larger files of that folder are left out: mutating them takes time and finds little more."""
CASE_TIMEOUT_S: Final = 120.0


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A clip: its format, and the codecs of its streams."""

    name: str
    """With its ending."""
    video: str
    pix_fmt: str = "yuv420p"
    audio: str | None = None
    rate: int = 48000
    format_name: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    frames: int = 6
    subtitles: bool = False


RECIPES: Final = (
    Recipe(name="h264_aac.mp4", video="libx264", audio="aac", options={"bf": "2", "g": "4"}),
    Recipe(name="fragments.mp4", video="libx264", audio="aac", options={"movflags": "frag_keyframe+empty_moov"}),
    Recipe(name="h264_opus.mkv", video="libx264", audio="libopus", subtitles=True),
    Recipe(name="mjpeg_pcm.mov", video="mjpeg", pix_fmt="yuvj422p", audio="pcm_s16le"),
    Recipe(name="prores.mov", video="prores_ks", pix_fmt="yuv422p10le", audio="pcm_s16le", frames=3),
    Recipe(name="mpeg4_mp3.avi", video="mpeg4", audio="libmp3lame", options={"bf": "2"}),
    Recipe(name="huffyuv.avi", video="huffyuv", pix_fmt="yuv422p", frames=3),
    Recipe(name="mpeg2_mp2.ts", video="mpeg2video", audio="mp2", options={"bf": "2"}),
    Recipe(name="h264_aac.ts", video="libx264", audio="aac"),
    Recipe(name="mpeg2.mpg", video="mpeg2video", audio="mp2"),
    Recipe(name="vp8.webm", video="libvpx", audio="libopus", options={"deadline": "realtime", "cpu-used": "8"}),
    Recipe(name="vp9.webm", video="libvpx-vp9", options={"deadline": "realtime", "cpu-used": "8"}, frames=3),
    Recipe(name="hevc.mkv", video="libx265", options={"x265-params": "log-level=none"}),
    Recipe(name="ffv1_gray16.mkv", video="ffv1", pix_fmt="gray16le", frames=3),
    Recipe(name="flv1.flv", video="flv", audio="libmp3lame", rate=44100),
    Recipe(name="wmv.wmv", video="wmv2", audio="wmav2", rate=44100, format_name="asf"),
    Recipe(name="rv10.rm", video="rv10"),
    Recipe(name="raw.nut", video="rawvideo", pix_fmt="yuyv422", frames=2),
    Recipe(name="raw.y4m", video="rawvideo", frames=2, format_name="yuv4mpegpipe"),
    Recipe(name="elementary.h264", video="libx264"),
    Recipe(name="elementary.m2v", video="mpeg2video"),
    Recipe(name="animated.gif", video="gif", pix_fmt="rgb8", frames=3),
    Recipe(name="still.png", video="png", pix_fmt="rgb24", frames=1, format_name="image2"),
    Recipe(name="still.jpg", video="mjpeg", pix_fmt="yuvj420p", frames=1, format_name="image2"),
    Recipe(name="still.webp", video="libwebp", frames=1, format_name="webp"),
)
SIZE_WH: Final = (64, 48)


def make_seeds(folder: Path) -> list[Path]:
    """Make every clip in ``folder``, and a file of each script of the folder that ``EMOCOLOR_CASES`` names.

    Where the folder is there already, its files are taken as they are.
    """
    if not folder.is_dir():
        making = folder.with_name(f"{folder.name}.making")
        making.mkdir(parents=True, exist_ok=True)
        for recipe in RECIPES:
            make_clip(recipe, making / recipe.name)
        _add_exif(making / "still.jpg", making / "exif.jpg")
        _run_scripts(making)
        making.rename(folder)
    return sorted(folder.iterdir())


def make_clip(recipe: Recipe, path: Path) -> Path:
    """Make the clip of a recipe at ``path``."""
    format_options = {name: value for name, value in recipe.options.items() if name == "movflags"}
    with av.open(str(path), "w", format=recipe.format_name, options=format_options) as container:
        codec_options = {name: value for name, value in recipe.options.items() if name not in format_options}
        stream: Any = container.add_stream(recipe.video, rate=25, options=codec_options)
        stream.width, stream.height = SIZE_WH
        stream.pix_fmt = recipe.pix_fmt
        packets: list[tuple[Fraction, Any]] = []
        for index in range(recipe.frames):
            _keep(packets, stream.encode(_frame(index, recipe.pix_fmt)))
        _keep(packets, stream.encode(None))
        if recipe.audio:
            _add_tone(container, recipe, packets)
        if recipe.subtitles:
            _add_subtitles(container, packets)
        for _, packet in sorted(packets, key=lambda entry: entry[0]):
            container.mux(packet)
    return path


def _keep(packets: list[tuple[Fraction, Any]], more: list[Any]) -> None:
    packets += [((packet.dts or 0) * packet.time_base, packet) for packet in more]


def _frame(index: int, pix_fmt: str) -> av.VideoFrame:
    across, down = np.arange(SIZE_WH[0]), np.arange(SIZE_WH[1])[:, None]
    planes = [(40 + across * (n + 1) + down * 2 + index * 9) % 200 for n in range(3)]
    frame = av.VideoFrame.from_ndarray(np.stack(planes, axis=2).astype(np.uint8), format="rgb24")
    made = frame.reformat(format=pix_fmt)
    made.pts, made.time_base = index, Fraction(1, 25)
    return made


def _add_tone(container: Any, recipe: Recipe, packets: list[tuple[Fraction, Any]]) -> None:
    stream: Any = container.add_stream(recipe.audio, rate=recipe.rate)
    stream.codec_context.layout, stream.codec_context.bit_rate = "stereo", 64_000
    stream.codec_context.open()
    context = stream.codec_context
    resampler = av.AudioResampler(context.format, "stereo", recipe.rate, frame_size=context.frame_size or None)
    times = np.arange(recipe.rate * recipe.frames // 25) / recipe.rate
    wave = (8000 * np.sin(2 * np.pi * 440 * times)).astype(np.int16).repeat(2)[None]
    tone = av.AudioFrame.from_ndarray(wave, format="s16", layout="stereo")
    tone.sample_rate, tone.pts, tone.time_base = recipe.rate, 0, Fraction(1, recipe.rate)
    for frame in (*resampler.resample(tone), *resampler.resample(None)):
        _keep(packets, stream.encode(frame))
    _keep(packets, stream.encode(None))


def _add_subtitles(container: Any, packets: list[tuple[Fraction, Any]]) -> None:
    stream: Any = container.add_mux_stream("subrip")
    stream.time_base = Fraction(1, 1000)
    for start in (0, 100):
        packet: Any = av.Packet(f"line at {start}".encode())
        packet.pts = packet.dts = start
        packet.duration, packet.time_base, packet.stream = 80, Fraction(1, 1000), stream
        _keep(packets, [packet])


def _add_exif(photo: Path, made: Path) -> None:
    """The JPEG with a segment of EXIF that says how the camera was turned."""
    entry = b"\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00"
    exif = b"Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08\x00\x01" + entry + bytes(4)
    content = photo.read_bytes()
    made.write_bytes(content[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + content[2:])


def _run_scripts(folder: Path) -> None:
    scripts = os.environ.get(CASES)
    if not scripts:
        return
    for line in (Path(scripts) / "INDEX.tsv").read_text().splitlines():
        name, ending = [*line.split("\t"), ""][:2]
        output = folder / f"case_{name}.{ending or 'mkv'}"
        command = ["bash", str(Path(scripts) / f"{name}.sh"), str(output)]
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(command, capture_output=True, timeout=CASE_TIMEOUT_S, check=False)
        if output.is_file() and not 0 < output.stat().st_size <= MOST_BYTES:
            output.unlink()

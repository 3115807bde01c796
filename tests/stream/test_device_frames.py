"""The path of frames that lie in a GPU's memory: on torch's CPU device, and marked ``gpu`` from NVDEC to NVENC."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from emocolor.cuts import CutDetector
from emocolor.effects import ColormapOptions, GradeOptions, OverlayOptions, StyleOptions
from emocolor.effects.tint import S0_TINT
from emocolor.errors import ConfigurationError
from emocolor.faces import Observation
from emocolor.scenes import SceneBuilder
from emocolor.smoothing import SmoothingOptions
from engines.device.table import make_device_effects
from stream.cli import main
from stream.graph import _stays_on_device, make_effects
from stream.job import Job
from stream.media.decoder import Hardware
from stream.media.frames import color_of, convert, planes_of, to_pixel_format, working_format
from stream.media.nvdec import SURFACES
from stream.media.nvenc import NvencFrames
from stream.media.sink import SinkOptions, VideoSink
from stream.media.source import VideoSource
from stream.nets import WorkerNets
from stream.pipeline.analysis import mark_cuts, observe_cuts
from stream.pipeline.rendering import build_scenes, render, write
from stream.restore.restoration_options import RestorationOptions
from stream.settings import JobSettings
from tests.stream.conftest import gradient_frame
from tests.stream.media.test_guarded_decoder import GROUPS, PlayedHardware

torch = pytest.importorskip("torch")

EFFECTS = [(replace(S0_TINT, alpha=0.4),), (ColormapOptions(), replace(S0_TINT, base="color")), ()]


def job(path: Path, output: Path, effects: Sequence[Any], hardware: Hardware | None) -> VideoSource:
    """A file job's stages but for faces, one after the other."""
    source = VideoSource(str(path), hardware=hardware)
    options = SinkOptions(codec="ffv1", pix_fmt="yuv420p", overwrite=True)
    sink = VideoSink(str(output), source, options, on_device=source.on_device)
    nets = WorkerNets("cpu")
    made = make_device_effects(effects, nets) if source.on_device else make_effects(effects, nets)
    cuts = observe_cuts(mark_cuts(source.units(), CutDetector()))
    steps = build_scenes(cuts, SceneBuilder(SmoothingOptions(look_ahead=0), "largest"), 10)
    for _ in write(render(steps, lambda: made), sink, None):
        pass
    source.close()
    return source


def decoded(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="yuv420p") for frame in container.decode(video=0)]


def place(av_frame: av.VideoFrame) -> Any:
    from engines.device.planes import planes_of_av_frame

    return planes_of_av_frame(av_frame.planes, torch.device("cpu"))


def test_frames_of_ten_bits_go_to_the_host(make_clip: Any) -> None:
    path = make_clip("ten.mkv", frames=60, pix_fmt="yuv420p10le", options=GROUPS)
    source = VideoSource(str(path), hardware=Hardware(open=PlayedHardware().open, place=place))
    formats = {unit.frame.format.name for unit in source.units() if unit.frame is not None}
    assert (source.on_device, formats) == (False, {"yuv420p10le"})
    source.close()


@pytest.mark.parametrize("effects", EFFECTS, ids=["tint", "colormap,tint", "none"])
@pytest.mark.parametrize("lost", [None, 40])
def test_a_job_on_device_frames_gives_what_the_host_s_gives(
    make_clip: Any, tmp_path: Path, effects: Sequence[Any], lost: int | None
) -> None:
    """Frames that software gives after it took over go the same way."""
    path = make_clip("clip.mkv", frames=60, size_wh=(66, 50), options=GROUPS)

    class Unmarked(PlayedHardware):
        def decode(self, packet: Any) -> list[av.VideoFrame]:
            given = self._context.decode(packet)
            first, self._given = self._given, self._given + len(given)
            return [frame for index, frame in enumerate(given, first) if index != lost]

    source = job(path, tmp_path / "device.mkv", effects, Hardware(open=Unmarked().open, place=place))
    assert source.on_device
    assert source.info.format.name == "nv12"
    job(path, tmp_path / "host.mkv", effects, None)
    one, other = decoded(tmp_path / "device.mkv"), decoded(tmp_path / "host.mkv")
    assert len(one) == len(other) == 60
    assert all(np.array_equal(first, second) for first, second in zip(one, other, strict=True))
    assert len(source.warnings) == (lost is not None)


def test_nvenc_gets_the_frame_s_own_memory(make_clip: Any) -> None:
    source = VideoSource(str(make_clip()), hardware=Hardware(open=PlayedHardware().open, place=place))
    frame = next(unit.frame for unit in source.units() if unit.frame)
    effects = make_device_effects((), WorkerNets("cpu"))
    scene = SceneBuilder(SmoothingOptions(look_ahead=0), "largest")
    scene.add(Observation(time=0, cut=True, faces=()))
    own: Any = effects[0].apply(frame, scene.scene_at(0))
    encoded = NvencFrames().av_frame(own)
    own.planes[0].tensor[5, 7] = 201
    own.planes[1].tensor[2, 3, 1] = 202
    found = encoded.to_ndarray(format="nv12")
    assert (found[5, 7], found[48 + 2, 3 * 2 + 1]) == (201, 202)
    with pytest.raises(AssertionError):
        NvencFrames().av_frame(frame)  # whose planes are two pieces of the decoder's memory
    source.close()


@pytest.mark.parametrize(
    ("settings", "stays"),
    [
        ({}, True),
        ({"effects": ()}, True),
        ({"effects": (ColormapOptions(), replace(S0_TINT, region="person"))}, True),
        ({"effects": (ColormapOptions(preprocess="sobel"),)}, False),
        ({"effects": (S0_TINT, GradeOptions())}, False),
        ({"effects": (StyleOptions(fixed={"happy": 1}),)}, True),
        ({"effects": (StyleOptions(region="face"),)}, False),
        ({"effects": (S0_TINT, OverlayOptions())}, False),
        ({"compare": True}, False),
        ({"restoration": RestorationOptions(deinterlace="auto")}, False),
    ],
)
def test_frames_stay_where_every_effect_has_a_form_for_it(settings: dict[str, Any], stays: bool) -> None:
    assert _stays_on_device(JobSettings(input="a", output="b", **settings)) == stays


def test_nvdec_without_a_gpu_is_refused_before_anything_is_opened() -> None:
    with pytest.raises(ConfigurationError, match="decoder nvdec works on the NVIDIA GPU that nets run on"):
        Job(JobSettings(input="no such file", output="b.mp4", device="cpu", decoder="nvdec"))


@pytest.mark.parametrize("command", ["run", "remaster"])
def test_the_command_line_reports_it_in_one_line(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([command, "no such file", "-o", "b.mp4", "--device", "cpu", "--decoder", "nvdec"])
    assert end.value.code == ConfigurationError.exit_code
    assert capsys.readouterr().err.startswith("error: The decoder nvdec works on the NVIDIA GPU")


@pytest.mark.parametrize(("pix_fmt", "surface"), SURFACES.items())
def test_what_nvdec_gives_becomes_software_s_format_without_loss(pix_fmt: str, surface: str) -> None:
    """Both hold the same samples, so a way there and back changes none."""
    given = gradient_frame(3, (66, 50), pix_fmt)
    working, _ = working_format(pix_fmt)
    there = convert(given, color_of(given), surface)
    assert there.format.name == surface
    back = to_pixel_format(there, working, (66, 50))
    for one, other in zip(planes_of(back, working), planes_of(given, working), strict=True):
        assert np.array_equal(one, other)


def test_an_unknown_decoder_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="auto, software, nvdec, got 'cuvid'"):
        JobSettings(input="a", output="b", decoder="cuvid")  # type: ignore[arg-type]


async def _run(settings: JobSettings) -> Any:
    job = Job(settings)
    async with job:
        async for _ in job:
            pass
    return job


@pytest.mark.gpu
@pytest.mark.parametrize("codec", ["libx264", "libx265", "libvpx-vp9"])
@pytest.mark.parametrize("placed", [False, True])
def test_nvdec_gives_what_software_gives(make_clip: Any, codec: str, placed: bool) -> None:
    from stream.graph import _place
    from stream.media.nvdec import open_nvdec

    path = make_clip("clip.mkv", frames=90, size_wh=(322, 182), codec=codec)
    hardware = Hardware(open=lambda stream: open_nvdec(stream, required=True), place=_place if placed else None)
    source, software = VideoSource(str(path), hardware=hardware), VideoSource(str(path))
    given = [unit.frame for unit in source.units() if unit.frame]
    expected = [unit.frame for unit in software.units() if unit.frame]
    assert source.warnings == []
    assert source.on_device == placed
    assert [frame.pts for frame in given] == [frame.pts for frame in expected]
    for frame, other in zip(given, expected, strict=True):
        planes = (frame.luma, *(frame.chroma or ()))
        for plane, samples in zip(planes, (other.luma, *(other.chroma or ())), strict=True):
            assert np.array_equal(np.asarray(plane), samples)
    for one in (source, software):
        one.close()


@pytest.mark.gpu
@pytest.mark.parametrize("encoder", ["h264_nvenc", "libx264"])
@pytest.mark.parametrize("effects", EFFECTS, ids=["tint", "colormap,tint", "none"])
def test_a_job_from_nvdec_to_nvenc(make_clip: Any, tmp_path: Path, encoder: str, effects: Sequence[Any]) -> None:
    if encoder.endswith("nvenc") and not _has_nvenc():
        pytest.skip("this GPU has no NVENC")
    path, output = make_clip("clip.mkv", frames=90, size_wh=(322, 182), options=GROUPS), tmp_path / "out.mkv"
    sink = SinkOptions(codec=encoder, crf=10)
    done = asyncio.run(_run(JobSettings(input=str(path), output=str(output), effects=effects, sink=sink)))
    assert done.source.on_device
    assert done.source.warnings == []
    host = tmp_path / "host.mkv"
    asyncio.run(
        _run(
            JobSettings(
                input=str(path), output=str(host), effects=effects, sink=SinkOptions(codec="ffv1"), device="cpu"
            )
        )
    )
    one, other = decoded(output), decoded(host)
    assert len(one) == len(other) == 90
    error = np.mean([np.square(first.astype(float) - second).mean() for first, second in zip(one, other, strict=True)])
    assert 10 * np.log10(255**2 / max(error, 1e-9)) > 38


def _has_nvenc() -> bool:
    """Whether the GPU encodes; data-centre GPUs such as the A100 and the H100 do not."""
    import io

    try:
        with av.open(io.BytesIO(), "w", format="matroska") as trial:
            stream: Any = trial.add_stream("h264_nvenc", rate=25)
            stream.width, stream.height, stream.pix_fmt = 322, 182, "nv12"
            stream.codec_context.open()
    except (av.FFmpegError, ValueError):
        return False
    return True

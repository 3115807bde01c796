"""From settings to connected parts: the one place that names concrete classes."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Final

import av

from emocolor.analysis import FaceTracker
from emocolor.chroma.detection import is_coloured
from emocolor.effects import (
    ColorizeOptions,
    Colormap,
    ColormapOptions,
    Grade,
    GradeOptions,
    Overlay,
    Style,
    StyleOptions,
    Tint,
    TintOptions,
)
from emocolor.emotion import EmotionClassifier
from emocolor.errors import ConfigurationError, EmocolorError
from emocolor.face_crops import FER2013
from emocolor.frames import Frame, Plane
from emocolor.protocols import Colorizer, Detector, Effect, PersonSegmenter
from emocolor.scenes import SceneBuilder, Weighting
from emocolor.smoothing import SmoothingOptions
from emocolor.tracks import Tracks
from engines.runners.selection import Device, check_device, wants_cuda
from engines.spec import Precision, read_colorizer_spec, read_spec, read_style_spec

from .effect_chain import EffectOptions
from .media.decoder import Hardware
from .media.sink import VideoSink
from .media.source import VideoSource
from .pipeline.analysis import classify, detect_cuts, track_faces
from .pipeline.colorizing import apply_chroma, predict_chroma, stabilize_chroma
from .pipeline.cores import usable_cores
from .pipeline.pipeline import Pipeline, Stage
from .pipeline.rendering import build_scenes, render, segment, write
from .pipeline.steps import Step
from .report.comparison import keep_before, split_screen
from .report.timeline import TimelineWriter
from .restore.color_detection import input_is_coloured
from .restore.restoration import restore
from .settings import AnalysisOptions, JobSettings

if TYPE_CHECKING:
    from engines.style import NetStyleTransfer

    from .media.source import SourceFacts

MAX_WORKERS: Final = 4
"""Pictures that are coloured, or painted in styles, at once on the CPU, where that is by far the slowest stage: one for
each core, up to this, each by a net of its own in one thread. So the cores share the pictures and not the sums within
one, whose order would move samples by one code here and there: a result must not depend on the machine."""


class Job:
    """One video on its way from source to sink::

        async with open_job(JobSettings(input="in.mp4", output="out.mp4")) as job:
            async for step in job:
                print(step.frame.time, step.scene.emotion)

    When the loop ends by itself the output is in place; when it is left early, or fails, no output
    is left behind. ``stop`` ends the input instead, so that what was done is finished properly.
    """

    def __init__(self, settings: JobSettings) -> None:
        self.settings = settings
        self.warnings: list[str] = []
        """Things a user should know about what is done, one line each; processing may add to them."""
        # Nets and devices that cannot be used are known before anything is opened.
        hardware = _hardware(settings, cuda=check_device(settings.device, *_precisions(settings)))
        if settings.analysis is not None:
            read_spec(settings.analysis.net)
        if (options := _colorize_options(settings)) is not None:
            read_colorizer_spec(options.net)
        for net in {options.net for options in settings.effects if isinstance(options, StyleOptions)}:
            read_style_spec(net)
        self.source = VideoSource(settings.input, settings.source, hardware=hardware)
        self.sink: VideoSink | None = None
        self._timeline: TimelineWriter | None = None
        try:
            if settings.output is not None:
                self.sink = VideoSink(
                    settings.output,
                    _facts_of_output(self.source.facts, settings),
                    settings.sink,
                    on_device=self.source.on_device,
                )
            if settings.timeline is not None:
                self._timeline = TimelineWriter(settings.timeline, overwrite=settings.sink.overwrite)
        except EmocolorError:
            self.discard()
            raise
        before, after = ([Stage("keep", keep_before)], [Stage("split", split_screen)]) if settings.compare else ([], [])
        max_held = _max_held(settings, self.source.facts)
        self._pipeline = Pipeline(
            self.source.units,
            [
                *before,
                *([Stage("restore", partial(restore, options=settings.restoration))] if settings.restoration else []),
                *_watching(settings.analysis, settings.device),
                *self._colorizing(max_held),
                Stage("scenes", partial(build_scenes, scenes=_scenes(settings), max_held=max_held)),
                *_segmenting(settings),
                Stage("render", partial(render, make_effects=self._effects, workers=_render_workers(settings))),
                *after,
                Stage("write", partial(write, sink=self.sink, timeline=self._timeline)),
            ],
        )

    def _effects(self) -> list[Effect]:
        settings = self.settings
        if self.source.on_device:
            return make_device_effects(settings.effects, settings.device)
        return make_effects(settings.effects, settings.device, overlay=settings.overlay)

    def _colorizing(self, max_held: int) -> list[Stage]:
        """The stage that gives colours, if any is asked for and the input is not seen to have its own."""
        options = _colorize_options(self.settings)
        if options is None:
            return []
        has_colors = (
            False if options.force else input_is_coloured(self.settings.input, self.settings.source, self.source.facts)
        )
        if has_colors:
            self._note_colors()
            return []
        history = replace(
            options.history,
            look_ahead=min(options.history.look_ahead, self.settings.smoothing.look_ahead),
            most_waiting=max_held,
        )
        options = replace(options, history=history)
        predict = partial(
            predict_chroma,
            make_colorizer=partial(_load_colorizer, options.net, self.settings.device),
            options=options,
            leave=self._has_colors if has_colors is None else None,
            workers=_workers_on(self.settings.device),
        )
        return [
            Stage("predict", predict),
            Stage("stabilize", partial(stabilize_chroma, options=options)),
            Stage("colorize", apply_chroma),
        ]

    def _has_colors(self, frames: Sequence[Frame]) -> bool:
        found = is_coloured(frames)
        if found:
            self._note_colors()
        return found

    def _note_colors(self) -> None:
        self.warnings.append("The input is in colour already, so its colours are kept; --force gives it new ones.")

    @property
    def facts(self) -> "SourceFacts":
        """What is known of the input."""
        return self.source.facts

    @property
    def cpu_seconds(self) -> dict[str, float]:
        """What each stage took of the processor, once the job has ended; see :class:`~stream.pipeline.pipeline.Pipeline`."""
        return self._pipeline.cpu_seconds

    def stop(self) -> None:
        """End the input here; what has been read is still processed and written."""
        self.source.stop()

    def discard(self) -> None:
        """Give up a job that was not entered, leaving no file behind."""
        self.source.close()
        for output in (self.sink, self._timeline):
            if output is not None:
                output.abort()

    async def __aenter__(self) -> "Job":
        await self._pipeline.__aenter__()
        return self

    async def __aiter__(self) -> AsyncIterator[Step]:
        """A step per frame, in order, after it was written; units without a frame are left out."""
        async for step in self._pipeline:
            if step.frame is not None:
                yield step

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._pipeline.__aexit__(kind, error, trace)
        finally:
            self.source.close()


def open_job(settings: JobSettings) -> Job:
    """Check the net, open the input and check the output; nothing runs before the job is entered.

    Raises an ``EmocolorError`` that says what to do where one of them cannot be used.
    """
    return Job(settings)


def _watching(analysis: AnalysisOptions | None, device: Device) -> list[Stage]:
    """The stages that find out what is to be seen."""
    if analysis is None:
        return [Stage("watch", detect_cuts)]
    return [
        Stage(
            "track",
            partial(track_faces, make_face_tracker=partial(make_face_tracker, analysis), rate_hz=analysis.rate_hz),
        ),
        Stage("classify", partial(classify, make_classifier=partial(make_classifier, analysis, device))),
    ]


def _precisions(settings: JobSettings) -> list[Precision]:
    """Those of all nets that run."""
    found = [options.precision for options in settings.effects if isinstance(options, StyleOptions)]
    return [*found, *([settings.analysis.precision] if settings.analysis else [])]


def _segmenting(settings: JobSettings) -> list[Stage]:
    """The stage that finds people, where a region needs it."""
    regions = (options for options in settings.effects if isinstance(options, TintOptions | StyleOptions))
    if not any(options.needs_person for options in regions):
        return []
    return [Stage("segment", partial(segment, make_segmenter=make_segmenter))]


def make_segmenter() -> PersonSegmenter:
    """Load the model that tells people from their background."""
    from engines.mediapipe.person_segmenter import MediaPipePersonSegmenter

    return MediaPipePersonSegmenter()


def make_face_tracker(options: AnalysisOptions) -> FaceTracker:
    """Load the face models."""
    return FaceTracker(make_detector(), Tracks(), FER2013, read_spec(options.net).crop_size)


def make_detector() -> Detector:
    """Load the models that find faces."""
    from engines.mediapipe.face_detector import MediaPipeFaceDetector

    return MediaPipeFaceDetector()


def make_classifier(options: AnalysisOptions, device: Device = "auto") -> EmotionClassifier:
    """Load the emotion net."""
    from engines.emotion import load

    net = load(options.net, device=device, precision=options.precision)
    return EmotionClassifier(net, passes=options.passes, seed=options.seed, hold_masks=not options.fresh_masks)


def _load_colorizer(net: str, device: Device) -> Colorizer:
    from engines.colorizer import load_colorizer

    return load_colorizer(net, device=device)


def make_style(options: StyleOptions, device: Device = "auto") -> Style:
    """Load the style net."""
    return Style(options, _load_style_transfer(options, device))


def _load_style_transfer(options: StyleOptions, device: Device) -> "NetStyleTransfer":
    from engines.style import load_style_transfer

    return load_style_transfer(options.net, device=device, precision=options.precision)


def _render_workers(settings: JobSettings) -> int:
    styled = any(isinstance(options, StyleOptions) for options in settings.effects)
    return _workers_on(settings.device) if styled else 1


def _workers_on(device: Device) -> int:
    """Pictures that nets work on at the same time; results do not depend on it."""
    return 1 if wants_cuda(device) else min(usable_cores(), MAX_WORKERS)


def make_effects(options: Sequence[EffectOptions], device: Device, *, overlay: bool) -> list[Effect]:
    """The effects that follow on a picture's colours, in the order they apply."""
    effects = [_make_effect(one, device) for one in options if not isinstance(one, ColorizeOptions)]
    if overlay:
        tint = _first_tint(options)
        effects.append(Overlay(tint.palette) if tint else Overlay())
    return effects


def _has_device_form(options: EffectOptions) -> bool:
    match options:
        case TintOptions():
            return True
        case ColormapOptions():
            return options.preprocess == "none"
        case StyleOptions():
            return options.region == "frame"
    return False


def make_device_effects(options: Sequence[EffectOptions], device: Device = "auto") -> list[Effect]:
    """The effects, in the order they apply, on frames in a GPU's memory; all must have such a form."""
    from engines.device.colormap import DeviceColormap
    from engines.device.planes import OwnMemory
    from engines.device.style import DeviceStyle
    from engines.device.tint import DeviceTint

    effects: list[Effect] = [OwnMemory()]
    for one in options:
        match one:
            case TintOptions():
                effects.append(DeviceTint(one))
            case ColormapOptions():
                effects.append(DeviceColormap(one))
            case StyleOptions():
                effects.append(DeviceStyle(one, _load_style_transfer(one, device)))
            case _:
                raise TypeError(f"no form for a GPU's memory: {one}")
    return effects


def _hardware(settings: JobSettings, *, cuda: bool) -> Hardware | None:
    """NVDEC, unless it is not wanted; frames stay in the GPU's memory where nothing needs them in the host's."""
    if settings.decoder == "nvdec" and not cuda:
        raise ConfigurationError(
            "--decoder nvdec decodes on the NVIDIA GPU that nets run on, but they run on the CPU here. "
            "Pass --device cuda, or --decoder software."
        )
    if settings.decoder == "software" or not cuda:
        return None
    from .media.nvdec import open_nvdec

    opened = partial(open_nvdec, required=settings.decoder == "nvdec")
    return Hardware(open=opened, place=_place if _stays_on_device(settings) else None)


def _stays_on_device(settings: JobSettings) -> bool:
    """Whether all that changes or shows pictures has a form for a GPU's memory."""
    if settings.restoration is not None or settings.compare or settings.overlay:
        return False
    return all(_has_device_form(options) for options in settings.effects)


def _place(picture: av.VideoFrame) -> tuple[Plane, ...]:
    import torch

    from engines.device.planes import planes_of_picture

    return planes_of_picture(picture.planes, torch.device("cuda"))


def _make_effect(options: TintOptions | ColormapOptions | GradeOptions | StyleOptions, device: Device) -> Effect:
    match options:
        case TintOptions():
            return Tint(options)
        case GradeOptions():
            return Grade(options)
        case ColormapOptions():
            return Colormap(options)
        case StyleOptions():
            return make_style(options, device)


def _colorize_options(settings: JobSettings) -> ColorizeOptions | None:
    first = settings.effects[0] if settings.effects else None
    return first if isinstance(first, ColorizeOptions) else None


def _facts_of_output(facts: "SourceFacts", settings: JobSettings) -> "SourceFacts":
    """What the sink is told of the pictures it gets."""
    deinterlaced = settings.restoration is not None and settings.restoration.deinterlace != "off"
    return replace(facts, field_order="progressive") if deinterlaced else facts


def _first_tint(options: Sequence[EffectOptions]) -> TintOptions | None:
    return next((one for one in options if isinstance(one, TintOptions)), None)


def _scenes(settings: JobSettings) -> SceneBuilder:
    tint = _first_tint(settings.effects)
    weighting: Weighting = "area" if tint and tint.several != "largest" else "largest"
    # Where nothing is observed there is nothing to wait for.
    smoothing = settings.smoothing if settings.analysis else SmoothingOptions(look_ahead=0)
    return SceneBuilder(smoothing, weighting)


def _max_held(settings: JobSettings, facts: "SourceFacts") -> int:
    """Frames that the look-ahead may hold, from the size of a 4:2:0 frame of 8 bits and up."""
    frame_bytes = facts.width * facts.height * 3 / 2 * (1.5 if settings.compare else 1)
    return max(2, int(settings.held_megabytes * 1e6 / frame_bytes))

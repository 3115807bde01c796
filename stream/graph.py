"""From settings to connected parts, for files and for live sessions: the one place that names concrete classes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Final

import av

from emocolor.effects import ChainItem, Colorize, ColorizeOptions
from emocolor.effects.chain import needs_of, needs_of_all, temporal_of
from emocolor.effects.table import entry_of
from emocolor.errors import ConfigurationError
from emocolor.faces import Scene
from emocolor.frames import Frame, Plane
from emocolor.options import EffectOptions
from emocolor.person_regions import PersonMasks
from emocolor.protocols import Effect, Nets
from emocolor.scenes import SceneBuilder, Weighting
from emocolor.smoothing import SmoothingOptions
from engines.device.table import fits_device, make_device_effects
from engines.runners.devices import Device, wants_cuda

from .media.decoder import Hardware
from .nets import SharedNets, WorkerNets
from .pipeline.analysis import classify, observe_cuts, track_faces
from .pipeline.colorizing import apply_chroma, predict_chroma, stabilize_chroma
from .pipeline.pipeline import Stage
from .pipeline.rendering import build_scenes, render, segment, with_chroma_planes, write
from .pipeline.split_screen import keep_original, split_screen
from .restore.restoration import restore
from .settings import JobSettings

if TYPE_CHECKING:
    from .media.source_info import SourceInfo
    from .pipeline.rendering import ObservationWriter, SideOutput, UnitWriter

MAX_WORKERS: Final = 4
"""Frames that are colorized, or painted in styles, in parallel on the CPU, where that is by far the slowest stage: one
for each core, up to this, each by a net of its own in one thread. So the cores share the frames and not the sums within
one, whose order would move samples by one code here and there: a result must not depend on the machine."""


# Effects, for files and for live sessions.


def make_effects(chain: Sequence[ChainItem], nets: Nets) -> list[Effect]:
    """The effects of a chain that see one frame at a time, in the order in which they apply."""
    effects: list[Effect] = []
    for item in chain:
        if not isinstance(item, EffectOptions):
            effects.append(item)
        elif (build := entry_of(item).build) is not None:
            effects.append(build(item, nets))
    return effects


def weighting_of(chain: Sequence[ChainItem]) -> Weighting:
    """How several faces make the emotion of the frame: as the first effect asks that cares."""
    asked = (item.weighting for item in chain if isinstance(item, EffectOptions))
    return next((weighting for weighting in asked if weighting is not None), "largest")


# A file: stages in threads.


@dataclass(frozen=True, kw_only=True)
class FileParts:
    """What the stages of one file job are built around."""

    info: "SourceInfo"
    on_device: bool
    """Frames lie in a GPU's memory."""
    sink: "UnitWriter | None"
    timeline: "ObservationWriter | None"
    strip: "SideOutput | None" = None
    has_colors: Callable[[], bool | None]
    """Whether the input is in colour; ``None`` where only its frames can tell."""
    frames_have_colors: Callable[[Sequence[Frame]], bool]
    """The same, told by the first frames."""
    cores: int = 1
    """Cores of the CPU to share the work of nets between; results do not depend on it."""


def file_stages(settings: JobSettings, parts: FileParts) -> list[Stage]:
    """The stages between the source's units and the finished files, in order."""
    max_held = _max_held(settings, parts.info)
    before, after = ([Stage("keep", keep_original)], [Stage("split", split_screen)]) if settings.compare else ([], [])
    restoring = (
        [Stage("restore", partial(restore, options=settings.restoration))] if settings.restoration.is_needed else []
    )
    return [
        *before,
        *restoring,
        *_analysing(settings),
        *_colorizing(settings, parts, max_held),
        Stage("scenes", partial(build_scenes, scenes=_scenes(settings), max_held=max_held)),
        *_segmenting(settings),
        *_rendering(settings, parts),
        *after,
        Stage("write", partial(write, sink=parts.sink, timeline=parts.timeline, others=_present(parts.strip))),
    ]


def _present(*outputs: "SideOutput | None") -> "list[SideOutput]":
    return [output for output in outputs if output is not None]


def _analysing(settings: JobSettings) -> list[Stage]:
    """The stages that find out what is to be seen."""
    analysis, nets = settings.analysis, WorkerNets(settings.device)
    if analysis is None:
        return [Stage("cuts", observe_cuts)]
    tracker = partial(nets.face_tracker, analysis.net)
    return [
        Stage("track", partial(track_faces, make_face_tracker=tracker, rate_hz=analysis.rate_hz)),
        Stage("classify", partial(classify, make_classifier=partial(nets.classifier, analysis))),
    ]


def _colorizing(settings: JobSettings, parts: FileParts, max_held: int) -> list[Stage]:
    """The stages that give colours, if any are asked for and the input is not seen to have its own."""
    temporal = temporal_of(settings.effects)
    if temporal is None:
        return []
    options = temporal[0]
    assert isinstance(options, ColorizeOptions), options
    has_colors = False if options.force else parts.has_colors()
    if has_colors:
        return []
    options = options.limited(look_ahead=settings.smoothing.look_ahead, max_held=max_held)
    predict = partial(
        predict_chroma,
        make_colorizer=partial(WorkerNets(settings.device).colorizer, options.net),
        options=options,
        leave=parts.frames_have_colors if has_colors is None else None,
        workers=_workers(settings.device, parts.cores),
    )
    return [
        Stage("predict", predict),
        Stage("stabilize", partial(stabilize_chroma, options=options)),
        Stage("colorize", apply_chroma),
    ]


def _segmenting(settings: JobSettings) -> list[Stage]:
    """The stage that finds people, where an effect needs it."""
    if "people" not in settings.needs:
        return []
    return [Stage("segment", partial(segment, make_segmenter=WorkerNets(settings.device).segmenter))]


def _rendering(settings: JobSettings, parts: FileParts) -> list[Stage]:
    """The stages that apply the effects. Those of the user's own may keep a state, so they see all frames in order."""
    nets, needs_chroma = WorkerNets(settings.device), "chroma" in settings.needs
    if parts.on_device:
        effects = partial(make_device_effects, settings.effects, nets)
        return [Stage("render", partial(render, make_effects=effects, needs_chroma=needs_chroma))]
    frame_effects = settings.effects[1:] if temporal_of(settings.effects) else settings.effects
    stages = []
    for is_ours, items in groupby(frame_effects, lambda item: isinstance(item, EffectOptions)):
        chain = tuple(items)
        costly = is_ours and any(entry_of(one).costly for one in chain if isinstance(one, EffectOptions))
        stages.append(
            Stage(
                "render",
                partial(
                    render,
                    make_effects=partial(make_effects, chain, nets),
                    needs_chroma=any("chroma" in needs_of(item) for item in chain),
                    workers=_workers(settings.device, parts.cores) if costly else 1,
                ),
            )
        )
    return stages


def _workers(device: Device, cores: int) -> int:
    """Frames that nets work on in parallel."""
    return 1 if wants_cuda(device) else min(cores, MAX_WORKERS)


def _scenes(settings: JobSettings) -> SceneBuilder:
    # Where nothing is observed there is nothing to wait for.
    smoothing = settings.smoothing if settings.analysis else SmoothingOptions(look_ahead=0)
    return SceneBuilder(smoothing, weighting_of(settings.effects))


def _max_held(settings: JobSettings, info: "SourceInfo") -> int:
    """Frames that the look-ahead may hold, from the size of a 4:2:0 frame of 8 bits and up."""
    frame_bytes = info.width * info.height * 3 / 2 * (1.5 if settings.compare else 1)
    return max(2, int(settings.held_megabytes * 1e6 / frame_bytes))


def hardware_for(settings: JobSettings, *, cuda: bool) -> Hardware | None:
    """NVDEC, unless it is not wanted; frames stay in the GPU's memory where nothing needs them in the host's."""
    if settings.decoder == "nvdec" and not cuda:
        raise ConfigurationError(
            "The decoder nvdec works on the NVIDIA GPU that nets run on, but they run on the CPU here. "
            "Choose the device cuda, or the decoder software."
        )
    if settings.decoder == "software" or not cuda:
        return None
    from .media.nvdec import open_nvdec

    opened = partial(open_nvdec, required=settings.decoder == "nvdec")
    return Hardware(open=opened, place=_place if _stays_on_device(settings) else None)


def _stays_on_device(settings: JobSettings) -> bool:
    """Whether all that changes or shows frames has a form for a GPU's memory."""
    return not settings.restoration.is_needed and not settings.compare and fits_device(settings.effects)


def _place(decoded: av.VideoFrame) -> tuple[Plane, ...]:
    import torch

    from engines.device.planes import planes_of_av_frame

    return planes_of_av_frame(decoded.planes, torch.device("cuda"))


# A live session: effects that can be exchanged between two frames.


@dataclass
class LiveChain:
    """What is done to each live frame, in order. Not for two threads at once."""

    colorize: Colorize | None
    masks: PersonMasks | None
    effects: list[Effect]

    def apply(self, frame: Frame, scene: Scene) -> Frame:
        """The frame recoloured; its planes are written where its handle owns them."""
        frame = with_chroma_planes(frame)
        if self.colorize is not None:
            # Without look-ahead each frame comes back as it goes in.
            (frame,) = self.colorize.add(frame, cut=scene.cut)
        if self.masks is not None:
            scene = replace(scene, person=self.masks.next(frame, cut=scene.cut))
        for effect in self.effects:
            frame = effect.apply(frame, scene)
        return frame


class LiveChainBuilder:
    """Builds the chains of one live session, one after the other."""

    def __init__(self, device: Device = "auto", *, nets: SharedNets | None = None) -> None:
        """``nets`` are shared with other builders, and then not closed with this one; else they run on ``device``."""
        self._nets = nets or SharedNets(device)
        self._owns_nets = nets is None
        self._colorize: Colorize | None = None

    def build(self, effects: Sequence[ChainItem]) -> LiveChain:
        """Raises ``EngineError`` and ``MissingDependencyError`` where a net cannot be used."""
        chain = tuple(item.for_live() if isinstance(item, EffectOptions) else item for item in effects)
        return LiveChain(
            colorize=self._colorize_of(chain),
            masks=PersonMasks(self._nets.segmenter()) if "people" in needs_of_all(chain) else None,
            effects=make_effects(chain, self._nets),
        )

    def close(self) -> None:
        """Free what was loaded for this builder alone; no chain of it may run any more."""
        if self._owns_nets:
            self._nets.close()

    def _colorize_of(self, chain: Sequence[ChainItem]) -> Colorize | None:
        """The one before where its options are the same: its colours go on."""
        temporal = temporal_of(chain)
        if temporal is None:
            return None
        options, entry = temporal
        if self._colorize is None or self._colorize.options != options:
            assert entry.build_temporal is not None
            self._colorize = entry.build_temporal(options, self._nets)
        return self._colorize


def unseen_followers(chain: Sequence[ChainItem]) -> Iterator[str]:
    """Names of the effects that leave frames as they are while no face is seen."""
    for item in chain:
        if isinstance(item, EffectOptions) and item.follows_faces_alone:
            yield item.section

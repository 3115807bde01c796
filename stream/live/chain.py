"""The effects of a live picture, which can be changed between two frames."""

from dataclasses import dataclass, replace

from emocolor.effects import Colorize, ColorizeOptions, Overlay, Style, StyleOptions, TintOptions
from emocolor.faces import Scene
from emocolor.frames import Frame
from emocolor.person_regions import PersonMasks
from emocolor.protocols import Effect, PersonSegmenter, Stylist
from engines.runners import Device

from ..assembly import STYLE_THREADS, make_colorize, make_effects, make_segmenter
from ..effect_chain import EffectOptions
from ..stages import with_chroma_planes
from .controls import Controls


@dataclass
class Chain:
    """What is done to each frame, in order. Not for two threads at once."""

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


class ChainBuilder:
    """Makes chains by controls, and keeps the nets that were loaded for the ones before."""

    def __init__(self, device: Device = "auto") -> None:
        self._device: Device = device
        self._stylists: dict[str, Stylist] = {}
        self._segmenter: PersonSegmenter | None = None
        self._colorize: Colorize | None = None

    def build(self, controls: Controls) -> Chain:
        """Raises ``EngineError`` and ``MissingDependencyError`` where a net cannot be used."""
        options = controls.effects()
        return Chain(
            colorize=self._colorize_of(options),
            masks=PersonMasks(self._person_segmenter()) if any(map(_needs_person, options)) else None,
            effects=[effect for one in options for effect in self._effects_of(one)] + _overlay(controls, options),
        )

    def close(self) -> None:
        """Free what was loaded; no chain of this builder may run any more."""
        if self._segmenter is not None:
            self._segmenter.close()

    def _effects_of(self, options: EffectOptions) -> list[Effect]:
        if not isinstance(options, StyleOptions):
            return make_effects([options], self._device, overlay=False)
        return [Style(options, self._stylist(options))]

    def _stylist(self, options: StyleOptions) -> Stylist:
        from engines.stylist import load_stylist

        if options.net not in self._stylists:
            self._stylists[options.net] = load_stylist(
                options.net, device=self._device, threads=STYLE_THREADS, precision=options.precision
            )
        return self._stylists[options.net]

    def _colorize_of(self, chain: tuple[EffectOptions, ...]) -> Colorize | None:
        """The one before where its options are the same: its colours go on."""
        options = chain[0] if chain else None
        if not isinstance(options, ColorizeOptions):
            return None
        if self._colorize is None or self._colorize.options != options:
            self._colorize = make_colorize(options, self._device)
        return self._colorize

    def _person_segmenter(self) -> PersonSegmenter:
        self._segmenter = self._segmenter or make_segmenter()
        return self._segmenter


def _needs_person(options: EffectOptions) -> bool:
    return isinstance(options, TintOptions | StyleOptions) and options.needs_person


def _overlay(controls: Controls, options: tuple[EffectOptions, ...]) -> list[Effect]:
    tint = next((one for one in options if isinstance(one, TintOptions)), None)
    return [Overlay(tint.palette) if tint else Overlay()] if controls.overlay else []

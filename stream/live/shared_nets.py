"""The nets that effects need, loaded once for all that is live."""

import threading
from typing import Final

from emocolor.chroma.stabilizer import ChromaEstimate
from emocolor.effects import ColorizeOptions, StyleOptions
from emocolor.protocols import Colorizer, Gray, PersonSegmenter, Rgb, StyleTransfer, Tensor
from engines.runners.selection import Device

from ..graph import make_segmenter

STYLE_THREADS: Final = 2
"""Threads of a style net: live, a picture must be done soon, so the cores share it. A constant, not the machine's
cores: how sums are divided between threads moves samples by one code here and there."""


class SharedNets:
    """Gives the nets that are asked for, from any thread, loading each at the first time.

    A net is for one thread at a time, so what is given makes those wait that come while it works. Little is lost by
    that: a net that paints keeps the processor busy by itself.
    """

    def __init__(self, device: Device = "auto") -> None:
        self._device: Device = device
        self._lock = threading.Lock()
        self._stylists: dict[tuple[str, str], StyleTransfer] = {}
        self._colorists: dict[str, Colorizer] = {}
        self._segmenter: _SegmenterInTurn | None = None

    def style_transfer(self, options: StyleOptions) -> StyleTransfer:
        """Raises what ``engines.style.load_style_transfer`` does."""
        from engines.style import load_style_transfer

        key = options.net, options.precision
        with self._lock:
            if key not in self._stylists:
                self._stylists[key] = _StyleTransferInTurn(
                    load_style_transfer(
                        options.net, device=self._device, threads=STYLE_THREADS, precision=options.precision
                    )
                )
            return self._stylists[key]

    def colorizer(self, options: ColorizeOptions) -> Colorizer:
        """Raises what ``engines.colorizer.load_colorizer`` does."""
        from engines.colorizer import load_colorizer

        with self._lock:
            if options.net not in self._colorists:
                self._colorists[options.net] = _ColorizerInTurn(load_colorizer(options.net, device=self._device))
            return self._colorists[options.net]

    def segmenter(self) -> PersonSegmenter:
        """Raises what ``MediaPipePersonSegmenter`` does."""
        with self._lock:
            self._segmenter = self._segmenter or _SegmenterInTurn(make_segmenter())
            return self._segmenter

    def close(self) -> None:
        """Free the nets; none may be used any more."""
        if self._segmenter is not None:
            self._segmenter.close()


class _StyleTransferInTurn:
    def __init__(self, style_transfer: StyleTransfer) -> None:
        self._stylist = style_transfer
        self._lock = threading.Lock()

    def paint(self, rgb: Rgb, mixture: Tensor) -> Rgb:
        with self._lock:
            return self._stylist.paint(rgb, mixture)


class _ColorizerInTurn:
    def __init__(self, colorizer: Colorizer) -> None:
        self._colorist = colorizer
        self._lock = threading.Lock()

    def estimate(self, gray: Gray, vividness: float) -> ChromaEstimate:
        with self._lock:
            return self._colorist.estimate(gray, vividness)


class _SegmenterInTurn:
    def __init__(self, segmenter: PersonSegmenter) -> None:
        self._segmenter = segmenter
        self._lock = threading.Lock()

    def segment(self, rgb: Rgb) -> Tensor:
        with self._lock:
            return self._segmenter.segment(rgb)

    def close(self) -> None:
        with self._lock:
            self._segmenter.close()

"""VGG16's values, read from a file or downloaded from torchvision, and checked.

A file is an npz, or tensors that torch saved, under torchvision's names (``features.N.weight``, ``features.N.bias``);
of the latter only tensors are read, so that nothing in it is executed. Two releases are known: Oxford's (Simonyan and
Zisserman 2015), its first kernels converted to RGB and multiplied by 255 times the deviation of each channel, and
torchvision's, which was trained anew. The standard deviation of each layer's kernels tells which one a file holds, and
the first kernel of the first layer whether it was converted for the same input: Oxford's own files take BGR from 0 to
255, and a wrong conversion has the right shapes.

Oxford's statistics were measured. Torchvision's are quoted from published listings of the net, with three decimals of
each deviation and four of the kernel.
"""

import pickle
import re
import sys
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Final
from urllib.parse import urlparse

import numpy as np
import torch
from numpy.typing import NDArray

from emocolor.errors import EngineError

Values = NDArray[np.float32]
Convolution = tuple[Values, Values]
"""Kernels (O, I, 3, 3) and biases (O,)."""

TORCHVISION: Final = "https://download.pytorch.org/models/vgg16-397923af.pth"
"""528 MB; the last part of the name begins the file's sha256."""
PLACES: Final = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21)
"""Indices of the convolutions up to conv4_3 in torchvision's ``features``."""
CHANNELS: Final = (3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512)
"""Of the input, and of each layer."""
TOLERANCE: Final = 0.05
"""Largest relative difference from a release: more than the error of float16 and of three decimals, and half of what
Oxford's first kernel, which is nearly gray, differs by in BGR."""


@dataclass(frozen=True, kw_only=True)
class Release:
    """Statistics that identify published values of VGG16, for sRGB in [0, 1] minus its mean, over its deviation."""

    name: str
    spreads: tuple[float, ...]
    """Standard deviation of each layer's kernels."""
    first: Values
    """The first layer's first kernel, (3, 3, 3): red, green and blue."""


RELEASES: Final = (
    Release(
        name="Oxford's",
        spreads=(11.909, 0.042478, 0.032223, 0.023541, 0.017376, 0.012345, 0.012668, 0.010052, 0.0076244, 0.0079558),
        first=np.array(
            [
                [[28.031, 23.859, -3.805], [18.125, 2.932, -23.562], [-2.971, -16.656, -24.438]],
                [[31.438, 25.141, -4.648], [19.750, 2.320, -25.906], [-3.350, -18.891, -27.703]],
                [[24.641, 21.422, -3.521], [15.766, 2.219, -21.062], [-3.297, -15.047, -20.094]],
            ],
            np.float32,
        ),
    ),
    Release(
        name="torchvision's",
        spreads=(0.251, 0.056, 0.050, 0.038, 0.032, 0.025, 0.025, 0.022, 0.016, 0.016),
        first=np.array(
            [
                [[-0.5537, 0.1427, 0.5290], [-0.5831, 0.3566, 0.7657], [-0.6902, -0.0480, 0.4841]],
                [[0.1755, 0.0099, -0.0814], [0.0441, -0.0703, -0.2604], [0.1324, -0.1728, -0.1323]],
                [[0.3130, -0.1659, -0.4275], [0.4752, -0.0827, -0.4870], [0.6320, 0.0193, -0.2775]],
            ],
            np.float32,
        ),
    ),
)


def read_layers(path: Path | None, count: int, *, url: str = TORCHVISION) -> list[Convolution]:
    """The first ``count`` convolutions of a file, of the only one in a folder, or of the one at ``url`` for None.

    Raises ``EngineError`` where there is no such file, or it holds another net or values for another input.
    """
    file = download(url) if path is None else _file(path)
    arrays = _read(file, [f"features.{place}.{kind}" for place in PLACES[:count] for kind in ("weight", "bias")])
    try:
        layers = [_layer(arrays, place) for place in range(count)]
    except ValueError as error:
        raise EngineError(f"{file} does not hold VGG16's first {count} convolutions: {error}.") from error
    check_release(layers, str(file))
    return layers


def download(url: str) -> Path:
    """The file at ``url`` in torch's cache, downloaded once; its name ends in the start of its sha256.

    Raises ``EngineError`` where it cannot be downloaded or has another checksum.
    """
    name = Path(urlparse(url).path).name
    file = Path(torch.hub.get_dir()) / "checkpoints" / name
    if file.exists():
        return file
    begin = re.search(r"-([0-9a-f]+)\.", name)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(file), begin and begin[1], progress=sys.stderr.isatty())
    except (OSError, HTTPException, RuntimeError) as error:
        raise EngineError(
            f"VGG16's values cannot be downloaded from {url} ({str(error).splitlines()[0]}). Pass a file instead."
        ) from error
    return file


def check_release(layers: Sequence[Convolution], file: str) -> None:
    """Raise ``EngineError`` where the values are not those of a known release for this input."""
    for place, values in enumerate(layers):
        if not all(np.isfinite(part).all() for part in values):
            raise EngineError(f"{file}: some values of features.{PLACES[place]} are infinite or NaN.")
    spreads = [float(kernels.std(dtype=np.float64)) for kernels, _ in layers]
    # The first layer depends on the conversion, the others only on the release.
    candidates = [release for release in RELEASES if _misfit(spreads[1:], release.spreads[1:])[0] <= TOLERANCE]
    if not candidates:
        raise EngineError(f"{file} does not hold known values of VGG16: {_nearest(spreads)}")
    found = [_layout(layers[0][0][0], release.first) for release in candidates]
    if all(found) or min(abs(spreads[0] / release.spreads[0] - 1) for release in candidates) > TOLERANCE:
        words = found[0] or "its first layer is not its own"
        raise EngineError(
            f"{file} holds {candidates[0].name} VGG16 for another input: {words}. The net takes sRGB in [0, 1] minus "
            "(0.485, 0.456, 0.406), over (0.229, 0.224, 0.225), and kernels [out, in, row, column]."
        )


def _layout(kernel: Values, known: Values) -> str:
    """How a kernel (3, 3, 3) differs from the known one, in words; empty where it does not."""
    for words, turned in _turned(kernel):
        scale = float((turned * known).sum() / np.square(known).sum())
        if np.linalg.norm(turned - scale * known) <= TOLERANCE * np.linalg.norm(turned) and scale > 0:
            sized = [] if abs(scale - 1) <= TOLERANCE else [f"are {scale:.3g} times as large as they must be"]
            parts = [*words, *sized]
            return f"its first kernels {' and '.join(parts)}" if parts else ""
    return "its first kernels are not its own"


def _turned(kernel: Values) -> Iterator[tuple[list[str], Values]]:
    """The kernel in each layout in which files are found, and what is wrong with that layout."""
    blue_first, across = "take BGR", "have rows and columns exchanged"
    yield [], kernel
    yield [blue_first], kernel[::-1]
    yield [across], kernel.swapaxes(1, 2)
    yield [blue_first, across], kernel[::-1].swapaxes(1, 2)


def _misfit(spreads: Sequence[float], known: Sequence[float]) -> tuple[float, int]:
    """The largest relative difference, 0 of none, and where it is."""
    differences = [abs(ours / theirs - 1) for ours, theirs in zip(spreads, known, strict=False)]
    return max(((difference, place) for place, difference in enumerate(differences)), default=(0.0, 0))


def _nearest(spreads: Sequence[float]) -> str:
    """Where the values differ most from the most similar release, in words."""
    release = min(RELEASES, key=lambda release: _misfit(spreads[1:], release.spreads[1:]))
    place = 1 + _misfit(spreads[1:], release.spreads[1:])[1]
    return (
        f"the kernels of features.{PLACES[place]}.weight have a standard deviation of {spreads[place]:.3g}, "
        f"{release.name} of {release.spreads[place]:.3g}."
    )


def _file(path: Path) -> Path:
    """``path``, or the only file of values in it."""
    if not path.exists():
        raise EngineError(f"No such file: {path}.")
    if not path.is_dir():
        return path
    files = sorted(file for file in path.iterdir() if file.suffix in (".npz", ".pth", ".pt"))
    if len(files) != 1:
        raise EngineError(f"{path} must hold one npz or pth file with VGG16's values, found {len(files)}.")
    return files[0]


def _read(file: Path, names: Sequence[str]) -> dict[str, NDArray[np.generic]]:
    """Those of the arrays ``names`` that the file holds."""
    if file.suffix in (".pth", ".pt"):
        return _from_torch(file, names)
    if not zipfile.is_zipfile(file):
        raise EngineError(f"{file} is neither an npz file nor one of torch's (pth, pt).")
    try:
        with np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in names if name in archive}
    except (OSError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise EngineError(f"{file} cannot be read: {error}.") from error


def _from_torch(file: Path, names: Sequence[str]) -> dict[str, NDArray[np.generic]]:
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        raise EngineError(f"{file} cannot be read: {error.strerror}.") from error
    except (pickle.UnpicklingError, EOFError, RuntimeError, ValueError, KeyError, AttributeError) as error:
        raise EngineError(f"{file} is damaged, or holds more than named tensors. Only those are read.") from error
    if not isinstance(state, dict):
        raise EngineError(f"{file} holds no named tensors.")
    tensors = {name: state[name] for name in names if isinstance(state.get(name), torch.Tensor)}
    # NumPy has no bfloat16.
    return {name: (t.float() if t.is_floating_point() else t).detach().numpy() for name, t in tensors.items()}


def _layer(arrays: Mapping[str, NDArray[np.generic]], place: int) -> Convolution:
    """One convolution; raises ``ValueError`` where its arrays are absent or of another shape."""
    channels_in, channels_out = CHANNELS[place : place + 2]
    return (
        _values(arrays, f"features.{PLACES[place]}.weight", (channels_out, channels_in, 3, 3)),
        _values(arrays, f"features.{PLACES[place]}.bias", (channels_out,)),
    )


def _values(arrays: Mapping[str, NDArray[np.generic]], name: str, shape: tuple[int, ...]) -> Values:
    if name not in arrays:
        raise ValueError(f"{name} is missing")
    values = arrays[name]
    if values.shape != shape or not np.issubdtype(values.dtype, np.floating):
        raise ValueError(f"{name} is {values.dtype} {values.shape}, not {shape} of floats")
    return values.astype(np.float32)

"""What decides the frames of a film beside its input, each by its name, and what of that has changed since a plan."""

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cache, lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import av

from emocolor.options import Options, options_of
from engines.runners.devices import wants_cuda

from ..nets import SPEC_READERS
from ..settings import JobSettings

LIBRARIES: Final = ("av", "numpy", "opencv-contrib-python", "mediapipe", "openvino", "torch")
"""Packages whose version may decide a frame."""
DECIDES_NO_FRAME: Final = frozenset({"output.overwrite", "device", "decoder"})
"""Options that are left out: pieces are decoded in software, and what the device comes down to has its own name."""
LONGEST: Final = 40
"""Characters of a value that is kept as it is; of longer ones there is a hash."""
HASHED: Final = "sha256:"


def dependencies(settings: JobSettings) -> dict[str, str]:
    """By name: effects, options, nets, the kind of device, and versions. Raises what reading nets raises."""
    return {
        "the effects": ",".join(item.section for item in settings.effects if isinstance(item, Options)) or "none",
        **dict(_options(settings)),
        **dict(_nets(settings)),
        "the device": "cuda" if wants_cuda(settings.device) else "cpu",
        **_versions(),
    }


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What differs, each in a few words.

    What is there on one side alone follows from another change, if there is one.
    """
    changed = [name for name in now if name in before and before[name] != now[name]]
    if changed:
        return [_change(name, before[name], now[name]) for name in changed]
    return [
        _change(name, before.get(name, "none"), now.get(name, "none")) for name in sorted(before.keys() ^ now.keys())
    ]


def _change(name: str, before: str, now: str) -> str:
    hashed = before.startswith(HASHED) or now.startswith(HASHED)
    return f"{name} (other content)" if hashed else f"{name} ({before}, now {now})"


def _options(settings: JobSettings) -> Iterator[tuple[str, str]]:
    for group in settings.groups:
        declared = {option.name for option in options_of(type(group))}
        names = declared if isinstance(group, JobSettings) else {one.name for one in fields(group)}
        for name in sorted(names):
            key = f"{group.section}.{name}" if group.section else name
            if key not in DECIDES_NO_FRAME:
                yield f"the option {key}", _text(getattr(group, name))


def _text(value: Any) -> str:
    """A value in a few characters, the same for the same content."""
    text = str(value) if isinstance(value, str) else repr(value)
    return text if len(text) <= LONGEST else _hash(text.encode())


def _hash(content: bytes) -> str:
    return HASHED + hashlib.sha256(content).hexdigest()[:32]


def _nets(settings: JobSettings) -> Iterator[tuple[str, str]]:
    for group in settings.groups:
        for option in options_of(type(group)):
            if option.catalog in SPEC_READERS:
                name = getattr(group, option.name)
                yield f"the net {name}", HASHED + _net_sha256(option.catalog, name, _stamps(Path(name)))


@lru_cache(maxsize=64)
def _net_sha256(catalog: str, name: str, stamps: tuple[tuple[int, int], ...]) -> str:
    """Hash of a net's weights. Reading them takes a tenth of a second, and a worker asks before every piece."""
    return str(SPEC_READERS[catalog](name).sha256)


def _stamps(net: Path) -> tuple[tuple[int, int], ...]:
    """Sizes and times of a net of the user's own and of its card; nothing for the name of a net that ships."""
    found = (path.stat() for path in (net, net.with_suffix(".json")) if path.is_file())
    return tuple((status.st_size, status.st_mtime_ns) for status in found)


@cache
def _versions() -> dict[str, str]:
    found = {"emocolor-stream": version("emocolor-stream"), "FFmpeg": str(av.ffmpeg_version_info)}
    for name in LIBRARIES:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found

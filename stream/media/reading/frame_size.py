"""The limit on the size of frames, told to FFmpeg's decoders: a larger frame is refused before it is allocated."""

from typing import Any, Final

import av

from emocolor.errors import SourceError

ALIGNMENT: Final = 64
"""FFmpeg counts a frame's width rounded up to this,"""
TALLEST: Final = 65_536
"""which at this height adds most."""


def limit_frames(context: av.VideoCodecContext, max_pixels: int) -> None:
    """Let a decoder that is not open yet refuse larger frames, with InvalidDataError, before it allocates them.

    Frames that are a little larger pass, and are for the caller to refuse.
    """
    context.options = {**context.options, **decoder_options(max_pixels)}


def decoder_options(max_pixels: int) -> dict[str, str]:
    """FFmpeg's options of a decoder that refuses larger frames."""
    return {"max_pixels": str(max_pixels + ALIGNMENT * TALLEST)}


def is_too_large(frame: Any, max_pixels: int) -> bool:
    """Whether a frame, or what a decoder expects of its next one, has more pixels than allowed."""
    return bool(frame.width * frame.height > max_pixels)


def too_large(name: str, size_wh: tuple[int, int], max_pixels: int) -> SourceError:
    """The error for an input ``name`` whose frames are too large."""
    width, height = size_wh
    return SourceError(
        f"{name} is {width}x{height}, more than {max_pixels} pixels. "
        f"Set the option input.max_pixels to {width * height} to allow it."
    )

"""Side data of decoded frames: display matrices, HDR metadata, captions, and whatever else FFmpeg attaches to them."""

from typing import Any, cast

import av
from av.sidedata.sidedata import Type


def side_data_of(frame: av.VideoFrame, kind: Type) -> bytes | None:
    """The frame's side data of that kind, or ``None``. Kinds that PyAV does not know are passed over."""
    _tolerate_unknown_kinds()
    # PyAV's type stubs call this a dictionary; it is a mapping from Type to buffers.
    found = cast(Any, frame.side_data).get(kind)
    return None if found is None else bytes(found)


def _tolerate_unknown_kinds() -> None:
    """Let PyAV read frames with side data that its table of kinds lacks, such as EXIF.

    It looks every kind up in an enumeration whenever any is asked for, so one that FFmpeg added later hides all others
    behind a ValueError. Enumerations have a hook for values that they do not know; PyAV leaves it unused.
    """
    if "_missing_" not in vars(Type):
        Type._missing_ = classmethod(_unknown_kind)  # type: ignore[assignment]


def _unknown_kind(cls: type[Type], value: object) -> Type:
    kind: Any = object.__new__(cls)
    kind._name_, kind._value_ = f"UNKNOWN_{value}", value
    return cast(Type, kind)

"""How MediaPipe's tasks are opened, and what is said where they cannot be."""

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from emocolor.errors import EngineError, MissingDependencyError

from .log import one_line

UNUSED: Final = ("matplotlib", "matplotlib.pyplot", "sounddevice")
"""What MediaPipe imports whole, whatever part of it is asked for, and what no task here uses: the plotting library
alone takes four fifths of the time that importing MediaPipe takes."""


def open_task(model: Path, make: Callable[[Any], Any]) -> tuple[Any, Any]:
    """What makes a MediaPipe image of RGB pixels, and the task that ``make`` makes of MediaPipe's base options.

    Raises ``MissingDependencyError`` where MediaPipe or a system library it needs is absent, and ``EngineError`` where
    the model cannot be used. ``make`` imports its task's classes itself, so that their absence is told, too.
    """
    try:
        with _later(*UNUSED):
            from mediapipe.tasks.python.core.base_options import BaseOptions
            from mediapipe.tasks.python.vision.core.image import Image, ImageFormat

        task = make(BaseOptions(model_asset_path=str(model)))
    except ImportError as error:
        raise MissingDependencyError(f"MediaPipe cannot be imported ({error}). Reinstall emocolor-stream.") from error
    except OSError as error:
        raise MissingDependencyError(
            f"MediaPipe's native library cannot be loaded ({error}). Install the system packages libegl1 and libgles2."
        ) from error
    except (RuntimeError, ValueError) as error:
        raise EngineError(f"MediaPipe cannot use {model.name}: {one_line(error)}.") from error
    return partial(Image, ImageFormat.SRGB), task


class _Later(ModuleType):
    """Stands for a module that is imported when something of it is asked for."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what the import system asks, which needs no answer
            raise AttributeError(name)
        return getattr(importlib.import_module(self.__name__), name)


@contextmanager
def _later(*names: str) -> Iterator[None]:
    """Let importing these, a package before its modules, cost nothing until they are used.

    What is imported already stays; afterwards they can be imported as ever.
    """
    missing = {name: _Later(name) for name in names if name not in sys.modules}
    sys.modules.update(missing)
    for name, module in missing.items():
        package, _, own = name.rpartition(".")
        if package in missing:
            setattr(missing[package], own, module)
    try:
        yield
    finally:
        for name in missing:
            sys.modules.pop(name, None)

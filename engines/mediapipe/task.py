"""How MediaPipe's tasks are opened: with errors that tell what is missing, and without a network.

MediaPipe's native library reports how it is used to play.googleapis.com, from threads of its own, and no option of its
turns that off (seen with 1.2.2). All its threads descend from the one that opens a task.
"""

import importlib
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from emocolor.errors import EngineError, MissingDependencyError

from ..offline import run_offline
from .log import one_line

UNUSED: Final = ("matplotlib", "matplotlib.pyplot", "sounddevice")
"""Modules that MediaPipe always imports and no task here uses. The plotting library alone takes four fifths of the time
of importing MediaPipe."""

log = logging.getLogger(__name__)
_FIRST_WARNING: Final = threading.Semaphore(1)
"""Taken by the first warning and never released."""


def open_task(model: Path, make: Callable[[Any], Any]) -> tuple[Any, Any]:
    """A function from RGB pixels to a MediaPipe image, and the task that ``make`` builds from MediaPipe's base options.

    ``make`` imports its task's classes itself, so errors of those imports are translated here too. The task cannot
    open sockets; where the system has no means to that end, a warning is logged once. Raises
    ``MissingDependencyError`` if MediaPipe or a system library that it needs is absent, and ``EngineError`` if the
    model cannot be used.
    """
    return run_offline(lambda: _open_task(model, make), on_refusal=_warn_once)


def _open_task(model: Path, make: Callable[[Any], Any]) -> tuple[Any, Any]:
    try:
        with _deferred_imports(*UNUSED):
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


def _warn_once(reason: str) -> None:
    if _FIRST_WARNING.acquire(blocking=False):
        log.warning("MediaPipe may report its use to Google, which cannot be prevented here: %s.", reason)


class _DeferredModule(ModuleType):
    """Stands for a module, which it imports when one of its attributes is accessed."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # the import system asks for these and can do without
            raise AttributeError(name)
        return getattr(importlib.import_module(self.__name__), name)


@contextmanager
def _deferred_imports(*names: str) -> Iterator[None]:
    """Within the block, importing these modules costs nothing until they are used. Name packages before their modules.

    Modules that are imported already stay; after the block all can be imported as usual.
    """
    missing = {name: _DeferredModule(name) for name in names if name not in sys.modules}
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

"""How MediaPipe's tasks are opened, and what is said where they cannot be."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from emocolor.errors import EngineError, MissingDependencyError

from .mediapipe_log import one_line


def open_task(model: Path, make: Callable[[Any], Any]) -> tuple[Any, Any]:
    """What makes a MediaPipe image of RGB pixels, and the task that ``make`` makes of MediaPipe's base options.

    Raises ``MissingDependencyError`` where MediaPipe or a system library it needs is absent, and ``EngineError`` where
    the model cannot be used. ``make`` imports its task's classes itself, so that their absence is told, too.
    """
    try:
        # Any narrower name imports the whole package too: half a second, mostly its plotting library.
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

"""Edges and process: sources, sinks, the pipeline between them, and the command.

Names are loaded when they are asked for, so that ``import stream`` costs nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .assembly import Job, open_job
    from .settings import AnalysisOptions, JobSettings
    from .stages import Step
    from .video_sink import SinkOptions
    from .video_source import SourceOptions

__all__ = ["AnalysisOptions", "Job", "JobSettings", "SinkOptions", "SourceOptions", "Step", "open_job"]

_HOMES = {
    "AnalysisOptions": "settings",
    "Job": "assembly",
    "JobSettings": "settings",
    "SinkOptions": "video_sink",
    "SourceOptions": "video_source",
    "Step": "stages",
    "open_job": "assembly",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module 'stream' has no attribute '{name}'")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)

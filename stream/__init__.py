"""Edges and process: sources, sinks, the pipeline between them, and the command.

Names are loaded when they are asked for, so that ``import stream`` costs nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .job import Job
    from .media.reading.source_options import SourceOptions
    from .media.writing.sink_options import SinkOptions
    from .pipeline.steps import Step
    from .settings import AnalysisOptions, JobSettings

__all__ = ["AnalysisOptions", "Job", "JobSettings", "SinkOptions", "SourceOptions", "Step"]

_HOMES = {
    "AnalysisOptions": "settings",
    "Job": "job",
    "JobSettings": "settings",
    "SinkOptions": "media.writing.sink_options",
    "SourceOptions": "media.reading.source_options",
    "Step": "pipeline.steps",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module 'stream' has no attribute '{name}'")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)

"""What a runner is, and what a runtime states about itself. Every runtime has a module of its own beside this one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from numpy.typing import NDArray

from emocolor.protocols import Precision

from ..spec import AnySpec


class Runner(Protocol):
    """One net, ready to run. Not thread-safe."""

    backend: str
    """Runtime and device, for people to read."""

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Named arrays in, named arrays out; ``engines.shapes`` states their names, shapes and types.

        Raises ``OutOfMemoryError``.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Backend:
    """A runtime on a device."""

    name: str
    device: Literal["cpu", "cuda"]
    packages: tuple[str, ...]
    """Distributions that it needs."""
    precisions: tuple[Precision, ...]
    open: Callable[[AnySpec, int, Precision], Runner]
    """Make a net ready on so many CPU threads. Raises ``MissingDependencyError`` if a package cannot be imported, and
    ``EngineError`` if the net cannot be run."""

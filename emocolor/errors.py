"""What can go wrong, by how a caller would react::

    EmocolorError              the base; its text is one line that says what to do
    ├── ConfigurationError     an option, palette or preset is wrong: correct the call
    ├── SourceError            the input cannot be read
    ├── SinkError              the output cannot be written
    ├── MissingDependencyError an optional package or a system library is absent
    ├── EngineError            weights or a backend cannot be used
    │   └── OutOfMemoryError   the device has too little memory for these inputs
    └── RequestError           a client of the live server asked for what it cannot have
        ├── OfferError         its session description (SDP) cannot be used
        ├── NotFoundError      there is no such session or viewer, or not any more
        ├── ConflictError      another session has what it asks for
        └── CapacityError      the server is full or stopping: try again later

Programming mistakes stay ``TypeError``, ``ValueError`` and ``AssertionError``.
"""

import difflib
from collections.abc import Iterable
from typing import Literal


class EmocolorError(Exception):
    """Base of all errors that a user can cause and fix."""

    exit_code = 1
    """What the command exits with when this error ends it."""


class ConfigurationError(EmocolorError):
    """An option, palette or preset is wrong."""

    exit_code = 2


class SourceError(EmocolorError):
    """The input cannot be read."""

    exit_code = 4


class SinkError(EmocolorError):
    """The output cannot be written."""

    exit_code = 5


class MissingDependencyError(EmocolorError):
    """An optional package or a system library is absent."""

    exit_code = 6


class EngineError(EmocolorError):
    """Weights or a backend cannot be used."""

    exit_code = 7


class RequestError(EmocolorError):
    """A client of the live server asked for what it cannot have. It ends that request, never the command."""


OfferProblem = Literal["malformed", "too large", "unsupported"]


class OfferError(RequestError):
    """A session description (SDP) cannot be used. The text repeats nothing of it."""

    def __init__(self, problem: OfferProblem, text: str) -> None:
        super().__init__(text)
        self.problem = problem


class NotFoundError(RequestError):
    """There is no such session or viewer, or not any more."""


class ConflictError(RequestError):
    """Another session has what a client asks for, such as a name."""


class CapacityError(RequestError):
    """The server is full or stopping."""


class OutOfMemoryError(EngineError):
    """The device has too little memory for these inputs; smaller ones may still do."""


def nearest(name: str, known: Iterable[str], *, list_all: bool = False) -> str:
    """The end of a message about an unknown name: the most similar known one, or all; ``list_all``: both."""
    known = list(known)
    close = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    names = f"nown are {', '.join(known)}."
    if not close:
        return f"; k{names}"
    return f"; did you mean '{close[0]}'?" + (f" K{names}" if list_all else "")

"""What can go wrong, by how a caller would react::

    EmocolorError              the base; its text is one line that says what to do
    ├── ConfigurationError     an option, palette or preset is wrong: mend the call
    ├── SourceError            the input cannot be read
    ├── SinkError              the output cannot be written
    ├── MissingDependencyError an optional package or a system library is absent
    └── EngineError            weights or a backend cannot be used

Programming mistakes stay ``TypeError``, ``ValueError`` and ``AssertionError``.
"""


class EmocolorError(Exception):
    """Base of all errors that a user can cause and mend."""

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

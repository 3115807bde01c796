"""How long to wait before something that failed is tried again."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class BackOffOptions:
    """Delays between tries."""

    first_s: float = 0.5
    max_s: float = 10.0


class BackOff:
    """Delays that double with each try, up to the longest."""

    def __init__(self, options: BackOffOptions | None = None) -> None:
        self._options = options or BackOffOptions()
        self._next_s = self._options.first_s

    def next(self) -> float:
        """Seconds to wait now."""
        delay_s, self._next_s = self._next_s, min(2 * self._next_s, self._options.max_s)
        return delay_s

    def reset(self) -> None:
        """Start again with the shortest delay: the last try went well."""
        self._next_s = self._options.first_s

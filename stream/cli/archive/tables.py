"""Text in columns, and lengths of time."""

from collections.abc import Collection, Sequence

from ..messages import printable


def duration(seconds: float) -> str:
    """``0:07``, ``12:05``, ``3:12:05``, ``2 d 3 h``."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} d {hours % 24} h"
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def aligned(rows: Sequence[Sequence[str]], numeric: Collection[int] = (), *, max_width: int | None = None) -> list[str]:
    """The rows of a table as lines: columns as wide as they must be, the ``numeric`` ones aligned on the right."""
    from rich.cells import cell_len, set_cell_size

    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]

    def padded(cell: str, index: int) -> str:
        space = " " * (widths[index] - cell_len(cell))
        return space + cell if index in numeric else cell + space

    lines = ["  ".join(padded(cell, index) for index, cell in enumerate(row)).rstrip() for row in rows]
    if max_width is None:
        return lines
    return [line if cell_len(line) <= max_width else f"{set_cell_size(line, max_width - 1)}…" for line in lines]

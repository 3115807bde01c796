"""The tables of ``training/README.md``, made from recorded results so that no number is typed.

    python -m training.tables [--check]

Each table stands between ``<!-- NAME -->`` and ``<!-- /NAME -->``. ``--check`` writes nothing and exits with 1 where
the page differs from the results.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from emocolor.errors import ConfigurationError, EmocolorError

from .colorizer.tables import TABLES as COLORIZER_TABLES
from .emotion.tables import TABLES as EMOTION_TABLES
from .style.tables import TABLES as STYLE_TABLES

PAGE = Path(__file__).parent / "README.md"
TABLES: Final[dict[str, Callable[[], str]]] = EMOTION_TABLES | COLORIZER_TABLES | STYLE_TABLES


def filled(page: str) -> str:
    """The page with every table filled in; raises ``ConfigurationError`` where a pair of marks is missing."""
    for name, make in TABLES.items():
        before, start, rest = page.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- /{name} -->")
        if not (start and end):
            raise ConfigurationError(f"{PAGE} lacks the marks <!-- {name} --> and <!-- /{name} -->.")
        page = f"{before}{start}\n{make()}\n\n{end}{after}"
    return page


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only report whether the page is up to date")
    arguments = parser.parse_args(argv)
    try:
        page = PAGE.read_text(encoding="utf-8")
        wanted = filled(page)
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")
    if arguments.check:
        parser.exit(*((0, "") if page == wanted else (1, f"{PAGE} is out of date. Run python -m training.tables.\n")))
    PAGE.write_text(wanted, encoding="utf-8")


if __name__ == "__main__":
    main()

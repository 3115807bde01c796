"""Write the Markdown card of a net that ships, made from the JSON card next to its weights.

python -m training.card s0
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from emocolor.errors import ConfigurationError, EmocolorError, nearest
from engines.spec import (
    COLORIZER_FOLDER,
    EMOTION_FOLDER,
    STYLE_FOLDER,
    colorizer_names,
    emotion_net_names,
    style_net_names,
)

from .colorizer.card import card_text as colorizer_card
from .emotion.card import card_text as emotion_card
from .records import read_json
from .style.card import card_text as style_card


def write_card(name: str) -> Path:
    """Write the Markdown card next to the JSON one; raises ``ConfigurationError`` for a net that does not ship."""
    kinds = (
        (emotion_net_names(), EMOTION_FOLDER, emotion_card),
        (colorizer_names(), COLORIZER_FOLDER, colorizer_card),
        (style_net_names(), STYLE_FOLDER, style_card),
    )
    for names, folder, card_text in kinds:
        if name in names:
            path = folder / f"{name}.md"
            path.write_text(card_text(name, read_json(folder / f"{name}.json")))
            return path
    raise ConfigurationError(f"No net '{name}' ships{nearest(name, [n for names, _, _ in kinds for n in names])}")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="a shipped net")
    try:
        print(write_card(parser.parse_args(argv).name))
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")


if __name__ == "__main__":
    main()

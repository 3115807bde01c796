"""What the card of a net must hold, and within which bounds: planes and buffers are as large as these numbers say.

A card holds more than that (training, data, all metrics); what is not declared here is left alone.
"""

from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta, Struct

from emocolor.emotions import EMOTIONS
from emocolor.errors import EngineError

from .regular_files import read_regular

MOST_BYTES: Final = 2**20
"""Of a card; the largest that ships has 27 KB."""
MOST_MASK_VALUES: Final = 2**20
"""Of a dropout mask for one pass."""

Text = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f-\x9f]*\Z", max_length=500)]
"""A line that may be printed."""
Name = Annotated[str, Meta(pattern=r"^[\w.-]+\Z", max_length=64)]
FileName = Annotated[str, Meta(pattern=r"^[^/\\\x00-\x1f\x7f-\x9f]+\.onnx\Z", max_length=255)]
"""A file beside the card."""
Multiple = Annotated[int, Meta(ge=1, le=128)]
Scale = Annotated[float, Meta(gt=0, le=1000)]


class Card(Struct, kw_only=True):
    """What the cards of all kinds of nets have in common."""

    weights: FileName
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    definition: Name
    metrics: dict[str, Any]


class EmotionCard(Card, kw_only=True):
    """Of an emotion classifier."""

    label_sets: Annotated[list[Name], Meta(min_length=1, max_length=16)]
    output: Name
    crop_size: Annotated[int, Meta(ge=8, le=512)]
    dropouts: Annotated[
        dict[
            Name,
            tuple[
                Annotated[list[Annotated[int, Meta(ge=1, le=65536)]], Meta(min_length=1, max_length=4)],
                Annotated[float, Meta(ge=0, lt=1)],
            ],
        ],
        Meta(max_length=64),
    ]
    temperatures: dict[Name, Scale] = {}

    def __post_init__(self) -> None:
        if self.output not in self.label_sets:
            raise ValueError(f"its output {self.output!r} is none of {', '.join(self.label_sets)}")
        if unknown := self.temperatures.keys() - set(self.label_sets):
            raise ValueError(f"it has a temperature for {min(unknown)!r}, which is none of its outputs")
        for name, (shape, _) in self.dropouts.items():
            values = 1
            for length in shape:
                values *= length
            if values > MOST_MASK_VALUES:
                raise ValueError(f"the mask {name!r} has {values} values; at most {MOST_MASK_VALUES} are taken")


class ColorChoiceCard(Struct, kw_only=True):
    """How colours are chosen at one end of the vividness."""

    temperature: Scale
    rebalancing: Annotated[float, Meta(ge=0, le=1000)]


class ColorizerCard(Card, kw_only=True):
    """Of a colorizer."""

    multiple: Annotated[int, Meta(ge=4, le=128, multiple_of=4)]
    grid: Annotated[int, Meta(ge=2, le=128)]
    vividness: tuple[ColorChoiceCard, ColorChoiceCard]


class PaintingCard(Struct, kw_only=True):
    """Of what a style was learnt from."""

    title: Text
    artist: Text
    file: Text = ""
    weight: Annotated[float, Meta(ge=0, le=1e9)] = 1.0


class StyleCard(Card, kw_only=True):
    """Of a style net."""

    multiple: Multiple
    styles: dict[str, PaintingCard]

    def __post_init__(self) -> None:
        if missing := [emotion for emotion in EMOTIONS if emotion not in self.styles]:
            raise ValueError(f"it has no style for {', '.join(missing)}")


AnyCard = TypeVar("AnyCard", bound=Card)


def read_card(path: Path, kind: type[AnyCard], kind_in_words: str) -> AnyCard:
    """The card at ``path``. Raises ``EngineError`` where it is missing, cannot be read, or is not of this kind."""
    try:
        return msgspec.json.decode(read_regular(path, MOST_BYTES), type=kind)
    except FileNotFoundError:
        raise EngineError(f"{path.with_suffix('.onnx')} has no card: {path} is missing.") from None
    except OSError as error:
        raise EngineError(f"The card {path} cannot be read: {error.strerror}.") from error
    except msgspec.ValidationError as error:
        raise EngineError(f"{path} is not the card of {kind_in_words}: {error}.") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise EngineError(f"The card {path} cannot be read: {error}.") from error

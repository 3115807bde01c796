"""The card of a style net in words, made from the JSON card beside its weights (``python -m training.card NAME``)."""

from collections.abc import Mapping
from statistics import fmean
from typing import Any

from ..card import settings_in_words

LIMITS = """\
- It paints every frame by itself. That what it paints holds still it has learnt, and nothing carries over from one
  frame to the next.
- Strokes have the size in pixels that they were learnt at: in a larger picture they are finer beside what it shows.
- Mixtures were learnt as mixtures of Gram matrices; no painting shows what they should look like.
- Seen of `fast`: smooth areas such as skin and sky get strokes of one direction and spacing, which look woven in The
  Night Café and The Scream; small faces and letters go under; The Scream gives its palette more than its bent lines.
- Which painting goes with which emotion is a choice of this project, no finding."""


def card_text(name: str, card: Mapping[str, Any]) -> str:
    """The card as Markdown."""
    training, metrics = card["training"], card["metrics"]
    return f"""\
# {name}

Layout `{card["definition"]}` of `engines/nets/style_net.py`: {card["parameters"]["trainable"]:,} trainable parameters.
Takes sRGB, (1, H, W, 3) uint8, sides multiples of {card["multiple"]}, and the parts (1, 8) of the seven emotions'
styles and of the picture as it is; gives sRGB of the same size.
Weights: `{card["weights"]}`, {card["bytes"] / 1e6:.1f} MB, kernels in float16, sha256 `{card["sha256"]}`.

## Styles

{_paintings(card["styles"])}

All artists have been dead for more than seventy years. The paintings are not in this repository.

## Data and terms

{training["images"]["train"]:,} colour photos, some hundred pixels wide: people, streets, houses, nature, food, animals,
from public research sets (ImageNet, ADE20K, VOC, COCO, Flickr, BSDS, PACS and others), each with terms of its own,
mostly none stated. None of them is in this repository. The weights are offered under this project's licence as far as
it reaches. sha256 of the photos: `{training["data"]["train"]}`.
{_clips(training["data"].get("clips", {}))}
VGG16 (Simonyan and Zisserman 2015) judged what was painted; none of its values is in the weights.

## Training

{_told(card)}

The last epoch is kept.

## Measured on {metrics["n"]} held-out photos

{_losses(metrics)}

{_steadiness(metrics)}{_milliseconds(metrics)}

The exported file moves a sample by at most {card["parity"]["samples"]:.2f} of 255 against the net as it was trained, of
which .5 is rounding.

## Intended use and limits

{LIMITS}
"""


def _clips(clips: Mapping[str, str]) -> str:
    """Which it learnt to hold still on."""
    if not clips:
        return ""
    return f"""
Pairs of neighbouring frames of {len(clips)} clips, none of which is measured on below or in this repository either:
{", ".join(sorted(clips))}.
"""


def _paintings(styles: Mapping[str, Mapping[str, Any]]) -> str:
    lines = ["| emotion | painting | artist | why |", "|---|---|---|---|"]
    for emotion, style in styles.items():
        mild = "" if style["weight"] == 1 else f" Its loss of style counts {style['weight']:g} times."
        lines.append(f"| {emotion} | {style['title']} | {style['artist']} | {style['why']}{mild} |")
    return "\n".join(lines)


def _told(card: Mapping[str, Any]) -> str:
    """What the run, and those that led to it, were told."""
    return "\n\nThen, from the last epoch of that: ".join(map(_run_told, [*card["started_from"], card["training"]]))


def _run_told(training: Mapping[str, Any]) -> str:
    if "soup" in training:
        runs = training["soup"]
        parts, told = " and ".join(f"{run['part']:g}" for run in runs), "\n\n".join(map(_run_told, runs))
        return f"the average of {len(runs)} runs' weights, {parts} (`python -m training.style.soup`):\n\n{told}"
    machine = training["machine"]
    settings = {key: value for key, value in training["settings"].items() if key not in ("styles", "start")}
    return (
        f"`python -m training.style` at commit {machine['commit']}, torch {machine['torch']}, {machine['device']}: "
        f"{settings_in_words(settings)}."
    )


def _losses(metrics: Mapping[str, Any]) -> str:
    """A row an emotion, beside what the photos have and what optimising reaches."""
    gatys, photos = metrics["anchors"]["gatys"], metrics["anchors"]["content"]
    columns = [
        ("content", metrics["content_by_style"]),
        ("style", metrics["style_loss"]),
        ("style of the photos themselves", photos["style_loss"]),
    ]
    words = f"""\
Middle squares of {metrics["size"]} px, each painted in one style. Losses are relative: 0 is the photo in content, and
the painting in style; 1 is a picture without features (`training/style/metrics.py`)."""
    if gatys is not None:
        columns += [("optimised: content", gatys["content_by_style"]), ("style", gatys["style_loss"])]
        net = gatys["net"]
        columns += [("the net on the same: content", net["content_by_style"]), ("style", net["style_loss"])]
        words += f""" "Optimised" is what
{gatys["steps"]} steps of L-BFGS on the pixels reach (Gatys et al. 2016), on {_photos(gatys["photos"])}, and beside it
what the net makes of the same at once."""
    rows = {emotion: [column[emotion] for _, column in columns] for emotion in metrics["style_loss"]}
    rows["mean"] = [fmean(column.values()) for _, column in columns]
    lines = [f"| | {' | '.join(heading for heading, _ in columns)} |", "|---" * (len(columns) + 1) + "|"]
    lines += [f"| {row} | " + " | ".join(f"{value:.3f}" for value in values) + " |" for row, values in rows.items()]
    return f"{words}\n\n" + "\n".join(lines)


def _photos(count: int) -> str:
    return "one photo" if count == 1 else f"{count} photos"


def _steadiness(metrics: Mapping[str, Any]) -> str:
    error, clips = metrics["warp_error"], metrics["clips"]
    if error is None:
        return ""
    styles = ", ".join(f"{emotion} {value:.2f}" for emotion, value in error["by_style"].items())
    return f"""\
On {clips["n_clips"]} clips ({clips["n_frames"]:,} frames, {clips["seconds"]:g} s each at {clips["height"]} px), warp
error in R'G'B' of 255 (`training/style/evaluate.py`): {error["painted"]:.2f} painted ({styles}), {error["truth"]:.2f}
as they were.

"""


def _milliseconds(metrics: Mapping[str, Any]) -> str:
    sizes = ", ".join(f"{ms:.0f} at {size}" for size, ms in metrics["ms_per_frame"].items())
    threads = metrics["threads"]
    return (
        f"Milliseconds a frame, float32, {metrics['backend']} on {metrics['machine']['device']}, "
        f"{threads} thread{'' if threads == 1 else 's'}: {sizes}."
    )

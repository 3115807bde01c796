"""The Markdown card of a style net, made from the JSON card next to its weights."""

from collections.abc import Mapping
from statistics import fmean
from typing import Any

from ..records import settings_in_words

LIMITS = """\
- It stylizes every frame by itself. Temporal consistency was part of the training loss; nothing is carried over from
  one frame to the next.
- Strokes have the same size in pixels as in training, so they are finer relative to a larger image.
- Mixtures were trained on mixtures of Gram matrices; no painting shows what they should look like.
- Observed with `fast`: smooth areas such as skin and sky get strokes of one direction and spacing, which look woven in
  The Night Café and The Scream; small faces and letters are lost; The Scream passes on its palette more than its bent
  lines.
- Which painting stands for which emotion is a choice of this project, not a finding."""


def card_text(name: str, card: Mapping[str, Any]) -> str:
    """The card as Markdown."""
    training, metrics = card["training"], card["metrics"]
    return f"""\
# {name}

Layout `{card["definition"]}` of `engines/nets/style_net.py`: {card["parameters"]["trainable"]:,} trainable parameters.
Inputs: sRGB, (1, H, W, 3) uint8, sides multiples of {card["multiple"]}, and the weights (1, 8) of the seven emotions'
styles and of the unchanged image. Output: sRGB of the same size.
Weights: `{card["weights"]}`, {card["bytes"] / 1e6:.1f} MB, kernels in float16, sha256 `{card["sha256"]}`.

## Styles

{_paintings(card["styles"])}

All artists have been dead for more than seventy years. The paintings are not in this repository.

## Data and terms

{training["images"]["train"]:,} colour photos, some hundred pixels wide: people, streets, houses, nature, food, animals,
from public research sets (ImageNet, ADE20K, VOC, COCO, Flickr, BSDS, PACS and others). Each has its own terms; most
state none. None of them is in this repository. The weights are offered under this project's licence as far as it
reaches. sha256 of the photos: `{training["data"]["train"]}`.
{_clips(training["data"].get("clips", {}))}
VGG16 (Simonyan and Zisserman 2015) provided the features of the losses; none of its values is in the weights.

## Training

{_history(card)}

The weights are those of the last epoch.

## Metrics on {metrics["n"]} held-out photos

{_losses(metrics)}

{_consistency(metrics)}{_milliseconds(metrics)}

The exported file changes a sample by at most {card["parity"]["samples"]:.2f} of 255 from the trained net, of which .5
is rounding.

## Intended use and limits

{LIMITS}
"""


def _clips(clips: Mapping[str, str]) -> str:
    """The clips of the temporal loss."""
    if not clips:
        return ""
    return f"""
Pairs of neighbouring frames come from {len(clips)} clips, which are neither measured below nor in this repository:
{", ".join(sorted(clips))}.
"""


def _paintings(styles: Mapping[str, Mapping[str, Any]]) -> str:
    lines = ["| emotion | painting | artist | why |", "|---|---|---|---|"]
    for emotion, style in styles.items():
        mild = "" if style["weight"] == 1 else f" Weight of its style loss: {style['weight']:g}."
        lines.append(f"| {emotion} | {style['title']} | {style['artist']} | {style['why']}{mild} |")
    return "\n".join(lines)


def _history(card: Mapping[str, Any]) -> str:
    """How the run, and those that led to it, were made."""
    runs = [*card["started_from"], card["training"]]
    return "\n\nThen, starting from these weights: ".join(map(_run_history, runs))


def _run_history(training: Mapping[str, Any]) -> str:
    if "soup" in training:
        runs = training["soup"]
        parts, told = " and ".join(f"{run['part']:g}" for run in runs), "\n\n".join(map(_run_history, runs))
        return f"the average of {len(runs)} runs' weights, {parts} (`python -m training.style.soup`):\n\n{told}"
    machine = training["machine"]
    settings = {key: value for key, value in training["settings"].items() if key not in ("styles", "start")}
    return (
        f"`python -m training.style` at commit {machine['commit']}, torch {machine['torch']}, {machine['device']}: "
        f"{settings_in_words(settings)}."
    )


def _losses(metrics: Mapping[str, Any]) -> str:
    """A row for each emotion, with the photos' own style loss and what direct optimisation reaches."""
    gatys, photos = metrics["anchors"]["gatys"], metrics["anchors"]["content"]
    columns = [
        ("content", metrics["content_by_style"]),
        ("style", metrics["style_loss"]),
        ("style, original photos", photos["style_loss"]),
    ]
    words = f"""\
Central squares of {metrics["size"]} px, each rendered in one style. Losses are relative: 0 means the photo's content or
the painting's style, 1 an image without features (`training/style/metrics.py`)."""
    if gatys is not None:
        columns += [("optimised: content", gatys["content_by_style"]), ("style", gatys["style_loss"])]
        net = gatys["net"]
        columns += [("net, same photo: content", net["content_by_style"]), ("style", net["style_loss"])]
        words += f""" "Optimised" is the
result of {gatys["steps"]} steps of L-BFGS on the pixels (Gatys et al. 2016), on {_photos(gatys["photos"])}; next to it
is that of one pass of the net on the same."""
    rows = {emotion: [column[emotion] for _, column in columns] for emotion in metrics["style_loss"]}
    rows["mean"] = [fmean(column.values()) for _, column in columns]
    lines = [f"| | {' | '.join(heading for heading, _ in columns)} |", "|---" * (len(columns) + 1) + "|"]
    lines += [f"| {row} | " + " | ".join(f"{value:.3f}" for value in values) + " |" for row, values in rows.items()]
    return f"{words}\n\n" + "\n".join(lines)


def _photos(count: int) -> str:
    return "one photo" if count == 1 else f"{count} photos"


def _consistency(metrics: Mapping[str, Any]) -> str:
    error, clips = metrics["warp_error"], metrics["clips"]
    if error is None:
        return ""
    styles = ", ".join(f"{emotion} {value:.2f}" for emotion, value in error["by_style"].items())
    return f"""\
On {clips["n_clips"]} clips ({clips["n_frames"]:,} frames, {clips["seconds"]:g} s each at {clips["height"]} px), the
warp error in R'G'B' of 255 (`training/style/evaluate.py`) is {error["painted"]:.2f} stylized ({styles}) and
{error["truth"]:.2f} in the original.

"""


def _milliseconds(metrics: Mapping[str, Any]) -> str:
    sizes = ", ".join(f"{ms:.0f} at {size}" for size, ms in metrics["ms_per_frame"].items())
    threads = metrics["threads"]
    return (
        f"Milliseconds per frame, float32, {metrics['backend']} on {metrics['machine']['device']}, "
        f"{threads} thread{'' if threads == 1 else 's'}: {sizes}."
    )

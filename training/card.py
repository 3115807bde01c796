"""The card of a net in words, made from the JSON card beside its weights.

python -m training.card emotion_s0
"""

import argparse
import json
from pathlib import Path
from typing import Any

from engines.spec import WEIGHTS

TERMS = """\
Trained on the training split of FER2013 (Goodfellow et al. 2013), web images found by emotion words,
published for a research challenge without a licence; its images are not in this repository. The
weights are offered under this project's licence as far as it reaches."""

LIMITS = """\
- It was trained on acted and web faces of 48x48 pixels whose labels are noisy: people agree with
  them about three times in four, and the crowd votes of FER+ in about two of three.
- It names what an expression looks like, not what a person feels. Do not decide about people by it.
- Classes differ widely; see the recalls above. Disgust is rare in the data and weak here.
- Small, blurred, dark and turned faces are judged worse. Its fairness across age, sex, skin and
  culture was not measured."""


def card_text(name: str, card: dict[str, Any]) -> str:
    """The card as Markdown."""
    training, metrics = card["training"], card["metrics"]
    settings = ", ".join(f"{k} {v}" for k, v in training["settings"].items() if v is not None)
    images, machine = training["images"], training["machine"]
    single, sampled = metrics["deterministic"], metrics["mc20"]
    rows = [
        ("accuracy", "accuracy"),
        ("macro F1", "macro_f1"),
        ("weighted F1", "weighted_f1"),
        ("Cohen's kappa", "kappa"),
        ("Matthews' coefficient", "mcc"),
        ("right in the first two", "top2"),
        ("expected calibration error", "ece"),
    ]
    table = "\n".join(f"| {words} | {single[key]:.3f} | {sampled[key]:.3f} |" for words, key in rows)
    recalls = "\n".join(
        f"| {emotion} | {value:.3f} | {sampled['per_class'][emotion]:.3f} |"
        for emotion, value in single["per_class"].items()
    )
    parity = card["parity"]
    return f"""\
# {name}

{card["parameters"]["trainable"]:,} trainable parameters and {card["parameters"]["running"]:,} running statistics; \
gray crops of {card["crop_size"]}x{card["crop_size"]}, values divided by 255; the dropout masks are inputs.
Weights: `{card["weights"]}`, kernels in float16, sha256 `{card["sha256"]}`.

## Data and terms

{TERMS}

{images["train"]:,} training images; {images["copies_dropped"]} that equal a public-test image pixel by pixel were left
out. Data file `{training["data"]["file"]}`, sha256 `{training["data"]["sha256"]}`.

## Training

`python -m training.emotion` at commit {machine["commit"]}, torch {machine["torch"]}, {machine["device"]}: {settings}.
The last epoch is kept; nothing was chosen on test images.

## Measured on FER2013's public test ({single["n"]:,} images)

| | one pass | Monte Carlo dropout, T = 20 |
|---|---|---|
{table}

Recall of each class:

| | one pass | T = 20 |
|---|---|---|
{recalls}

The exported file differs from torch by at most {parity["runtime_vs_torch"]:.1e} in a probability; float16 storage
changes one by at most {parity["float16_vs_float32"]:.1e}.

## Limits

{LIMITS}
"""


def write_card(name: str) -> Path:
    """Write the Markdown card beside the JSON one."""
    card = json.loads((WEIGHTS / f"{name}.json").read_text())
    path = WEIGHTS / f"{name}.md"
    path.write_text(card_text(name, card))
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="a shipped net")
    print(write_card(parser.parse_args().name))


if __name__ == "__main__":
    main()

"""The tables of ``training/README.md``, made from recorded results so that no figure is typed.

    python -m training.tables [--check]

Each table stands between ``<!-- NAME -->`` and ``<!-- /NAME -->``. ``--check`` writes nothing and
exits with 1 where the page is not what the results say.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from emocolor.errors import ConfigurationError, EmocolorError
from engines.spec import EMOTION

from .colorizer import tables as colorizer_tables
from .emotion import ablation, robustness, uncertainty
from .records import read_measured
from .style import tables as style_tables

HERE = Path(__file__).parent
PAGE = HERE / "README.md"
RESULTS = HERE / "results" / "emotion"
CROP_SCALE = HERE / "results" / "crop_scale.json"
FLIPS = HERE.parent / "tests" / "benchmarks" / "label_flips.json"

PAPER_S0 = {
    "accuracy": 0.656, "macro_f1": 0.608, "weighted_f1": 0.649, "kappa": 0.584, "mcc": 0.588, "top2": 0.837,
    "angry": 0.600, "disgust": 0.351, "fear": 0.322, "happy": 0.867, "sad": 0.761, "surprise": 0.500,
    "neutral": 0.805,
}  # fmt: skip
"""Section 5 of "Emotion-Guided Colorization of Grayscale Portraits"; classes are recalls."""
PAPER_S3 = {"train": 0.9653, "held_out": 0.7934, "test": 0.7751}
"""Section 5 of "Emotion-based Style Transfer": accuracy."""
S3_RUNS = {
    "s3_expw": "5,705 images of ExpW, split, then balanced",
    "s3_expw_paper_order": "the same, balanced, then split as the paper tells it",
    "s3_fer2013": "FER2013 scaled to 128x128, public test",
}
WORDS = {
    "accuracy": "accuracy", "macro_f1": "macro F1", "weighted_f1": "weighted F1", "kappa": "Cohen's kappa",
    "mcc": "Matthews' coefficient", "top2": "right in the first two", "ece": "expected calibration error",
}  # fmt: skip
NETS = ("s0", "tiny", "ours")
LONGER_RUNS = {
    "tiny": "`tiny`: the base for 14 epochs, taught by `ours_first`",
    "ours_first": "`ours_first`: EfficientNet-Lite0 from ImageNet, 15 epochs, wider augmentation",
    "ours_second": "`ours_second`: on from there for 18 epochs, a little less augmentation",
    "ours": "`ours`: the two halves' weights averaged, .4 and .6",
}
"""Kept runs that the ablation's table ends with."""


def table_s0() -> str:
    """S0's own figures beside those of its net here."""
    metrics = _card("s0")["metrics"]["fer2013"]
    single, sampled = metrics["deterministic"], metrics["mc20"]
    lines = ["| | paper | ours, one pass | ours, T = 20 |", "|---|---|---|---|"]
    for key, words in WORDS.items():
        lines.append(f"| {words} | {_short(PAPER_S0.get(key))} | {_short(single[key])} | {_short(sampled[key])} |")
    for emotion in single["per_class"]:
        ours = " | ".join(_short(one["per_class"][emotion]) for one in (single, sampled))
        lines.append(f"| {emotion} | {_short(PAPER_S0[emotion])} | {ours} |")
    return "\n".join(lines)


def table_s3() -> str:
    """S3's own figures beside those of its net here."""
    lines = ["| | images to learn from | held out | test |", "|---|---|---|---|"]
    lines.append(f"| paper: 91,793 images of ExpW | – | {PAPER_S3['held_out']:.3f} | {PAPER_S3['test']:.3f} |")
    for name, words in S3_RUNS.items():
        if (folder := RESULTS / name).exists():
            final = json.loads((folder / "final.json").read_text())
            images = json.loads((folder / "config.json").read_text())["images"]["train"]
            shown = [
                _short(final[part]["fer2013"]["accuracy"] if part in final else None) for part in ("held_out", "test")
            ]
            lines.append(f"| ours: {words} | {images:,} | {' | '.join(shown)} |")
    return "\n".join(lines)


def table_nets() -> str:
    """The nets that ship, on FER2013's public test."""
    lines = [
        "| net | parameters | MB | one face T = 20, f32 / bf16, ms | FER2013, one pass | T = 20 | ECE | "
        "FER+, one pass | T = 20 | ECE |",
        "|---" * 10 + "|",
    ]
    for name in (name for name in NETS if (EMOTION / f"{name}.json").exists()):
        card = _card(name)
        cost, cells = card["cost"], []
        for label_set in ("fer2013", "ferplus"):
            one = card["metrics"][label_set]
            cells += [one["deterministic"]["accuracy"], one["mc20"]["accuracy"], one["mc20_cross_fitted"]["ece"]]
        lines.append(
            f"| `{name}` | {card['parameters']['trainable']:,} | {cost['bytes'] / 1e6:.1f} "
            f"| {cost['f32']['sampled_ms']:.1f} / {cost['bf16']['sampled_ms']:.1f} | {' | '.join(map(_short, cells))} |"
        )
    return "\n".join(lines)


def table_ablation() -> str:
    """The ablation's rows, then the longer runs behind the nets that ship."""
    rows = read_measured(RESULTS / "ablation.json")
    for name, words in LONGER_RUNS.items():
        rows[name] = {"words": words} | ablation.figures_of(RESULTS / name)
    return ablation.as_table(rows)


def table_uncertainty() -> str:
    return uncertainty.markdown(read_measured(RESULTS / "ours" / "uncertainty.json"))


def table_robustness() -> str:
    return robustness.markdown(read_measured(RESULTS / "robustness.json"))


def table_flips() -> str:
    """Label flips over all clips."""
    found = read_measured(FLIPS)["all"]
    lines = ["| net | face time, s | flips a minute before smoothing | after |", "|---|---|---|---|"]
    lines += [
        f"| `{net}` | {row['face_seconds']:.0f} | {row['flips_per_minute_before']:.1f} "
        f"| {row['flips_per_minute_after']:.1f} |"
        for net, row in found.items()
    ]
    return "\n".join(lines)


def table_crop_scale() -> str:
    """Accuracy over the crop's scale, the eyes at FER2013's height."""
    rows = [row for row in read_measured(CROP_SCALE)["figures"] if row["eyes_shift"] == 0]
    lines = ["| scale | " + " | ".join(f"{row['scale']:.2f}" for row in rows) + " |", "|---" * (len(rows) + 1) + "|"]
    for key, words in (("accuracy", "accuracy"), ("top_probability", "mean top probability")):
        lines.append(f"| {words} | " + " | ".join(_short(row[key]) for row in rows) + " |")
    return "\n".join(lines)


TABLES: dict[str, Callable[[], str]] = {
    "s0": table_s0,
    "nets": table_nets,
    "ablation": table_ablation,
    "uncertainty": table_uncertainty,
    "robustness": table_robustness,
    "flips": table_flips,
    "s3": table_s3,
    "crop_scale": table_crop_scale,
    **colorizer_tables.TABLES,
    **style_tables.TABLES,
}


def filled(page: str) -> str:
    """The page with every table as the results say; raises ``ConfigurationError`` for a mark without its pair."""
    for name, make in TABLES.items():
        before, start, rest = page.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- /{name} -->")
        if not (start and end):
            raise ConfigurationError(f"{PAGE} lacks the marks <!-- {name} --> and <!-- /{name} -->.")
        page = f"{before}{start}\n{make()}\n\n{end}{after}"
    return page


def _card(name: str) -> dict[str, Any]:
    return read_measured(EMOTION / f"{name}.json")


def _short(value: float | None) -> str:
    """Three decimals without the zero, as papers write shares."""
    return "–" if value is None else f"{value:.3f}".removeprefix("0")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only tell whether the page is up to date")
    arguments = parser.parse_args()
    try:
        page = PAGE.read_text(encoding="utf-8")
        wanted = filled(page)
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")
    if arguments.check:
        parser.exit(0 if page == wanted else 1, "" if page == wanted else f"{PAGE} is out of date.\n")
    PAGE.write_text(wanted, encoding="utf-8")


if __name__ == "__main__":
    main()

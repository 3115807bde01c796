"""The tables of ``training/README.md`` on emotion classifiers, which ``python -m training.tables`` fills in."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from engines.spec import EMOTION_FOLDER

from ..records import JsonObject, read_json
from . import ablation, robustness, uncertainty

RESULTS = Path(__file__).parents[1] / "results"
FLIPS = Path(__file__).parents[2] / "tests" / "benchmarks" / "label_flips.json"

PAPER_S0 = {
    "accuracy": 0.656, "macro_f1": 0.608, "weighted_f1": 0.649, "kappa": 0.584, "mcc": 0.588, "top2": 0.837,
    "angry": 0.600, "disgust": 0.351, "fear": 0.322, "happy": 0.867, "sad": 0.761, "surprise": 0.500,
    "neutral": 0.805,
}  # fmt: skip
"""Section 5 of "Emotion-Guided Colorization of Grayscale Portraits"; of classes the recall."""
PAPER_S3 = {"train": 0.9653, "held_out": 0.7934, "test": 0.7751}
"""Section 5 of "Emotion-based Style Transfer": accuracy."""
S3_RUNS = {
    "s3_expw": "5,705 images of ExpW, split, then balanced",
    "s3_expw_paper_order": "the same, balanced, then split, in the paper's order",
    "s3_fer2013": "FER2013 scaled to 128x128, public test",
}
WORDS = {
    "accuracy": "accuracy", "macro_f1": "macro F1", "weighted_f1": "weighted F1", "kappa": "Cohen's kappa",
    "mcc": "Matthews' coefficient", "top2": "top-2 accuracy", "ece": "expected calibration error",
}  # fmt: skip
NETS = ("s0", "tiny", "ours")
LONGER_RUNS = {
    "tiny": "`tiny`: the base for 14 epochs, distilled from `ours_first`",
    "ours_first": "`ours_first`: EfficientNet-Lite0 from ImageNet, 15 epochs, wider augmentation",
    "ours_second": "`ours_second`: 18 more epochs from there, with a little less augmentation",
    "ours": "`ours`: the weights of both averaged, .4 and .6",
}
"""Kept runs at the end of the ablation table."""


def table_s0() -> str:
    """The results of S0's paper, and of its net here."""
    return s0_table(_card("s0")["metrics"]["fer2013"])


def s0_table(metrics: JsonObject) -> str:
    """A row for each metric and each class's recall; ``metrics`` are those of one label set in a card."""
    single, sampled = metrics["deterministic"], metrics["mc20"]
    lines = ["| | paper | here, one pass | here, T = 20 |", "|---|---|---|---|"]
    for key, words in WORDS.items():
        lines.append(f"| {words} | {_short(PAPER_S0.get(key))} | {_short(single[key])} | {_short(sampled[key])} |")
    for emotion in single["per_class"]:
        here = " | ".join(_short(one["per_class"][emotion]) for one in (single, sampled))
        lines.append(f"| {emotion} | {_short(PAPER_S0[emotion])} | {here} |")
    return "\n".join(lines)


def table_s3() -> str:
    """The results of S3's paper, and of its net here."""
    lines = ["| | training images | held out | test |", "|---|---|---|---|"]
    lines.append(f"| paper: 91,793 images of ExpW | – | {PAPER_S3['held_out']:.3f} | {PAPER_S3['test']:.3f} |")
    for name, words in S3_RUNS.items():
        if (folder := RESULTS / "emotion" / name).exists():
            final = read_json(folder / "final.json")
            images = read_json(folder / "config.json")["images"]["train"]
            shown = [
                _short(final[part]["fer2013"]["accuracy"] if part in final else None) for part in ("held_out", "test")
            ]
            lines.append(f"| here: {words} | {images:,} | {' | '.join(shown)} |")
    return "\n".join(lines)


def table_nets() -> str:
    """The nets that ship, on FER2013's public test."""
    lines = [
        "| net | parameters | MB | ms per face, T = 20, f32 / bf16 | FER2013, one pass | T = 20 | ECE | "
        "FER+, one pass | T = 20 | ECE |",
        "|---" * 10 + "|",
    ]
    for name in (name for name in NETS if (EMOTION_FOLDER / f"{name}.json").exists()):
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
    """The rows of the ablation, then the longer runs behind the nets that ship."""
    rows = read_json(RESULTS / "emotion" / "ablation.json")
    for name, words in LONGER_RUNS.items():
        rows[name] = {"words": words} | ablation.metrics_of(RESULTS / "emotion" / name)
    return ablation.as_table(rows)


def table_uncertainty() -> str:
    return uncertainty.markdown(read_json(RESULTS / "emotion" / "ours" / "uncertainty.json"))


def table_robustness() -> str:
    return robustness.markdown(read_json(RESULTS / "emotion" / "robustness.json"))


def table_flips() -> str:
    """Label flips over all clips."""
    found = read_json(FLIPS)["all"]
    lines = ["| net | face time, s | label flips per minute before smoothing | after |", "|---|---|---|---|"]
    lines += [
        f"| `{net}` | {row['face_seconds']:.0f} | {row['flips_per_minute_before']:.1f} "
        f"| {row['flips_per_minute_after']:.1f} |"
        for net, row in found.items()
    ]
    return "\n".join(lines)


def table_crop_scale() -> str:
    """Accuracy over the scale of the crop, with the eyes at FER2013's height."""
    rows = [row for row in read_json(RESULTS / "crop_scale.json")["metrics"] if row["eyes_shift"] == 0]
    lines = ["| scale | " + " | ".join(f"{row['scale']:.2f}" for row in rows) + " |", "|---" * (len(rows) + 1) + "|"]
    for key, words in (("accuracy", "accuracy"), ("top_probability", "mean top probability")):
        lines.append(f"| {words} | " + " | ".join(_short(row[key]) for row in rows) + " |")
    return "\n".join(lines)


def _card(name: str) -> JsonObject:
    return read_json(EMOTION_FOLDER / f"{name}.json")


def _short(value: float | None) -> str:
    """Three decimals without the zero, as papers write fractions."""
    return "–" if value is None else f"{value:.3f}".removeprefix("0")


TABLES: Final[dict[str, Callable[[], str]]] = {
    "s0": table_s0,
    "nets": table_nets,
    "ablation": table_ablation,
    "uncertainty": table_uncertainty,
    "robustness": table_robustness,
    "flips": table_flips,
    "s3": table_s3,
    "crop_scale": table_crop_scale,
}

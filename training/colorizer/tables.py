"""The tables of ``training/README.md`` on colorizers, which ``python -m training.tables`` fills in."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from engines.spec import COLORIZER_FOLDER

from ..records import read_json
from .card import metrics_table

RESULTS = Path(__file__).parents[1] / "results" / "colorizer"
SHIPPED = "film"

PAPER: Final = {
    "gray": "S2: AuC 89.1 / 58.0",
    "intensity": "S1: PSNR 19.3, SSIM .65",
    "turbo": "S1, OpenCV's maps: 19.3, .65",
    "s1_perceptual": "S1: 23.14, .93",
    "s2_l2": "S2: AuC 91.2 / 64.4",
    "s2_rebalanced": "S2: AuC 89.5 / 67.3",
}
"""Metrics that the papers report, on their own images."""
SYSTEMS: Final = {
    "s1_mse": "S1's net, error in RGB",
    "s1_perceptual": "S1's net, error in RGB and VGG features",
    "s2_l2": "S2's net, L2",
    "s2_classes": "S2's net, classes",
    "s2_rebalanced": "S2's net, rebalanced, Q = 313",
    "s2_rebalanced_document": "S2's net, rebalanced, the document's numbers, Q = 231",
    "s4_no_prior": "S4's net without the classifier",
    "s4_prior": "S4's net with it",
}
"""Kept runs of the papers' systems."""
COLUMNS: Final = (
    ("PSNR", "psnr", ".2f"),
    ("SSIM", "ssim", ".3f"),
    ("ab error", "ab_error", ".2f"),
    ("R²", "r2", ".3f"),
    ("colourfulness", "colorfulness", ".1f"),
    ("AuC", "auc", ".1f"),
    ("rebalanced", "auc_rebalanced", ".1f"),
)


def table_colorizers() -> str:
    """Baselines, the papers' systems and the net that ships, with the papers' own results."""
    lines = ["| | training | paper | " + " | ".join(words for words, _, _ in COLUMNS) + " |"]
    lines.append("|---" * (len(COLUMNS) + 3) + "|")
    baselines = read_json(RESULTS / "baselines.json")
    for name, row in baselines.items():
        lines.append(_row(f"baseline `{name}`", "", name, row))
    for name, words in SYSTEMS.items():
        if (folder := RESULTS / name).exists():
            settings = read_json(folder / "config.json")["settings"]
            lines.append(_row(words, _training(settings), name, _at_recipe_temperature(folder, settings)))
    for vividness, row in _card()["metrics"].items():
        lines.append(_row(f"`{SHIPPED}`, vividness {vividness}", _training(_card()["training"]["settings"]), "", row))
    return "\n".join(lines)


def table_vividness() -> str:
    """Metrics of the net that ships, by vividness."""
    return metrics_table(_card()["metrics"])


def table_choices() -> str:
    """ab error and colourfulness over temperature and rebalancing."""
    rows = read_json(RESULTS / SHIPPED / "vividness.json")["choices"]
    rebalancings = sorted({row["rebalancing"] for row in rows})
    lines = ["| temperature | " + " | ".join(f"rebalancing {r:g}" for r in rebalancings) + " |"]
    lines.append("|---" * (len(rebalancings) + 1) + "|")
    for temperature in sorted({row["temperature"] for row in rows}, reverse=True):
        cells = {row["rebalancing"]: row for row in rows if row["temperature"] == temperature}
        lines.append(
            f"| {temperature:g} | "
            + " | ".join(f"{cells[r]['ab_error']:.2f} / {cells[r]['colorfulness']:.1f}" for r in rebalancings)
            + " |"
        )
    return "\n".join(lines)


def table_stabilization() -> str:
    """Colour over time, per frame and stabilized, for each inference rate that was measured."""
    lines = [
        "| inferences a second | | warp error | CDC, thousandths | PSNR | colourfulness |",
        "|---|---|---|---|---|---|",
    ]
    by_rate = read_json(RESULTS / SHIPPED / "video.json")
    first = next(iter(by_rate.values()))
    lines.append(_video_row("every frame", "not stabilized", first["per_frame"]))
    for rate, found in by_rate.items():
        lines.append(_video_row("every frame" if rate == "0" else rate, "stabilized", found["stabilized"]))
    lines.append(_video_row("", "original clips", first["truth"]))
    return "\n".join(lines)


def _video_row(rate: str, words: str, row: Mapping[str, Any]) -> str:
    psnr = f"{row['psnr']:.2f}" if "psnr" in row else "–"
    return (
        f"| {rate} | {words} | {row['warp_error']:.2f} | {1000 * row['cdc']:.2f} | {psnr} | {row['colorfulness']:.1f} |"
    )


def _training(settings: Mapping[str, Any]) -> str:
    width = "" if settings["width"] == 1 else f", width {settings['width']:g}"
    return f"{settings['epochs']} epochs of {settings['crop']} px{width}"


def _at_recipe_temperature(folder: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Metrics at the temperature that goes with the recipe's grid; nets without bins have only one."""
    by_temperature: dict[str, dict[str, Any]] = read_json(folder / "final.json")["by_temperature"]
    return by_temperature.get("0.45" if settings["grid"] == 12 else "0.38") or by_temperature["1"]


def _row(words: str, training: str, paper: str, row: Mapping[str, Any]) -> str:
    cells = " | ".join(format(row[key], form).replace("0.", ".", 1) if form == ".3f" else format(row[key], form)
                       for _, key, form in COLUMNS)  # fmt: skip
    return f"| {words} | {training} | {PAPER.get(paper, '')} | {cells} |"


def _card() -> dict[str, Any]:
    return read_json(COLORIZER_FOLDER / f"{SHIPPED}.json")


TABLES: Final[dict[str, Callable[[], str]]] = {
    "colorizers": table_colorizers,
    "choices": table_choices,
    "vividness": table_vividness,
    "stabilization": table_stabilization,
}

"""The tables of ``training/README.md`` on style nets, which ``python -m training.tables`` fills in."""

from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any, Final

from engines.spec import STYLE_FOLDER, style_net_names

from ..records import JsonObject, read_json

RESULTS = Path(__file__).parents[1] / "results" / "style"
EVALUATED: Final = "evaluated.json"
"""In the folder of a kept run: the output of ``training.evaluate style``."""
RUNS: Final = {
    "fast_all_clips": "`fast`",
    "fast_strong": "run with stronger strokes, the first of two in its average",
    "fast_steady": "run with higher temporal weight, the second",
    "fast_single": "run without the temporal loss",
    "s3_relu1_2": "S3's net, style at relu1_2",
    "s3_relu2_2": "S3's net, style at relu2_2",
    "s3_relu3_3": "S3's net, style at relu3_3",
    "s3_relu4_3": "S3's net, style at relu4_3",
}
"""Kept runs, and the net that ships, measured on the same clips as they."""


def table_style_nets() -> str:
    """The nets that ship."""
    return nets_table({name: read_json(STYLE_FOLDER / f"{name}.json") for name in style_net_names()})


def nets_table(cards: Mapping[str, JsonObject]) -> str:
    """A row for each card, by the net's name."""
    lines = [
        "| net | parameters | MB | content loss | style loss | photos' style loss | optimised: content | style "
        "| warp error | clips' warp error | ms at 320x180 | 640x360 | 1280x720 |",
        "|---" * 13 + "|",
    ]
    for name, card in cards.items():
        metrics = card["metrics"]
        gatys, error = metrics["anchors"]["gatys"], metrics["warp_error"]
        cells = [
            f"{card['parameters']['trainable']:,}",
            f"{card['bytes'] / 1e6:.1f}",
            *_losses(metrics),
            *(("–", "–") if gatys is None else (_short(gatys["content_loss"]), _mean(gatys["style_loss"]))),
            *_errors(error),
            *(f"{ms:.0f}" for ms in metrics["ms_per_frame"].values()),
        ]
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def table_style_runs() -> str:
    """Kept runs by the same metrics, each on its own paintings."""
    paths = {words: RESULTS / name / EVALUATED for name, words in RUNS.items()}
    return runs_table({words: read_json(path) for words, path in paths.items() if path.exists()})


def runs_table(evaluated: Mapping[str, JsonObject]) -> str:
    """A row for each output of ``training.evaluate style``, by the words for its run."""
    lines = [
        "| | styles | content loss | style loss | photos' style loss | warp error | clips' warp error |",
        "|---" * 7 + "|",
    ]
    for words, metrics in evaluated.items():
        styles = list(metrics["style_loss"])
        paintings = styles[0] if len(styles) == 1 else f"all {len(styles)}"
        cells = [words, paintings, *_losses(metrics), *_errors(metrics["warp_error"])]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _losses(metrics: Mapping[str, Any]) -> list[str]:
    photos = metrics["anchors"]["content"]["style_loss"]
    return [_short(metrics["content_loss"]), _mean(metrics["style_loss"]), _mean(photos)]


def _errors(error: Mapping[str, Any] | None) -> list[str]:
    return ["–", "–"] if error is None else [f"{error['painted']:.2f}", f"{error['truth']:.2f}"]


def _mean(by_style: Mapping[str, float]) -> str:
    return _short(fmean(by_style.values()))


def _short(value: float) -> str:
    """Three decimals, without a zero before the point."""
    return f"{value:.3f}".removeprefix("0")


TABLES: Final[dict[str, Callable[[], str]]] = {
    "style_nets": table_style_nets,
    "style_runs": table_style_runs,
}

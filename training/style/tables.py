"""Tables of ``training/README.md`` on style nets (``python -m training.tables`` fills them in)."""

from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any, Final

from engines.spec import STYLE, style_net_names

from ..records import read_measured

RESULTS = Path(__file__).parents[1] / "results" / "style"
EVALUATED: Final = "evaluated.json"
"""Beside a kept run's facts: what ``training.evaluate style`` printed for it."""
RUNS: Final = {
    "fast_all_clips": "`fast`",
    "fast_strong": "the stronger of the two runs that it goes back to",
    "fast_steady": "the steadier",
    "fast_single": "a run without the loss between two views",
    "s3_relu1_2": "S3's net, its style at relu1_2",
    "s3_relu2_2": "S3's net, relu2_2",
    "s3_relu3_3": "S3's net, relu3_3",
    "s3_relu4_3": "S3's net, relu4_3",
}
"""Kept runs, and the net that ships on the clips that these were measured on."""


def table_style_nets() -> str:
    """The nets that ship."""
    lines = [
        "| net | parameters | MB | content loss | style loss | of the photos | optimised: content | style "
        "| warp error | of the clips | ms at 320x180 | 640x360 | 1280x720 |",
        "|---" * 13 + "|",
    ]
    for name in style_net_names():
        card = _card(name)
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
    """Kept runs by the same measure, each on the paintings that it learnt."""
    lines = [
        "| | learnt from | content loss | style loss | of the photos | warp error | of the clips |",
        "|---" * 7 + "|",
    ]
    for name, words in RUNS.items():
        if (metrics := _evaluated(name)) is not None:
            styles = list(metrics["style_loss"])
            learnt = f"the painting of {styles[0]}" if len(styles) == 1 else f"{len(styles)} paintings"
            cells = [words, learnt, *_losses(metrics), *_errors(metrics["warp_error"])]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _evaluated(name: str) -> dict[str, Any] | None:
    """The figures of a kept run; None where there are none yet."""
    path = RESULTS / name / EVALUATED
    return read_measured(path) if path.exists() else None


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


def _card(name: str) -> dict[str, Any]:
    return read_measured(STYLE / f"{name}.json")


TABLES: Final[dict[str, Callable[[], str]]] = {
    "style_nets": table_style_nets,
    "style_runs": table_style_runs,
}

"""Time of one face on one core, with and without Monte Carlo dropout, of all nets in one run.

    python -m training.emotion.cost [--nets ours tiny s0] [--passes 20] [--write]

Each net runs on one face with one thread, in float32 and bfloat16. The nets take turns, and the minimum over many
rounds counts, so that other load on the machine matters little. ``--write`` updates the cards.
"""

import argparse
import time
from collections.abc import Sequence
from typing import Any, get_args

import numpy as np

from emocolor.classifier import EmotionClassifier
from emocolor.errors import ConfigurationError, EmocolorError
from emocolor.protocols import Precision
from engines.emotion import load_emotion_net
from engines.spec import EMOTION_FOLDER, emotion_net_names

from ..records import machine_info, read_json, write_json
from .card import card_text

ROUNDS = 60


def milliseconds(nets: list[str], passes: int, precision: Precision, rounds: int = ROUNDS) -> dict[str, float]:
    """Minimum time of one face with T = ``passes`` (0: one pass without dropout), by net."""
    loaded = {name: load_emotion_net(name, threads=1, precision=precision) for name in nets}
    classifiers = {name: EmotionClassifier(net, passes=passes) for name, net in loaded.items()}
    best = dict.fromkeys(nets, float("inf"))
    for _ in range(rounds):
        for name, classifier in classifiers.items():
            crop = np.random.default_rng(0).integers(0, 256, (1, classifier.crop_size, classifier.crop_size), np.uint8)
            started = time.perf_counter()
            classifier.passes_of(crop)
            best[name] = min(best[name], time.perf_counter() - started)
    return {name: round(1e3 * seconds, 2) for name, seconds in best.items()}


def measure(nets: list[str], passes: int) -> dict[str, dict[str, Any]]:
    """By net: milliseconds per face, by precision and number of passes, and bytes on disk."""
    found: dict[str, dict[str, Any]] = {name: {"passes": passes} for name in nets}
    for precision in get_args(Precision):
        single, sampled = milliseconds(nets, 0, precision), milliseconds(nets, passes, precision)
        for name in nets:
            found[name][precision] = {"one_pass_ms": single[name], "sampled_ms": sampled[name]}
    for name in nets:
        found[name]["bytes"] = (EMOTION_FOLDER / f"{name}.onnx").stat().st_size
    return found


def write(found: dict[str, dict[str, Any]]) -> None:
    """Update the cost in each net's card."""
    for name, cost in found.items():
        path = EMOTION_FOLDER / f"{name}.json"
        card = read_json(path) | {"cost": cost | {"machine": machine_info()}}
        write_json(path, card)
        path.with_suffix(".md").write_text(card_text(name, card))


def as_table(found: dict[str, dict[str, Any]]) -> str:
    """Markdown."""
    lines = ["| net | T | one pass f32, ms | sampled f32, ms | sampled bf16, ms | MB |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {name} | {one['passes']} | {one['f32']['one_pass_ms']:.2f} | {one['f32']['sampled_ms']:.2f} "
        f"| {one['bf16']['sampled_ms']:.2f} | {one['bytes'] / 1e6:.1f} |"
        for name, one in found.items()
    ]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", nargs="+", default=list(emotion_net_names()), help="shipped nets (default: all)")
    parser.add_argument("--passes", type=int, default=20, help="T of Monte Carlo dropout")
    parser.add_argument("--write", action="store_true", help="update the cards")
    arguments = parser.parse_args(argv)
    try:
        if unknown := set(arguments.nets) - set(emotion_net_names()):
            raise ConfigurationError(f"No net {', '.join(sorted(unknown))}. Nets: {', '.join(emotion_net_names())}.")
        found = measure(arguments.nets, arguments.passes)
        if arguments.write:
            write(found)
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")
    print(as_table(found))


if __name__ == "__main__":
    main()

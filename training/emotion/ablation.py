"""Ablation study of the recipe: one run for each row, which differs from the base only in what the row names.

    python -m training.emotion.ablation --data fer2013.npz --runs runs/ablation \
        --out training/results/emotion/ablation.json

Rows are in ``configs/training/ablation.toml``. Finished runs are kept and a broken one is resumed, so the script can be
stopped and started. Writes the metrics on the public test images as JSON and prints them as a Markdown table. There is
one seed per row: differences below the spread between seeds, which ``--seeds`` measures on the base, mean nothing.
"""

import argparse
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from emocolor.errors import ConfigurationError, EmocolorError

from ..records import read_json, write_json
from ..run_folder import CONFIG as RUN_CONFIG
from ..run_folder import FINAL
from ..toml_recipe import recipe_from
from .recipe import EmotionRecipe
from .train import SMOKE_IMAGES, train

CONFIG = Path(__file__).parents[2] / "configs" / "training" / "ablation.toml"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One variant of the base recipe."""

    name: str
    words: str
    recipe: EmotionRecipe


def read_rows(path: Path) -> list[Row]:
    """The variants of a TOML file, each with its changes applied to ``base``."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        base, rows = table["base"], table["row"]
        return [_row(path, base, row) for row in rows]
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}.") from error
    except KeyError as error:
        raise ConfigurationError(
            f"{path} lacks {error}; it needs a table base, and rows with name and words."
        ) from error


def _row(path: Path, base: dict[str, Any], row: dict[str, Any]) -> Row:
    changes = {key: value for key, value in row.items() if key not in ("name", "words")}
    augmentation = base.get("augmentation", {}) | changes.pop("augmentation", {})
    recipe = recipe_from(EmotionRecipe, base | changes | {"augmentation": augmentation}, path)
    return Row(name=row["name"], words=row["words"], recipe=recipe)


def run_rows(rows: list[Row], data: Path, runs: Path, *, smoke: bool) -> dict[str, Any]:
    """Train every row that is not finished; metrics by row name."""
    found = {}
    for row in rows:
        folder = runs / row.name
        if not (folder / FINAL).exists():
            print(f"{row.name}: {row.words}", flush=True)
            recipe = replace(row.recipe, epochs=1) if smoke else row.recipe
            train(recipe, data, folder, resume=folder.exists(), limit=SMOKE_IMAGES if smoke else None)
        found[row.name] = {"words": row.words} | metrics_of(folder)
    return found


def metrics_of(run: Path) -> dict[str, Any]:
    """The metrics of a finished run that the table shows, and how they were obtained."""
    final, config = read_json(run / FINAL)["held_out"], read_json(run / RUN_CONFIG)
    metrics = {
        label_set: {key: one[key] for key in ("accuracy", "macro_f1", "ece")} for label_set, one in final.items()
    }
    return metrics | {
        "settings": config["settings"],
        "images": config["images"],
        "machine": config["machine"],
        "data": config["data"],
    }


def as_table(found: dict[str, Any]) -> str:
    """Markdown: accuracy and macro F1 by both kinds of labels."""
    lines = [
        "| recipe | FER2013 accuracy | macro F1 | ECE | FER+ accuracy | macro F1 |",
        "|---|---|---|---|---|---|",
    ]
    for row in found.values():
        fer2013, ferplus = row["fer2013"], row.get("ferplus")
        end = f"{ferplus['accuracy']:.3f} | {ferplus['macro_f1']:.3f}" if ferplus else "– | –"
        lines.append(
            f"| {row['words']} | {fer2013['accuracy']:.3f} | {fer2013['macro_f1']:.3f} | {fer2013['ece']:.3f} | {end} |"
        )
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="npz with images, labels, usage and FER+ votes")
    parser.add_argument("--runs", type=Path, required=True, help="folder for the run folders")
    parser.add_argument("--config", type=Path, default=CONFIG, help="TOML with a base and its rows")
    parser.add_argument("--rows", nargs="+", metavar="NAME", help="only these rows")
    parser.add_argument("--seeds", type=int, default=1, help="run the first row with this many seeds")
    parser.add_argument("--out", type=Path, help="JSON file to write the metrics to, keeping those of other rows")
    parser.add_argument(
        "--smoke", action="store_true", help=f"one epoch on {SMOKE_IMAGES} images per row, to try the script"
    )
    arguments = parser.parse_args(argv)
    try:
        rows = read_rows(arguments.config)
        if unknown := set(arguments.rows or ()) - {row.name for row in rows}:
            raise ConfigurationError(f"No row {', '.join(sorted(unknown))}. Rows: {', '.join(r.name for r in rows)}.")
        rows = [row for row in rows if not arguments.rows or row.name in arguments.rows]
        rows += [_with_seed(rows[0], seed) for seed in range(2, arguments.seeds + 1)]
        found = run_rows(rows, arguments.data, arguments.runs, smoke=arguments.smoke)
        if arguments.out:
            earlier = read_json(arguments.out) if arguments.out.exists() else {}
            write_json(arguments.out, earlier | found)
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")
    print(as_table(found))


def _with_seed(row: Row, seed: int) -> Row:
    recipe = replace(row.recipe, seed=seed)
    return Row(name=f"{row.name}_seed{seed}", words=f"{row.name}, seed {seed}", recipe=recipe)


if __name__ == "__main__":
    main()

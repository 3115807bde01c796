"""What each part of the recipe is worth: one run a row, all alike but for what the row names.

    python -m training.emotion.ablation --data fer2013.npz --runs runs/ablation --out training/results/emotion/ablation.json

Rows stand in ``configs/training/ablation.toml``. Finished runs are kept and a broken one is resumed, so the
script can be stopped and started. Writes the figures of the public test images as JSON, and prints
them as a Markdown table. One seed a row: differences below the spread of seeds, which
``--seeds`` measures on the base, say nothing.
"""

import argparse
import json
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from emocolor.errors import ConfigurationError, EmocolorError

from ..records import write_json
from ..toml_recipe import recipe_from
from .recipe import Settings
from .train import SMOKE_IMAGES, train

CONFIG = Path(__file__).parents[2] / "configs" / "training" / "ablation.toml"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One variant of the base recipe."""

    name: str
    words: str
    settings: Settings


def read_rows(path: Path) -> list[Row]:
    """The variants of a TOML file, each laid over its ``base``."""
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
    settings = recipe_from(Settings, base | changes | {"augmentation": augmentation}, path)
    return Row(name=row["name"], words=row["words"], settings=settings)


def run_rows(rows: list[Row], data: Path, runs: Path, *, smoke: bool) -> dict[str, Any]:
    """Train every row that is not finished; figures by row name."""
    found = {}
    for row in rows:
        folder = runs / row.name
        if not (folder / "final.json").exists():
            print(f"{row.name}: {row.words}", flush=True)
            settings = replace(row.settings, epochs=1) if smoke else row.settings
            train(settings, data, folder, resume=folder.exists(), limit=SMOKE_IMAGES if smoke else None)
        found[row.name] = {"words": row.words} | figures_of(folder)
    return found


def figures_of(run: Path) -> dict[str, Any]:
    """What the table shows of a finished run."""
    final = json.loads((run / "final.json").read_text())["held_out"]
    config = json.loads((run / "config.json").read_text())
    measured = {
        label_set: {key: one[key] for key in ("accuracy", "macro_f1", "ece")} for label_set, one in final.items()
    }
    return measured | {
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
        ours, crowd = row["fer2013"], row.get("ferplus")
        end = f"{crowd['accuracy']:.3f} | {crowd['macro_f1']:.3f}" if crowd else "– | –"
        lines.append(
            f"| {row['words']} | {ours['accuracy']:.3f} | {ours['macro_f1']:.3f} | {ours['ece']:.3f} | {end} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="npz with images, labels, usage and FER+ votes")
    parser.add_argument("--runs", type=Path, required=True, help="folder for the run folders")
    parser.add_argument("--config", type=Path, default=CONFIG, help="TOML with a base and its rows")
    parser.add_argument("--rows", nargs="+", metavar="NAME", help="only these rows")
    parser.add_argument("--seeds", type=int, default=1, help="run the first row with this many seeds")
    parser.add_argument("--out", type=Path, help="write the figures here as JSON, beside those of other rows")
    parser.add_argument("--smoke", action="store_true", help="one epoch on 256 images a row, to try the script")
    arguments = parser.parse_args()
    try:
        rows = read_rows(arguments.config)
        if unknown := set(arguments.rows or ()) - {row.name for row in rows}:
            raise ConfigurationError(f"No row {', '.join(sorted(unknown))}. Rows: {', '.join(r.name for r in rows)}.")
        rows = [row for row in rows if not arguments.rows or row.name in arguments.rows]
        rows += [_with_seed(rows[0], seed) for seed in range(2, arguments.seeds + 1)]
        found = run_rows(rows, arguments.data, arguments.runs, smoke=arguments.smoke)
        if arguments.out:
            earlier = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
            write_json(arguments.out, earlier | found)
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")
    print(as_table(found))


def _with_seed(row: Row, seed: int) -> Row:
    return Row(
        name=f"{row.name}_seed{seed}", words=f"{row.name}, seed {seed}", settings=replace(row.settings, seed=seed)
    )


if __name__ == "__main__":
    main()

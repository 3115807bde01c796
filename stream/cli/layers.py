"""The layers of a command's options: what the command starts from, a preset, and the flags over both."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from emocolor.effects import EFFECTS
from emocolor.effects.chain import names_in
from emocolor.options import Options

from ..presets import preset_names, read_preset, write_preset
from ..settings import RawValues, layered
from .messages import say
from .parameters import Flag, chain_in, given

ENCODER_PRESETS: Final = frozenset(
    ["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo"]
) | {str(level) for level in range(14)}
"""Values of the former ``--preset``, which was the encoder's."""

PresetOption = Annotated[
    str | None,
    typer.Option(
        "--preset",
        metavar="NAME|FILE",
        help=f"Start from a preset: {', '.join(preset_names())}, or a .toml file. Flags count more.",
    ),
]
SavePreset = Annotated[
    Path | None, typer.Option("--save-preset", metavar="FILE.toml", help="Write these options as a preset.")
]
OverlayFlag = Annotated[
    bool,
    typer.Option("--overlay", help="Draw boxes, track ids and probabilities: the effect overlay, last in the chain."),
]


def raw_values(
    flags: Sequence[Flag],
    arguments: Mapping[str, Any],
    *,
    base: RawValues,
    preset: str | None,
    effect: str | None,
    overlay: bool = False,
) -> dict[str, Any]:
    """The command's own values, the preset's over them, and the flags over both.

    ``effect`` and ``overlay`` are flags too. Raises ``ConfigurationError``.
    """
    preset, moved = _encoder_preset(preset)
    layers = [base, read_preset(preset).values if preset else {}, {"effect": effect} if effect else {}]
    chain = chain_in(*layers)
    if overlay and "overlay" not in names_in(chain):
        chain = "overlay" if chain == "none" else f"{chain},overlay"
    below = _without_idle_effects(layered(*layers), chain)
    return layered(below, moved, given(flags, arguments, chain), {"effect": chain})


def applicable(values: RawValues, flags: Sequence[Flag]) -> dict[str, Any]:
    """The values that a command with these flags uses; a warning names what a preset holds beyond them."""
    keys = {option.key for flag in flags for option in flag.options} | {"effect"}
    kept: dict[str, Any] = {}
    for name, value in values.items():
        if not isinstance(value, Mapping):
            kept |= {name: value} if name in keys else {}
            continue
        kept[name] = {key: one for key, one in value.items() if f"{name}.{key}" in keys}
        if left_out := [f"{name}.{key}" for key in value if key not in kept[name]]:
            say(f"warning: {', '.join(left_out)} of the preset does not apply here.")
    return kept


def save_preset(path: Path | None, values: RawValues, groups: Iterable[type[Options]]) -> None:
    """Write the values where ``--save-preset`` asks for it, without what belongs to one file alone."""
    if path is None:
        return
    overwrite = bool(values.get("output", {}).get("overwrite", False))
    of_one_file = {"input": ("start_seconds", "end_seconds"), "output": ("overwrite",), "pieces": ("restart",)}
    kept = {
        name: {key: one for key, one in value.items() if key not in of_one_file.get(name, ())}
        if isinstance(value, Mapping)
        else value
        for name, value in values.items()
    }
    write_preset(path, kept, groups, overwrite=overwrite)


def _encoder_preset(preset: str | None) -> tuple[str | None, RawValues]:
    """The preset, and the values that the former meaning of ``--preset`` stands for."""
    if preset not in ENCODER_PRESETS:
        return preset, {}
    say("warning: the encoder's --preset is now called --encoder-preset.")
    return None, {"output": {"preset": preset}}


def _without_idle_effects(values: RawValues, chain: str) -> dict[str, Any]:
    """Without the options of effects that a flag has taken out of the chain."""
    kept = names_in(chain)
    return {name: value for name, value in values.items() if name not in EFFECTS or name in kept}

"""The command ``emocolor-stream``: parse, call, print."""

import logging
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from emocolor.effects import ColormapOptions, GradeOptions, StyleOptions, TintOptions
from emocolor.effects.colormap import Preprocess
from emocolor.effects.style import Keep, StyleRegion
from emocolor.effects.tint import Base, Several, TintRegion
from emocolor.errors import ConfigurationError, EmocolorError
from emocolor.palettes import MixMode, MixSpace
from emocolor.smoothing import SmoothingOptions
from engines.spec import Precision, net_names, style_net_names

from ..effect_chain import EffectSettings, fixed_styles, parse_chain
from ..media.sink import SinkOptions
from ..restore.restoration import Deinterlacing, RestorationOptions
from ..settings import AnalysisOptions, JobSettings
from .engines import engines_app
from .live import EPILOG, make_live_command
from .options import (
    DEFAULT_COLORS,
    DEFAULT_SOURCE,
    Audio,
    Codec,
    ColorizerOption,
    ColorRate,
    Crf,
    DecoderOption,
    DeviceOption,
    DryRun,
    End,
    Force,
    Format,
    Input,
    InputFormat,
    MaxPixels,
    Output,
    Overwrite,
    PixFmt,
    Preset,
    Quiet,
    Reference,
    Saturation,
    Start,
    Verbose,
    Vividness,
    Warmth,
    band,
    colorize_options,
    source_options,
)
from .serve import SERVE_EPILOG, make_serve_command

EXIT_CODES = (
    "Exit codes: 0 done, 1 unexpected error, 2 wrong option, 3 done but the input was damaged, "
    "4 input cannot be read, 5 output cannot be written, 6 something is not installed, 7 a net cannot be used, "
    "130 ended by Ctrl-C and what was done is kept."
)


TINT, COLORMAP, GRADE, STYLE, FACES = "Tint", "Colormap", "Grade", "Style", "Faces and emotion"
RESTORE = "Restoration"
"""Panels of the help, beside those of ``cli_options``."""
DEFAULT_STYLE = StyleOptions()


class _DefaultsToRun(TyperGroup):
    """``emocolor-stream INPUT -o OUT`` means ``emocolor-stream run INPUT -o OUT``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        own = {*self.commands, "--help", "--version", "--install-completion", "--show-completion"}
        if args and args[0] not in own:
            args = ["run", *args]
        elif not args:
            args = ["--help"]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_DefaultsToRun,
    name="emocolor-stream",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Recolour a video by the emotion of the faces in it.\n\n"
    "[bold]emocolor-stream INPUT -o OUTPUT[/bold] is all it takes; "
    "[bold]emocolor-stream run --help[/bold] lists every option.",
    epilog=EXIT_CODES,
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"emocolor-stream {version('emocolor-stream')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def run(
    input: Input,
    output: Output = None,
    effect: Annotated[
        str,
        typer.Option(
            metavar="EFFECT[:VALUE][,...]",
            help="What recolours the picture, one after the other: colorize[:VIVIDNESS], grade[:STRENGTH], "
            "style[:STRENGTH], tint[:ALPHA], colormap[:MAP], none.",
        ),
    ] = "tint",
    alpha: Annotated[float, typer.Option(rich_help_panel=TINT, help="Part of the colour in the tint, 0 to 1.")] = 0.5,
    palette: Annotated[str, typer.Option(rich_help_panel=TINT, help="Palette by name, or a TOML file.")] = "s0",
    mode: Annotated[
        MixMode,
        typer.Option(rich_help_panel=TINT, help="Mix the colours of all emotions, or take the likeliest one's."),
    ] = "blend",
    mix: Annotated[MixSpace, typer.Option(rich_help_panel=TINT, help="Colour space in which colours mix.")] = "rgb",
    region: Annotated[
        TintRegion, typer.Option(rich_help_panel=TINT, help="Tint everything, faces, people, or all but people.")
    ] = "frame",
    several: Annotated[
        Several,
        typer.Option(
            rich_help_panel=TINT, help="With several faces: the largest wins, all by area, or each its own region."
        ),
    ] = "largest",
    base: Annotated[
        Base, typer.Option(rich_help_panel=TINT, help="Tint the gray picture, or the picture with its own colours.")
    ] = "gray",
    certainty: Annotated[
        float, typer.Option(rich_help_panel=TINT, help="How far an unsure emotion weakens the tint, 0 to 1.")
    ] = 0.0,
    feather: Annotated[
        float, typer.Option(rich_help_panel=TINT, help="Soft edge of face regions, part of the radius.")
    ] = 0.35,
    preprocess: Annotated[
        Preprocess, typer.Option(rich_help_panel=COLORMAP, help="What is done to the lightness before it is looked up.")
    ] = "none",
    strength: Annotated[
        float, typer.Option(rich_help_panel=COLORMAP, help="How far the map replaces the picture, 0 to 1.")
    ] = ColormapOptions().strength,
    sigma: Annotated[
        float, typer.Option(rich_help_panel=COLORMAP, help="Smoothing in pixels, for all but fourier.")
    ] = ColormapOptions().sigma_px,
    edge_contrast: Annotated[
        float, typer.Option(rich_help_panel=COLORMAP, help="Step in lightness from which canny sees an edge, 0 to 1.")
    ] = ColormapOptions().edge_contrast,
    cycles: Annotated[
        str,
        typer.Option(
            rich_help_panel=COLORMAP,
            metavar="LOW-HIGH",
            help="Band that fourier keeps, in cycles per picture height; 4- has no upper end.",
        ),
    ] = "0-40",
    rate: Annotated[
        float, typer.Option(rich_help_panel=FACES, help="Face analyses a second of video; 0 for every frame.")
    ] = 8.0,
    net: Annotated[
        str,
        typer.Option(
            rich_help_panel=FACES,
            help=f"Emotion net: {', '.join(net_names())}, or an .onnx file with its card beside it.",
        ),
    ] = AnalysisOptions().net,
    passes: Annotated[
        int, typer.Option(rich_help_panel=FACES, help="Monte Carlo dropout passes per face; 0 switches dropout off.")
    ] = AnalysisOptions().passes,
    seed: Annotated[int, typer.Option(rich_help_panel=FACES, help="Seed of the dropout masks.")] = 0,
    precision: Annotated[
        Precision, typer.Option(rich_help_panel=FACES, help="Arithmetic of the net; bf16 is faster where there is it.")
    ] = "f32",
    fresh_masks: Annotated[
        bool, typer.Option("--fresh-masks", rich_help_panel=FACES, help="New dropout masks for every analysis.")
    ] = False,
    smooth: Annotated[float, typer.Option(rich_help_panel=FACES, help="Seconds in which evidence fades to 1/e.")] = 0.5,
    look_ahead: Annotated[
        float, typer.Option(rich_help_panel=FACES, help="Seconds of what follows that count too.")
    ] = 1.0,
    timeline: Annotated[
        Path | None, typer.Option(rich_help_panel=FACES, help="Write the emotions to this .jsonl or .csv file.")
    ] = None,
    overlay: Annotated[
        bool, typer.Option("--overlay", rich_help_panel=FACES, help="Draw boxes, ids and probabilities.")
    ] = False,
    vividness: Vividness = DEFAULT_COLORS.vividness,
    saturation: Saturation = DEFAULT_COLORS.saturation,
    warmth: Warmth = DEFAULT_COLORS.warmth,
    reference: Reference = None,
    colorizer: ColorizerOption = DEFAULT_COLORS.net,
    color_rate: ColorRate = DEFAULT_COLORS.rate_hz,
    force: Force = False,
    skin: Annotated[
        float, typer.Option(rich_help_panel=GRADE, help="How far the faces' own colours are kept, 0 to 1.")
    ] = GradeOptions().skin,
    style: Annotated[
        str | None,
        typer.Option(rich_help_panel=STYLE, metavar="EMOTION", help="Paint in this emotion's style, whatever is seen."),
    ] = None,
    style_mix: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=STYLE,
            metavar="EMOTION=PART,...",
            help="Paint in this mixture, as happy=0.7,sad=0.3; only ratios count, how much is --style-strength's.",
        ),
    ] = None,
    style_strength: Annotated[
        float, typer.Option(rich_help_panel=STYLE, help="Part of the style, from none (0) to all (1).")
    ] = DEFAULT_STYLE.strength,
    style_region: Annotated[
        StyleRegion,
        typer.Option(rich_help_panel=STYLE, help="Paint everything, faces, all but faces, people, or all but people."),
    ] = DEFAULT_STYLE.region,
    style_keep: Annotated[
        Keep,
        typer.Option(rich_help_panel=STYLE, help="Keep the picture's own chroma, or its own luma, bit for bit."),
    ] = DEFAULT_STYLE.keep,
    style_size: Annotated[
        int, typer.Option(rich_help_panel=STYLE, help="Short side in pixels of what the net sees of larger pictures.")
    ] = DEFAULT_STYLE.size,
    style_detail: Annotated[
        float,
        typer.Option(rich_help_panel=STYLE, help="How much detail too fine for that size stays under it, 0 to 1."),
    ] = DEFAULT_STYLE.detail,
    style_net: Annotated[
        str,
        typer.Option(
            rich_help_panel=STYLE,
            help=f"Style net: {', '.join((*style_net_names(), 'or an .onnx file with its card beside it.'))}",
        ),
    ] = DEFAULT_STYLE.net,
    style_precision: Annotated[
        Precision, typer.Option(rich_help_panel=STYLE, help="Arithmetic of the net; bf16 is faster where there is it.")
    ] = DEFAULT_STYLE.precision,
    codec: Codec = None,
    crf: Crf = None,
    preset: Preset = None,
    pix_fmt: PixFmt = None,
    ss: Start = None,
    to: End = None,
    audio: Audio = "copy",
    format: Format = None,
    input_format: InputFormat = None,
    max_pixels: MaxPixels = DEFAULT_SOURCE.max_pixels,
    overwrite: Overwrite = False,
    device: DeviceOption = "auto",
    decoder: DecoderOption = "software",
    dry_run: DryRun = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
) -> None:
    """Recolour INPUT by the emotion of the faces in it."""
    _configure_logging(verbose)

    def build() -> JobSettings:
        from ..config_files import read_palette

        if output is None and timeline is None and not dry_run:
            raise ConfigurationError("Nothing to write: pass -o OUTPUT, or --timeline FILE for the emotions alone.")
        tint = TintOptions(
            palette=read_palette(palette),
            alpha=alpha,
            mode=mode,
            mix=mix,
            region=region,
            several=several,
            base=base,
            certainty=certainty,
            feather=feather,
        )
        colormap = ColormapOptions(
            preprocess=preprocess,
            strength=strength,
            sigma_px=sigma,
            edge_contrast=edge_contrast,
            cycles=band(cycles),
        )
        fixed = fixed_styles(style, style_mix)
        effects = parse_chain(
            effect,
            EffectSettings(
                tint=tint,
                colormap=colormap,
                colorize=colorize_options(colorizer, color_rate, vividness, saturation, warmth, reference, force=force),
                grade=GradeOptions(skin=skin),
                style=StyleOptions(
                    net=style_net,
                    strength=style_strength,
                    fixed=fixed,
                    region=style_region,
                    keep=style_keep,
                    size=style_size,
                    detail=style_detail,
                    precision=style_precision,
                ),
            ),
        )
        if fixed is not None and not any(isinstance(options, StyleOptions) for options in effects):
            raise ConfigurationError("--style and --style-mix need --effect style, alone or in a chain.")
        analysis = AnalysisOptions(
            rate_hz=rate, net=net, passes=passes, seed=seed, fresh_masks=fresh_masks, precision=precision
        )
        sees_faces = overlay or timeline is not None or any(options.needs_faces for options in effects)
        return JobSettings(
            input=input,
            output=output,
            source=source_options(ss, to, max_pixels, input_format),
            sink=SinkOptions(
                codec=codec, crf=crf, preset=preset, pix_fmt=pix_fmt, audio=audio, format=format, overwrite=overwrite
            ),
            analysis=analysis if sees_faces else None,
            smoothing=SmoothingOptions(time_constant=smooth, look_ahead=look_ahead),
            effects=effects,
            device=device,
            decoder=decoder,
            overlay=overlay,
            timeline=timeline,
        )

    def work() -> int:
        from .console import print_plan, run_job

        settings = build()
        if dry_run:
            print_plan(settings)
            return 0
        return run_job(settings, show_progress=not quiet)

    _end(work, verbose)


@app.command()
def remaster(
    input: Input,
    output: Output = None,
    deinterlace: Annotated[
        Deinterlacing,
        typer.Option(rich_help_panel=RESTORE, help="Make interlaced pictures whole: where they are found, on, or off."),
    ] = "auto",
    denoise: Annotated[
        float, typer.Option(rich_help_panel=RESTORE, help="How much grain is taken out, 0 to 1; .5 suits most film.")
    ] = 0.0,
    deflicker: Annotated[
        bool, typer.Option("--deflicker", rich_help_panel=RESTORE, help="Even out exposure that wavers.")
    ] = False,
    vividness: Vividness = DEFAULT_COLORS.vividness,
    saturation: Saturation = DEFAULT_COLORS.saturation,
    warmth: Warmth = DEFAULT_COLORS.warmth,
    reference: Reference = None,
    colorizer: ColorizerOption = DEFAULT_COLORS.net,
    color_rate: ColorRate = DEFAULT_COLORS.rate_hz,
    force: Force = False,
    compare: Annotated[
        bool, typer.Option("--compare", help="Show the left half of the picture as it came in.")
    ] = False,
    strip: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Where frames before and after are shown (default: beside the output)."),
    ] = None,
    codec: Codec = None,
    crf: Crf = None,
    preset: Preset = None,
    pix_fmt: PixFmt = None,
    ss: Start = None,
    to: End = None,
    audio: Audio = "copy",
    format: Format = None,
    input_format: InputFormat = None,
    max_pixels: MaxPixels = DEFAULT_SOURCE.max_pixels,
    overwrite: Overwrite = False,
    device: DeviceOption = "auto",
    decoder: DecoderOption = "software",
    dry_run: DryRun = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
) -> None:
    """Restore old gray footage and give it natural colours that hold still."""
    _configure_logging(verbose)

    def work() -> int:
        from .remaster import print_remaster_plan, run_remaster

        if output is None and not dry_run:
            raise ConfigurationError("Nothing to write: pass -o OUTPUT.")
        settings = JobSettings(
            input=input,
            output=output,
            source=source_options(ss, to, max_pixels, input_format),
            sink=SinkOptions(
                codec=codec, crf=crf, preset=preset, pix_fmt=pix_fmt, audio=audio, format=format, overwrite=overwrite
            ),
            analysis=None,
            restoration=RestorationOptions(deinterlace=deinterlace, denoise=denoise, deflicker=deflicker),
            effects=(colorize_options(colorizer, color_rate, vividness, saturation, warmth, reference, force=force),),
            device=device,
            decoder=decoder,
            compare=compare,
        )
        if dry_run:
            print_remaster_plan(settings, strip)
            return 0
        return run_remaster(settings, strip, show_progress=not quiet)

    _end(work, verbose)


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the clip and what is made of it go.")] = Path(
        "demo"
    ),
    verbose: Annotated[int, typer.Option("--verbose", "-v", count=True, help="Say more.")] = 0,
) -> None:
    """Make a short clip with a changing face, recolour it, and draw what came out."""
    _configure_logging(verbose)

    def work() -> int:
        from ..demo.run import run_demo

        return run_demo(folder)

    _end(work, verbose)


@app.command()
def doctor(
    verbose: Annotated[int, typer.Option("--verbose", "-v", count=True, help="Say more.")] = 0,
) -> None:
    """Print versions, codecs and devices, and which backend would run."""
    _configure_logging(verbose)

    def work() -> int:
        from .doctor import examine

        return examine()

    _end(work, verbose)


def _end(work: Callable[[], int], verbose: int) -> None:
    """Run and exit: an error becomes one line, and its trace where -vv asks for it."""
    try:
        code = work()
    except EmocolorError as error:
        if verbose > 1:
            traceback.print_exc()
        print(f"error: {error}", file=sys.stderr)
        code = error.exit_code
    except KeyboardInterrupt:
        print("stopped before anything was done.", file=sys.stderr)
        code = 130
    except Exception as error:
        if verbose > 1:
            traceback.print_exc()
        what = " ".join(f"{type(error).__name__}: {error}".split())
        print(f"error: this should not happen ({what}); please report it with what -vv prints.", file=sys.stderr)
        code = 1
    raise SystemExit(code)


def _perform(work: Callable[[], int], verbose: int) -> None:
    _configure_logging(verbose)
    _end(work, verbose)


app.add_typer(engines_app(_perform), name="engines")
app.command("live", epilog=EPILOG)(make_live_command(_end))
app.command("serve", epilog=SERVE_EPILOG)(make_serve_command(_end))


def _configure_logging(verbose: int) -> None:
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    for noisy in ("asyncio", "matplotlib", "absl", "PIL"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def main(arguments: Sequence[str] | None = None) -> None:
    app(args=list(arguments) if arguments is not None else None, prog_name="emocolor-stream")

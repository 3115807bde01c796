"""``emocolor-stream live``: a camera or a stream recoloured as it comes."""

import logging
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Final

import typer

from emocolor.effects.tint import Base, TintRegion
from emocolor.errors import ConfigurationError, EmocolorError

from ..live.controls import Controls
from ..media.locations import is_standard_stream, shown
from .logs import configure_logging
from .options import MEDIA, DeviceOption, Overwrite, Quiet, Verbose

DEFAULTS: Final = Controls()
COLOURS, LIVE = "Colours", "Live"
"""Panels of the help."""
LOWEST_LATENCY_MS, HIGHEST_LATENCY_MS = 10.0, 5000.0

EPILOG: Final = (
    "A network input or a camera that is lost is opened again after 0.5, 1, 2, 4, 8 and then every 10 s; a network "
    "input that sends nothing for 10 s counts as lost. Meanwhile the outputs go on with the last picture, dimmed. "
    "Network outputs are opened again in the same way. Exit codes: 0 the input ended or the viewer did, 2 wrong "
    "option, 4 no input (or with --once: lost), 5 an output could not be written, 6 something is not installed, "
    "7 a net cannot be used, 130 Ctrl-C and 143 SIGTERM, both with all outputs finished."
)


def make_live_command(end: Callable[[Callable[[], int], int], None]) -> Callable[..., None]:
    """The command's function; ``end`` runs its work and exits, as all commands do."""

    def live(
        input: Annotated[
            str,
            typer.Argument(
                metavar="INPUT",
                help="webcam, webcam:1, /dev/video0, a URL (rtsp, rtmp, http, hls, udp, tcp ...), "
                "a video file at its own pace, or - for standard input.",
            ),
        ],
        output: Annotated[
            list[str] | None,
            typer.Option(
                "--output",
                "-o",
                help="Where the result goes, as often as needed: a file (.mkv, .mp4, .mov, .ts, .flv; playable even "
                "after a crash), a URL such as rtmp://host/app/key, or - for standard output (Matroska).",
            ),
        ] = None,
        format: Annotated[
            str | None, typer.Option("--format", "-f", rich_help_panel=MEDIA, help="Format of standard output.")
        ] = None,
        overwrite: Overwrite = False,
        preset: Annotated[
            str, typer.Option(rich_help_panel=MEDIA, help="Preset of x264; ultrafast is the cheapest.")
        ] = "veryfast",
        crf: Annotated[
            float, typer.Option(rich_help_panel=MEDIA, help="Constant quality of x264; network outputs take 4 Mb/s.")
        ] = 23,
        view: Annotated[bool, typer.Option("--view", help="Show a window: q ends, f is full screen.")] = False,
        virtual_camera: Annotated[
            bool, typer.Option("--virtual-camera", help="Be a camera for other programs (extra 'camera').")
        ] = False,
        latency: Annotated[
            float,
            typer.Option(
                metavar="MS", rich_help_panel=LIVE, help="Latency to keep to: quality steps down before it is exceeded."
            ),
        ] = 120,
        once: Annotated[
            bool, typer.Option("--once", rich_help_panel=LIVE, help="Try nothing again: end when the input is lost.")
        ] = False,
        size: Annotated[
            str | None, typer.Option(metavar="WxH", rich_help_panel=LIVE, help="Size to ask a camera for.")
        ] = None,
        fps: Annotated[
            float | None, typer.Option(rich_help_panel=LIVE, help="Frames a second to ask a camera for.")
        ] = None,
        effect: Annotated[
            str, typer.Option(metavar="EFFECT[:VALUE][,...]", rich_help_panel=COLOURS, help="As of the command run.")
        ] = DEFAULTS.effect,
        palette: Annotated[
            str, typer.Option(rich_help_panel=COLOURS, help="Palette of the tint, by name.")
        ] = DEFAULTS.palette,
        alpha: Annotated[
            float, typer.Option(rich_help_panel=COLOURS, help="Part of the colour in the tint, 0 to 1.")
        ] = DEFAULTS.alpha,
        base: Annotated[
            Base, typer.Option(rich_help_panel=COLOURS, help="Tint the gray picture, or the one with its own colours.")
        ] = DEFAULTS.base,
        region: Annotated[
            TintRegion, typer.Option(rich_help_panel=COLOURS, help="Tint everything, faces, people, or all but people.")
        ] = DEFAULTS.region,
        strength: Annotated[
            float, typer.Option(rich_help_panel=COLOURS, help="Of style and of grade.")
        ] = DEFAULTS.strength,
        style: Annotated[
            str,
            typer.Option(metavar="EMOTION", rich_help_panel=COLOURS, help="Paint in this emotion's style, or auto."),
        ] = DEFAULTS.style,
        vividness: Annotated[
            float, typer.Option(rich_help_panel=COLOURS, help="Of colorize, from safe (0) to bold (1).")
        ] = DEFAULTS.vividness,
        overlay: Annotated[
            bool, typer.Option("--overlay", rich_help_panel=COLOURS, help="Draw boxes, ids and probabilities.")
        ] = False,
        device: DeviceOption = "auto",
        log_json: Annotated[bool, typer.Option("--log-json", help="Log one JSON object a line.")] = False,
        quiet: Quiet = False,
        verbose: Verbose = 0,
    ) -> None:
        """Recolour a camera or a stream as it comes, within a latency budget."""
        configure_logging(verbose, as_json=log_json)
        if quiet:
            logging.getLogger().setLevel(logging.WARNING)

        def work() -> int:
            from ..live.capture.inputs import parse_input
            from ..live.live_run import LiveSettings, run_live
            from ..live.output.destinations import parse_output
            from ..live.output.media import EncoderOptions

            _check(latency, output or [], view=view, virtual_camera=virtual_camera)
            controls = Controls(
                effect=effect,
                palette=palette,
                alpha=alpha,
                base=base,
                region=region,
                strength=strength,
                style=style,
                vividness=vividness,
                overlay=overlay,
            )
            source = parse_input(input, size=size, fps=fps)
            places = (
                parse_output(
                    place,
                    format_name=format if is_standard_stream(place) else None,
                    overwrite=overwrite,
                    source=input,
                )
                for place in output or []
            )
            return run_live(
                LiveSettings(
                    source=source,
                    destinations=tuple(places),
                    encoder=EncoderOptions(crf=crf, preset=preset),
                    view=view,
                    virtual_camera=virtual_camera,
                    controls=controls,
                    latency_s=latency / 1000,
                    once=once,
                    device=device,
                    show_status=sys.stderr.isatty() and not (quiet or log_json),
                )
            )

        end(partial(_logged, work) if log_json else work, verbose)

    return live


def _check(latency_ms: float, outputs: Sequence[str], *, view: bool, virtual_camera: bool) -> None:
    if not LOWEST_LATENCY_MS <= latency_ms <= HIGHEST_LATENCY_MS:
        raise ConfigurationError(
            f"--latency must lie between {LOWEST_LATENCY_MS:g} and {HIGHEST_LATENCY_MS:g} ms, got {latency_ms:g}."
        )
    if not (outputs or view or virtual_camera):
        raise ConfigurationError("Nobody would see the picture: pass -o OUTPUT, --view or --virtual-camera.")
    twice = next((place for place in outputs if outputs.count(place) > 1), None)
    if twice is not None:
        raise ConfigurationError(f"The output {shown(twice)} is named twice.")


def _logged(work: Callable[[], int]) -> int:
    """Errors as JSON too, so that every line of the log can be read by a machine."""
    try:
        return work()
    except EmocolorError as error:
        logging.getLogger(__name__).error("%s", error, extra={"event": "error", "exit_code": error.exit_code})
        return error.exit_code

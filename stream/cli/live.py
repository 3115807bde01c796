"""``emocolor-stream live``: a camera or a stream recoloured as it comes."""

import logging
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any, Final

import typer

from emocolor.errors import ConfigurationError

from ..media.locations import display_name, is_standard_stream
from ..media.reading.source_options import SourceOptions
from ..media.writing.sink_options import SinkOptions
from ..settings import AnalysisOptions, JobSettings, LiveOptions, RawValues, chain_of, section_of
from .ending import Quiet, Verbose, end
from .layers import OverlayFlag, PresetOption, SavePreset, applicable, raw_values, save_preset
from .logs import configure_logging, errors_logged
from .parameters import chain_parameter, flags_for, parameters_of, with_parameters

READING: Final = ("input.max_pixels", "input.probesize", "input.analyzeduration", "input.protocol_whitelist")
"""Options of the input that live inputs have too."""
ENCODING: Final = ("output.crf", "output.preset", "output.format", "output.overwrite")
"""Options of the output that live outputs have too."""
LIVE_EPILOG: Final = (
    "A network input or a camera that is lost is opened again after 0.5, 1, 2, 4, 8 and then every 10 s; a network "
    "input that sends nothing for 10 s (HLS: 30 s) counts as lost, and one that refuses the login ends the command. "
    "Meanwhile the outputs go on with the last frame, dimmed. "
    "Network outputs are opened again in the same way. Exit codes: 0 the input ended or the viewer did, 2 wrong "
    "option, 4 no input (or with --once: lost), 5 an output could not be written, 6 something is not installed, "
    "7 a net cannot be used, 130 Ctrl-C and 143 SIGTERM, both with all outputs finished."
)

Input = Annotated[
    str,
    typer.Argument(
        metavar="INPUT",
        help="webcam, webcam:1, /dev/video0, a URL (rtsp, rtmp, http, hls, udp, tcp ...), "
        "a video file at its own pace, or - for standard input.",
    ),
]
Outputs = Annotated[
    list[str] | None,
    typer.Option(
        "--output",
        "-o",
        help="Where the result goes, as often as needed: a file (.mkv, .mp4, .mov, .ts, .flv; playable even "
        "after a crash), a URL such as rtmp://host/app/key, or - for standard output (Matroska).",
    ),
]
LogJson = Annotated[bool, typer.Option("--log-json", help="Log one JSON object per line.")]


def live_command() -> Callable[..., None]:
    """The function of ``emocolor-stream live``."""
    groups = [JobSettings, AnalysisOptions, LiveOptions, SourceOptions, SinkOptions]
    flags = flags_for(groups, only=("device", *READING, *ENCODING))

    def live(
        *,
        input: Input,
        output: Outputs = None,
        view: Annotated[bool, typer.Option("--view", help="Show a window: q ends, f is full screen.")] = False,
        virtual_camera: Annotated[
            bool, typer.Option("--virtual-camera", help="Be a camera for other programs (extra 'camera').")
        ] = False,
        size: Annotated[
            str | None, typer.Option("--size", metavar="WxH", rich_help_panel="Live", help="Size to ask a camera for.")
        ] = None,
        fps: Annotated[
            float | None, typer.Option("--fps", rich_help_panel="Live", help="Frames per second to ask a camera for.")
        ] = None,
        preset: PresetOption = None,
        effect: str | None = None,
        overlay: OverlayFlag = False,
        save: SavePreset = None,
        log_json: LogJson = False,
        quiet: Quiet = False,
        verbose: Verbose = 0,
        **others: Any,
    ) -> None:
        configure_logging(verbose, as_json=log_json)
        if quiet:
            logging.getLogger().setLevel(logging.WARNING)

        def work() -> int:
            from ..live.capture.inputs import parse_input

            values = raw_values(flags, others, base={}, preset=preset, effect=effect, overlay=overlay)
            save_preset(save, values, (AnalysisOptions, LiveOptions))
            _check_outputs(output or [], view=view, virtual_camera=virtual_camera)
            values = applicable(values, flags)
            return _run(
                values,
                source=parse_input(input, size=size, fps=fps, options=section_of(SourceOptions, values)),
                outputs=output or [],
                view=view,
                virtual_camera=virtual_camera,
                show_status=sys.stderr.isatty() and not (quiet or log_json),
            )

        end(partial(errors_logged, work) if log_json else work, verbose)

    chain = chain_parameter()
    own = [chain if one.name == chain.name else one for one in parameters_of(live)]
    return with_parameters(live, live, [*own, *(flag.parameter for flag in flags)])


def _run(values: RawValues, *, source: Any, outputs: Sequence[str], show_status: bool, **places: bool) -> int:
    from ..live.controls import Controls
    from ..live.output.destinations import parse_output
    from ..live.run import LiveSettings
    from .live_console import run_live

    sink = section_of(SinkOptions, values)
    destinations = (
        parse_output(
            place,
            format_name=sink.format if is_standard_stream(place) else None,
            overwrite=sink.overwrite,
            source=source.location,
        )
        for place in outputs
    )
    return run_live(
        LiveSettings(
            source=source,
            destinations=tuple(destinations),
            sink=sink,
            controls=Controls.of(chain_of(values)),
            analysis=section_of(AnalysisOptions, values),
            options=section_of(LiveOptions, values),
            device=values.get("device", "auto"),
            **places,
        ),
        show_status=show_status,
    )


def _check_outputs(outputs: Sequence[str], *, view: bool, virtual_camera: bool) -> None:
    if not (outputs or view or virtual_camera):
        raise ConfigurationError("Nobody would see the result: pass -o OUTPUT, --view or --virtual-camera.")
    twice = next((place for place in outputs if outputs.count(place) > 1), None)
    if twice is not None:
        raise ConfigurationError(f"The output {display_name(twice)} is named twice.")

"""Which encoder a target gets, in which pixel format, and the options that it takes."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import av
from av.codec import Codec
from av.codec.codec import UnknownCodecError, codecs_available, find_best_pix_fmt_of_list
from av.codec.context import CodecOption, OptionType

from emocolor.errors import ConfigurationError
from emocolor.frames import PIXEL_FORMATS, PixelFormat

from .source_facts import HdrMetadata

IMAGE_CODECS: Final = {
    ".png": "png",
    ".jpg": "mjpeg",
    ".jpeg": "mjpeg",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".bmp": "bmp",
    ".webp": "libwebp",
    ".jp2": "jpeg2000",
}
"""Encoder of an image file by its ending."""
ENCODERS: Final = {
    "webm": "libvpx-vp9",
    "gif": "gif",
    "apng": "apng",
    "webp": "libwebp_anim",
    "yuv4mpegpipe": "wrapped_avframe",
    "rawvideo": "rawvideo",
    "mpeg": "mpeg2video",
    "asf": "wmv2",
    "mxf": "mpeg2video",
    "hevc": "libx265",
}
"""Encoder of a container format where it is not H.264."""
DEFAULT_ENCODER: Final = "libx264"
PRESETS: Final = (
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
    "placebo",
)
"""Of x264 and x265, which do not list them themselves."""
HIGHEST_CRF: Final = {"libx264": 51, "libx264rgb": 51, "libx265": 51}
"""Where FFmpeg states no bound of its own."""
EXTRA_OPTIONS: Final[dict[str, dict[str, str]]] = {
    # FFmpeg's defaults for VP9 are a bit rate of 256 kb/s and one thread at a few frames a second.
    "libvpx-vp9": {"crf": "32", "row-mt": "1", "cpu-used": "4"},
    "libvpx": {"crf": "10", "b": "4M", "cpu-used": "4"},
}
QUANTISERS: Final = {
    "mpeg4": 3,
    "mpeg2video": 3,
    "mpeg1video": 3,
    "msmpeg4": 3,
    "wmv1": 3,
    "wmv2": 3,
    "flv": 3,
    "mjpeg": 2,
}
"""Fixed quality for encoders that would otherwise aim at 200 kb/s; 1 is the best, 31 the worst."""
RGB_ENCODERS: Final = frozenset({"png", "apng", "tiff", "bmp", "gif", "libx264rgb"})
"""Encoders whose files are expected in RGB, whatever else they take."""
Y4M_FORMATS: Final = (
    *("yuv420p", "yuv422p", "yuv444p", "yuv411p"),
    *(f"yuv{chroma}p{bits}le" for chroma in (420, 422, 444) for bits in (9, 10, 12, 14, 16)),
)
CHROMATICITY_UNITS: Final = 50_000
LUMINANCE_UNITS: Final = 10_000


def default_encoder(format_name: str, ending: str) -> str:
    """The encoder for a container format, and for images by the file's ending such as ``.png``."""
    if format_name == "image2":
        return IMAGE_CODECS.get(ending.lower(), "png")
    return ENCODERS.get(format_name, DEFAULT_ENCODER)


def find_encoder(name: str) -> Codec:
    """FFmpeg's video encoder of that name.

    Raises ConfigurationError that names near ones where there is none.
    """
    try:
        codec = Codec(name, "w")
    except UnknownCodecError:
        codec = None
    if codec is not None and codec.type == "video":
        return codec
    if codec is not None:
        raise ConfigurationError(f"{name} encodes {codec.type}, not video. Take {DEFAULT_ENCODER}, for example.")
    near = _nearest(name, (known for known in codecs_available if _encodes_video(known)))
    raise ConfigurationError(f"There is no video encoder {name!r}{near or f'; the usual one is {DEFAULT_ENCODER}'}.")


def _encodes_video(name: str) -> bool:
    try:
        return Codec(name, "w").type == "video"
    except UnknownCodecError:
        return False


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(near)}?".rstrip("?") if near else ""


def encoder_options(
    codec: Codec, *, crf: float | None, preset: str | None, options: Mapping[str, str], hdr: HdrMetadata | None
) -> dict[str, str]:
    """The options of ``codec`` by FFmpeg's names.

    Raises ConfigurationError for an unknown option, and for a crf or preset that it does not take.
    """
    known = _known_options(codec)
    chosen = dict(EXTRA_OPTIONS.get(codec.name, {}))
    if crf is not None:
        chosen |= _quality(codec, known, crf)
    if preset is not None:
        chosen["preset"] = _checked_preset(codec, known, preset)
    for name in options:
        if name not in known:
            raise ConfigurationError(f"The encoder {codec.name} has no option {name!r}{_nearest(name, known)}.")
    return _with_parameters(codec.name, chosen | dict(options), _hdr_parameters(codec.name, hdr))


def _known_options(codec: Codec) -> dict[str, CodecOption]:
    supported = av.CodecContext.create(codec, "w").supported_options
    return {option.name: option for option in (*supported.generic, *supported.private)}


def _quality(codec: Codec, known: Mapping[str, CodecOption], crf: float) -> dict[str, str]:
    name = next((name for name in ("crf", "cq") if name in known), None)
    if name is None:
        raise ConfigurationError(f"The encoder {codec.name} has no constant quality (crf). Leave --crf out.")
    highest = min(known[name].max, HIGHEST_CRF.get(codec.name, 63))
    if not 0 <= crf <= highest:
        raise ConfigurationError(f"The crf of {codec.name} must lie between 0 and {highest:g}, got {crf:g}.")
    return {name: f"{crf:g}"}


def _checked_preset(codec: Codec, known: Mapping[str, CodecOption], preset: str) -> str:
    option = known.get("preset")
    if option is None:
        raise ConfigurationError(f"The encoder {codec.name} has no presets. Leave --preset out.")
    names = PRESETS if codec.name in ("libx264", "libx264rgb", "libx265") else [c.name for c in option.choices]
    number = option.type == OptionType.INT and preset.lstrip("-").isdigit()
    if preset in names or (number and option.min <= int(preset) <= option.max):
        return preset
    numbers = f"{option.min:g} to {option.max:g}" if option.type == OptionType.INT else ""
    accepted = ", ".join(word for word in (*names, numbers) if word)
    raise ConfigurationError(f"The encoder {codec.name} has no preset {preset!r}; it has {accepted}.")


def _with_parameters(encoder: str, options: dict[str, str], parameters: Mapping[str, str]) -> dict[str, str]:
    """Join parameters to those that the user gave the encoder in its own syntax; the user's come last and win."""
    key = {"libx264": "x264-params", "libx265": "x265-params", "libsvtav1": "svtav1-params"}.get(encoder)
    if key is None or not parameters:
        return options
    words = [f"{name}={value}" for name, value in parameters.items()]
    return options | {key: ":".join([*words, *filter(None, [options.get(key)])])}


def holds_hdr(encoder: str) -> bool:
    """Whether static HDR metadata can be passed to the encoder."""
    return encoder in ("libx264", "libx265", "libsvtav1")


def _hdr_parameters(encoder: str, hdr: HdrMetadata | None) -> dict[str, str]:
    quiet = {"log-level": "none"} if encoder == "libx265" else {}  # it writes to stderr by itself
    if hdr is None or not holds_hdr(encoder):
        return quiet
    display, light = {
        "libx264": ("mastering-display", "cll"),
        "libx265": ("master-display", "max-cll"),
        "libsvtav1": ("mastering-display", "content-light"),
    }[encoder]
    parameters = dict(quiet)
    if (spelled := _spell_display(hdr, in_units=encoder != "libsvtav1")) is not None:
        parameters[display] = spelled
    if hdr.light_level is not None:
        parameters[light] = f"{hdr.light_level[0]},{hdr.light_level[1]}"
    return parameters


def _spell_display(hdr: HdrMetadata, *, in_units: bool) -> str | None:
    """``G(x,y)B(x,y)R(x,y)WP(x,y)L(max,min)``, in the units of ST 2086 or in plain numbers."""
    if hdr.green is None or hdr.blue is None or hdr.red is None or hdr.white is None or hdr.luminance is None:
        return None

    def number(value: Fraction, units: int) -> str:
        return str(round(value * units)) if in_units else f"{float(value):.5f}"

    points = {"G": hdr.green, "B": hdr.blue, "R": hdr.red, "WP": hdr.white}
    spelled = [
        f"{name}({number(x, CHROMATICITY_UNITS)},{number(y, CHROMATICITY_UNITS)})" for name, (x, y) in points.items()
    ]
    least, greatest = (number(value, LUMINANCE_UNITS) for value in hdr.luminance)
    return f"{''.join(spelled)}L({greatest},{least})"


@dataclass(frozen=True, kw_only=True)
class FormatChoice:
    """A pixel format to encode in."""

    name: str
    loses: str = ""
    """What it cannot hold of the frames, in words; empty if nothing."""


def format_choices(codec: Codec, source: PixelFormat, requested: str | None) -> list[FormatChoice]:
    """Pixel formats to encode frames of ``source`` in, the best first.

    The frames' own if the encoder takes it; else none with fewer bits or less chroma if there is
    one without. Gray frames count as 4:2:0, as effects bring colour.

    Raises ConfigurationError where the encoder does not take the one requested.
    """
    supported = [form.name for form in codec.video_formats or []]
    if requested is not None:
        if requested not in (supported or PIXEL_FORMATS):
            takes = ", ".join(supported or PIXEL_FORMATS)
            raise ConfigurationError(f"The encoder {codec.name} does not take {requested!r}; it takes {takes}.")
        return [FormatChoice(name=requested, loses=_loss(source, requested))]
    if codec.name == "wrapped_avframe":
        supported = list(Y4M_FORMATS)
    coloured = coloured_form(source)
    if not supported:
        return [FormatChoice(name=coloured.name)]
    planar = [] if codec.name in RGB_ENCODERS else [PIXEL_FORMATS[name] for name in supported if name in PIXEL_FORMATS]
    planar = sorted((form for form in planar if form.chroma != "none"), key=lambda form: _distance(coloured, form))
    if planar:
        return [FormatChoice(name=form.name, loses=_loss(coloured, form.name)) for form in planar]
    return [_rgb_choice(supported, coloured)]


def coloured_form(form: PixelFormat) -> PixelFormat:
    """The same format, or for gray 4:2:0 of the same depth."""
    if form.chroma != "none":
        return form
    return PIXEL_FORMATS["yuv420p" if form.bits == 8 else f"yuv420p{form.bits}le"]


def _distance(source: PixelFormat, form: PixelFormat) -> tuple[int, ...]:
    """Order of preference: no bits lost, no chroma lost, then the least that is more than needed."""
    bits_lost, chroma_lost = _shortfall(source, form)
    chroma_area = form.subsampling[0] * form.subsampling[1]
    return (bits_lost, chroma_lost, form.bits, -chroma_area, form.chroma != source.chroma)


def _shortfall(source: PixelFormat, form: PixelFormat) -> tuple[int, int]:
    across = max(0, form.subsampling[0] - source.subsampling[0])
    down = max(0, form.subsampling[1] - source.subsampling[1])
    return max(0, source.bits - form.bits), across + down


def _loss(source: PixelFormat, name: str) -> str:
    form = PIXEL_FORMATS.get(name.replace("yuvj", "yuv"))
    if form is None:
        return ""
    bits_lost, chroma_lost = _shortfall(source, form)
    losses = ["bits"] * (bits_lost > 0) + ["chroma resolution"] * (chroma_lost > 0)
    return " and ".join(losses)


def _rgb_choice(supported: list[str], source: PixelFormat) -> FormatChoice:
    usable = [name for name in supported if av.VideoFormat(name).is_rgb]
    opaque = [name for name in usable if len(av.VideoFormat(name).components) == 3] or usable
    nearest, _ = find_best_pix_fmt_of_list(opaque, source.name)
    assert nearest is not None, supported
    depth = min(component.bits for component in nearest.components)
    return FormatChoice(name=nearest.name, loses="bits" if depth < source.bits else "")

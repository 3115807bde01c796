"""Which encoder an output gets, in which pixel format, and with which options."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import av
import cv2
from av.codec import Codec
from av.codec.codec import UnknownCodecError, codecs_available, find_best_pix_fmt_of_list
from av.codec.context import CodecOption, OptionType

from emocolor.errors import ConfigurationError
from emocolor.frames import PIXEL_FORMATS, PixelFormat

from .source_info import FieldOrder, HdrMetadata

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
"""The encoder of an image file, by its extension."""
ENCODERS: Final = {
    "webm": "libvpx-vp9",
    "gif": "gif",
    "apng": "apng",
    "webp": "libwebp_anim",
    "yuv4mpegpipe": "wrapped_avframe",
    "rawvideo": "rawvideo",
    **dict.fromkeys(("mpeg", "vob", "dvd", "svcd", "mxf", "gxf"), "mpeg2video"),
    **dict.fromkeys(("ogg", "ogv"), "libvpx"),
    "vcd": "mpeg1video",
    "dv": "dvvideo",
    "ivf": "libvpx-vp9",
    "asf": "wmv2",
    "hevc": "libx265",
}
"""The encoder for a container format where it is not H.264."""
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
"""Presets of x264 and x265, which FFmpeg declares as free text."""
HIGHEST_CRF: Final = {"libx264": 51, "libx264rgb": 51, "libx265": 51}
"""The upper bound of crf where FFmpeg declares none."""
EXTRA_OPTIONS: Final[dict[str, dict[str, str]]] = {
    # By default FFmpeg encodes VP8 and VP9 at 256 kb/s, and VP9 in one thread at a few frames per second.
    "libvpx-vp9": {"crf": "32", "row-mt": "1", "cpu-used": "4"},
    "libvpx": {"crf": "10", "b": "4M", "cpu-used": "4"},  # its crf needs a bit rate that bounds it
    "libx265": {"a53cc": "1"},  # the only encoder of closed captions that leaves them out by default
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
"""Constant quantiser for encoders that aim at 200 kb/s otherwise; 1 is the best quality, 31 the worst."""
THREADS: Final = {
    "libx264": 8,
    "libx264rgb": 8,
    "libx265": 3,
    "libvpx": 1,
    "libvpx-vp9": 4,
    "mpeg1video": 4,
    "mpeg2video": 4,
    "mpeg4": 4,
}
"""Threads of the encoders whose output depends on how many there are: the same on every machine. All others use its
cores. VP8's threads wait actively, which costs more than they give."""
AVX_512: Final = 13
"""OpenCV's number of these instructions."""
REPEATABLE_ARITHMETIC: Final = {"asm": "AVX2,LZCNT,Cache64"}
"""Instructions for x264 on processors that have AVX-512. With those, its macroblock tree reads memory that it has not
written, and the same frames gave other bytes in most runs."""
H264_ENCODERS: Final = frozenset({"libx264", "h264_nvenc"})
DELIVERY_ENCODERS: Final = frozenset({"libx264", "libx265", "h264_nvenc", "hevc_nvenc", "libvpx-vp9"})
"""Encoders of what players get, most of which decode 4:2:0 alone."""
PLAYED_EVERYWHERE: Final = frozenset({"yuv420p", "yuvj420p", "nv12"})
CAPTION_OPTIONS: Final = ("a53cc", "a53_cc", "a53")
"""Options by which encoders write closed captions, on by default."""
RGB_ENCODERS: Final = frozenset({"png", "apng", "tiff", "bmp", "gif", "libx264rgb"})
"""Encoders whose files everybody expects in RGB, though some also take YUV."""
Y4M_FORMATS: Final = (
    *("yuv420p", "yuv422p", "yuv444p", "yuv411p"),
    *(f"yuv{chroma}p{bits}le" for chroma in (420, 422, 444) for bits in (9, 10, 12, 14, 16)),
)
"""What YUV4MPEG2 can hold; the encoder that FFmpeg uses for it passes every format through."""
CHROMATICITY_UNITS: Final = 50_000
"""Units per 1 of a chromaticity coordinate in SMPTE ST 2086."""
LUMINANCE_UNITS: Final = 10_000
"""Units per cd/m² in SMPTE ST 2086."""


def default_encoder(format_name: str, extension: str) -> str:
    """The encoder for a container format, and for images by the file's extension, such as ``.png``."""
    if format_name == "image2":
        return IMAGE_CODECS.get(extension.lower(), "png")
    return ENCODERS.get(format_name, DEFAULT_ENCODER)


def find_encoder(name: str) -> Codec:
    """FFmpeg's video encoder of that name.

    Raises ConfigurationError, which names similar ones, where there is none.
    """
    try:
        codec = Codec(name, "w")
    except UnknownCodecError:
        codec = None
    if codec is not None and codec.type == "video":
        return codec
    if codec is not None:
        raise ConfigurationError(f"{name} encodes {codec.type}, not video. Use {DEFAULT_ENCODER}, for example.")
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
    codec: Codec,
    *,
    crf: float | None,
    preset: str | None,
    options: Mapping[str, str],
    hdr: HdrMetadata | None,
    field_order: FieldOrder = "progressive",
) -> dict[str, str]:
    """The options of ``codec`` by FFmpeg's names.

    Raises ConfigurationError for an unknown option, and for a crf or preset that it does not support.
    """
    known = _known_options(codec)
    chosen = dict(EXTRA_OPTIONS.get(codec.name, {}))
    if crf is not None:
        chosen |= _quality_option(codec, known, crf)
    if preset is not None:
        chosen["preset"] = _check_preset(codec, known, preset)
    for name in options:
        if name not in known:
            raise ConfigurationError(f"The encoder {codec.name} has no option {name!r}{_nearest(name, known)}.")
    parameters = _hdr_parameters(codec.name, hdr)
    if field_order == "bottom first" and codec.name in ("libx264", "libx264rgb"):
        parameters["bff"] = "1"  # by the frames' flags x264 learns it too late for its headers
    return _join_parameters(codec.name, chosen | dict(options), parameters)


def with_repeatable_arithmetic(encoder: str, options: Mapping[str, str]) -> dict[str, str]:
    """The options with which the encoder gives the same bytes in every run on this processor; given ones prevail."""
    concerned = encoder in ("libx264", "libx264rgb") and cv2.checkHardwareSupport(AVX_512)
    return _join_parameters(encoder, dict(options), REPEATABLE_ARITHMETIC if concerned else {})


def _known_options(codec: Codec) -> dict[str, CodecOption]:
    supported = av.CodecContext.create(codec, "w").supported_options
    return {option.name: option for option in (*supported.generic, *supported.private)}


def _quality_option(codec: Codec, known: Mapping[str, CodecOption], crf: float) -> dict[str, str]:
    name = next((name for name in ("crf", "cq") if name in known), None)
    if name is None:
        raise ConfigurationError(f"The encoder {codec.name} has no constant quality. Leave the option output.crf out.")
    highest = min(known[name].max, HIGHEST_CRF.get(codec.name, 63))
    if not 0 <= crf <= highest:
        raise ConfigurationError(f"The crf of {codec.name} must lie between 0 and {highest:g}, got {crf:g}.")
    return {name: f"{crf:g}"}


def _check_preset(codec: Codec, known: Mapping[str, CodecOption], preset: str) -> str:
    option = known.get("preset")
    if option is None:
        raise ConfigurationError(f"The encoder {codec.name} has no presets. Leave the option output.preset out.")
    names = PRESETS if codec.name in ("libx264", "libx264rgb", "libx265") else [c.name for c in option.choices]
    number = option.type == OptionType.INT and preset.lstrip("-").isdigit()
    if preset in names or (number and option.min <= int(preset) <= option.max):
        return preset
    numbers = f"{option.min:g} to {option.max:g}" if option.type == OptionType.INT else ""
    accepted = ", ".join(word for word in (*names, numbers) if word)
    raise ConfigurationError(f"The encoder {codec.name} has no preset {preset!r}; it has {accepted}.")


def _join_parameters(encoder: str, options: dict[str, str], parameters: Mapping[str, str]) -> dict[str, str]:
    """Add parameters in the encoder's own syntax; those that the user gave come last and take precedence."""
    key = {
        "libx264": "x264-params",
        "libx264rgb": "x264-params",
        "libx265": "x265-params",
        "libsvtav1": "svtav1-params",
    }.get(encoder)
    if key is None or not parameters:
        return options
    words = [f"{name}={value}" for name, value in parameters.items()]
    return options | {key: ":".join([*words, *filter(None, [options.get(key)])])}


def writes_captions(codec: Codec) -> bool:
    """Whether the encoder writes closed captions into the video."""
    return not set(CAPTION_OPTIONS).isdisjoint(_known_options(codec))


def holds_hdr(encoder: str) -> bool:
    """Whether static HDR metadata can be passed to the encoder."""
    return encoder in ("libx264", "libx265", "libsvtav1")


def _hdr_parameters(encoder: str, hdr: HdrMetadata | None) -> dict[str, str]:
    quiet = {"log-level": "none"} if encoder == "libx265" else {}  # x265 logs to stderr, past FFmpeg's logging
    if hdr is None or not holds_hdr(encoder):
        return quiet
    display, light = {
        "libx264": ("mastering-display", "cll"),
        "libx265": ("master-display", "max-cll"),
        "libsvtav1": ("mastering-display", "content-light"),
    }[encoder]
    parameters = dict(quiet)
    if (mastering := _mastering_display(hdr, in_units=encoder != "libsvtav1")) is not None:
        parameters[display] = mastering
    if hdr.light_level is not None:
        parameters[light] = f"{hdr.light_level[0]},{hdr.light_level[1]}"
    return parameters


def _mastering_display(hdr: HdrMetadata, *, in_units: bool) -> str | None:
    """``G(x,y)B(x,y)R(x,y)WP(x,y)L(max,min)``, in the integer units of ST 2086 or as decimal numbers."""
    if hdr.green is None or hdr.blue is None or hdr.red is None or hdr.white is None or hdr.luminance is None:
        return None

    def number(value: Fraction, units: int) -> str:
        return str(round(value * units)) if in_units else f"{float(value):.5f}"

    points = {"G": hdr.green, "B": hdr.blue, "R": hdr.red, "WP": hdr.white}
    chromaticities = [
        f"{name}({number(x, CHROMATICITY_UNITS)},{number(y, CHROMATICITY_UNITS)})" for name, (x, y) in points.items()
    ]
    least, greatest = (number(value, LUMINANCE_UNITS) for value in hdr.luminance)
    return f"{''.join(chromaticities)}L({greatest},{least})"


@dataclass(frozen=True, kw_only=True)
class FormatChoice:
    """A pixel format to encode in."""

    name: str
    loses: str = ""
    """What is lost of the frames in it, in words; empty if nothing."""


def format_choices(
    codec: Codec, source: PixelFormat, requested: str | None, *, was_rgb: bool = False
) -> list[FormatChoice]:
    """Pixel formats in which ``codec`` can encode frames of ``source``, the best first.

    The frames' own format if the encoder supports it, else formats that keep their bits and chroma resolution before
    those that do not. Gray frames count as 4:2:0, since effects add colour; so do frames that were RGB, where the
    encoder's output is for players.

    Raises ConfigurationError where the encoder does not support the one requested.
    """
    supported = [known.name for known in codec.video_formats or []]
    if requested is not None:
        if requested not in (supported or PIXEL_FORMATS):
            names = ", ".join(supported or PIXEL_FORMATS)
            raise ConfigurationError(f"The encoder {codec.name} does not support {requested!r}; it supports {names}.")
        return [FormatChoice(name=requested, loses=_loss(source, requested))]
    if codec.name == "wrapped_avframe":
        supported = list(Y4M_FORMATS)
    target = _in_420(source) if was_rgb and codec.name in DELIVERY_ENCODERS else with_chroma_format(source)
    if not supported:
        return [FormatChoice(name=target.name)]
    planar = [] if codec.name in RGB_ENCODERS else [PIXEL_FORMATS[name] for name in supported if name in PIXEL_FORMATS]
    candidates = sorted((one for one in planar if one.chroma != "none"), key=lambda one: _distance(target, one))
    if candidates:
        return [FormatChoice(name=one.name, loses=_loss(with_chroma_format(source), one.name)) for one in candidates]
    return [_rgb_choice(supported, target)]


def with_chroma_format(pixel_format: PixelFormat) -> PixelFormat:
    """The same format, or for gray 4:2:0 of the same depth."""
    return pixel_format if pixel_format.chroma != "none" else _in_420(pixel_format)


def _in_420(pixel_format: PixelFormat) -> PixelFormat:
    return PIXEL_FORMATS["yuv420p" if pixel_format.bits == 8 else f"yuv420p{pixel_format.bits}le"]


def _distance(source: PixelFormat, candidate: PixelFormat) -> tuple[int, ...]:
    """Sort key: no bits lost, no chroma lost, then the smallest format that suffices."""
    bits_lost, chroma_lost = _shortfall(source, candidate)
    chroma_area = candidate.subsampling[0] * candidate.subsampling[1]
    return (bits_lost, chroma_lost, candidate.bits, -chroma_area, candidate.chroma != source.chroma)


def _shortfall(source: PixelFormat, candidate: PixelFormat) -> tuple[int, int]:
    """Bits, and steps of chroma resolution, that ``candidate`` lacks."""
    across = max(0, candidate.subsampling[0] - source.subsampling[0])
    down = max(0, candidate.subsampling[1] - source.subsampling[1])
    return max(0, source.bits - candidate.bits), across + down


def _loss(source: PixelFormat, pix_fmt: str) -> str:
    candidate = PIXEL_FORMATS.get(pix_fmt.replace("yuvj", "yuv"))
    if candidate is None:
        return ""
    bits_lost, chroma_lost = _shortfall(source, candidate)
    losses = ["bits"] * (bits_lost > 0) + ["chroma resolution"] * (chroma_lost > 0)
    return " and ".join(losses)


def _rgb_choice(supported: list[str], source: PixelFormat) -> FormatChoice:
    rgb = [name for name in supported if av.VideoFormat(name).is_rgb]
    opaque = [name for name in rgb if len(av.VideoFormat(name).components) == 3] or rgb
    nearest, _ = find_best_pix_fmt_of_list(opaque, source.name)
    assert nearest is not None, supported
    depth = min(component.bits for component in nearest.components)
    return FormatChoice(name=nearest.name, loses="bits" if depth < source.bits else "")

"""Which encoder, options and pixel format an output gets."""

from fractions import Fraction
from typing import Any

import pytest
from av.codec import Codec

from emocolor.errors import ConfigurationError
from emocolor.frames import PIXEL_FORMATS
from stream.media.encoder_choice import (
    default_encoder,
    encoder_options,
    find_encoder,
    format_choices,
    holds_hdr,
    with_chroma_format,
    with_repeatable_arithmetic,
)
from stream.media.source_info import HdrMetadata

BT2020 = HdrMetadata(
    red=(Fraction(708, 1000), Fraction(292, 1000)),
    green=(Fraction(170, 1000), Fraction(797, 1000)),
    blue=(Fraction(131, 1000), Fraction(46, 1000)),
    white=(Fraction(3127, 10000), Fraction(3290, 10000)),
    luminance=(Fraction(1, 200), Fraction(1000)),
    light_level=(1000, 400),
)


def options_of(encoder: str, **options: Any) -> dict[str, str]:
    return encoder_options(Codec(encoder, "w"), **{"crf": None, "preset": None, "options": {}, "hdr": None, **options})


@pytest.mark.parametrize(
    ("container", "extension", "encoder"),
    [
        ("mp4", ".mp4", "libx264"),
        ("matroska", ".mkv", "libx264"),
        ("webm", ".webm", "libvpx-vp9"),
        ("gif", ".gif", "gif"),
        ("ogv", ".ogv", "libvpx"),
        ("vob", ".vob", "mpeg2video"),
        ("mxf", ".mxf", "mpeg2video"),
        ("yuv4mpegpipe", ".y4m", "wrapped_avframe"),
        ("image2", ".JPG", "mjpeg"),
        ("image2", ".tiff", "tiff"),
        ("image2", ".unknown", "png"),
    ],
)
def test_the_container_decides_on_the_encoder_and_images_by_their_extension(
    container: str, extension: str, encoder: str
) -> None:
    assert default_encoder(container, extension) == encoder
    assert find_encoder(encoder).type == "video"


@pytest.mark.parametrize(
    ("name", "message"),
    [("libx246", "did you mean .*libx264"), ("aac", "encodes audio"), ("?", "the usual one is libx264")],
)
def test_an_encoder_that_is_none_is_refused_with_one_that_is(name: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        find_encoder(name)


def test_quality_goes_by_the_encoder_s_own_name() -> None:
    assert options_of("libx264", crf=17.5, preset="slow") == {"crf": "17.5", "preset": "slow"}
    assert options_of("libsvtav1", preset="8") == {"preset": "8"}


def test_vpx_gets_options_without_which_it_would_be_slow_and_poor_and_the_user_s_win() -> None:
    assert options_of("libvpx-vp9") == {"crf": "32", "row-mt": "1", "cpu-used": "4"}
    assert options_of("libvpx-vp9", crf=20, options={"cpu-used": "1"}) == {
        "crf": "20",
        "row-mt": "1",
        "cpu-used": "1",
    }


@pytest.mark.parametrize(
    ("encoder", "options", "message"),
    [
        ("libx264", {"preset": "fastest"}, "no preset 'fastest'; it has .*veryfast"),
        ("libsvtav1", {"preset": "99"}, "no preset '99'"),
        ("libx264", {"crf": 99}, "between 0 and 51, got 99"),
        ("libx264", {"crf": -1}, "between 0 and 51, got -1"),
        ("mpeg4", {"crf": 3}, "no constant quality"),
        ("libvpx-vp9", {"preset": "fast"}, "no presets"),
        ("libx264", {"options": {"gop": "5"}}, "no option 'gop'"),
        ("libx264", {"options": {"cfr": "5"}}, "did you mean .*crf"),
    ],
)
def test_options_that_the_encoder_lacks_are_refused(encoder: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        options_of(encoder, **options)
    assert "\n" not in str(caught.value)


def test_hdr_metadata_reaches_each_encoder_in_its_own_units() -> None:
    points = "G(8500,39850)B(6550,2300)R(35400,14600)WP(15635,16450)L(10000000,50)"
    assert options_of("libx264", hdr=BT2020) == {"x264-params": f"mastering-display={points}:cll=1000,400"}
    assert options_of("libx265", hdr=BT2020) == {
        "a53cc": "1",
        "x265-params": f"log-level=none:master-display={points}:max-cll=1000,400",
    }
    decimal = "G(0.17000,0.79700)B(0.13100,0.04600)R(0.70800,0.29200)WP(0.31270,0.32900)L(1000.00000,0.00500)"
    assert options_of("libsvtav1", hdr=BT2020) == {
        "svtav1-params": f"mastering-display={decimal}:content-light=1000,400"
    }
    assert not holds_hdr("mpeg4")
    assert options_of("mpeg4", hdr=BT2020) == {}


def test_parameters_of_the_user_come_last_so_that_they_win() -> None:
    light = HdrMetadata(light_level=(600, 200))
    given = {"x264-params": "cll=1,1"}
    assert options_of("libx264", hdr=light, options=given) == {"x264-params": "cll=600,200:cll=1,1"}


@pytest.mark.parametrize(
    ("encoder", "source", "best", "loses"),
    [
        ("libx264", "yuv422p10le", "yuv422p10le", ""),
        ("libx264", "gray", "yuv420p", ""),
        ("libx264", "yuv411p", "yuv422p", ""),
        ("mpeg2video", "yuv444p", "yuv422p", "chroma resolution"),
        ("mpeg4", "yuv420p10le", "yuv420p", "bits"),
        ("png", "yuv420p", "rgb24", ""),
        ("png", "yuv444p12le", "rgb48be", ""),
        ("wrapped_avframe", "yuv420p", "yuv420p", ""),
    ],
)
def test_the_format_that_loses_least_comes_first(encoder: str, source: str, best: str, loses: str) -> None:
    first = format_choices(Codec(encoder, "w"), PIXEL_FORMATS[source], None)[0]
    assert (first.name, first.loses) == (best, loses)


def test_a_format_that_was_asked_for_is_the_only_choice() -> None:
    x264, source = Codec("libx264", "w"), PIXEL_FORMATS["yuv444p10le"]
    assert [(one.name, one.loses) for one in format_choices(x264, source, "yuv420p")] == [
        ("yuv420p", "bits and chroma resolution")
    ]
    with pytest.raises(ConfigurationError, match=r"does not support 'rgb24'; it supports .*yuv420p10le"):
        format_choices(x264, source, "rgb24")


def test_gray_gets_chroma_at_its_own_depth() -> None:
    assert with_chroma_format(PIXEL_FORMATS["gray"]).name == "yuv420p"
    assert with_chroma_format(PIXEL_FORMATS["gray10le"]).name == "yuv420p10le"
    assert with_chroma_format(PIXEL_FORMATS["yuv411p"]).name == "yuv411p"


def test_given_instructions_of_x264_prevail() -> None:
    options = with_repeatable_arithmetic("libx264", {"x264-params": "asm=0", "preset": "fast"})
    assert options["x264-params"].split(":")[-1] == "asm=0"
    assert options["preset"] == "fast"
    assert with_repeatable_arithmetic("libx265", {"x265-params": "a=1"}) == {"x265-params": "a=1"}

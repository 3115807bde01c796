"""Clips in many formats through the command: streams, times, tags and frames come out as they went in."""

from pathlib import Path

import pytest

from stream.cli import main
from tests.cases.comparison import differences
from tests.cases.facts import facts_of
from tests.fuzz.seeds import RECIPES, Recipe, make_clip

AUDIO = (
    ("aac", "mkv", 48000), ("ac3", "mkv", 48000), ("eac3", "mkv", 48000), ("flac", "mkv", 48000),
    ("alac", "mov", 48000), ("libopus", "webm", 48000), ("mp2", "mkv", 32000), ("libmp3lame", "mkv", 44100),
    ("pcm_s24le", "mkv", 96000), ("pcm_f32le", "mov", 48000), ("pcm_s16be", "mov", 48000), ("pcm_u8", "avi", 11025),
    ("pcm_alaw", "mov", 8000), ("pcm_mulaw", "mov", 8000), ("adpcm_ms", "avi", 44100),
)  # fmt: skip
"""Codec, container and rate of the audio."""
PIXELS = (
    "gray", "gray10le", "gray16le", "yuv410p", "yuv411p", "yuv420p", "yuv422p", "yuv440p", "yuv444p", "yuv420p10le",
    "yuv422p10le", "yuv444p12le", "yuva420p", "gbrp10le", "bgr0",
)  # fmt: skip
"""Pixel formats, in FFV1."""
CLIPS = (
    *RECIPES,
    *(
        Recipe(name=f"audio_{codec}.{ending}", video="libvpx" if ending == "webm" else "mpeg4", audio=codec, rate=rate)
        for codec, ending, rate in AUDIO
    ),
    *(Recipe(name=f"pixels_{pix_fmt}.mkv", video="ffv1", pix_fmt=pix_fmt, frames=3) for pix_fmt in PIXELS),
)
MAY_DIFFER = {
    "color range": "RGB, and JPEG's full range, become video range where the encoder's format has that alone",
    "color matrix": "RGB has none; the encoder's format needs one",
}
"""Differences that every conversion has, by their word, and why they are right."""
KNOWN = {
    "audio_alac.mov": {"audio end": "Matroska does not say how long the last packet of ALAC is"},
}
"""By clip: differences by their word, and why they are right."""


CONTAINERS = ("mp4", "mov", "avi", "mxf", "ts", "webm")
FILM = Recipe(name="film.mkv", video="libx264", audio="aac", options={"bf": "2", "g": "8"}, frames=25)
PARTS = (
    FILM,
    Recipe(name="film.h264", video="libx264", options={"bf": "2", "g": "8"}, frames=25),
    Recipe(name="film.avi", video="mpeg4", audio="libmp3lame", options={"bf": "2", "g": "8"}, frames=25),
    Recipe(name="film.ts", video="mpeg2video", audio="mp2", options={"bf": "2", "g": "8"}, frames=25),
    Recipe(name="film.mp4", video="libx264", audio="aac", options={"bf": "2", "g": "8"}, frames=25),
)


@pytest.fixture
def run(tmp_path, capfd):
    """Run the command on a file; its output."""

    def run_on(source, ending, *more):
        output = tmp_path / f"out.{ending}"
        with pytest.raises(SystemExit) as end:
            main([str(source), "-o", str(output), "--effect", "colormap:bone", "--quiet", *more])
        assert end.value.code == 0, capfd.readouterr().err
        assert sorted(path.name for path in Path(tmp_path).iterdir()) == sorted({source.name, output.name})
        return output

    return run_on


def found(given, made, allowed):
    return [one for one in differences(given, made) if one.partition(":")[0] not in allowed]


@pytest.mark.parametrize("recipe", CLIPS, ids=lambda recipe: recipe.name)
def test_what_goes_in_comes_out(recipe, tmp_path, run):
    source = make_clip(recipe, tmp_path / recipe.name)
    made = facts_of(run(source, "mkv", "--encoder-preset", "ultrafast"))
    assert found(facts_of(source), made, {*MAY_DIFFER, *KNOWN.get(recipe.name, {})}) == []


@pytest.mark.parametrize("ending", CONTAINERS)
def test_every_container_keeps_frames_and_audio(ending, tmp_path, run):
    source = make_clip(FILM, tmp_path / FILM.name)
    assert found(facts_of(source), facts_of(run(source, ending)), MAY_DIFFER) == []


@pytest.mark.parametrize("recipe", PARTS, ids=lambda recipe: recipe.name)
def test_a_part_has_what_lies_in_it(recipe, tmp_path, run):
    source = make_clip(recipe, tmp_path / recipe.name)
    made = facts_of(run(source, "mkv", "--encoder-preset", "ultrafast", "--ss", "0.44", "--to", "0.84"))
    assert found(facts_of(source).part(0.44, 0.84), made, MAY_DIFFER) == []
    assert len(made.times) == 10

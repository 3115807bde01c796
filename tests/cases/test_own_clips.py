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
    "elementary.h264": {"times": "the stream holds none; FFmpeg makes them up"},
}
"""By clip: differences by their word, and why they are right."""


@pytest.mark.parametrize("recipe", CLIPS, ids=lambda recipe: recipe.name)
def test_what_goes_in_comes_out(recipe, tmp_path, capfd):
    source, output = make_clip(recipe, tmp_path / recipe.name), tmp_path / "out.mkv"
    with pytest.raises(SystemExit) as end:
        main([str(source), "-o", str(output), "--effect", "colormap:bone", "--encoder-preset", "ultrafast", "--quiet"])
    assert end.value.code == 0, capfd.readouterr().err
    allowed = {*MAY_DIFFER, *KNOWN.get(recipe.name, {})}
    found = [one for one in differences(facts_of(source), facts_of(output)) if one.partition(":")[0] not in allowed]
    assert found == []
    assert sorted(path.name for path in Path(tmp_path).iterdir()) == sorted({recipe.name, "out.mkv"})

"""Raw values, laid over each other, become settings."""

import pytest

from emocolor.effects import GradeOptions, TintOptions
from emocolor.errors import ConfigurationError, SourceError
from emocolor.options import options_of
from emocolor.palettes import S0
from stream import AnalysisOptions, JobSettings
from stream.settings import (
    CATALOGS,
    FILE_GROUPS,
    SECTIONS,
    chain_of,
    check_names,
    job_settings,
    layered,
    section_of,
    without_pieces,
)


class Own:
    def __init__(self, needs):
        self.needs = frozenset(needs)

    def apply(self, frame, scene):
        return frame


def test_options_of_pieces_are_none_of_the_film():
    values, pieces = without_pieces({"effect": "none", "pieces": {"keep_pieces": True}})
    assert values == {"effect": "none"}
    assert (pieces.resumable, pieces.restart, pieces.keep_pieces) == (None, False, True)
    with pytest.raises(ConfigurationError):
        without_pieces({"pieces": {"restart": "often"}})


def test_later_layers_count_more_value_by_value():
    merged = layered(
        {"effect": "tint", "tint": {"alpha": 0.1, "mode": "argmax"}}, {"tint": {"alpha": 0.2}}, {"effect": "grade"}
    )
    assert merged == {"effect": "grade", "tint": {"alpha": 0.2, "mode": "argmax"}}


def test_raw_values_become_settings():
    settings = job_settings(
        {
            "effect": "tint:.2,grade",
            "device": "cpu",
            "tint": {"palette": "muted"},
            "analysis": {"passes": 3},
            "input": {"start_seconds": "1:02.5"},
            "output": {"crf": 20},
        },
        input="a.mp4",
        output="b.mp4",
    )
    tint, grade = settings.effects
    assert (tint.alpha, tint.palette.name, grade) == (0.2, "muted", GradeOptions())
    assert (settings.device, settings.analysis.passes) == ("cpu", 3)
    assert (settings.source.start_seconds, settings.sink.crf) == (62.5, 20)


def test_without_values_everything_has_its_default():
    assert job_settings({}, input="a.mp4") == JobSettings(input="a.mp4")


def test_faces_are_analysed_where_something_needs_them(tmp_path):
    assert job_settings({"effect": "colormap"}, input="a").analysis is None
    assert job_settings({"effect": "none"}, input="a").analysis is None
    assert job_settings({"effect": "colormap"}, input="a", timeline=tmp_path / "t.csv").analysis == AnalysisOptions()
    assert job_settings({"effect": "style", "style": {"fixed": "sad"}}, input="a").analysis is None
    assert job_settings({"effect": "colormap,overlay"}, input="a").analysis == AnalysisOptions()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"efect": "tint"}, "no option or section 'efect'; did you mean 'effect'"),
        ({"tnit": {}}, "did you mean 'tint'"),
        ({"tint": {"alhpa": 1}}, "no option 'alhpa' in tint; did you mean 'alpha'"),
        ({"analysis": {"pases": 1}}, "no option 'pases' in analysis; did you mean 'passes'"),
        ({"tint": {"palette": "mutted"}}, "did you mean 'muted'"),
        ({"tint": {"palette": 3}}, "tint palette must be"),
        ({"device": "gpu"}, "device must be one of auto, cpu, cuda"),
        ({"input": {"start_seconds": "soon"}}, "'soon' is not a time"),
        ({"input": {"start_seconds": 5, "end_seconds": 2}}, "end must lie after the start"),
        ({"input": {"start_seconds": 1e300}}, r"between 0 s and 1e\+09 s, got 1e\+300 s"),
        ({"input": {"start_seconds": float("nan")}}, "start_seconds must be a number"),
        ({"input": {"max_pixels": 10**30}}, "max_pixels must be a whole number between 1 and 1e"),
        ({"held_megabytes": 0}, "held_megabytes must be a whole number at least 1"),
        ({"tint": 3}, "tint"),
    ],
)
def test_what_is_wrong_is_named(values, words):
    with pytest.raises(ConfigurationError, match=words):
        job_settings(values, input="a.mp4")


def test_a_reference_that_is_no_image_is_the_sources_error():
    with pytest.raises(SourceError, match="README"):
        chain_of({"effect": "colorize", "colorize": {"reference": "README.md"}})


def test_effects_say_what_the_job_needs():
    assert JobSettings(input="a", effects=(Own({"cuts"}),), analysis=None).needs == {"cuts"}
    with pytest.raises(ConfigurationError, match="analysis must not be None"):
        JobSettings(input="a", effects=(Own({"faces"}),), analysis=None)
    with pytest.raises(ConfigurationError, match="first"):
        job_settings({"effect": "tint,colorize"}, input="a")


def test_every_section_and_catalog_is_real():
    assert all(SECTIONS[name].section == name for name in SECTIONS)
    assert all(one.catalog is None or CATALOGS[one.catalog]() for group in FILE_GROUPS for one in options_of(group))
    check_names({name: {} for name in SECTIONS})
    assert section_of(AnalysisOptions, {"analysis": {"net": "tiny"}}).net == "tiny"
    assert TintOptions().palette is S0

"""Assembly: which stages a file gets, and the chain of a live session."""

from dataclasses import replace

import numpy as np
import pytest

from emocolor import Frame, Scene
from emocolor.effects import (
    ColorizeOptions,
    ColormapOptions,
    GradeOptions,
    OverlayOptions,
    StyleOptions,
    TintOptions,
)
from emocolor.errors import ConfigurationError
from emocolor.frames import PIXEL_FORMATS, ColorSpec
from stream.graph import (
    FileParts,
    LiveChainBuilder,
    file_stages,
    hardware_for,
    make_effects,
    unseen_followers,
    weighting_of,
)
from stream.media.source import VideoSource
from stream.nets import SharedNets, WorkerNets
from stream.restore.restoration_options import RestorationOptions
from stream.settings import AnalysisOptions, JobSettings


class Own:
    """Counts the frames that it sees."""

    def __init__(self) -> None:
        self.frames = 0

    def apply(self, frame, scene):
        self.frames += 1
        return frame


@pytest.fixture(scope="module")
def info(demo_clip):
    source = VideoSource(str(demo_clip))
    source.close()
    return source.info


def stages(info, *effects, **settings):
    return [stage.name for stage in made_stages(info, *effects, **settings)]


def made_stages(info, *effects, has_colors=False, cores=1, **settings):
    settings.setdefault("analysis", AnalysisOptions())
    made = JobSettings(input="a", effects=effects, **settings)
    parts = FileParts(
        info=info,
        on_device=False,
        sink=None,
        timeline=None,
        has_colors=lambda: has_colors,
        frames_have_colors=lambda frames: False,
        cores=cores,
    )
    return file_stages(made, parts)


@pytest.mark.parametrize(("cores", "workers"), [(1, 1), (2, 2), (16, 4)])
def test_costly_nets_get_a_worker_for_each_core_up_to_four(info, cores, workers):
    def workers_of(*effects):
        found = {stage.name: getattr(stage.run, "keywords", {}) for stage in made_stages(info, *effects, cores=cores)}
        return {name: keywords["workers"] for name, keywords in found.items() if "workers" in keywords}

    assert workers_of(ColorizeOptions(), StyleOptions(fixed={"sad": 1})) == {"predict": workers, "render": workers}
    assert workers_of(TintOptions()) == {"render": 1}


def test_a_file_gets_the_stages_that_it_needs(info):
    assert stages(info, TintOptions()) == ["track", "classify", "scenes", "render", "write"]
    assert stages(info, ColormapOptions(), analysis=None) == ["cuts", "scenes", "render", "write"]
    assert stages(info, TintOptions(region="person")) == ["track", "classify", "scenes", "segment", "render", "write"]
    assert stages(info, analysis=None) == ["cuts", "scenes", "write"]
    old = RestorationOptions(denoise=0.5)
    assert stages(info, TintOptions(), restoration=old, compare=True) == (
        ["keep", "restore", "track", "classify", "scenes", "render", "split", "write"]
    )


def test_what_has_colours_is_not_colorized(info):
    colorizing = ["cuts", "predict", "stabilize", "colorize", "scenes", "write"]
    assert stages(info, ColorizeOptions(), analysis=None) == colorizing
    assert stages(info, ColorizeOptions(), analysis=None, has_colors=None) == colorizing
    assert stages(info, ColorizeOptions(), analysis=None, has_colors=True) == ["cuts", "scenes", "write"]
    assert stages(info, ColorizeOptions(force=True), analysis=None, has_colors=True) == colorizing


def test_effects_of_the_users_own_have_a_stage_of_their_own(info):
    """They may keep a state, so they must see all frames, in order, in one thread."""
    names = stages(info, TintOptions(), Own(), StyleOptions(), GradeOptions())
    assert names == ["track", "classify", "scenes", "render", "render", "render", "write"]


def test_the_first_effect_that_cares_says_how_faces_are_weighted():
    assert weighting_of(()) == "largest"
    assert weighting_of((GradeOptions(), Own(), TintOptions(several="each"))) == "area"
    assert weighting_of((TintOptions(), TintOptions(several="area"))) == "largest"


def test_effects_are_made_in_their_order():
    own = Own()
    made = make_effects((ColorizeOptions(), own, OverlayOptions()), WorkerNets("cpu"))
    assert [type(one).__name__ for one in made] == ["Own", "Overlay"]
    assert made[0] is own


def test_followers_are_those_that_wait_for_a_face():
    assert list(unseen_followers((TintOptions(), GradeOptions(), StyleOptions()))) == ["grade", "style"]
    assert list(unseen_followers((StyleOptions(fixed={"sad": 1.0}), Own()))) == []


def test_nvdec_needs_the_gpu_that_nets_run_on():
    assert hardware_for(JobSettings(input="a"), cuda=False) is None
    assert hardware_for(JobSettings(input="a", decoder="auto"), cuda=False) is None
    with pytest.raises(ConfigurationError, match="decoder nvdec"):
        hardware_for(JobSettings(input="a", decoder="nvdec"), cuda=False)


def gray_frame(pts=0):
    planes = (np.full((64, 64), 100, np.uint8), *(np.full((32, 32), 128, np.uint8) for _ in range(2)))
    return Frame(planes=planes, format=PIXEL_FORMATS["yuv420p"], color=ColorSpec(), pts=pts, time_base=1)


def test_a_live_chain_colorizes_without_look_ahead_and_then_applies_the_effects():
    own = Own()
    builder = LiveChainBuilder("cpu")
    chain = builder.build((ColorizeOptions(), own, ColormapOptions()))
    for pts in range(3):
        assert chain.apply(gray_frame(pts), Scene(time=float(pts), cut=pts == 0)).pts == pts
    assert own.frames == 3
    builder.close()


def test_colours_go_on_where_their_options_are_the_same():
    builder = LiveChainBuilder("cpu")
    first = builder.build((ColorizeOptions(),))
    assert builder.build((ColorizeOptions(), TintOptions())).colorize is first.colorize
    assert builder.build((ColorizeOptions(vividness=0.9),)).colorize is not first.colorize
    assert builder.build((TintOptions(),)).colorize is None


class Counted:
    """Nets of the effects, which count how often they are loaded and closed."""

    def __init__(self) -> None:
        self.segmenters, self.closed = 0, 0

    def segmenter(self):
        self.segmenters += 1
        return self

    def close(self):
        self.closed += 1


def test_shared_nets_are_closed_by_their_owner_alone():
    counted = Counted()
    shared = SharedNets(nets=counted)
    people = (replace(TintOptions(), region="person"),)
    for builder in (LiveChainBuilder(nets=shared), LiveChainBuilder(nets=shared)):
        assert builder.build(people).masks is not None
        builder.close()
    assert (counted.segmenters, counted.closed) == (1, 0)
    shared.close()
    assert counted.closed == 1

import pytest

from emocolor.effects import ColorizeOptions, TintOptions
from emocolor.smoothing import SmoothingOptions
from stream.archive.memory import Memory, is_exact, memory_of
from stream.restore.restoration_options import RestorationOptions
from stream.settings import JobSettings


def memory(**settings):
    return memory_of(JobSettings(input="film.mp4", **settings))


def test_a_job_without_stages_that_remember_remembers_nothing():
    assert memory(effects=(), analysis=None) == Memory(0, 0)


@pytest.mark.parametrize(
    "more",
    [
        {"smoothing": SmoothingOptions(time_constant=2.0, look_ahead=3.0)},
        {"effects": (ColorizeOptions(), TintOptions())},
        {"effects": (TintOptions(region="person"),)},
        {"restoration": RestorationOptions(deinterlace="auto")},
        {"restoration": RestorationOptions(deflicker=True)},
        {"restoration": RestorationOptions(denoise=0.5)},
    ],
)
def test_every_stage_adds_to_it(more):
    plain, longer = memory(), memory(**more)
    assert longer.before > plain.before
    assert longer.after >= plain.after


def test_smoothing_counts_with_all_that_it_keeps():
    fast, slow = (memory(smoothing=SmoothingOptions(time_constant=t, look_ahead=2.0)) for t in (1.0, 2.0))
    assert slow.before - fast.before == 8.0
    assert slow.after == 3.0


def test_some_things_depend_on_the_start_of_the_shot():
    assert is_exact(JobSettings(input="film.mp4", restoration=RestorationOptions(deflicker=True, denoise=0.5)))
    assert not is_exact(JobSettings(input="film.mp4", effects=(ColorizeOptions(), TintOptions())))
    assert not is_exact(JobSettings(input="film.mp4", restoration=RestorationOptions(deinterlace="auto")))

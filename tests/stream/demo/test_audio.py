import numpy as np
import pytest

from emocolor.emotions import EMOTIONS
from stream.demo.audio import CHORDS, SAMPLE_RATE, Beat, demo_music


def test_a_chord_begins_at_each_beat():
    beats = [Beat(time=0.5, emotion="happy"), Beat(time=3.0, emotion="sad")]
    music = demo_music(beats, seconds=5.0)
    assert music.shape == (2, 5 * SAMPLE_RATE)
    assert float(np.abs(music).max()) == pytest.approx(0.7)
    assert not music[:, : SAMPLE_RATE // 2].any()
    for beat in beats:
        at, near = round(beat.time * SAMPLE_RATE), SAMPLE_RATE // 5
        before, after = music[:, at - near : at], music[:, at : at + near]
        assert np.square(after).mean() > 2 * np.square(before).mean()
    assert abs(music[0, -1]) < 1e-6


def strongest_pitch(samples):
    """Hertz of the strongest partial."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)[spectrum.argmax()])


def test_every_emotion_has_a_chord_that_begins_with_its_lowest_note():
    assert set(CHORDS) == set(EMOTIONS)
    for emotion, chord in CHORDS.items():
        music = demo_music([Beat(time=0.0, emotion=emotion)], seconds=1.0)
        expected = 440 * 2 ** ((chord[0] - 69) / 12)
        first_note = music[:, : round(0.07 * SAMPLE_RATE)].sum(axis=0)
        assert strongest_pitch(first_note) == pytest.approx(expected, abs=1 / 0.07), emotion


def test_notes_go_from_left_to_right():
    music = demo_music([Beat(time=0.0, emotion="surprise")], seconds=3.0)
    first = music[:, : round(0.06 * SAMPLE_RATE)]
    assert np.square(first[0]).sum() > 2 * np.square(first[1]).sum()


def test_a_chord_that_outlasts_the_clip_is_cut():
    late = demo_music([Beat(time=0.95, emotion="happy"), Beat(time=7.0, emotion="sad")], seconds=1.0)
    assert late.shape == (2, SAMPLE_RATE)


def test_without_beats_there_is_silence():
    assert not demo_music([], seconds=0.5).any()


def test_music_is_the_same_on_every_call():
    beats = [Beat(time=0.1, emotion="fear")]
    assert np.array_equal(demo_music(beats, seconds=1.0), demo_music(beats, seconds=1.0))

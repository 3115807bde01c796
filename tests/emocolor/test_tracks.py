"""Ids stay with faces, through crossings, occlusions, misses and jitter, at any analysis rate; matching is optimal."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from emocolor.arrays import GrayImage
from emocolor.faces import Box, Detection
from emocolor.tracks import Costs, TrackOptions, Tracks, min_cost_matching

SIZE_WH = (960, 540)
WIDTH = 80.0
KEYPOINTS = np.array([[-0.2, -0.2], [0.2, -0.2], [0.0, 0.05], [0.0, 0.25], [-0.45, -0.1], [0.45, -0.1]])

Path = Callable[[float], tuple[float, float]]


@dataclass(frozen=True)
class Actor:
    """A textured square that stands for a face, on a path over time."""

    seed: int
    """Of the texture."""
    path: Path
    width: float = WIDTH

    def texture(self) -> GrayImage:
        noise = np.random.default_rng(self.seed).uniform(0, 255, (6, 6)).astype(np.float32)
        side = round(1.5 * self.width)
        smooth = cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC)
        return np.asarray(np.clip(smooth, 0, 255), np.uint8)

    def detection(self, time: float, score: float = 0.9, off: tuple[float, float] = (0.0, 0.0)) -> Detection:
        x, y = np.add(self.path(time), off)
        box = Box(float(x) - self.width / 2, float(y) - self.width / 2, self.width, self.width)
        return Detection(box=box, keypoints=np.array([x, y]) + self.width * KEYPOINTS, score=score)


def frame(actors: Sequence[Actor], time: float) -> GrayImage:
    """The actors drawn in order: a later one hides an earlier one."""
    gray = np.full((SIZE_WH[1], SIZE_WH[0]), 90, np.uint8)
    for actor in actors:
        x, y = actor.path(time)
        texture = actor.texture()
        left, top = round(x - len(texture) / 2), round(y - len(texture) / 2)
        shown = gray[max(0, top) : top + len(texture), max(0, left) : left + len(texture)]
        shown[:] = texture[max(0, -top) :, max(0, -left) :][: shown.shape[0], : shown.shape[1]]
    return gray


def still(x: float, y: float = 270.0) -> Path:
    return lambda time: (x, y)


def moving(x: float, speed: float, y: float = 270.0) -> Path:
    return lambda time: (x + speed * time, y)


def times(rate: float, end: float) -> list[float]:
    return [k / rate for k in range(math.floor(end * rate) + 1)]


def ids_of(found: Sequence[tuple[int, Detection]], actor: Actor, time: float) -> list[int]:
    """Ids given to detections at the actor's place."""
    return [number for number, seen in found if math.dist(seen.box.center, actor.path(time)) < 0.3 * actor.width]


@pytest.mark.parametrize("rate", [4.0, 8.0, 25.0])
def test_two_faces_that_cross_keep_their_ids(rate: float) -> None:
    behind, before = Actor(1, moving(200, 140)), Actor(2, moving(760, -140))
    tracks = Tracks()
    for time in times(rate, 4.0):
        hidden = math.dist(behind.path(time), before.path(time)) < 0.8 * WIDTH
        seen = [actor.detection(time) for actor in ([before] if hidden else [behind, before])]
        found = tracks.update(time, seen, frame([behind, before], time))
        assert ids_of(found, before, time) == [2]
        if not hidden:
            assert ids_of(found, behind, time) == [1]


def test_an_occlusion_of_six_tenths_of_a_second_keeps_the_id() -> None:
    actor, tracks = Actor(1, moving(150, 120)), Tracks()
    for time in times(8, 3.0):
        gone = 1.0 < time < 1.6
        found = tracks.update(time, [] if gone else [actor.detection(time)], frame([actor], time))
        assert [number for number, _ in found] == ([] if gone else [1])


def test_a_face_unseen_for_too_long_is_a_new_one() -> None:
    actor, tracks = Actor(1, still(300)), Tracks(TrackOptions(max_unseen_s=1.0))
    gray = frame([actor], 0)
    assert tracks.update(0.0, [actor.detection(0)], gray)[0][0] == 1
    assert tracks.predicted(0.9)
    assert not tracks.predicted(1.1)
    assert tracks.update(1.1, [actor.detection(0)], gray)[0][0] == 2


def test_a_new_face_gets_a_new_id_and_takes_none() -> None:
    old, new, tracks = Actor(1, still(300)), Actor(2, still(420)), Tracks()
    for time in times(8, 1.0):
        actors = [old] if time < 0.5 else [old, new]
        found = tracks.update(time, [actor.detection(time) for actor in actors], frame(actors, time))
        assert [number for number, _ in found] == list(range(1, len(actors) + 1))


def test_another_face_in_the_place_of_one_that_left_is_recognised_by_its_size() -> None:
    old, new, tracks = Actor(1, still(300)), Actor(2, still(300), width=220.0), Tracks()
    tracks.update(0.0, [old.detection(0)], frame([old], 0))
    assert tracks.update(0.125, [new.detection(0)], frame([new], 0))[0][0] == 2


def test_a_cut_ends_all_tracks_and_ids_are_not_used_again() -> None:
    actors, tracks = [Actor(1, still(200)), Actor(2, still(600))], Tracks()
    seen, gray = [actor.detection(0) for actor in actors], frame(actors, 0)
    assert [number for number, _ in tracks.update(0.0, seen, gray)] == [1, 2]
    assert [number for number, _ in tracks.update(0.1, seen, gray, cut=True)] == [3, 4]
    assert tracks.update(0.2, [], gray, cut=True) == []
    assert tracks.predicted(0.2) == []


def test_a_face_with_a_low_score_counts_from_its_second_detection() -> None:
    actor, tracks = Actor(1, still(300)), Tracks()
    gray, weak = frame([actor], 0), actor.detection(0, score=0.5)
    assert tracks.update(0.0, [weak], gray) == []
    assert len(tracks.predicted(0.1)) == 1
    assert tracks.update(0.125, [weak], gray) == [(1, weak)]


def test_a_track_predicts_its_face_further_along_but_not_forever() -> None:
    actor, tracks = Actor(1, moving(100, 200)), Tracks()
    for time in times(8, 1.0):
        tracks.update(time, [actor.detection(time)], frame([actor], time))
    soon, later = tracks.predicted(1.125)[0], tracks.predicted(1.9)[0]
    assert soon.box.center[0] == pytest.approx(325, abs=8)
    assert soon.keypoints[2, 0] == pytest.approx(325, abs=8)
    assert 325 < later.box.center[0] < 100 + 200 * 1.9


@settings(max_examples=20)
@given(
    count=st.integers(1, 12),
    rate=st.sampled_from([3.0, 8.0, 15.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_jitter_misses_and_order_do_not_matter(count: int, rate: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    actors = [Actor(k, still(100 + 150 * (k % 6), 150 + 220 * (k // 6)), width=70) for k in range(count)]
    gray, tracks = frame(actors, 0), Tracks()
    first = tracks.update(0.0, [actor.detection(0) for actor in actors], gray)
    assert [number for number, _ in first] == list(range(1, count + 1))
    for time in times(rate, 2.0)[1:]:
        present = random.permutation(count)[random.integers(count) :] if time < 0.6 else random.permutation(count)
        seen = [actors[k].detection(time, off=tuple(random.normal(0, 4, 2))) for k in present]
        found = tracks.update(time, seen, gray)
        assert [number for number, _ in found] == [k + 1 for k in present]


def test_options_check_themselves() -> None:
    with pytest.raises(ValueError, match="positive"):
        TrackOptions(max_unseen_s=0)


cost_tables = st.tuples(st.integers(0, 5), st.integers(0, 5)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.integers(0, 8).map(float))
)


def gain(costs: Costs, pairs: Sequence[tuple[int, int]], max_cost: float) -> float:
    return sum(max_cost - float(costs[pair]) for pair in pairs)


def best_gain(costs: Costs, max_cost: float) -> float:
    """By trying every set of pairs."""
    rows, columns = costs.shape
    return max(
        gain(costs, list(zip(some, others, strict=True)), max_cost)
        for count in range(min(rows, columns) + 1)
        for some in combinations(range(rows), count)
        for others in permutations(range(columns), count)
    )


@given(cost_tables, st.integers(1, 9).map(float))
def test_no_other_matching_costs_less(costs: Costs, max_cost: float) -> None:
    pairs = min_cost_matching(costs, max_cost)
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)
    assert all(costs[pair] < max_cost for pair in pairs)
    assert gain(costs, pairs, max_cost) == pytest.approx(best_gain(costs, max_cost))


@given(st.permutations(range(12)))
def test_a_hidden_permutation_is_found(hidden: list[int]) -> None:
    costs = np.random.default_rng(0).uniform(0.5, 1.0, (12, 12))
    costs[np.arange(12), hidden] = 0.1
    assert min_cost_matching(costs, 2.0) == list(enumerate(hidden))

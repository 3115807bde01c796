"""Films that are dropped into folders: when each gets its turn."""

import os

import pytest

from emocolor.errors import ConfigurationError, SinkError
from stream.archive.inputs import FilmSearch, OutputNames
from stream.archive.watching import Arrivals, WatchedFolders, is_open_for_writing
from stream.files.stop_request import StopRequest


class Time:
    """A clock that moves while somebody waits, and what happens meanwhile: a list of functions, one for each wait."""

    def __init__(self, stop):
        self.now, self.waits, self.events, self._stop = 100.0, [], [], stop

    def clock(self):
        return self.now

    def pause(self, seconds):
        self.now += seconds
        self.waits.append(seconds)
        if not self.events:
            self._stop.stop()
            return
        self.events.pop(0)()


@pytest.fixture
def time():
    return Time(StopRequest())


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "films"
    made.mkdir()
    (tmp_path / "out").mkdir()
    return made


def scan(folder, warn=lambda text: None, template="{relative}"):
    names = OutputNames(folder=folder.parent / "out", template=template)
    return WatchedFolders(FilmSearch(inputs=[folder], output=names.folder), names, {}, warn)


def arrivals(find, time, **more):
    return Arrivals(find, time._stop, clock=time.clock, pause=time.pause, **more)


def drop(path, content=b"film"):
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


def nothing():
    pass


def taken(source, time):
    """Names of the films that got a turn, and when, counted from the start."""
    return [(job.input.name, time.now - 100) for job in source]


def test_a_film_is_taken_once_when_it_has_settled(folder, time):
    drop(folder / "film.mp4")
    time.events = [nothing] * 10
    assert taken(arrivals(scan(folder), time, settle_s=10), time) == [("film.mp4", 10)]
    assert set(time.waits) == {5}


def test_a_film_that_grows_has_not_settled(folder, time):
    path = folder / "film.mp4"
    drop(path)
    time.events = [lambda: drop(path, b"film, and more"), nothing, lambda: drop(path, b"film, and more of it")]
    time.events += [nothing] * 4
    assert taken(arrivals(scan(folder), time, settle_s=10), time) == [("film.mp4", 25)]


def test_films_come_in_the_order_of_their_arrival(folder, time):
    drop(folder / "z.mp4")
    time.events = [lambda: drop(folder / "a.mp4"), *[nothing] * 5]
    assert [name for name, _ in taken(arrivals(scan(folder), time, settle_s=2), time)] == ["z.mp4", "a.mp4"]


def test_a_film_gets_another_turn_when_it_changes(folder, time):
    drop(folder / "film.mp4")
    time.events = [nothing, nothing, lambda: drop(folder / "film.mp4", b"another film"), *[nothing] * 4]
    assert [name for name, _ in taken(arrivals(scan(folder), time, settle_s=4), time)] == ["film.mp4"] * 2


def test_a_film_that_is_put_back_gets_a_turn_later(folder, time):
    drop(folder / "film.mp4")
    drop(folder / "other.mp4")
    time.events = [nothing] * 4
    source, turns = arrivals(scan(folder), time, settle_s=2), []
    for job in source:
        turns.append((job.input.name, time.now - 100))
        if len(turns) == 1:
            source.put_back(job)
    assert turns == [("film.mp4", 2), ("other.mp4", 2), ("film.mp4", 3)]


def test_a_film_that_goes_away_is_forgotten(folder, time):
    drop(folder / "film.mp4")
    time.events = [lambda: (folder / "film.mp4").unlink(), nothing, nothing, nothing]
    assert taken(arrivals(scan(folder), time, settle_s=4), time) == []


def test_without_time_to_settle_the_folders_are_still_left_in_peace(folder, time):
    drop(folder / "film.mp4")
    time.events = [nothing] * 3
    assert taken(arrivals(scan(folder), time, settle_s=0), time) == [("film.mp4", 0)]
    assert set(time.waits) == {1}


def test_a_stop_wakes_whoever_waits(folder):
    stop = StopRequest()

    def find():
        stop.stop()
        return []

    assert list(Arrivals(find, stop)) == []


def test_time_to_settle_is_not_negative(folder, time):
    with pytest.raises(ConfigurationError, match="cannot be negative, got -1 s"):
        arrivals(scan(folder), time, settle_s=-1)


def test_a_film_that_somebody_writes_is_not_taken(folder, time):
    path = folder / "film.mp4"
    with path.open("wb") as writing:
        writing.write(b"film")
        writing.flush()
        if not is_open_for_writing(path):
            pytest.skip("this system does not tell who writes a file")
        time.events = [nothing] * 4 + [writing.close, nothing]
        assert taken(arrivals(scan(folder), time, settle_s=2), time) == [("film.mp4", 5)]
    assert not is_open_for_writing(path)
    assert not is_open_for_writing(folder / "none.mp4")


def test_a_folder_that_goes_away_is_told_once_and_waited_for(folder, time):
    told, away = [], folder.with_name("away")
    drop(folder / "film.mp4")
    time.events = [nothing, lambda: os.rename(folder, away), nothing, lambda: os.rename(away, folder), nothing]
    assert taken(arrivals(scan(folder), time, settle_s=2, warn=told.append), time) == [("film.mp4", 4)]
    assert told == [f"The folder {folder} is gone. It is watched again when it is back."]


def test_nothing_is_taken_while_the_folder_of_finished_films_is_gone(folder):
    (folder.parent / "out").rmdir()
    find = scan(folder)
    with pytest.raises(SinkError, match="Films wait until it is back"):
        find()


def test_of_two_films_with_one_output_the_first_is_rendered(folder):
    told = []
    find = scan(folder, told.append, "{stem}")
    drop(folder / "b" / "film.mp4")
    assert [job.input.parent.name for job in find()] == ["b"]
    drop(folder / "a" / "film.mp4")
    assert [job.input.parent.name for job in find()] == ["b"]
    assert [job.input.parent.name for job in find()] == ["b"]
    assert len(told) == 1
    assert "left alone" in told[0]
    (folder / "b" / "film.mp4").unlink()
    assert [job.input.parent.name for job in find()] == ["a"]


def test_there_must_be_a_folder(folder):
    with pytest.raises(ConfigurationError, match="no folder to watch"):
        scan(folder / "film.mp4")

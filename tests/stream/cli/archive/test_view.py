"""What a person sees while films are rendered."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from emocolor.errors import SourceError
from stream.archive.film import FilmJob, PieceWork, Progress
from stream.archive.run import FilmResult
from stream.cli.archive.view import Board, Lines, Rate, Silence, films_view


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def rendering(frames, *, waiting=2, piece=None, work=None):
    return Progress(
        film="film.mp4", phase="render", frames=frames, total=300, piece=piece, pieces=3, waiting=waiting, work=work,
        piece_frames=100 if work else 0,
    )  # fmt: skip


def work(frames, worker="process 1", piece=1):
    return PieceWork(worker=worker, piece=piece, frames=frames)


def result(ending, **more):
    return FilmResult(job=FilmJob(input=Path("film.mp4"), output=Path("out.mp4")), ending=ending, **more)


def screen(board, width=80):
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(board)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def fed(rate, clock, *samples):
    for now, frames in samples:
        clock.now = now
        rate.add(frames)
    return rate.fps


def test_a_rate_begins_with_the_first_frames(clock):
    assert fed(Rate(clock), clock, (0, 0), (60, 10), (62, 50)) == 20


def test_a_rate_of_an_instant_is_none(clock):
    assert fed(Rate(clock), clock, (0, 0), (1, 10), (1.5, 50)) is None


def test_frames_that_were_there_before_count_for_nothing(clock):
    assert fed(Rate(clock), clock, (0, 5000), (10, 5010), (12, 5050)) == 20


def test_a_rate_forgets_what_is_long_past(clock):
    samples = [(second, second * 100) for second in range(20)] + [(20 + second, 2000 + second) for second in range(90)]
    assert fed(Rate(clock), clock, *samples) == pytest.approx(1)


def test_a_rate_of_whole_pieces_reaches_further_back(clock):
    samples = [(0, 0), (300, 500), (600, 1000), (900, 1500), (1200, 2000)]
    assert fed(Rate(clock), clock, *samples) == pytest.approx(500 / 300)


def test_work_that_was_lost_begins_a_rate_anew(clock):
    rate = Rate(clock)
    assert fed(rate, clock, (0, 0), (1, 100), (3, 200), (4, 20)) is None
    assert fed(rate, clock, (5, 30), (7, 50)) == 10


def test_work_that_stands_still_slows_a_rate(clock):
    rate = Rate(clock)
    fed(rate, clock, (0, 0), (1, 10), (2, 20))
    clock.now = 11
    assert rate.fps == 1
    assert rate.seconds_for(60) == 60


def test_a_board_shows_the_film_and_who_does_what(clock):
    board = Board(12, clock)
    for ending in ("done", "skipped", "failed", "done"):
        board.end(result(ending))
    board.begin("season 1/film.mp4")
    for now, frames in ((0, 0), (1, 20), (3, 60)):
        clock.now = now
        board.progress(rendering(100 + frames, work=work(frames)))
    board.progress(rendering(165, work=work(5, "process 2", 2)))
    lines = screen(board)
    assert lines[0].startswith("season 1/film.mp4  rendering  ━")
    assert lines[0].endswith("  55 %")
    assert lines[1:] == [
        "165 of 300 frames   1 of 3 pieces   22.5 frames/s   0:06 left",
        "  process 1   piece 1        60 of 100 frames     20.0 frames/s",
        "  process 2   piece 2         5 of 100 frames",
        "films: 2 done, 1 left alone, 1 failed, 7 to come",
    ]


def test_a_worker_that_has_finished_waits(clock):
    board = Board(1, clock)
    board.begin("film.mp4")
    for now, frames in ((0, 0), (1, 20), (3, 60)):
        clock.now = now
        board.progress(rendering(frames, work=work(frames)))
    clock.now = 5
    board.progress(rendering(100, piece=1, work=work(60)))
    assert screen(board)[2:] == ["  process 1   waits for a piece                   20.0 frames/s"]


def test_planning_without_a_length_has_no_end(clock):
    board = Board(1, clock)
    board.begin("film.mp4")
    board.progress(Progress(film="film.mp4", phase="plan", frames=1234567, total=None))
    lines = screen(board)
    assert lines[0].startswith("film.mp4  planning")
    assert "%" not in lines[0]
    assert lines[1:] == ["1 234 567 frames"]


def test_no_line_is_wider_than_the_terminal(clock):
    board = Board(2, clock)
    board.begin("a name that is much too long for any line in a terminal of eighty columns.mp4")
    for number in range(12):
        board.progress(rendering(10, work=work(10, worker=f"node 10.20.30.40, worker {number}", piece=number)))
    for width in (80, 60):
        lines = screen(board, width)
        assert max(map(len, lines)) <= width
        assert len(lines) == 1 + 1 + 8 + 1 + 1
        assert lines[-2] == "  and 4 more"
    assert "…" in lines[0]


def test_control_characters_in_names_are_escaped(clock):
    board = Board(1, clock)
    board.begin("a\x1b[2J.mp4")
    board.progress(rendering(10))
    assert r"a\x1b[2J.mp4" in screen(board)[0]


def test_who_watches_sees_that_no_film_is_there(clock):
    board = Board(None, clock)
    assert screen(board) == ["waiting for films", "films: none yet"]
    board.end(result("failed", error=SourceError("damaged")))
    board.begin("film.mp4")
    board.idle()
    assert screen(board) == ["waiting for films", "films: 1 failed"]


def test_a_log_gets_a_line_for_each_finished_piece(clock, capsys):
    lines = Lines(clock)
    lines.begin("film.mp4")
    lines.progress(Progress(film="film.mp4", phase="plan", frames=10, total=300))
    for now, progress in (
        (0, rendering(0, waiting=3)),
        (1, rendering(20, waiting=3, work=work(20))),
        (5, rendering(100, piece=1, work=work(80))),
        (9, rendering(200, waiting=1, piece=2, work=work(80))),
        (11, rendering(300, waiting=0, piece=0, work=work(80))),
    ):
        clock.now = now
        lines.progress(progress)
    assert capsys.readouterr().err.splitlines() == [
        "film.mp4: piece 1 is rendered, 1 of 3, 33 % done, 0:10 left",
        "film.mp4: piece 2 is rendered, 2 of 3, 66 % done, 0:04 left",
        "film.mp4: piece 0 is rendered, 3 of 3, 100 % done",
    ]


def test_the_view_suits_standard_error(capsys):
    with films_view(1, quiet=True) as view:
        assert type(view) is Silence
    with films_view(1, quiet=False) as view:
        assert type(view) is Lines
    assert capsys.readouterr().err == ""

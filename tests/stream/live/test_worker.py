"""Threads under an owner: how they end, and who is told why."""

import threading

import pytest

from emocolor.errors import EmocolorError, SinkError
from stream.live.clock import StopSignal
from stream.live.handoff import Closed, Handoff
from stream.live.worker import Worker, WorkerGroup
from tests.stream.live.manual_clock import ManualClock

PATIENCE_S = 30


def failing(error):
    def run():
        raise error

    return run


def test_a_worker_runs_in_a_thread_of_its_name():
    names = []
    worker = Worker("decode", lambda: names.append(threading.current_thread().name))
    assert worker.join(), "it was never started"
    worker.start()
    assert worker.join(PATIENCE_S)
    assert names == ["decode"]
    assert (worker.running, worker.error) == (False, None)


def test_stopping_wakes_what_it_waits_on():
    stop = StopSignal()
    worker = Worker("wait", stop.wait, stop=stop.set)
    worker.start()
    assert worker.running
    assert worker.close(PATIENCE_S)
    assert worker.close(PATIENCE_S), "as often as one likes"


def test_a_closed_handoff_is_a_normal_end():
    items, taken = Handoff(3), []

    def run():
        while True:
            taken.append(items.take())

    worker = Worker("read", run, stop=items.close)
    worker.start()
    items.put(1)
    assert worker.close(PATIENCE_S)
    assert (taken, worker.error) == ([1], None)


def test_an_error_is_kept_and_told_once():
    told = []
    worker = Worker("write", failing(SinkError("it broke.")), failed=told.append)
    worker.start()
    assert worker.join(PATIENCE_S)
    assert told == [worker.error]
    assert str(worker.error) == "it broke."


def test_a_bug_is_logged_and_becomes_an_error(caplog):
    worker = Worker("write", failing(RuntimeError("no room")))
    worker.start()
    assert worker.join(PATIENCE_S)
    assert str(worker.error) == "Internal error: RuntimeError('no room')."
    assert "the thread 'write' failed" in caplog.text
    assert "Traceback" in caplog.text


def test_a_worker_that_hangs_is_left_behind():
    clock, gate = ManualClock(), threading.Event()
    worker = Worker("hang", gate.wait, clock=clock)
    worker.start()
    ended = []
    owner = threading.Thread(target=lambda: ended.append(worker.close(5.0)))
    owner.start()
    clock.wait_for_sleepers()
    clock.advance(5.0)
    owner.join(PATIENCE_S)
    assert ended == [False]
    assert worker.running
    gate.set()
    assert worker.join()


def test_a_worker_may_close_itself():
    closed = []
    worker = Worker("self", lambda: closed.append(worker.close()))
    worker.start()
    assert worker.join()
    assert closed == [False]


def waiting_group(**options):
    """A group of two that wait until they are stopped, and the order in which they were asked to."""
    group, asked = WorkerGroup(**options), []
    for name in ("first", "second"):
        stop = StopSignal()
        group.add(name, stop.wait, stop=lambda name=name, stop=stop: (asked.append(name), stop.set()))
    return group, asked


def test_a_group_stops_its_workers_in_reverse():
    group, asked = waiting_group()
    group.start()
    group.close()
    assert asked == ["second", "first"]
    assert not any(worker.running for worker in group.workers)


def test_the_first_error_stops_the_others_and_is_raised_when_all_have_ended():
    group, _ = waiting_group()
    group.add("broken", failing(SinkError("it broke.")))
    group.start()
    for worker in group.workers:
        assert worker.join(PATIENCE_S), "the error alone has stopped it"
    with pytest.raises(SinkError, match="it broke"):
        group.close()


def test_an_owner_that_is_told_gets_one_error():
    told, both = [], threading.Barrier(2, timeout=PATIENCE_S)

    def fail():
        both.wait()
        raise EmocolorError("at the same time.")

    group = WorkerGroup(failed=told.append)
    group.add("one", fail)
    group.add("other", fail)
    group.start()
    group.close()
    group.close()
    assert told == [group.error]


def test_closed_is_no_error_of_a_group():
    group = WorkerGroup()
    group.add("ended", failing(Closed()))
    group.start()
    group.close()
    assert group.error is None

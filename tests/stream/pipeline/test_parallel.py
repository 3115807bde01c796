import threading
import time

import pytest

from stream.pipeline.parallel import ordered_parallel_map, worker_cpu_seconds


class LaterFirst:
    """Squares; every second number waits until the one after it has been squared."""

    def __init__(self, done):
        self.done = done

    def __call__(self, number):
        if number % 2 == 0:
            assert self.done[number + 1].wait(30)
        self.done[number].set()
        return number * number


@pytest.mark.parametrize("width", [2, 5])
def test_results_come_in_the_items_order_whichever_is_done_first(width):
    done = [threading.Event() for _ in range(40)]
    assert list(ordered_parallel_map(range(40), lambda: LaterFirst(done), width)) == [n * n for n in range(40)]


def test_one_at_a_time_is_done_in_the_callers_thread():
    assert set(ordered_parallel_map(range(3), lambda: lambda _: threading.get_ident(), 1)) == {threading.get_ident()}


@pytest.mark.parametrize("width", [1, 3])
def test_each_work_is_in_one_thread_at_a_time(width):
    class Work:
        def __init__(self):
            self.busy = threading.Lock()

        def __call__(self, item):
            assert self.busy.acquire(blocking=False)
            burn(0.0005)
            self.busy.release()
            return self

    assert len(set(ordered_parallel_map(range(60), Work, width))) == width


def burn(seconds):
    ends = time.thread_time() + seconds
    while time.thread_time() < ends:
        pass


def test_the_cpu_time_of_workers_is_counted_for_their_owner():
    before = worker_cpu_seconds()
    list(ordered_parallel_map([0.05] * 4, lambda: burn, 2))
    assert 0.2 <= worker_cpu_seconds() - before < 0.5
    seen = []
    other = threading.Thread(target=lambda: seen.append(worker_cpu_seconds()))
    other.start()
    other.join()
    assert seen == [0.0]

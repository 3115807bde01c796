"""GPUs as slots of workers. What CUDA makes of the names is not tested here: that takes a machine with several GPUs."""

import multiprocessing
import os

import pytest

from stream.archive.gpus import VISIBLE, gpu_of_worker, gpus_for, see_alone, visible_gpus


@pytest.mark.parametrize(
    ("named", "gpus"),
    [
        (None, ["0", "1", "2"]),
        ("2,0", ["2", "0"]),
        ("GPU-5c3e, MIG-7f", ["GPU-5c3e", "MIG-7f"]),
        ("1,-1,2", ["1"]),
        ("", []),
    ],
)
def test_the_variable_limits_the_gpus(named, gpus):
    assert visible_gpus(named, lambda: 3) == gpus


def test_the_cpu_has_no_slots():
    assert gpus_for("cpu", {VISIBLE: "0,1"}) == []


@pytest.mark.gpu
def test_gpus_are_counted():
    assert gpus_for("cuda", {}) != []
    assert gpus_for("cuda", {VISIBLE: "1,0"}) == ["1", "0"]


def test_workers_take_gpus_by_turns():
    assert [gpu_of_worker(number, ["a", "b"]) for number in range(5)] == ["a", "b", "a", "b", "a"]
    assert gpu_of_worker(3, []) is None


def _seen(gpu, connection):
    see_alone(gpu)
    connection.send(os.environ.get(VISIBLE))


def test_a_process_sees_its_gpu_alone():
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_seen, args=("GPU-5c3e", theirs))
    process.start()
    process.join()
    assert ours.recv() == "GPU-5c3e"
    assert os.environ.get(VISIBLE) != "GPU-5c3e"

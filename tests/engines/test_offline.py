"""Threads that cannot open sockets, and the rest of the process, which can."""

import errno
import socket
import subprocess
import sys
import threading

import pytest

from engines.offline import SYSTEM_CALLS, _filter_without_sockets, run_offline

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the filter is Linux's")


def error_of_a_socket() -> int:
    """0 where a socket can be opened."""
    try:
        socket.socket().close()
    except OSError as error:
        return error.errno or -1
    return 0


def errors_here_and_in_a_thread() -> list[int]:
    found = [error_of_a_socket()]
    thread = threading.Thread(target=lambda: found.append(error_of_a_socket()))
    thread.start()
    thread.join()
    return found


@LINUX
def test_neither_the_thread_nor_those_that_it_starts_can_open_a_socket():
    refusals: list[str] = []
    assert run_offline(errors_here_and_in_a_thread, on_refusal=refusals.append) == [errno.EACCES, errno.EACCES]
    assert not refusals


@LINUX
def test_the_rest_of_the_process_is_as_before():
    run_offline(error_of_a_socket, on_refusal=pytest.fail)
    assert errors_here_and_in_a_thread() == [0, 0]


@LINUX
def test_native_code_is_held_back_as_well():
    """``getaddrinfo`` of the C library asks no name server."""
    with pytest.raises(socket.gaierror):
        run_offline(lambda: socket.getaddrinfo("name.invalid", 80), on_refusal=pytest.fail)


def test_what_goes_wrong_comes_back():
    def fail() -> None:
        raise LookupError("lost")

    with pytest.raises(LookupError, match="lost"):
        run_offline(fail, on_refusal=lambda reason: None)


def test_where_there_is_no_filter_the_work_is_done_and_the_reason_told():
    script = """
import sys
sys.platform = "plan9"
from engines.offline import run_offline
reasons = []
assert run_offline(lambda: 7, on_refusal=reasons.append) == 7
print(*reasons)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("there is no filter for plan9 on ")


@pytest.mark.parametrize("calls", SYSTEM_CALLS.values(), ids=SYSTEM_CALLS.keys())
def test_a_filter_is_six_instructions_of_eight_bytes(calls):
    assert len(_filter_without_sockets(calls)) == 48

import os
import signal
import subprocess
import sys
import threading

import pytest

from stream.cli.signals import STOPS, handled_by, handled_signals, raise_stopped
from tests.stream.cli.command_process import hangups_passed_on

INTERRUPTED = """
import os, signal, sys, threading
from stream.cli.ending import interruptible
from stream.cli.signals import Stopped

def work():
    try:
        os.kill(os.getpid(), number)
        threading.Event().wait(60)
    finally:
        print("cleaned")
    return 0

number = int(sys.argv[1])
before = signal.getsignal(number)
try:
    interruptible(work)
except Stopped as stopped:
    print("stopped", stopped.exit_code)
print("restored", signal.getsignal(number) is before)
"""


@pytest.mark.parametrize("number", STOPS)
def test_a_signal_interrupts_work_that_cleans_up(number):
    with hangups_passed_on():
        done = subprocess.run(
            [sys.executable, "-c", INTERRUPTED, str(int(number))], capture_output=True, text=True, timeout=60
        )
    assert done.stdout.splitlines() == ["cleaned", f"stopped {128 + number}", "restored True"], done.stderr


def test_what_nohup_ignores_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert signal.SIGHUP not in handled_signals()
        with handled_by(raise_stopped):
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_other_threads_leave_signals_alone():
    def run():
        with handled_by(raise_stopped):
            seen.append(signal.getsignal(signal.SIGTERM))

    seen = []
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM)]

import os
import signal
import threading

import pytest

from stream.cli.ending import interruptible
from stream.cli.signals import STOPS, Stopped, handled_by, handled_signals, raise_stopped


@pytest.mark.parametrize("number", STOPS)
def test_a_signal_interrupts_work_that_cleans_up(number):
    cleaned = []

    def work():
        try:
            os.kill(os.getpid(), number)
            threading.Event().wait(10)
        finally:
            cleaned.append(number)
        return 0

    before = signal.getsignal(number)
    with pytest.raises(Stopped) as caught:
        interruptible(work)
    assert caught.value.exit_code == 128 + number
    assert cleaned == [number]
    assert signal.getsignal(number) is before


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

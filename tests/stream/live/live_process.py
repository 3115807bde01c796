"""``emocolor-stream live`` in a process of its own: what it logs, and how much it has written."""

import json
import subprocess
import sys
import threading

PATIENCE_S = 90
COMMAND = (sys.executable, "-m", "stream.cli", "live")


class LiveProcess:
    """Runs from the entry into its ``with`` block, and is killed at the latest at the exit.

    With ``tapped``, it has standard output as one more output, whose bytes are counted: they tell that frames go out.
    """

    def __init__(self, *arguments, tapped=False, stdout=None, env=None):
        self._command = [*COMMAND, *map(str, arguments), *(("-o", "-") if tapped else ())]
        self._options = {"stdout": subprocess.PIPE if tapped else stdout, "env": env}
        self._tapped = tapped
        self._lines, self._written, self._readers = [], 0, 0
        self._changed = threading.Condition()

    def __enter__(self):
        self.process = subprocess.Popen(self._command, stderr=subprocess.PIPE, **self._options)
        work = [self._read_log, *([self._count_output] if self._tapped else [])]
        self._readers = len(work)
        self._threads = [threading.Thread(target=one) for one in work]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error):
        self.process.kill()
        self.process.wait()
        for thread in self._threads:
            thread.join(PATIENCE_S)
        for pipe in (self.process.stderr, self.process.stdout):
            if pipe is not None:
                pipe.close()

    @property
    def log(self):
        """All that it has logged so far."""
        with self._changed:
            return "".join(self._lines)

    def events(self, name):
        """The records of the log with that event, where the log is JSON."""
        with self._changed:
            records = [json.loads(line) for line in self._lines]
        return [record for record in records if record.get("event") == name]

    def wait_for_log(self, found):
        """Wait until ``found``, a function without arguments, is true of the log."""
        with self._changed:
            assert self._changed.wait_for(lambda: found() or not self._readers, PATIENCE_S), "".join(self._lines)
            assert found(), "".join(self._lines)

    def wait_for_output(self, count):
        """Wait until it has written ``count`` bytes more to standard output."""
        with self._changed:
            enough = self._written + count
            self._changed.wait_for(lambda: self._written >= enough or not self._readers, PATIENCE_S)
            assert self._written >= enough, "".join(self._lines)

    def send_signal(self, number):
        self.process.send_signal(number)

    def finish(self):
        """Its exit code and its log, once it has ended."""
        code = self.process.wait(PATIENCE_S)
        for thread in self._threads:
            thread.join(PATIENCE_S)
        return code, self.log

    def _read_log(self):
        for line in self.process.stderr:
            with self._changed:
                self._lines.append(line.decode())
                self._changed.notify_all()
        self._end_reader()

    def _count_output(self):
        while data := self.process.stdout.read1(65536):
            with self._changed:
                self._written += len(data)
                self._changed.notify_all()
        self._end_reader()

    def _end_reader(self):
        with self._changed:
            self._readers -= 1
            self._changed.notify_all()


def live(*arguments, **options):
    """Run the command to its end: its exit code and its log."""
    with LiveProcess(*arguments, **options) as process:
        return process.finish()

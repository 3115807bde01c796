"""``emocolor-stream serve`` in a process of its own, which can be killed."""

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE_S = 90.0
"""Nets load meanwhile, on a machine that may be busy."""
_COMMAND = """
import sys
import aioice.ice
aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]  # loopback alone
from stream.cli import main
main(["serve", *sys.argv[1:]])
"""


class Server:
    """A server at a port of its own that can be started, killed and started again."""

    def __init__(self, log: Path, *options: str) -> None:
        self.port = _free_port()
        self.address = f"http://127.0.0.1:{self.port}/"
        self._log = log
        self._command = [sys.executable, "-c", _COMMAND, "--port", str(self.port), *options]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns once it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        deadline = time.monotonic() + PATIENCE_S
        while not self._answers():
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.2)

    def kill(self) -> None:
        """Without a farewell."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def terminate(self) -> None:
        """As a service manager does: by SIGTERM."""
        assert self._process is not None
        self._process.terminate()

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.address}healthz", timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            return False


@contextmanager
def serving(log: Path, *options: str) -> Iterator[Server]:
    """A server that answers."""
    server = Server(log, *options)
    try:
        server.start()
        yield server
    finally:
        server.kill()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])

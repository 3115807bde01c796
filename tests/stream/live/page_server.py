"""``emocolor-stream serve`` in a process of its own, which can be killed."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Returns once it listens, which it tells on standard output."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self._process.stdout is not None
        greeting = self._process.stdout.readline()
        assert greeting.startswith("Open http"), self._log.read_text()

    def kill(self) -> None:
        """Without a farewell."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def terminate(self) -> None:
        """As a service manager does: by SIGTERM."""
        assert self._process is not None
        self._process.terminate()


@contextmanager
def serving(log: Path, *options: str) -> Iterator[Server]:
    """A server that listens."""
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

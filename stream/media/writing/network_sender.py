"""A process that sends a stream to a network address.

FFmpeg connects, writes its header and says goodbye in calls during which PyAV holds the interpreter's lock. An address
that does not answer would stop all threads for minutes; here it stops only this process, which can be killed at any
time.

    python -m stream.media.writing.network_sender CARRIER FORMAT URL OPTIONS < stream
"""

import contextlib
import json
import select
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import IO, Final, cast

import av

from emocolor.errors import SinkError

from ..locations import error_text

END_TIMEOUT_S: Final = 3.0
"""How long the process may take to end the stream and say goodbye to the server."""
CONNECT_TIMEOUT_S: Final = 15.0
"""How long the process may take to start, to recognise the stream and to connect."""
REASON_TIMEOUT_S: Final = 1.0
"""How long a process that closed its pipe may take to say why."""
MAX_REASON_BYTES: Final = 2000


class NetworkSender:
    """The running process, as seen from the one that encodes the stream."""

    def __init__(
        self,
        url: str,
        *,
        shown: str,
        carrier: str,
        format_name: str,
        options: Mapping[str, str],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """``shown``: the address for messages. ``carrier``: the container in which the stream comes to the process.

        ``options`` are for FFmpeg's muxer of ``format_name``, which is what the address gets.
        """
        arguments = [carrier, format_name, url, json.dumps(dict(options))]
        self._shown = shown
        # In a session of its own, so that Ctrl-C in a terminal does not reach it before the stream is finished.
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        pipes = self._process.stdin, self._process.stdout, self._process.stderr
        assert None not in pipes
        self._stdin, self._stdout, self._stderr = (cast(IO[bytes], pipe) for pipe in pipes)
        self._now, self._started_at = now, now()
        self._connected = False
        self.pid = self._process.pid
        self.descriptor = self._stdin.fileno()
        """Where the stream is written to."""

    def check_connected(self) -> None:
        """Raises ``TimeoutError`` where the address has not let the stream begin for ``CONNECT_TIMEOUT_S``.

        The pipe to the process takes a while to be full: nobody would notice that nothing is sent.
        """
        if self._connected:
            return
        poll = select.poll()
        poll.register(self._stdout, select.POLLIN)
        if poll.poll(0):  # what it says once it is connected, or its end, which the next write tells
            self._connected = True
        elif self._now() - self._started_at > CONNECT_TIMEOUT_S:
            raise TimeoutError(f"no response for {CONNECT_TIMEOUT_S:g} s")

    def close(self, timeout_s: float = END_TIMEOUT_S) -> None:
        """End the stream and wait until it is sent. Raises ``SinkError`` where that fails."""
        self._stdin.close()
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            self.kill()
            raise SinkError(f"{self._shown} did not accept the end of the stream.") from error
        if self._process.returncode != 0:
            raise self.failure()
        self.release()

    def failure(self) -> SinkError:
        """Why the process ended or accepts nothing; it is killed if it still runs."""
        try:
            self._process.wait(REASON_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            what = "it accepts no data" if self._connected else "it does not respond. Check the address"
            return SinkError(f"Cannot write {self._shown}: {what}.")
        reason = self._stderr.read(MAX_REASON_BYTES).decode(errors="replace").split()
        return SinkError(f"Cannot write {self._shown}: {' '.join(reason) or 'the connection ended'}.")

    def kill(self) -> None:
        """End the process immediately."""
        self._process.kill()
        self._process.wait()

    def release(self) -> None:
        """Close the pipes to a process that has ended; ``descriptor`` must not be used any more."""
        with contextlib.suppress(OSError):
            self._stdin.close()
        self._stdout.close()
        self._stderr.close()


def send(carrier: str, format_name: str, url: str, options: dict[str, str]) -> None:
    """Send the stream on standard input, in FFmpeg's format ``carrier``, to ``url``.

    Raises FFmpeg's errors.
    """
    probe = {"probesize": "1000000", "analyzeduration": "1000000"}
    with (
        av.open("pipe:0", format=carrier, container_options=probe) as source,
        av.open(url, "w", format=format_name, container_options=options) as sink,
    ):
        sink.metadata.update(source.metadata)
        streams = {stream.index: sink.add_stream_from_template(stream, opaque=True) for stream in source.streams}
        for stream in source.streams:
            streams[stream.index].metadata.update(stream.metadata)
        sink.start_encoding()  # connects, and writes the header
        print("connected", flush=True)
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream_index]
                sink.mux(packet)


def main() -> int:
    carrier, format_name, url, options = sys.argv[1:]
    try:
        send(carrier, format_name, url, json.loads(options))
    except (av.FFmpegError, OSError, ValueError) as error:
        print(error_text(error), file=sys.stderr)
        return SinkError.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())

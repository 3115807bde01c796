"""A network address as an output that PyAV writes to, and whose waits end."""

import contextlib
from typing import Any, Final

from av.format import ContainerFormat

from ...files.pipes import PREFIX, PipeWriter
from ...files.stop_request import StopRequest
from .network_sender import NetworkSender

STALL_LIMIT_S: Final = 15.0
"""How long an address may accept nothing."""
CARRIERS: Final = {"rtsp": "mpegts"}
"""The container in which the stream goes to the sending process, where it cannot be the format itself."""
MUXER_OPTIONS: Final = {"flv": {"flvflags": "no_duration_filesize"}, "rtsp": {"rtsp_transport": "tcp"}}
"""Of formats that would go back and complete their header, and of RTSP, whose UDP firewalls drop."""


def carrier_of(format_name: str) -> str | None:
    """The container in which a stream of this format goes to the sending process; ``None`` where nothing reads it."""
    carrier = CARRIERS.get(format_name, format_name)
    try:
        ContainerFormat(carrier, "r")
    except ValueError:
        return None
    return carrier


class NetworkWriter:
    """Takes the stream from PyAV, in the container that ``carrier_of`` names."""

    def __init__(self, url: str, *, shown: str, format_name: str, carrier: str, stop: StopRequest) -> None:
        """``shown``: the address for messages. The connection is made when there is something to send."""
        self._url, self._shown, self._format, self._carrier = url, shown, format_name, carrier
        self._stop, self.name = stop, f"{PREFIX}{shown}"
        self._sender: NetworkSender | None = None
        self._pipe: PipeWriter | None = None

    def write(self, data: Any) -> int:
        """Write all of it. Raises ``SinkError`` where the address does not take it, and ``Cancelled``."""
        if self._pipe is None or self._sender is None:
            self._sender = NetworkSender(
                self._url,
                shown=self._shown,
                carrier=self._carrier,
                format_name=self._format,
                options=MUXER_OPTIONS.get(self._format, {}),
            )
            self._pipe = PipeWriter(self._sender.descriptor, self._stop, limit_s=STALL_LIMIT_S)
        try:
            self._sender.check_connected()
            return self._pipe.write(data)
        except OSError as error:
            raise self._sender.failure() from error

    def finish(self) -> None:
        """End the stream and wait until it is sent. Raises ``SinkError`` where that fails."""
        if self._sender is not None:
            self._close_pipe()
            self._sender.close(self._stop.stall_limit_s if self._stop.is_stopping else STALL_LIMIT_S)
            self._sender = None

    def close(self) -> None:
        """End the connection, if it is still there. Never raises."""
        if self._sender is not None:
            self._sender.kill()
            self._close_pipe()
            self._sender.release()
            self._sender = None

    def _close_pipe(self) -> None:
        if self._pipe is not None:
            with contextlib.suppress(OSError):
                self._pipe.close()

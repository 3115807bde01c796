"""Serve the page, WHIP and WHEP on this machine, to those who know a token.

python examples/serve_with_token.py [port]

The address with the token is printed once; without a port any that is free is taken. To let other machines in, set
``host`` to 0.0.0.0 and pass a certificate: browsers give cameras to pages over https only.
"""

import sys

from emocolor.effects import GradeOptions
from stream.live.controls import Controls
from stream.live.server.run import run_server
from stream.live.server.settings import AUTO_TOKEN, ServeSettings
from stream.settings import ServerOptions


def main(port: str = "0") -> int:
    """Serve until Ctrl-C or SIGTERM."""
    settings = ServeSettings(
        server=ServerOptions(port=int(port), max_sessions=2),
        token=AUTO_TOKEN,
        controls=Controls.of((GradeOptions(),)),
    )
    return run_server(settings)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

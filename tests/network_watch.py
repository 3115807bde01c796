"""Runs Python code and reports every connection that it tries to open, by Python or by native code.

Python's own calls are seen by an audit hook. Native ones are counted where the process is in a network namespace that
leads nowhere (``unshare --map-root-user --net``): each packet that finds no way out counts there.

As a script: ``network_watch.py REPORT CODE [ARGUMENT]...`` runs ``CODE`` and writes the report as JSON.
"""

import json
import os
import subprocess
import sys
import traceback
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

EVENTS: Final = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg")
"""Audit events of Python's calls that reach out."""
ISOLATED: Final = ("unshare", "--map-root-user", "--net")
SILENCED_BY: Final = ("CI", "TF_BUILD", "JENKINS_URL", "DO_NOT_TRACK", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
"""Variables that change what libraries report, or where they write."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a process did."""

    returncode: int
    output: str
    """Both its streams."""
    calls: list[str]
    """Python's calls that reach out, each with the place in the code."""
    packets: int | None
    """Packets of all its code that found no way out; ``None`` where they could not be counted."""
    written: list[str]
    """Files and folders in its home, which was empty."""


@cache
def can_count_packets() -> bool:
    """Whether this machine gives a process a network namespace of its own, and counts there."""
    try:
        done = subprocess.run([*ISOLATED, "cat", "/proc/net/snmp"], capture_output=True, timeout=30, check=False)
    except OSError:
        return False
    return done.returncode == 0 and b"OutNoRoutes" in done.stdout


def watched(code: str, *arguments: str, folder: Path, timeout_s: float = 240) -> Report:
    """Run Python ``code`` with ``arguments`` in its ``sys.argv``, with an empty home in ``folder``."""
    home, report = folder / "home", folder / "report.json"
    home.mkdir()
    environment = {name: value for name, value in os.environ.items() if name not in SILENCED_BY}
    isolation = ISOLATED if can_count_packets() else ()
    done = subprocess.run(
        [*isolation, sys.executable, __file__, str(report), code, *arguments],
        env={**environment, "HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    found = json.loads(report.read_text())
    return Report(
        returncode=done.returncode,
        output=done.stdout,
        calls=found["calls"],
        packets=found["packets"] if isolation else None,
        written=sorted(str(path.relative_to(home)) for path in home.rglob("*")),
    )


def _run(code: str, calls_path: Path) -> None:
    """Run the code in this process, and append each call to a file: child processes may do the same."""

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event in EVENTS:
            place = " < ".join(
                f"{frame.filename}:{frame.lineno}" for frame in reversed(traceback.extract_stack()[-6:-1])
            )
            with calls_path.open("a") as file:
                file.write(f"{event} {arguments[1:] if event == 'socket.connect' else arguments} at {place}\n")

    sys.path[0] = str(Path(__file__).parents[1])
    sys.addaudithook(hook)
    exec(compile(code, "<watched>", "exec"), {"__name__": "__main__"})


def _packets_without_a_route() -> int:
    names, values = (line.split() for line in Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Ip:"))
    counts = dict(zip(names, values, strict=True))
    return int(counts["OutNoRoutes"]) + int(counts["OutRequests"])


def main() -> int:
    """Run the code in a child process, so that what its exit does counts too."""
    report, code, *arguments = sys.argv[1:]
    calls_path = Path(report).with_suffix(".calls")
    calls_path.touch()
    if os.environ.get("NETWORK_WATCH") != "inner":
        environment = {**os.environ, "NETWORK_WATCH": "inner"}
        done = subprocess.run([sys.executable, __file__, report, code, *arguments], env=environment, check=False)
        found = {"calls": calls_path.read_text().splitlines(), "packets": _packets_without_a_route()}
        Path(report).write_text(json.dumps(found))
        return done.returncode
    sys.argv = ["watched", *arguments]
    _run(code, calls_path)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""What a live session costs and adds, with clients in a process of their own as load.

    python -m tests.benchmarks.live [--sessions 1 2 4] [--seconds 20] [--out FILE.json]
    python -m tests.benchmarks.live --soak 20 [--out FILE.json]

The server runs as ``emocolor-stream serve`` does, and is asked by its own ``/metrics``; each client sends a moving
face, 640x360 at 30 frames per second in VP8, and decodes what comes back. Both share the machine: what clients cost is
told too.

- ``fps_in``, ``fps_out``: frames per second and session that came in, and that the server's encoders took.
- ``latency_ms``: what the server adds to a frame, from its receipt (decoded) to its handoff to the encoder.
- ``drops``: frames left out after the first seconds, by reason.
- ``cpu_server``, ``cpu_clients``: cores in use. ``rss_mb``: the server's memory.
- ``control_to_pixel_ms``: from a message over the data channel to the first changed frame at the client, which
  includes encoding, the network and the client's own jitter buffer and decoder.
- ``other_load``: the machine's load average before the run; above zero, something else took part of the cores.
- with ``--soak``: the slope of the memory and the drift of the latency over the time, after a warm-up.
"""

import argparse
import asyncio
import contextlib
import json
import os
import resource
import statistics
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any, Final

import aiohttp
import av
import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from stream.demo.clip import make_demo_clip
from tests.benchmarks.__main__ import machine
from tests.stream.live.webrtc_clients import Camera, Client, Server, loopback_only, page_client, started

SIZE_WH: Final = (640, 360)
WARM_UP_S: Final = 6.0
SOAK_EVERY_S: Final = 10.0
CHANGES: Final = 10


def face_frames() -> list[np.ndarray]:
    """Four seconds of a moving face, (H * 3 / 2, W) uint8 planes of ``yuv420p``."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "face.mp4"
        make_demo_clip(path, seconds=4.0, size_wh=SIZE_WH)
        with av.open(str(path)) as clip:
            return [frame.to_ndarray(format="yuv420p") for frame in clip.decode(video=0)]


def mean_luma(frame: av.VideoFrame) -> float:
    """Of every 16th line: enough to see a change of colour."""
    plane = frame.planes[0]
    return float(np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, -1)[::16].mean())


class Scrape:
    """The server's metrics at one time."""

    def __init__(self, url: str) -> None:
        with urllib.request.urlopen(f"{url}/metrics", timeout=30) as response:
            text = response.read().decode()
        self.at = time.monotonic()
        self.own_cpu_s = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
        self.samples = {
            (sample.name, *sorted(sample.labels.values())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def __getitem__(self, key: str | tuple[str, ...]) -> float:
        return self.samples.get((key,) if isinstance(key, str) else key, 0.0)

    def labelled(self, name: str) -> dict[str, float]:
        """Values by their one label."""
        return {key[1]: value for key, value in self.samples.items() if key[0] == name and len(key) == 2}


def compare(before: Scrape, after: Scrape, sessions: int) -> dict[str, Any]:
    """What happened between two scrapes."""
    seconds = after.at - before.at

    def grown(name: str, *labels: str) -> float:
        return after[(name, *labels)] - before[(name, *labels)]

    drops = {
        reason: count - before[("emocolor_dropped_frames_total", reason)]
        for reason, count in after.labelled("emocolor_dropped_frames_total").items()
    }
    levels = after.labelled("emocolor_quality_level_sessions")
    return {
        "sessions": sessions,
        "seconds": round(seconds, 1),
        "fps_in": round(grown("emocolor_frames_total", "in") / seconds / sessions, 2),
        "fps_out": round(grown("emocolor_frames_total", "out") / seconds / sessions, 2),
        "drops": {reason: int(count) for reason, count in drops.items() if count},
        "cpu_server": round(grown("process_cpu_seconds_total") / seconds, 2),
        "cpu_clients": round((after.own_cpu_s - before.own_cpu_s) / seconds, 2),
        "rss_mb": round(after["process_resident_memory_bytes"] / 1e6, 1),
        "levels": [int(level) for level, count in sorted(levels.items()) for _ in range(int(count))],
        "stage_ms": {name: round(s * 1000, 2) for name, s in after.labelled("emocolor_stage_seconds").items()},
    }


async def connected(server: Server, frames: list[np.ndarray], stack: contextlib.AsyncExitStack) -> Client:
    """A client that has received its first frame."""
    client = Client(mean_luma)
    await stack.enter_async_context(page_client(server, Camera(frames), client=client))
    await client.video.wait(lambda received: received.count > 0)
    return client


def latencies(clients: list[Client]) -> dict[str, float]:
    """The worst of the sessions' percentiles, each over its last 300 frames."""
    latest = [next(m for m in reversed(client.messages) if m["type"] == "state") for client in clients]
    return {name: max(state["latency_ms"][name] for state in latest) for name in ("p50", "p95", "p99")}


async def control_to_pixel_ms(client: Client) -> list[float]:
    """Times from a changed tint to the first frame whose luma has moved."""
    found = []
    for change in range(CHANGES):
        at_first = statistics.mean(luma for _, luma in client.video.frames[-5:])
        count, sent_at = client.video.count, time.monotonic()
        alpha = 1.0 if change % 2 == 0 else 0.0
        client.channel.send(json.dumps({"type": "controls", "values": {"tint.alpha": alpha}}))
        await client.video.wait(lambda r, was=at_first, n=count: r.count > n and abs(r.latest - was) > 10)
        found.append((client.video.frames[-1][0] - sent_at) * 1000)
        await client.video.wait(lambda r, n=client.video.count: r.count > n + 20)
    return found


async def under_load(url: str, frames: list[np.ndarray], sessions: int, seconds: float) -> dict[str, Any]:
    async with aiohttp.ClientSession() as http, contextlib.AsyncExitStack() as stack:
        server = Server(url, None, http)  # type: ignore[arg-type]
        clients = [await connected(server, frames, stack) for _ in range(sessions)]
        await asyncio.sleep(WARM_UP_S)
        before = await asyncio.to_thread(Scrape, url)
        await asyncio.sleep(seconds)
        after = await asyncio.to_thread(Scrape, url)
        found = compare(before, after, sessions) | {"latency_ms": latencies(clients)}
        if sessions == 1:
            times = await control_to_pixel_ms(clients[0])
            found["control_to_pixel_ms"] = {"median": round(statistics.median(times), 1), "worst": round(max(times), 1)}
        return found


async def soak(url: str, frames: list[np.ndarray], minutes: float) -> dict[str, Any]:
    """One session for a long time; the first fifth is the warm-up."""
    async with aiohttp.ClientSession() as http, contextlib.AsyncExitStack() as stack:
        client = await connected(Server(url, None, http), frames, stack)  # type: ignore[arg-type]
        samples, p95 = [], []
        began = time.monotonic()
        while time.monotonic() - began < minutes * 60:
            await asyncio.sleep(SOAK_EVERY_S)
            samples.append(await asyncio.to_thread(Scrape, url))
            p95.append(latencies([client])["p95"])
            del client.messages[:-20]
        kept = samples[len(samples) // 5 :]
        hours = np.array([(sample.at - began) / 3600 for sample in kept])
        memory = np.array([sample["process_resident_memory_bytes"] / 1e6 for sample in kept])
        quarter = max(1, len(p95) // 4)
        return compare(kept[0], kept[-1], 1) | {
            "minutes": minutes,
            "rss_slope_mb_per_hour": round(float(np.polyfit(hours, memory, 1)[0]), 2),
            "rss_mb_samples": [round(float(value), 1) for value in memory[:: max(1, len(memory) // 60)]],
            "p95_ms_first_quarter": round(statistics.median(p95[:quarter]), 2),
            "p95_ms_last_quarter": round(statistics.median(p95[-quarter:]), 2),
        }


def measure(sessions: list[int], seconds: float, minutes: float | None) -> dict[str, Any]:
    frames = face_frames()
    found: dict[str, Any] = {
        "machine": machine(),
        "other_load": round(os.getloadavg()[0], 2),
        "size_wh": SIZE_WH,
        "effect": "tint",
        "codec": "VP8",
    }
    with loopback_only(), started("--max-sessions", max([*sessions, 1])) as process:
        if minutes is not None:
            return found | {"soak": asyncio.run(soak(process.url, frames, minutes))}
        rows = [asyncio.run(under_load(process.url, frames, number, seconds)) for number in sessions]
    return found | {"load": rows}


def table(rows: list[dict[str, Any]]) -> str:
    lines = ["sessions  fps in  fps out  p50 ms  p95 ms  p99 ms  drops  cores server  cores clients  RSS MB"]
    for row in rows:
        latency, lost = row["latency_ms"], sum(row["drops"].values())
        lines.append(
            f"{row['sessions']:>8}{row['fps_in']:>8}{row['fps_out']:>9}{latency['p50']:>8}{latency['p95']:>8}"
            f"{latency['p99']:>8}{lost:>7}{row['cpu_server']:>14}{row['cpu_clients']:>15}{row['rss_mb']:>8}"
        )
    return "\n".join(lines)


def readme_table(found: dict[str, Any]) -> str:
    """The README's table of sessions side by side."""
    rows = [
        "| sessions | frames per second in | out | added latency: median, 95 %, 99 % | dropped, ‰ | cores | memory |",
        "|---" * 7 + "|",
    ]
    for row in found["load"]:
        latency = ", ".join(f"{row['latency_ms'][name]:.0f}" for name in ("p50", "p95", "p99"))
        came = row["fps_in"] * row["seconds"] * row["sessions"]
        dropped = 1000 * sum(row["drops"].values()) / came
        rows.append(
            f"| {row['sessions']} | {row['fps_in']:.1f} | {row['fps_out']:.1f} | {latency} ms | {dropped:.0f} "
            f"| {row['cpu_server']:.1f} | {row['rss_mb']:.0f} MB |"
        )
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--soak", type=float, metavar="MINUTES")
    parser.add_argument("--out", type=Path, help="default: live.json here, or live_soak.json")
    arguments = parser.parse_args()
    found = measure(arguments.sessions, arguments.seconds, arguments.soak)
    out = arguments.out or Path(__file__).with_name("live.json" if arguments.soak is None else "live_soak.json")
    out.write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found["soak"], indent=2) if "soak" in found else table(found["load"]))
    for row in found.get("load", []):
        if "control_to_pixel_ms" in row:
            print("control to pixel, ms:", row["control_to_pixel_ms"])


if __name__ == "__main__":
    main()

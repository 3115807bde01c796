"""Proves that what the program writes has not changed: frames, audio, subtitles and timelines, as hashes.

    python tests/output_hashes.py record HASHES.json --clips DIR [--checkout DIR] [--only PATTERN]
    python tests/output_hashes.py compare HASHES.json --clips DIR [--checkout DIR] [--only PATTERN]

``record`` runs every job of ``JOBS`` and stores the hashes of its output; ``compare`` runs them again, prints every
difference and exits with 1 if there is one. Jobs run as commands in a process of their own, so any checkout can be
recorded and any other compared with it. ``PATTERN`` is a shell pattern for names of jobs, such as ``'demo_tint_*'``.

Nets give slightly different numbers on another type of processor or in another version of their runtime.
``compare`` therefore says where the machine or the versions differ.
"""

import argparse
import fnmatch
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import av
import numpy as np
from machine_info import environment

Command = Literal["run", "remaster"]
Result = dict[str, Any]
"""The output of a job, as JSON holds it: ``options``, and ``files`` by name or ``error``."""


class Job(NamedTuple):
    """One command of the program; its options follow those of ``EXPLICIT`` and count more."""

    name: str
    clip: str
    """File in the folder of clips, or ``DEMO``."""
    options: str
    output: str = ""
    """Name of the output and the options of its encoder; empty for none."""
    timeline: str = ""
    """Name of the timeline; empty for none."""
    command: Command = "run"


DEMO: Final = "demo"
"""The clip that the command ``demo`` makes."""
FACES4: Final = "made_four_faces.mp4"
ROTATED: Final = "odd_face_rotated90.mov"
CHAPLIN: Final = "bw_chaplin.mp4"
INTERLACED: Final = "made_interlaced_576i.mp4"
HDR: Final = "made_hdr10_pq.mp4"
SUBTITLES: Final = "made_audio_subs.mkv"
VFR: Final = "made_vfr_face.mp4"
ODD: Final = "made_odd_323x181.mkv"
"""4:4:4, with an odd width and height."""
REFERENCE: Final = "reference.ppm"
"""A frame that the script makes; in options it stands for its path."""

FFV1: Final = "out.mkv --codec ffv1"
"""Lossless: the rendered frames themselves are compared."""
X264: Final = "out.mp4 --preset ultrafast --crf 23"
"""The default encoder, at its only preset without macroblock-tree rate control, which may give other bytes each run."""
VP9: Final = "out.webm --crf 40"
JSONL: Final = "timeline.jsonl"
CSV: Final = "timeline.csv"

_MEDIA: Final = "--audio copy --device cpu --decoder software --max-pixels 9437184"
EXPLICIT: Final[dict[Command, str]] = {
    "run": "--rate 8 --net ours --passes 10 --seed 0 --precision f32 --smooth .5 --look-ahead 1 " + _MEDIA,
    "remaster": "--deinterlace auto --denoise 0 " + _MEDIA,
}
EXPLICIT_OF_EFFECT: Final = {
    "tint": "--alpha .5 --palette s0 --mode blend --mix rgb --region frame --several largest --base gray --certainty 0 "
    "--feather .35",
    "colormap": "--preprocess none --strength 1 --sigma 1.5 --edge-contrast .2 --cycles 0-40",
    "grade": "--skin 1",
    "style": "--style-strength 1 --style-region frame --style-keep none --style-size 360 --style-detail .5 "
    "--style-net fast --style-precision f32",
    "colorize": "--colorizer film --color-rate 3 --vividness .3 --saturation 1 --warmth 0",
}
"""Every option that has a default, so that another default changes no job; those of effects where they are used."""

JOBS: Final = (
    Job("demo_tint_blend", DEMO, "--ss 3 --to 5", FFV1, JSONL),
    Job("demo_tint_argmax", DEMO, "--mode argmax --ss 8.6 --to 10.6", FFV1, JSONL),
    Job("demo_tint_oklab_color", DEMO, "--mix oklab --base color --ss 8.6 --to 10.6", FFV1, JSONL),
    Job("demo_tint_certainty", DEMO, "--effect tint:.3 --palette muted --certainty 1 --ss 3 --to 5", FFV1, JSONL),
    Job("demo_tint_face", DEMO, "--region face --base color --ss 8.6 --to 10.6", FFV1, JSONL),
    Job("demo_tint_person", DEMO, "--region person --ss 3 --to 5", FFV1, JSONL),
    Job("demo_tint_background", DEMO, "--region background --base color --ss 8.6 --to 10.6", FFV1, JSONL),
    Job("demo_colormap_turbo", DEMO, "--effect colormap:turbo --ss 0 --to 2", FFV1),
    Job("demo_colormap_gaussian", DEMO, "--effect colormap:intensity --preprocess gaussian --ss 0 --to 2", FFV1),
    Job("demo_colormap_fourier", DEMO, "--effect colormap:magma --preprocess fourier --ss 0 --to 2", FFV1),
    Job("demo_colormap_canny", DEMO, "--effect colormap:#123-#8b4513@.4-#ffe4b5 --preprocess canny --to 2", FFV1),
    Job("demo_grade", DEMO, "--effect grade:1 --ss 8.6 --to 10.6", FFV1, JSONL),
    Job("demo_colorize_force", DEMO, "--effect colorize:.5 --force --ss 6 --to 8", FFV1),
    Job("demo_style", DEMO, "--effect style:1 --ss 8.6 --to 10.6", FFV1, JSONL),
    Job("demo_style_fixed", DEMO, "--effect style:.8 --style happy --style-keep chroma --ss 0 --to 2", FFV1),
    Job("demo_style_face", DEMO, "--effect style:1 --style-region face --ss 8.6 --to 10.6", FFV1, JSONL),
    Job("demo_style_full", DEMO, "--effect style:1 --style-net full --style-size 180 --ss 3 --to 3.4", FFV1, JSONL),
    Job("demo_colormap_tint", DEMO, "--effect colormap:bone,tint:.2 --base color --ss 3 --to 5", FFV1, JSONL),
    Job("demo_overlay", DEMO, "--effect none --overlay --ss 8.6 --to 10.6", FFV1, JSONL),
    Job("demo_net_s0", DEMO, "--net s0 --ss 8 --to 10", timeline=JSONL),
    Job("demo_net_tiny", DEMO, "--net tiny --ss 8 --to 10", timeline=JSONL),
    Job("demo_fresh_masks", DEMO, "--fresh-masks --seed 7 --ss 3 --to 5", FFV1, JSONL),
    Job("demo_no_dropout", DEMO, "--passes 0 --rate 0 --smooth .2 --look-ahead 0 --ss 8 --to 10", timeline=JSONL),
    Job("demo_timeline_csv", DEMO, "--ss 7 --to 11", timeline=CSV),
    Job("demo_mp4", DEMO, "--ss 3 --to 5", X264, JSONL),
    Job("faces4_tint_largest", FACES4, "--ss 1 --to 3", FFV1, JSONL),
    Job("faces4_tint_area", FACES4, "--several area --mix oklab --ss 0 --to 2", FFV1, JSONL),
    Job("faces4_tint_each", FACES4, "--region face --several each --base color --ss 1 --to 3", FFV1, JSONL),
    Job("faces4_grade_skin", FACES4, "--effect grade:.8 --skin .5 --ss 1 --to 3", FFV1, JSONL),
    Job("faces4_style_keep_face", FACES4, "--effect style:1 --style-region keep-face --ss 1 --to 2", FFV1, JSONL),
    Job("faces4_overlay", FACES4, "--overlay --ss 1 --to 3", FFV1, JSONL),
    Job("faces4_timeline_csv", FACES4, "--net tiny --ss 1 --to 3", timeline=CSV),
    Job("rotated_tint_face", ROTATED, "--region face --mode argmax --ss 0 --to 1", FFV1, JSONL),
    Job("rotated_colormap", ROTATED, "--effect colormap:turbo --preprocess bilateral --audio none --ss 0 --to 1", FFV1),
    Job("rotated_style_person", ROTATED, "--effect style:1 --style-region person --ss 0 --to 1", FFV1, JSONL),
    Job("rotated_overlay_mp4", ROTATED, "--overlay --ss 0 --to 1", X264, JSONL),
    Job("chaplin_remaster", CHAPLIN, "--ss 4 --to 6", FFV1, command="remaster"),
    Job("chaplin_restore", CHAPLIN, "--deflicker --denoise .5 --ss 4 --to 6", FFV1, command="remaster"),
    Job("chaplin_compare", CHAPLIN, "--compare --vividness .8 --warmth .1 --ss 7 --to 9", FFV1, command="remaster"),
    Job("chaplin_mp4", CHAPLIN, "--deflicker --ss 4 --to 6", X264, command="remaster"),
    Job("chaplin_reference", CHAPLIN, f"--reference {REFERENCE} --ss 4 --to 5", FFV1, command="remaster"),
    Job("chaplin_colorize_grade", CHAPLIN, "--effect colorize,grade:.6 --ss 6.5 --to 8.5", FFV1, JSONL),
    Job("chaplin_tint", CHAPLIN, "--ss 6.5 --to 8.5", FFV1, JSONL),
    Job("interlaced_remaster", INTERLACED, "--force --ss 0 --to 2", FFV1, command="remaster"),
    Job("interlaced_restore", INTERLACED, "--deflicker --denoise .5 --force --to 2", FFV1, command="remaster"),
    Job("interlaced_off", INTERLACED, "--deinterlace off --denoise .3 --ss 1 --to 3", FFV1, command="remaster"),
    Job("interlaced_tint", INTERLACED, "--region background --ss 0 --to 2", FFV1, JSONL),
    Job("hdr_tint", HDR, "--base color --certainty .5 --ss 0 --to 2", FFV1, JSONL),
    Job("hdr_colormap_sobel", HDR, "--effect colormap:inferno --preprocess sobel --strength .7 --ss 0 --to 2", FFV1),
    Job("hdr_colorize_force", HDR, "--effect colorize --force --ss 0 --to 2", FFV1),
    Job("hdr_style_mix", HDR, "--effect style:.7 --style-mix happy=.7,sad=.3 --ss 0 --to 2", FFV1),
    Job("hdr_mp4", HDR, "--ss 0 --to 2", X264, JSONL),
    Job("subtitles_tint", SUBTITLES, "--base color --ss .5 --to 2.5", FFV1, JSONL),
    Job("subtitles_aac", SUBTITLES, "--effect grade:.5 --audio aac --ss .5 --to 2.5", FFV1, JSONL),
    Job("subtitles_mp4", SUBTITLES, "--ss .5 --to 2.5", X264, JSONL),
    Job("subtitles_webm", SUBTITLES, "--effect colormap:bone --ss .5 --to 2.5", VP9),
    Job("vfr_tint_oklab", VFR, "--mix oklab --ss 7.5 --to 9.5", FFV1, JSONL),
    Job("vfr_style_luma", VFR, "--effect style:1 --style-keep luma --ss 7.5 --to 9.5", FFV1, JSONL),
    Job("vfr_colorize_grade", VFR, "--effect colorize:.5,grade:.6 --force --ss 7.5 --to 9.5", FFV1, JSONL),
    Job("vfr_mp4", VFR, "--effect grade:1 --ss 7.5 --to 9.5", X264, JSONL),
    Job("odd_tint_color", ODD, "--base color --ss 0 --to 2", FFV1, JSONL),
    Job("odd_tint_overlay", ODD, "--region person --overlay --ss 0 --to 2", FFV1, JSONL),
    Job("odd_colorize_tint", ODD, "--effect colorize:.5,tint:.2 --base color --force --ss 0 --to 2", FFV1, JSONL),
    Job("odd_style_background", ODD, "--effect style:1 --style-region background --ss 0 --to 2", FFV1, JSONL),
)

PARALLEL_JOBS: Final = 2
LONGEST_JOB_SECONDS: Final = 300
HDR_SIDE_DATA: Final = ("MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL")


class JobError(Exception):
    """A command ended with an error."""


def main() -> int:
    """Record or compare; returns the exit code."""
    arguments = _arguments()
    jobs = [job for job in JOBS if fnmatch.fnmatchcase(job.name, arguments.only)]
    if not jobs:
        print(f"No job is called {arguments.only}.")
        return 1
    recorded = None if arguments.action == "record" else _read(arguments.hashes)
    started = time.monotonic()
    results = run_jobs(jobs, clips=arguments.clips, checkout=arguments.checkout)
    print(f"{len(results)} results in {time.monotonic() - started:.0f} s")
    if recorded is None:
        return _record(arguments.hashes, results)
    before = {name: recorded[name] for name in recorded if name in results or fnmatch.fnmatchcase(name, arguments.only)}
    return _compare(before, results)


def _explicit(job: Job) -> str:
    """The options that a job is given whatever their defaults are."""
    words = shlex.split(job.options)
    chain = "colorize" if job.command == "remaster" else "tint"
    if "--effect" in words:
        chain = words[words.index("--effect") + 1]
    effects = [] if chain == "none" else [part.partition(":")[0] for part in chain.split(",")]
    given = f"--effect {chain} " if job.command == "run" else ""
    return given + " ".join([EXPLICIT[job.command], *(EXPLICIT_OF_EFFECT[effect] for effect in effects)])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Prove that what the program writes has not changed.")
    parser.add_argument("action", choices=("record", "compare"))
    parser.add_argument("hashes", type=Path, help="the JSON file that is written or compared with")
    parser.add_argument("--clips", type=Path, required=True, help="folder of the clips that jobs name")
    parser.add_argument(
        "--checkout", type=Path, default=Path(__file__).parents[1], help="checkout to run (default: this one)"
    )
    parser.add_argument("--only", default="*", metavar="PATTERN", help="shell pattern for names of jobs")
    arguments = parser.parse_args()
    if not (arguments.checkout / "stream").is_dir():  # else an installed package would run in its place
        parser.error(f"{arguments.checkout} holds no folder 'stream'; name a checkout.")
    return arguments


def _record(path: Path, results: dict[str, Result]) -> int:
    failed = {name: result["error"] for name, result in results.items() if "error" in result}
    for name, error in failed.items():
        print(f"{name}: {error}")
    if failed:
        print("Nothing was recorded: a job that fails proves nothing.")
        return 1
    path.write_text(json.dumps({"environment": environment(), "results": results}))
    print(f"Recorded in {path}.")
    return 0


def _read(path: Path) -> dict[str, Result]:
    """The recorded results; prints where they were made in another environment."""
    recorded = json.loads(path.read_text())
    for line in differences(recorded["environment"], environment()):
        print(f"note: another environment, so outputs of nets and encoders may differ: {line}")
    results: dict[str, Result] = recorded["results"]
    return results


def _compare(before: dict[str, Result], now: dict[str, Result]) -> int:
    lines = [line for name in sorted({*before, *now}) for line in _changes(name, before.get(name), now.get(name))]
    print("\n".join(lines) if lines else "No difference.")
    return 1 if lines else 0


def _changes(name: str, before: Result | None, now: Result | None) -> list[str]:
    """How one job's result differs from the recorded one, a line for each difference."""
    if before is None:
        return [f"{name}: not recorded"]
    if now is None:
        return [f"{name}: recorded, but no longer in the table of jobs"]
    if "error" in now:
        return [f"{name}: {now['error']}"]
    return [f"{name}: {line}" for line in differences(before, now)]


def differences(before: Any, now: Any, place: str = "") -> Iterator[str]:
    """Every place where two trees of JSON values differ; in a list, the first of them."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted({*before, *now}):
            yield from differences(before.get(key), now.get(key), f"{place} {key}".lstrip())
    elif isinstance(before, list) and isinstance(now, list):
        if before != now:
            yield f"{place}: {_list_difference(before, now)}"
    elif before != now:
        yield f"{place}: {before} before, {now} now"


def _list_difference(before: Sequence[Any], now: Sequence[Any]) -> str:
    differing = [index for index, pair in enumerate(zip(before, now, strict=False)) if pair[0] != pair[1]]
    first = differing[0] if differing else min(len(before), len(now))
    lengths = str(len(now)) if len(before) == len(now) else f"{len(now)} (before: {len(before)})"
    return f"first difference at index {first}; {len(differing)} of {lengths} differ"


def run_jobs(jobs: Sequence[Job], *, clips: Path, checkout: Path) -> dict[str, Result]:
    """The result of every job by its name, and of making the demo clip where one of them needs it."""
    results: dict[str, Result] = {}
    with tempfile.TemporaryDirectory(prefix="output_hashes_") as name:
        folder = Path(name)
        program = _Program(checkout.resolve(), clips.resolve(), folder)
        if any(job.clip == DEMO for job in jobs):
            results["demo_clip"] = program.make_demo()
        with ThreadPoolExecutor(PARALLEL_JOBS) as pool:
            started = {pool.submit(program.run, job): job for job in jobs}
            try:
                for count, future in enumerate(as_completed(started), 1):
                    results[started[future].name] = _reported(future, started[future], f"[{count}/{len(jobs)}]")
            finally:
                pool.shutdown(cancel_futures=True)
    return results


def _reported(future: Future[tuple[Result, float]], job: Job, progress: str) -> Result:
    """Print a line of progress and return the result."""
    result, seconds = future.result()
    print(f"{progress} {job.name} {'FAILED ' if 'error' in result else ''}{seconds:.1f} s", flush=True)
    return result


class _Program:
    """Runs commands of a checkout's program."""

    def __init__(self, checkout: Path, clips: Path, folder: Path) -> None:
        self._checkout, self._clips, self._folder = checkout, clips, folder
        self._demo_clip = folder / "demo" / "input.mp4"
        self._reference = _make_reference(folder / REFERENCE)
        # Nets that another checkout compiled must not be used: what compiles them is under test too.
        self._variables = os.environ | {"PYTHONPATH": str(checkout), "EMOCOLOR_CACHE": str(folder / "cache")}

    def make_demo(self) -> Result:
        """Make the demo clip; returns its hashes."""
        try:
            self._call(["demo", str(self._demo_clip.parent)])
        except JobError as error:
            return {"error": str(error)}
        return {"files": {self._demo_clip.name: hash_media(self._demo_clip)}}

    def run(self, job: Job) -> tuple[Result, float]:
        """The job's result and the seconds that it took."""
        started = time.monotonic()
        options = f"{job.command} {job.options} {job.output} {job.timeline}"
        result: Result = {"options": " ".join(options.split())}
        folder = self._folder / job.name
        folder.mkdir()
        try:
            self._call(self._words(job, folder))
            result["files"] = {path.name: hash_file(path) for path in sorted(folder.iterdir())}
        except JobError as error:
            result["error"] = str(error)
        shutil.rmtree(folder)
        return result, time.monotonic() - started

    def _words(self, job: Job, folder: Path) -> list[str]:
        clip = self._demo_clip if job.clip == DEMO else self._clips / job.clip
        options = shlex.split(f"{_explicit(job)} {job.options}")
        words = [job.command, str(clip), *(str(self._reference) if word == REFERENCE else word for word in options)]
        if job.output:
            name, *encoder = shlex.split(job.output)
            words += ["--output", str(folder / name), *encoder]
        if job.timeline:
            words += ["--timeline", str(folder / job.timeline)]
        return [*words, "--quiet"]

    def _call(self, words: Sequence[str]) -> None:
        """Run a command to its end; raises ``JobError`` where it fails or takes too long."""
        command = [sys.executable, "-m", "stream.cli", *words]
        try:
            done = subprocess.run(
                command, cwd=self._checkout, env=self._variables, capture_output=True, text=True,
                timeout=LONGEST_JOB_SECONDS,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise JobError(f"took more than {LONGEST_JOB_SECONDS} s") from None
        if done.returncode:
            raise JobError(f"exit code {done.returncode}: {' '.join(done.stderr.splitlines()[-2:])}")


def _make_reference(path: Path) -> Path:
    """A frame of 64x64 pixels with warm and cold colours, in the plainest of formats."""
    pixels = bytes(value for y in range(64) for x in range(64) for value in (4 * x, 2 * y + 60, 200 - 2 * x))
    path.write_bytes(b"P6 64 64 255\n" + pixels)
    return path


def hash_file(path: Path) -> Result:
    """Hashes of a timeline, or of a media file."""
    if path.suffix not in (".jsonl", ".csv"):
        return hash_media(path)
    content = path.read_bytes()
    return {"lines": content.count(b"\n"), "sha256": hashlib.sha256(content).hexdigest()}


def hash_media(path: Path) -> Result:
    """Hashes of the decoded frames of the first video stream, and of the packets of every other stream."""
    frames: list[str] = []
    pts: list[int | None] = []
    tags: Result = {}
    others: dict[str, Result] = {}
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        video.thread_type = "AUTO"
        for packet in container.demux():
            if packet.stream is not video:
                _add_packet(others, packet)
                continue
            for frame in video.decode(packet):
                frames.append(_hash(*tight_planes(frame)))
                pts.append(frame.pts)
                tags = tags or _tags(video, frame)
    return {"video": {"count": len(frames), "frames": frames, "pts": pts, "tags": tags}, "others": others}


def tight_planes(frame: av.VideoFrame) -> Iterator[bytes]:
    """The bytes of every plane without the padding at the ends of its rows."""
    packed = len(frame.planes) == 1
    for plane, component in zip(frame.planes, frame.format.components, strict=not packed):
        bits = frame.format.padded_bits_per_pixel if packed else -(-component.bits // 8) * 8
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
        yield rows[:, : plane.width * bits // 8].tobytes()


def _tags(video: av.VideoStream, frame: av.VideoFrame) -> Result:
    """What describes the frames: format, colour, geometry and timing."""
    side_data: dict[str, Any] = {name: frame.side_data.get(name) for name in HDR_SIDE_DATA}
    return {
        "codec": video.codec_context.name,
        "size": f"{frame.width}x{frame.height}",
        "pix_fmt": frame.format.name,
        "color": [int(tag) for tag in (frame.color_primaries, frame.color_trc, frame.colorspace, frame.color_range)],
        "sample_aspect_ratio": str(video.sample_aspect_ratio),
        "rotation": frame.rotation,
        "interlaced": bool(frame.interlaced_frame),
        "time_base": str(video.time_base),
        "hdr": {name: _hash(bytes(data)) for name, data in side_data.items() if data is not None},
    }


def _add_packet(others: dict[str, Result], packet: "av.Packet[Any]") -> None:
    """Add a packet to the hashes of its stream."""
    if not packet.size:  # what flushes the decoder
        return
    stream = packet.stream
    tags = {"codec": stream.codec_context.name, "time_base": str(stream.time_base), "language": stream.language}
    result = others.setdefault(f"{stream.index} {stream.type}", {"tags": tags, "packets": [], "pts": []})
    result["packets"].append(_hash(bytes(packet)))
    result["pts"].append(packet.pts)


def _hash(*parts: bytes) -> str:
    """Eight hexadecimal digits: many are stored, and a change by chance shows in some of them all the same."""
    digest = hashlib.blake2b(digest_size=4)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main())

"""The command as a person runs it: in a process of its own."""

import contextlib
import json
import os
import pty
import re
import shutil
import signal
import subprocess
from pathlib import Path

import av
import pytest

from engines.spec import EMOTION_FOLDER, emotion_net_names
from stream.demo.clip import make_demo_clip
from tests.stream.cli.command_process import COMMAND, CommandProcess, call, raw_video

SHIPPED = ", ".join(emotion_net_names())


def frames_in(path):
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_the_main_job_is_silent_when_nobody_watches(demo_clip, tmp_path):
    done = call(demo_clip, "-o", tmp_path / "out.mp4", "--encoder-preset", "ultrafast")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert frames_in(tmp_path / "out.mp4") == 50


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["{tmp}/none.mp4", "-o", "{tmp}/out.mp4"], 4, "none.mp4"),
        (["{tmp}", "-o", "{tmp}/out.mp4"], 4, "folder|directory"),
        (["{tmp}/text.mp4", "-o", "{tmp}/out.mp4"], 4, "text.mp4"),
        (["{tmp}/empty.mp4", "-o", "{tmp}/out.mp4"], 4, "empty"),
        (["{tmp}/audio.m4a", "-o", "{tmp}/out.mp4"], 4, "no video"),
        (["{tmp}/cut.mp4", "-o", "{tmp}/out.mp4"], 4, "moov|index|cut.mp4"),
        (["{clip}", "-o", "{tmp}/no/such/out.mp4"], 5, "no/such"),
        (["{clip}", "-o", "/proc/out.mp4"], 5, "/proc"),
        (["{clip}", "-o", "{clip}"], 5, "input"),
        (["{clip}", "-o", "{clip}", "--overwrite"], 5, "input"),
        (["{clip}", "-o", "{tmp}/text.mp4"], 5, "exists. --overwrite replaces it"),
        (["{clip}", "-o", "{tmp}/out.mp4", "--codec", "libx246"], 2, "libx264"),
        (["{clip}", "-o", "{tmp}/out.mp4", "--palette", "mutted"], 2, "muted"),
        (["{clip}", "-o", "{tmp}/out.mp4", "--alpha", "1.5"], 2, "alpha must be a number between 0 and 1, got 1.5"),
        (["{clip}", "-o", "{tmp}/out.mp4", "--rate", "-3"], 2, "rate"),
        (["{clip}", "-o", "{tmp}/out.mp4", "--effect", "colormap:turbo,tinted"], 2, "'tinted'; did you mean 'tint'"),
        (["{clip}", "-o", "{tmp}/out.mp4", "--effect", "colormap", "--cycles", "40"], 2, "write LOW-HIGH"),
        (["{clip}", "-o", "{tmp}/out.mp4", "--passes", "-1"], 2, "passes"),
        (["{clip}", "-o", "{tmp}/out.mp4", "--max-pixels", "1000"], 4, "Set --max-pixels"),
        (["{clip}", "-o", "{tmp}/out.xyz"], 2, "out.xyz"),
        (["{clip}"], 2, "-o OUTPUT"),
        (["{tmp}/none.mp4", "-o", "{tmp}/out.mp4", "--net", "sO"], 2, f"did you mean 's0'.*{SHIPPED}"),
        (["{tmp}/none.mp4", "-o", "{tmp}/out.mp4", "--net", "resnet152"], 2, f"'resnet152'.*{SHIPPED}"),
        (["{tmp}/none.mp4", "-o", "{tmp}/out.mp4", "--net", "../emotion/s0"], 2, SHIPPED),
        (["{clip}", "-o", "{tmp}/out.mp4", "--net", "{tmp}/mine.onnx"], 7, r"no card: .*mine\.json is missing"),
        (["{clip}", "-o", "{tmp}/out.mp4", "--net", "{tmp}/other.onnx"], 7, "not the card of an emotion net"),
        (["{clip}", "-o", "{tmp}/out.mp4", "--net", "{tmp}/large.onnx"], 7, "<= 512 - at `[$].crop_size`"),
        (["{clip}", "-o", "{tmp}/out.mp4", "--net", "{tmp}/unlike.onnx"], 7, r"its graph takes faces as .* 48, 48"),
    ],
)
def test_bad_input_is_one_line(arguments, code, words, demo_clip, tmp_path):
    (tmp_path / "text.mp4").write_text("this is no video\n" * 50)
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "mine.onnx").touch()
    (tmp_path / "other.json").write_text('{"epochs": 40}')
    shutil.copy(EMOTION_FOLDER / "tiny.onnx", tmp_path)
    card = json.loads((EMOTION_FOLDER / "tiny.json").read_text())
    for name, crop_size in (("large", 100_000), ("unlike", 64)):
        (tmp_path / f"{name}.json").write_text(json.dumps(card | {"crop_size": crop_size}))
    (tmp_path / "cut.mp4").write_bytes(_without_moov(demo_clip))
    with av.open(str(demo_clip)) as source, av.open(str(tmp_path / "audio.m4a"), "w", format="ipod") as track:
        made = track.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.dts is not None:
                packet.stream = made
                track.mux(packet)
    before = {path.name for path in tmp_path.iterdir()}
    done = call(*(a.format(tmp=tmp_path, clip=demo_clip) for a in arguments))
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    assert re.search(words, done.stderr)
    assert {path.name for path in tmp_path.iterdir()} == before


def test_traces_are_for_those_who_ask(tmp_path):
    assert "Traceback" in call(tmp_path / "none.mp4", "-o", tmp_path / "out.mp4", "-vv").stderr


def test_wrong_words_are_usage_errors(demo_clip):
    done = call(demo_clip, "-o", "x.mp4", "--region", "everywhere")
    assert done.returncode == 2
    assert "region" in done.stderr
    done = call(demo_clip, "-o", "x.mp4", "--ss", "soon")
    assert (done.returncode, done.stderr) == (2, "error: 'soon' is not a time; write seconds, MM:SS or HH:MM:SS.\n")


def test_a_device_that_is_not_there_is_refused_before_anything_is_opened(demo_clip, tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed; what then is said is another line")
    if torch.cuda.is_available():
        pytest.skip("there is an NVIDIA GPU")
    done = call(demo_clip, "-o", tmp_path / "out.mp4", "--device", "cuda")
    assert done.returncode == 7
    assert re.fullmatch(
        r"error: The device cuda cannot be used: torch \S+ is built for .* Check the driver .*\n", done.stderr
    )
    done = call(demo_clip, "-o", tmp_path / "out.mp4", "--effect", "style", "--style-precision", "f16")
    assert (done.returncode, done.stderr) == (7, "error: f16 is for GPUs; on the CPU there are f32 and bf16.\n")
    assert not (tmp_path / "out.mp4").exists()


def test_a_damaged_file_gives_what_decodes(demo_clip, tmp_path):
    clip = tmp_path / "long.mp4"
    make_demo_clip(clip, seconds=4, size_wh=(320, 180))
    whole = clip.read_bytes()
    (tmp_path / "damaged.mp4").write_bytes(whole[: len(whole) * 6 // 10])  # the index stands in front
    done = call(tmp_path / "damaged.mp4", "-o", tmp_path / "out.mp4")
    assert done.returncode == 3, done.stderr
    assert "damaged" in done.stderr
    assert any(c.isdigit() for c in done.stderr)
    assert 20 < frames_in(tmp_path / "out.mp4") < 100


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopping_leaves_a_playable_file_and_says_so(number, code, tmp_path):
    (tmp_path / "noise.y4m").write_bytes(b"".join(raw_video(250)))  # much to encode
    out = tmp_path / "out.mp4"
    with CommandProcess(tmp_path / "noise.y4m", "-o", out) as command:
        command.wait_until(lambda: _bytes_written(tmp_path) > 10_000)
        command.signal(number)
        ended, said = command.finish()
    assert ended == code, said
    assert "stopped" in said
    assert 0 < frames_in(out) < 250
    assert {path.name for path in tmp_path.iterdir()} == {"noise.y4m", "out.mp4"}


def test_dry_run_writes_nothing(demo_clip, tmp_path):
    done = call(demo_clip, "-o", tmp_path / "out.mp4", "--timeline", tmp_path / "t.csv", "--dry-run")
    assert done.returncode == 0
    for words in ("480x270", "passes 10", "palette s0", "libx264", "t.csv"):
        assert words in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_effects_are_chained(demo_clip, tmp_path):
    """A map from black to red and then S0's tint at alpha 0: red where the frame is light."""
    out = tmp_path / "out.mp4"
    arguments = (demo_clip, "-o", out, "--effect", "colormap:#000-#f00,tint:0", "--to", "0.3")
    plan = call(*arguments, "--dry-run").stdout
    assert re.search(r"colormap  map #000-#f00.*\n *tint .*alpha 0,", plan)
    assert call(*arguments).returncode == 0
    with av.open(str(out)) as container:
        red, green, blue = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(int).max(axis=(0, 1))
    assert red > 200
    assert max(green, blue) < 80


def test_no_face_is_looked_for_where_none_matters(demo_clip, tmp_path):
    plan = call(demo_clip, "-o", tmp_path / "out.mp4", "--effect", "colormap", "--cycles", "4-", "--dry-run").stdout
    assert "colormap  map turbo" in plan
    assert "analysis" not in plan
    plan = call(demo_clip, "-o", tmp_path / "out.mp4", "--effect", "colormap", "--overlay", "--dry-run").stdout
    assert "analysis" in plan


@pytest.mark.parametrize("name", emotion_net_names())
def test_any_net_that_ships_may_classify(name, demo_clip, tmp_path):
    arguments = (demo_clip, "--net", name, "--timeline", tmp_path / "t.csv", "--to", "0.3")
    assert f"net {name}, precision f32, passes 10" in call(*arguments, "--dry-run").stdout
    done = call(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert len((tmp_path / "t.csv").read_text().splitlines()) == 1 + 3  # looks at 0, 0.125 and 0.25 s


def test_a_net_by_path_classifies_as_the_same_net_by_name(demo_clip, tmp_path):
    for ending in (".onnx", ".json"):
        shutil.copy(EMOTION_FOLDER / f"s0{ending}", tmp_path)
    written = []
    for number, net in enumerate(("s0", tmp_path / "s0.onnx")):
        timeline = tmp_path / f"{number}.jsonl"
        done = call(demo_clip, "--net", net, "--timeline", timeline, "--to", "0.3")
        assert done.returncode == 0, done.stderr
        written.append(timeline.read_text())
    assert written[0] == written[1] != ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--effect", "grade", "--alpha", ".1"], "--alpha is an option of tint, which is not in the chain 'grade'"),
        (["--strength", ".1"], "--strength is an option of grade, style and colormap, none of which is in"),
        (["--vividness", "1"], "--vividness is an option of colorize"),
        (["--effect", "grade", "--style", "sad"], "--style is an option of style"),
        (["--preset", "papper"], "did you mean 'paper'"),
        (["--preset", "paper", "--effect", "grade", "--mix", "rgb"], "--mix is an option of tint"),
    ],
)
def test_an_option_whose_effect_is_not_in_the_chain_is_an_error(arguments, words, demo_clip, tmp_path):
    done = call(demo_clip, "-o", tmp_path / "out.mp4", *arguments)
    assert done.returncode == 2
    assert re.search(words, done.stderr)
    assert len(done.stderr.splitlines()) == 1


def test_presets_lie_under_the_flags(demo_clip, tmp_path):
    plan = call(demo_clip, "--preset", "paper", "--alpha", "0.25", "--dry-run").stdout
    assert "net s0" in plan
    assert re.search("tint .*alpha 0.25.*base gray, certainty 0,", plan)
    plan = call(demo_clip, "--preset", "paper", "--effect", "grade", "--dry-run").stdout
    assert "net s0" in plan
    assert "tint" not in plan
    saved = tmp_path / "mine.toml"
    call(demo_clip, "--preset", "cinema", "--skin", "0.5", "--ss", "1", "--dry-run", "--save-preset", saved)
    plan = call(demo_clip, "--preset", saved, "--dry-run").stdout
    assert "strength 0.9, certainty 1, skin 0.5" in plan
    assert "start_seconds" not in saved.read_text(), "which part of a film is no matter of taste"


def test_presets_are_listed_and_shown():
    listed = call("presets").stdout
    assert "paper " in listed
    assert call("presets", "list").stdout == listed
    shown = call("presets", "show", "paper").stdout
    assert 'net = "s0"' in shown
    done = call("presets", "show", "none")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)


@pytest.mark.parametrize(
    ("arguments", "now"),
    [
        (["--effect", "colorize", "--colorizer", "film"], "--colorize-net"),
        (["--effect", "colorize", "--color-rate", "2"], "--colorize-rate"),
        (["--preset", "ultrafast"], "--encoder-preset"),
    ],
)
def test_former_names_still_work_and_name_the_new_one(arguments, now, demo_clip, tmp_path):
    done = call(demo_clip, "-o", tmp_path / "out.mp4", *arguments, "--dry-run")
    assert done.returncode == 0
    assert done.stderr.startswith("warning: ")
    assert now in done.stderr
    assert arguments[-2] not in call("run", "--help").stdout or arguments[-2] == "--preset"


def test_an_effect_of_the_users_own_stands_in_the_chain(demo_clip, tmp_path):
    (tmp_path / "mine.py").write_text(
        "class Dark:\n    def apply(self, frame, scene):\n        frame.luma[...] = 16\n        return frame\n"
    )
    root = str(Path(__file__).parents[3])
    done = call(
        demo_clip, "-o", "out.mp4", "--effect", "mine:Dark,tint:0", "--to", "0.2",
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": root},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert (
            next(container.decode(video=0)).to_ndarray(format="gray").max() < 40
        )  # but for what encoding does to edges


def test_the_summary_names_the_net(demo_clip, tmp_path):
    """It is for whoever watches: a terminal."""
    ours, theirs = pty.openpty()
    command = [*COMMAND, str(demo_clip), "--net", "s0", "--timeline", str(tmp_path / "t.csv"), "--to", "0.2"]
    process = subprocess.Popen(command, stderr=theirs)
    os.close(theirs)
    said = b""
    with contextlib.suppress(OSError):  # which is how Linux says that nobody holds the other end
        while part := os.read(ours, 4096):
            said += part
    os.close(ours)
    assert process.wait(timeout=60) == 0
    assert re.search(rb"\d frames, 2 analysed by s0, in [\d.]+ s", said)


def test_pipes(demo_clip, tmp_path):
    with demo_clip.open("rb") as file:
        remuxed = call("-", "-o", "-", "-f", "matroska", "--encoder-preset", "ultrafast", stdin=file, text=False)
    assert remuxed.returncode == 0, remuxed.stderr
    (tmp_path / "out.mkv").write_bytes(remuxed.stdout)
    assert frames_in(tmp_path / "out.mkv") == 50

    raw = call(demo_clip, "-o", "-", "-f", "yuv4mpegpipe", text=False)
    assert raw.stdout.startswith(b"YUV4MPEG2 W480 H270")
    again = call("-", "-o", tmp_path / "again.mp4", "--effect", "none", input=raw.stdout, text=False)
    assert again.returncode == 0, again.stderr
    assert frames_in(tmp_path / "again.mp4") == 50


def test_doctor_tells_what_would_run():
    done = call("doctor")
    assert done.returncode == 0, done.stderr
    for words in ("OpenVINO", "libx264", "MediaPipe", "rtsp"):
        assert words in done.stdout


def test_help_and_version():
    assert "INPUT" in call("--help").stdout
    assert "--palette" in call("run", "--help").stdout
    assert call("--version").stdout.startswith("emocolor-stream ")


@pytest.mark.slow
def test_demo_leaves_clip_strip_and_timeline(tmp_path):
    done = call("demo", tmp_path / "demo")
    assert done.returncode == 0, done.stderr
    names = {path.name for path in (tmp_path / "demo").iterdir()}
    assert names == {"input.mp4", "coloured.mp4", "timeline.jsonl", "strip.png", "timeline.png"}
    emotions = {json.loads(line)["emotion"] for line in (tmp_path / "demo" / "timeline.jsonl").read_text().splitlines()}
    assert len(emotions) >= 3


def _without_moov(clip):
    data = clip.read_bytes()
    at = data.index(b"moov")
    return data[: at - 4] + data[at - 4 + int.from_bytes(data[at - 4 : at], "big") :]


def _bytes_written(folder):
    """Of the unfinished file; the command makes and removes an empty one first, to see that it can."""
    for path in folder.glob(".*.part"):
        with contextlib.suppress(FileNotFoundError):
            return path.stat().st_size
    return 0

"""What happens to outputs on full disks, in read-only places, beside other jobs, and where no file is expected."""

import os
import stat
import subprocess
from pathlib import Path

import av
import pytest

from tests.stream.cli.command_process import COMMAND, CommandProcess, call, names_in

PLAIN = ("--effect", "none", "--encoder-preset", "ultrafast")


def frames_in(path):
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


@pytest.fixture
def clip(make_clip):
    return make_clip(frames=10)


def call_limited(kilobytes, *arguments):
    """Run the command where no file may be larger, which it sees as a full disk."""
    words = ["sh", "-c", f'ulimit -f {2 * kilobytes}; exec "$@"', "sh", *COMMAND, *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, timeout=90, check=False)


def check_nothing_is_left(done, folder, *others):
    assert done.returncode == 5, done.stderr
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    assert names_in(folder) == sorted(others)


@pytest.mark.parametrize("ending", ["mp4", "mkv", "y4m"])
def test_a_full_disk_leaves_no_video(clip, tmp_path, ending):
    done = call_limited(1, clip, "-o", tmp_path / f"out.{ending}", "--effect", "none")
    check_nothing_is_left(done, tmp_path, "clip.mp4")
    assert "The disk is full: " in done.stderr
    assert "Free some space" in done.stderr


def test_a_full_disk_leaves_no_images(make_clip, tmp_path):
    clip = make_clip(frames=3, size_wh=(320, 240))
    check_nothing_is_left(call_limited(1, clip, "-o", tmp_path / "%d.bmp", "--effect", "none"), tmp_path, "clip.mp4")


def test_a_full_disk_leaves_no_timeline_and_no_video(demo_clip, tmp_path):
    call(demo_clip, "--timeline", tmp_path / "t.jsonl", "--to", "0.2")  # compiles the net, which is large
    (tmp_path / "t.jsonl").unlink()
    done = call_limited(1, demo_clip, "-o", tmp_path / "out.mkv", "--timeline", tmp_path / "t.jsonl")
    assert (done.returncode, names_in(tmp_path)) == (5, [])


def test_a_full_disk_leaves_no_strip_and_no_video(make_clip, tmp_path):
    """The strip is the larger file here: it fails when the film is complete."""
    clip = make_clip(frames=4)
    done = call_limited(6, "remaster", clip, "-o", tmp_path / "out.mp4", "--effect", "none")
    check_nothing_is_left(done, tmp_path, "clip.mp4")
    assert "out.compare.png" in done.stderr


def test_a_full_disk_leaves_no_preset(clip, tmp_path):
    done = call_limited(0, clip, "--dry-run", "--save-preset", tmp_path / "mine.toml")
    check_nothing_is_left(done, tmp_path, "clip.mp4")


@pytest.mark.parametrize(
    "arguments",
    [
        ("-o", "{place}/out.mp4"),
        ("-o", "{place}/%d.png"),
        ("-o", "{tmp}/out.mp4", "--timeline", "{place}/t.csv"),
        ("--dry-run", "--save-preset", "{place}/mine.toml"),
    ],
)
def test_a_read_only_place_is_refused_before_any_work(clip, tmp_path, arguments):
    """Root may write into every folder of a disk, but not into this one."""
    done = call(clip, *(word.format(tmp=tmp_path, place="/proc") for word in arguments))
    check_nothing_is_left(done, tmp_path, "clip.mp4")
    assert "/proc cannot be written to" in done.stderr


def test_of_two_jobs_with_one_output_one_writes_it(clip, tmp_path):
    arguments = (clip, "-o", tmp_path / "out.mp4", *PLAIN)
    with CommandProcess(*arguments) as first, CommandProcess(*arguments) as second:
        ended = sorted([first.finish(), second.finish()])
    (code, _), (other_code, said) = ended
    assert (code, other_code) == (0, 5)
    assert "Another job is writing out.mp4 now" in said or "exists. --overwrite replaces it" in said
    assert names_in(tmp_path) == ["clip.mp4", "out.mp4"]
    assert frames_in(tmp_path / "out.mp4") == 10


def test_links_modes_and_the_umask_are_obeyed(clip, tmp_path):
    (tmp_path / "films").mkdir()
    (tmp_path / "link.mp4").symlink_to("films/real.mp4")
    before = os.umask(0o077)
    try:
        assert call(clip, "-o", tmp_path / "link.mp4", *PLAIN).returncode == 0
    finally:
        os.umask(before)
    real = tmp_path / "films" / "real.mp4"
    assert (tmp_path / "link.mp4").is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    real.chmod(0o664)
    assert call(clip, "-o", tmp_path / "link.mp4", "--overwrite", *PLAIN).returncode == 0
    assert stat.S_IMODE(real.stat().st_mode) == 0o664
    assert frames_in(real) == 10
    assert names_in(tmp_path / "films") == ["real.mp4"]


def test_named_pipes_and_devices_are_written_straight_into(clip, tmp_path):
    pipe = tmp_path / "out.mkv"
    os.mkfifo(pipe)
    with CommandProcess(clip, "-o", pipe, *PLAIN) as command:
        (tmp_path / "copy.mkv").write_bytes(pipe.read_bytes())
        assert command.finish() == (0, "")
    assert frames_in(tmp_path / "copy.mkv") == 10
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    null = os.stat("/dev/null")
    assert call(clip, "-o", "/dev/null", "-f", "matroska", *PLAIN).returncode == 0
    assert os.stat("/dev/null").st_ino == null.st_ino
    done = call(clip, "-o", "/dev/stdout", "-f", "matroska", *PLAIN, text=False)
    assert (done.returncode, done.stdout[:4]) == (0, b"\x1aE\xdf\xa3")


@pytest.mark.parametrize("name", ["file:{clip}", "./{name}", "link.mp4", "hard.mp4", "folder/../{name}"])
def test_the_input_is_never_the_output(clip, tmp_path, name):
    (tmp_path / "link.mp4").symlink_to(clip)
    os.link(clip, tmp_path / "hard.mp4")
    (tmp_path / "folder").mkdir()
    content = clip.read_bytes()
    done = call(clip, "-o", name.format(clip=clip, name=clip.name), "--overwrite", cwd=tmp_path, env=_environment())
    assert done.returncode == 5
    assert "is the input itself" in done.stderr
    with clip.open("rb") as piped:
        done = call("-", "-o", clip, "--overwrite", stdin=piped)
    assert (done.returncode, "is the input itself" in done.stderr) == (5, True)
    assert clip.read_bytes() == content


def test_images_are_neither_replaced_nor_taken_from_the_input(make_clip, tmp_path):
    make_clip("%03d.png", codec="png", pix_fmt="rgb24", format_name="image2", frames=4)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for output in (tmp_path / "%03d.png", tmp_path / "00%d.png", f"file:{tmp_path}/%03d.png"):
        done = call(tmp_path / "%03d.png", "-o", output, "--effect", "none", "--overwrite")
        assert done.returncode == 5
        assert "001.png is an image of the input" in done.stderr
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "3.png").write_bytes(b"mine")
    done = call(tmp_path / "%03d.png", "-o", tmp_path / "out" / "%d.png", "--effect", "none")
    assert done.returncode == 5
    assert "3.png exists. --overwrite replaces it" in done.stderr
    assert names_in(tmp_path / "out") == ["3.png"]
    done = call(tmp_path / "%03d.png", "-o", tmp_path / "out" / "%d.png", "--effect", "none", "--overwrite")
    assert done.returncode == 0, done.stderr
    assert names_in(tmp_path / "out") == ["1.png", "2.png", "3.png", "4.png"]
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.png")} == before


def test_a_reader_that_leaves_is_one_line(make_clip, tmp_path):
    clip = make_clip(frames=10, size_wh=(320, 240))
    with CommandProcess(clip, "-o", "-", "-f", "rawvideo", "--effect", "none", stdout=subprocess.PIPE) as command:
        assert command.process.stdout.read(10)
        command.process.stdout.close()
        command.process.stdout = None
        code, said = command.finish()
    assert (code, said) == (5, "error: The reader of standard output went away before the video ended.\n")


@pytest.mark.parametrize("closed", ["0<&-", "2>&-", "0<&- 2>&-"])
def test_closed_standard_streams_are_no_error(clip, tmp_path, closed):
    words = ["sh", "-c", f'exec "$@" {closed}', "sh", *COMMAND, str(clip), "-o", str(tmp_path / "out.mkv"), *PLAIN]
    done = subprocess.run(words, capture_output=True, timeout=90, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert frames_in(tmp_path / "out.mkv") == 10


def test_messages_go_nowhere_where_standard_error_is_closed(tmp_path):
    words = ["sh", "-c", 'exec "$@" 2>&-', "sh", *COMMAND, str(tmp_path / "none.mp4"), "-o", str(tmp_path / "out.mkv")]
    done = subprocess.run(words, capture_output=True, timeout=90, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (4, b"", b"")


def test_tags_do_not_reach_the_terminal_as_they_are(make_clip, tmp_path):
    evil = "\x1b]0;owned\x07\x9b31m\u202e"
    clip = make_clip("clip.mkv", audio=[{"codec": "aac", "parts": 4, "metadata": {"language": evil, "title": evil}}])
    named = tmp_path / "\x1b[31mred\n.mkv"
    clip.rename(named)
    for done in (
        call(named, "-o", tmp_path / "out.mkv", *PLAIN, "--dry-run"),
        call(named, "-o", tmp_path / "out.gif", "--effect", "none"),
        call(tmp_path / "\x1b[31mnone.mkv", "-o", tmp_path / "out.mkv", "-vv"),
    ):
        written = done.stdout + done.stderr
        assert written
        assert not [char for char in written if not char.isprintable() and char != "\n"], written
        assert "\\x1b[31m" in written or done.returncode == 0


@pytest.mark.parametrize(
    "location",
    ["http://anna:S3CRET@127.0.0.1:9/a?token=S3CRET", "rtmp://127.0.0.1:9/app/S3CRET", "https://S3CRET@[::1]:9/"],
)
def test_secrets_of_urls_are_not_printed(clip, location):
    for arguments in ((location, "-o", "out.mp4", "-vv"), (clip, "-o", location, "-f", "flv", "--dry-run")):
        done = call(*arguments, "--effect", "none")
        assert "S3CRET" not in done.stdout + done.stderr
        assert "***" in done.stdout + done.stderr


def _environment():
    return os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}


def test_a_second_run_finds_the_name_taken(clip, tmp_path):
    assert call(clip, "-o", tmp_path / "Film: Part 2.mkv", *PLAIN).returncode == 0
    done = call(clip, "-o", tmp_path / "Film: Part 2.mkv", *PLAIN)
    check_nothing_is_left(done, tmp_path, "Film: Part 2.mkv", "clip.mp4")

"""The rule for every output: whole or not at all, nothing replaced without leave, all of a job's outputs or none."""

import os
import stat
import threading

import pytest

from emocolor.errors import SinkError
from stream.files.output_file import OutputFile, OutputFolder, place_all, write_whole


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def written(path, data=b"new", **options):
    output = OutputFile(path, **options)
    with output.open() as file:
        file.write(data)
    return output


def test_a_file_appears_when_it_is_placed_and_its_mode_obeys_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        output = written(tmp_path / "out.csv")
        assert not (tmp_path / "out.csv").exists()
        place_all([output])
    finally:
        os.umask(before)
    assert names(tmp_path) == ["out.csv"]
    assert stat.S_IMODE((tmp_path / "out.csv").stat().st_mode) == 0o640


def test_links_are_followed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link.csv").symlink_to("real/out.csv")
    place_all([written(tmp_path / "link.csv")])
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real" / "out.csv").read_bytes() == b"new"
    place_all([written(tmp_path / "link.csv", b"newer", overwrite=True)])
    assert (tmp_path / "real" / "out.csv").read_bytes() == b"newer"
    assert names(tmp_path / "real") == ["out.csv"]


def test_a_private_file_stays_private_while_it_is_replaced(tmp_path):
    (tmp_path / "out.csv").touch(0o600)
    output = written(tmp_path / "out.csv", overwrite=True)
    assert stat.S_IMODE(output.part.stat().st_mode) == 0o600
    place_all([output])
    assert stat.S_IMODE((tmp_path / "out.csv").stat().st_mode) == 0o600


def test_a_named_pipe_is_written_straight_into(tmp_path):
    path = tmp_path / "out.csv"
    os.mkfifo(path)
    read = []
    reader = threading.Thread(target=lambda: read.append(path.read_bytes()))
    reader.start()
    output = written(path)
    assert output.is_stream
    place_all([output])
    reader.join(10)
    assert read == [b"new"]
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert names(tmp_path) == ["out.csv"]


def test_a_name_that_was_taken_meanwhile_is_not_replaced_and_no_work_is_lost(tmp_path):
    outputs = [written(tmp_path / "out.csv"), written(tmp_path / "strip.png")]
    (tmp_path / "out.csv").write_bytes(b"other")
    with pytest.raises(SinkError, match=r"made it meanwhile\. The result is kept as .*out\.1\.csv"):
        place_all(outputs)
    assert names(tmp_path) == ["out.1.csv", "out.csv", "strip.png"]
    assert (tmp_path / "out.csv").read_bytes() == b"other"
    assert (tmp_path / "out.1.csv").read_bytes() == b"new"


@pytest.mark.parametrize("existed", [True, False])
def test_all_outputs_are_placed_or_none(tmp_path, existed):
    (tmp_path / "gone").mkdir()
    if existed:
        (tmp_path / "out.csv").write_bytes(b"old")
    outputs = [written(tmp_path / "out.csv", overwrite=True), written(tmp_path / "gone" / "strip.png")]
    outputs[1].part.unlink()
    (tmp_path / "gone").rmdir()
    with pytest.raises(SinkError, match=r"Cannot write .*strip\.png"):
        place_all(outputs)
    assert names(tmp_path) == (["out.csv"] if existed else [])
    if existed:
        assert (tmp_path / "out.csv").read_bytes() == b"old"


def test_two_jobs_do_not_share_a_temporary_file(tmp_path):
    first = written(tmp_path / "t.csv", b"first", overwrite=True)
    second = written(tmp_path / "t.csv", b"second", overwrite=True)
    with pytest.raises(SinkError, match="Another job is writing"):
        OutputFile(tmp_path / "t.csv")
    place_all([first])
    place_all([second])
    assert (tmp_path / "t.csv").read_bytes() == b"second"
    assert names(tmp_path) == ["t.csv"]


def images(folder, **options):
    output = OutputFolder(folder / "%d.png", name_of=lambda name: f"{int(name[:9])}.png", **options)
    for number in (1, 2, 3):
        (output.part / f"{number:09d}.png").write_bytes(b"new")
    return output


def test_images_appear_together(tmp_path):
    output = images(tmp_path)
    assert names(tmp_path) == [output.part.name]
    place_all([output])
    assert names(tmp_path) == ["1.png", "2.png", "3.png"]


def test_no_image_is_replaced_without_leave(tmp_path):
    output = images(tmp_path)
    (tmp_path / "2.png").write_bytes(b"old")
    with pytest.raises(SinkError, match=r"2\.png was not replaced: .* The result is kept as .*d\.1\."):
        place_all([output])
    assert names(tmp_path) == ["2.png", "d.1"]
    assert names(tmp_path / "d.1") == ["000000001.png", "000000002.png", "000000003.png"]
    assert (tmp_path / "2.png").read_bytes() == b"old"


def test_images_of_the_input_are_never_replaced(tmp_path):
    (tmp_path / "2.png").write_bytes(b"old")
    with pytest.raises(SinkError, match=r"2\.png was not replaced"):
        place_all([images(tmp_path, overwrite=True, inputs=[tmp_path / "2.png"])])
    assert (tmp_path / "2.png").read_bytes() == b"old"
    place_all([images(tmp_path, overwrite=True)])
    assert (tmp_path / "2.png").read_bytes() == b"new"


def test_dropped_outputs_leave_nothing(tmp_path):
    for output in (written(tmp_path / "out.csv"), images(tmp_path)):
        output.discard()
        output.discard()
    assert names(tmp_path) == []


def test_a_full_disk_leaves_nothing(tmp_path):
    """The limit on a file's size stands for it: the error differs, what follows does not."""
    import subprocess
    import sys

    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import resource, signal, sys\n"
            "from pathlib import Path\n"
            "from stream.files.output_file import write_whole\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
            "write_whole(Path(sys.argv[1]), bytes(5000), overwrite=False)",
            tmp_path / "strip.png",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "SinkError: Cannot write" in done.stderr
    assert names(tmp_path) == []


def test_small_files_obey_the_rule_too(tmp_path):
    write_whole(tmp_path / "a.toml", b"1", overwrite=False)
    with pytest.raises(SinkError, match="exists"):
        write_whole(tmp_path / "a.toml", b"2", overwrite=False)
    write_whole(tmp_path / "a.toml", b"3", overwrite=True)
    assert (tmp_path / "a.toml").read_bytes() == b"3"
    assert names(tmp_path) == ["a.toml"]

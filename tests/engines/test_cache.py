"""Compiled nets are kept, found again, checked before use, and never a reason to stop."""

import fcntl
import json
import os
import re
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from emocolor.errors import EngineError
from engines.cache import EngineCache, EngineKey, user_cache

KEY = EngineKey("openvino", "tiny", "f32", {"weights": "a" * 64, "OpenVINO": "1", "processor": "p"})


class Builder:
    """Builds engines that are strings, and counts."""

    def __init__(self, made="engine"):
        self.made, self.built, self.loaded = made, 0, 0

    def build(self):
        self.built += 1
        return self.made, self.made.encode()

    def load(self, content):
        self.loaded += 1
        return content.decode()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


def get(folder, key=KEY, builder=None, **options):
    builder = builder or Builder()
    return EngineCache(folder).engine(key, builder.load, builder.build, **options), builder


def the_file(folder):
    (path,) = folder.iterdir()
    return path


def other(**facts):
    return replace(KEY, facts={**KEY.facts, **facts})


def test_built_once_and_then_loaded(folder):
    made, first = get(folder)
    again, second = get(folder, builder=Builder("another"))
    assert (made, again) == ("engine", "engine")
    assert (first.built, first.loaded, second.built, second.loaded) == (1, 0, 0, 1)
    assert EngineCache(folder).holds(KEY)
    (entry,) = EngineCache(folder).entries()
    assert entry.facts == KEY.all_facts
    assert entry.size == the_file(folder).stat().st_size
    assert the_file(folder).stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "key",
    [
        other(OpenVINO="2"),
        other(processor="q"),
        replace(KEY, precision="bf16"),
        replace(KEY, net="s0"),
        replace(KEY, backend="tensorrt"),
        other(more="1"),
    ],
)
def test_another_fact_is_another_engine(folder, key):
    get(folder)
    assert get(folder, key, Builder("another"))[0] == "another"
    assert get(folder)[1].built == 0
    assert len(EngineCache(folder).entries()) == 2


def test_other_weights_of_a_net_take_its_place(folder):
    get(folder)
    get(folder, other(OpenVINO="2"))
    get(folder, other(weights="b" * 64))
    versions = [(entry.facts["weights"][0], entry.facts["OpenVINO"]) for entry in EngineCache(folder).entries()]
    assert sorted(versions) == [("a", "2"), ("b", "1")]


def test_what_an_engine_was_built_for_is_said(folder, caplog):
    get(folder)
    caplog.set_level("INFO")
    get(folder, other(OpenVINO="2"))
    assert caplog.messages == ["building tiny for openvino in f32 (built for OpenVINO 1, here is 2)"]
    (entry,) = [e for e in EngineCache(folder).entries() if e.facts["OpenVINO"] == "1"]
    assert entry.difference({"weights": "c" * 64}) == "built for weights aaaaaaaaaaaa, here is cccccccccccc"
    assert entry.difference({"GPU": "x"}) == "built for GPU unknown, here is x"
    assert entry.difference(KEY.facts) == ""


def test_slow_engines_are_announced(folder, caplog):
    get(folder, slow=True)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "takes minutes" in caplog.text


def damage_flip(path):
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


def damage_facts(path):
    header, content = path.read_bytes().split(b"\n", 1)
    facts = json.loads(header)
    facts["facts"]["OpenVINO"] = "0"
    path.write_bytes(json.dumps(facts).encode() + b"\n" + content)


DAMAGES = {
    "cut": lambda path: os.truncate(path, path.stat().st_size - 2),
    "one bit": damage_flip,
    "empty": lambda path: path.write_bytes(b""),
    "no header": lambda path: path.write_bytes(b"x" * 100_000),
    "no facts": lambda path: path.write_bytes(b"{}\nengine"),
    "a list": lambda path: path.write_bytes(b"[]\nengine"),
    "something else's": damage_facts,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_is_built_again_with_one_warning(damage, folder, caplog):
    get(folder)
    DAMAGES[damage](the_file(folder))
    assert not EngineCache(folder).holds(KEY)
    caplog.clear()
    made, builder = get(folder)
    assert (made, builder.built, builder.loaded) == ("engine", 1, 0)
    assert "damaged and is built again" in caplog.messages[0]
    assert len(caplog.messages[0].splitlines()) == 1
    assert get(folder)[1].built == 0


def a_pipe(path):
    os.mkfifo(path)


def a_link_to_a_device(path):
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("put", [a_pipe, a_link_to_a_device])
def test_what_is_no_file_is_replaced_and_never_waited_for(put, folder, caplog):
    get(folder)
    path = the_file(folder)
    path.unlink()
    put(path)
    assert not EngineCache(folder).holds(KEY)
    assert EngineCache(folder).entries() == []
    caplog.clear()
    _, builder = get(folder)
    assert builder.built == 1
    assert f"the cached engine {path} is damaged and is built again: it is no regular file" in caplog.text
    assert get(folder)[1].built == 0


def test_a_folder_in_the_place_of_a_file_stops_nothing(folder, caplog):
    get(folder)
    path = the_file(folder)
    path.unlink()
    (path / "inside").mkdir(parents=True)
    made, builder = get(folder)
    assert (made, builder.built) == ("engine", 1)
    assert "compiled nets are not kept: " in caplog.text
    assert EngineCache(folder).entries() == []
    assert (path / "inside").is_dir()


def test_a_pipe_in_the_place_of_the_lock_holds_nobody(folder):
    folder.mkdir(mode=0o700)
    os.mkfifo(folder / Path(KEY.file_name).with_suffix(".lock"))
    assert get(folder, max_wait_s=5)[1].built == 1


@pytest.mark.parametrize(
    "header",
    [
        b"[" * 60_000,
        b"[]",
        b'{"facts": []}',
        b'{"facts": {"backend": 1}, "sha256": "", "built": "", "seconds": 0}',
        b'{"facts": {"net": "tiny"}, "sha256": "", "built": "", "seconds": 0}',
        b'{"facts": {}, "sha256": "", "built": "", "seconds": ' + b"9" * 400 + b"}",
    ],
)
def test_a_header_of_any_kind_is_no_engine_and_no_reason_to_stop(header, folder):
    get(folder)
    the_file(folder).write_bytes(header + b"\nengine")
    assert EngineCache(folder).entries() == []
    assert get(folder)[1].built == 1


def test_what_the_runtime_refuses_is_built_again(folder, caplog):
    get(folder)

    def refuse(content):
        raise EngineError("not mine")

    builder = Builder("new")
    assert EngineCache(folder).engine(KEY, refuse, builder.build) == "new"
    assert "cannot be used and is built again: not mine" in caplog.messages[0]
    assert get(folder)[0] == "new"


@pytest.mark.parametrize("who", ["group", "others", "file"])
def test_what_others_may_write_is_not_read(who, folder, caplog):
    get(folder)
    if who == "file":
        the_file(folder).chmod(0o666)
    else:
        folder.chmod(0o770 if who == "group" else 0o707)
    cache, builder = EngineCache(folder), Builder("new")
    for _ in range(2):
        assert cache.engine(KEY, builder.load, builder.build) == "new"
    assert builder.loaded == 0 or who == "file"  # the file is replaced by one that is ours
    (warning,) = caplog.messages
    place = r"\.engine" if who == "file" else "cache"
    assert re.search(rf"{place} can be written by others; chmod go-w fixes that\.$", warning)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_what_belongs_to_others_is_not_read(folder, caplog):
    get(folder)
    os.chown(folder, 12345, -1)
    assert get(folder, builder=Builder("new"))[0] == "new"
    assert "belongs to another user" in caplog.text


@pytest.mark.parametrize("place", ["under a file", "in /proc", "none"])
def test_without_a_usable_cache_nets_are_built_each_time_with_one_warning(place, tmp_path, caplog):
    (tmp_path / "file").touch()
    folder = {"under a file": tmp_path / "file" / "cache", "in /proc": Path("/proc/cache"), "none": None}[place]
    cache, builder = EngineCache(folder), Builder()
    for _ in range(3):
        assert cache.engine(KEY, builder.load, builder.build) == "engine"
    assert builder.built == 3
    assert len(caplog.messages) == (place != "none")
    assert all(message.startswith("compiled nets are not kept: ") for message in caplog.messages)
    assert cache.entries() == []


@pytest.mark.skipif(os.getuid() == 0, reason="root may write what is read-only")
def test_a_read_only_cache_is_read(folder, caplog):
    get(folder)
    folder.chmod(0o500)
    assert get(folder)[1].built == 0
    assert get(folder, other(OpenVINO="2"))[1].built == 1
    assert "cannot be written" in caplog.text


def test_a_build_that_fails_leaves_nothing(folder):
    def fail():
        raise EngineError("no")

    with pytest.raises(EngineError, match="no"):
        EngineCache(folder).engine(KEY, bytes, fail)
    assert list(folder.iterdir()) == []
    assert get(folder)[1].built == 1


def test_what_a_killed_process_left_is_removed_and_what_another_writes_is_not(folder):
    folder.mkdir(mode=0o700)
    left, written, of_others = (folder / f".{name}.part" for name in (f"{KEY.file_name}.a", f"{KEY.file_name}.b", "c"))
    for path in (left, written, of_others):
        path.touch()
    with written.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        get(folder)
    assert sorted(path.name for path in folder.iterdir()) == sorted([written.name, of_others.name, KEY.file_name])


def test_of_two_threads_one_builds_and_the_other_waits(folder, caplog):
    caplog.set_level("INFO")
    building, waiting, results = threading.Event(), threading.Event(), []

    class Slow(Builder):
        def build(self):
            building.set()
            assert waiting.wait(30)
            return super().build()

    def watch(record):
        if "is being built already" in record.getMessage():
            waiting.set()
        return True

    first, second = Slow("first"), Builder("second")
    caplog.handler.addFilter(watch)
    threads = [threading.Thread(target=lambda b=b: results.append(get(folder, builder=b)[0])) for b in (first, second)]
    threads[0].start()
    assert building.wait(30)
    threads[1].start()
    for thread in threads:
        thread.join(30)
    caplog.handler.removeFilter(watch)
    assert results == ["first", "first"]
    assert (first.built, second.built, second.loaded) == (1, 0, 1)
    assert [path.suffix for path in folder.iterdir()] == [".engine"]


HOLD = """
import sys
from pathlib import Path
from engines.cache import EngineCache, EngineKey

def build():
    print("building", flush=True)
    sys.stdin.read()

EngineCache(Path(sys.argv[1])).engine(EngineKey("openvino", "tiny", "f32", eval(sys.argv[2])), bytes, build)
"""


@pytest.fixture
def holder(folder):
    """A process that builds without end."""
    command = [sys.executable, "-c", HOLD, str(folder), repr(dict(KEY.facts))]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "building\n"
    yield process
    process.kill()
    process.communicate(timeout=30)


def test_nobody_waits_for_ever(holder, folder):
    assert get(folder, max_wait_s=0)[1].built == 1
    assert EngineCache(folder).holds(KEY)
    assert holder.poll() is None


def test_a_killed_process_holds_no_lock(holder, folder, caplog):
    caplog.set_level("INFO")
    holder.kill()
    holder.wait(30)
    assert get(folder)[1].built == 1
    assert "another process" not in caplog.text
    assert [path.suffix for path in folder.iterdir()] == [".engine"]


def test_engines_are_removed(folder):
    get(folder)
    get(folder, other(OpenVINO="2"))
    cache = EngineCache(folder)
    cache.remove(cache.entries()[:1])
    assert len(cache.entries()) == 1


def test_odd_names_make_plain_files(folder):
    get(folder, replace(KEY, net="../../weird net\n"))
    assert the_file(folder).name.startswith("openvino-______weird_net_-f32-")


@pytest.mark.parametrize(
    ("variables", "place"),
    [
        ({"EMOCOLOR_CACHE": "{tmp}/a"}, "a"),
        ({"XDG_CACHE_HOME": "{tmp}/x"}, "x/emocolor-stream"),
        ({"XDG_CACHE_HOME": "relative"}, ".cache/emocolor-stream"),
        ({}, ".cache/emocolor-stream"),
    ],
)
def test_where_the_cache_is(variables, place, tmp_path, monkeypatch):
    for name in ("EMOCOLOR_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(tmp=tmp_path))
    assert user_cache().folder == tmp_path / place
    assert user_cache() is user_cache()

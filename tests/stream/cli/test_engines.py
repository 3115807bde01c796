"""``emocolor-stream engines`` as a person runs it: in a process of its own."""

import json
import os
import re
import subprocess
import sys

import pytest

from engines.spec import colorizer_names, emotion_net_names, style_net_names


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def call(folder):
    def call(*arguments, **environment):
        command = [sys.executable, "-m", "stream.cli", "engines", *map(str, arguments)]
        environment = os.environ | {"EMOCOLOR_CACHE": str(folder)} | environment
        return subprocess.run(command, capture_output=True, text=True, timeout=200, check=False, env=environment)

    return call


def test_an_empty_cache_is_listed(call, folder):
    done = call("list")
    assert (done.returncode, done.stderr) == (0, "")
    for name in (*emotion_net_names(), *colorizer_names(), *style_net_names()):
        assert re.search(rf"\b{name}\b", done.stdout)
    assert re.search(r"OpenVINO +cpu +f32, bf16 +openvino \d", done.stdout)
    assert re.search(r"TensorRT +cuda", done.stdout)
    assert f"0 engines, 0.0 MB, in {folder}" in done.stdout


def test_what_is_built_is_listed_used_and_cleared(call, folder):
    built, again = call("build", "tiny", "fast"), call("build", "tiny", "fast")
    assert (built.returncode, built.stderr) == (0, "")
    assert re.fullmatch(r"tiny  OpenVINO f32  built in [\d.]+ s\nfast  OpenVINO f32  built in [\d.]+ s\n", built.stdout)
    assert again.stdout == "tiny  OpenVINO f32  was there already\nfast  OpenVINO f32  was there already\n"
    assert len(list(folder.iterdir())) == 2
    listed = call("list").stdout
    assert re.search(r"2 engines, [\d.]+ MB, in ", listed)
    assert re.search(r"^tiny  openvino  f32  +[\d.]+ MB  \d{4}-\d\d-\d\d \d\d:\d\d  yes$", listed, re.MULTILINE)
    assert call("clear", "--stale").stdout == "0 engines, 0.0 MB, removed\n"
    assert re.fullmatch(r"2 engines, [\d.]+ MB, removed\n", call("clear").stdout)
    assert list(folder.iterdir()) == []


def test_engines_of_other_versions_are_told_apart(call, folder):
    call("build", "tiny")
    (path,) = folder.iterdir()
    header, content = path.read_bytes().split(b"\n", 1)
    (folder / "openvino-tiny-f32-old.engine").write_bytes(
        re.sub(rb'"OpenVINO": "[^"]*"', b'"OpenVINO": "2020.1"', header) + b"\n" + content
    )
    facts = {"backend": "tensorrt", "net": "tiny", "precision": "f16"}
    header = {"facts": facts, "sha256": "", "built": "2026-01-01T00:00:00", "seconds": 1}
    (folder / "tensorrt-tiny-f16-x.engine").write_text(json.dumps(header) + "\n")
    listed = call("list").stdout
    assert re.search(r"tiny  openvino  f32 .*  built for OpenVINO 2020\.1, here is 20", listed)
    assert re.search(r"tiny  tensorrt  f16 .*  (needs an NVIDIA GPU|built for)", listed)
    assert re.match(r"2 engines", call("clear", "--stale").stdout)
    assert list(folder.iterdir()) == [path]


def test_nets_are_timed(call):
    done = call("bench", "tiny", "--runs", "3")
    assert done.returncode == 0, done.stderr
    first, *lines = done.stdout.splitlines()
    assert first.startswith("3 runs each, 1 CPU thread of ")
    assert lines[0].split("  ")[0] == "net"
    assert any(re.match(r"tiny  N = 1, T = 10 +OpenVINO +f32 +[\d.]+ +[\d.]+ +[\d.]+$", line) for line in lines)
    assert any(re.match(r"tiny  N = 1, T = 10 +OpenVINO +bf16 ", line) for line in lines)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["build", "tinny"], 2, "There is no net 'tinny'; did you mean 'tiny'"),
        (["bench", "resnet152"], 2, "There is no net 'resnet152'"),
        (["build", "--precision", "f16", "--device", "cpu"], 7, "f16 is for GPUs"),
        (["bench", "--runs", "0"], 2, "runs"),
    ],
)
def test_bad_input_is_one_line(call, arguments, code, words):
    done = call(*arguments)
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_what_cannot_be_kept_is_an_error_of_build_alone(call):
    done = call("build", "tiny", EMOCOLOR_CACHE="/proc/cache")
    assert done.returncode == 7
    warning, error = done.stderr.splitlines()
    assert "compiled nets are not kept: /proc/cache cannot be used" in warning
    assert error == "error: tiny was compiled, but /proc/cache does not keep it."
    assert call("list", EMOCOLOR_CACHE="/proc/cache").returncode == 0


def test_a_job_without_a_cache_says_so_once(demo_clip, tmp_path):
    command = [sys.executable, "-m", "stream.cli", str(demo_clip), "-o", str(tmp_path / "out.mp4"), "--to", "0.2"]
    command += ["--effect", "colorize,style", "--force"]
    environment = os.environ | {"EMOCOLOR_CACHE": "/proc/cache"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False, env=environment)
    assert done.returncode == 0
    assert len(done.stderr.splitlines()) == 1
    assert "compiled nets are not kept" in done.stderr

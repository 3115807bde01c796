"""What decides frames has a name, and a change of it is told by that name."""

import json
import shutil

import pytest

from engines.spec import EMOTION_FOLDER
from stream.archive.changes import changes, dependencies
from stream.settings import job_settings


def depends(values):
    return dependencies(job_settings(values, input="in.mp4", output="out.mp4"))


def told(before, now):
    return changes(depends(before), depends(now))


def test_nothing_changes_by_itself():
    values = {"effect": "colorize,tint:0.5", "restoration": {"denoise": 0.2}}
    assert told(values, values) == []
    assert told({"effect": "tint:0.5"}, {"effect": "tint", "tint": {"alpha": 0.5}}) == []


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ({}, {"tint": {"alpha": 0.5}}, ["the option tint.alpha (0.35, now 0.5)"]),
        ({}, {"tint": {"palette": "muted"}}, ["the option tint.palette (other content)"]),
        ({}, {"effect": "tint,grade"}, ["the effects (tint, now tint,grade)"]),
        ({}, {"input": {"end_seconds": 3.0}}, ["the option input.end_seconds (None, now 3.0)"]),
        ({}, {"held_megabytes": 300}, ["the option held_megabytes (256, now 300)"]),
        (
            {"effect": "none"},
            {"effect": "none", "output": {"codec": "ffv1", "crf": 9.0}},
            ["the option output.codec (None, now ffv1)", "the option output.crf (None, now 9.0)"],
        ),
    ],
)
def test_options_are_named(before, now, expected):
    assert told(before, now) == expected


def test_overwriting_decides_no_frame():
    assert told({}, {"output": {"overwrite": True}}) == []


def test_versions_are_named():
    now = depends({})
    before = {**now, "FFmpeg": "7.0"}
    assert changes(before, now) == [f"FFmpeg (7.0, now {now['FFmpeg']})"]


def test_a_library_that_came_is_named():
    now = depends({})
    before = {name: one for name, one in now.items() if name != "numpy"}
    assert changes(before, now) == [f"numpy (none, now {now['numpy']})"]


def test_weights_that_were_replaced_under_their_name_are_noticed(tmp_path):
    net = tmp_path / "net.onnx"

    def take(name):
        shutil.copyfile(EMOTION_FOLDER / f"{name}.onnx", net)
        card = json.loads((EMOTION_FOLDER / f"{name}.json").read_text())
        net.with_suffix(".json").write_text(json.dumps({**card, "weights": net.name}))

    values = {"analysis": {"net": str(net)}}
    take("tiny")
    before = depends(values)
    take("s0")
    assert changes(before, depends(values)) == [f"the net {net} (other content)"]

"""Cards: read by name or path, compared with their weights, and refused if they are of another kind."""

import hashlib
import json
import os
import shutil

import pytest

from emocolor.errors import ConfigurationError, EngineError
from engines.spec import (
    COLORIZER_FOLDER,
    EMOTION_FOLDER,
    NetSpec,
    colorizer_names,
    emotion_net_names,
    read_colorizer_spec,
    read_emotion_spec,
    read_style_spec,
    ships,
)


@pytest.mark.parametrize("name", emotion_net_names())
def test_every_card_fits_its_weights(name):
    spec = read_emotion_spec(name)
    assert spec.metrics["fer2013"]["deterministic"]["n"] == 3589
    assert spec.weights.stat().st_size < 10_000_000


@pytest.mark.parametrize("name", colorizer_names())
def test_every_colorizer_s_card_fits_its_weights(name):
    spec = read_colorizer_spec(name)
    card = json.loads(spec.weights.with_suffix(".json").read_text())
    assert card["parameters"]["trainable"] <= 8_000_000
    assert spec.weights.stat().st_size <= 16_000_000
    safest, boldest = spec.metrics["0"], spec.metrics["1"]
    assert safest["ab_error"] < boldest["ab_error"]
    assert safest["colorfulness"] < boldest["colorfulness"]


def test_vividness_goes_from_one_choice_to_the_other():
    spec = read_colorizer_spec("film")
    assert spec.choice(0) == spec.safest
    assert spec.choice(1) == spec.boldest
    half = spec.choice(0.5)
    assert half.temperature**2 == pytest.approx(spec.safest.temperature * spec.boldest.temperature)
    assert 2 * half.rebalancing == pytest.approx(spec.safest.rebalancing + spec.boldest.rebalancing)


def test_damaged_weights_are_refused(tmp_path):
    shutil.copy(EMOTION_FOLDER / "s0.json", tmp_path)
    weights = bytearray((EMOTION_FOLDER / "s0.onnx").read_bytes())
    weights[1000] ^= 1
    (tmp_path / "s0.onnx").write_bytes(weights)
    with pytest.raises(EngineError, match="damaged"):
        read_emotion_spec(str(tmp_path / "s0.onnx"))


def own_net(folder, content, **changes):
    """The card of ``tiny`` with some changes, for weights of one's own."""
    card = json.loads((EMOTION_FOLDER / "tiny.json").read_text())
    card |= {"weights": "mine.onnx", "sha256": hashlib.sha256(content).hexdigest(), **changes}
    (folder / "mine.json").write_text(json.dumps(card))
    (folder / "mine.onnx").write_bytes(content)
    return str(folder / "mine.onnx")


def test_a_net_of_one_s_own_is_read_by_its_path(tmp_path):
    spec = read_emotion_spec(own_net(tmp_path, (EMOTION_FOLDER / "tiny.onnx").read_bytes()))
    assert (spec.name, ships(spec), ships(read_emotion_spec("tiny"))) == ("mine", False, True)


def test_data_outside_of_the_weights_is_refused(tmp_path):
    """Else a change of that data would meet a compiled net of before: the hash covers the weights' file alone."""
    onnx = pytest.importorskip("onnx", reason="the extra 'train' is not installed")
    model = onnx.load(EMOTION_FOLDER / "tiny.onnx")
    onnx.save(model, tmp_path / "made.onnx", save_as_external_data=True, location="data.bin", size_threshold=0)
    assert (tmp_path / "data.bin").stat().st_size > 1_000_000
    with pytest.raises(
        EngineError, match=r"'mine' \(.*mine\.onnx\) cannot be used\. It keeps data outside of the file"
    ):
        read_emotion_spec(own_net(tmp_path, (tmp_path / "made.onnx").read_bytes()))


def test_what_is_no_onnx_file_or_no_file_is_refused(tmp_path):
    with pytest.raises(EngineError, match=r"cannot be used\. It is no ONNX file"):
        read_emotion_spec(own_net(tmp_path, b"no net"))
    (tmp_path / "mine.onnx").unlink()
    os.mkfifo(tmp_path / "mine.onnx")
    with pytest.raises(EngineError, match=r"cannot be read \(.*it is no regular file"):
        read_emotion_spec(str(tmp_path / "mine.onnx"))


def test_unknown_nets_name_the_nearest():
    with pytest.raises(ConfigurationError, match="Unknown net 'sO'"):
        read_emotion_spec("sO")
    with pytest.raises(
        ConfigurationError,
        match=r"Unknown net 'flim'; did you mean 'film'\? Known are film\. A net of your own goes by the path",
    ):
        read_colorizer_spec("flim")


def test_weights_without_a_card_or_with_a_broken_one(tmp_path):
    with pytest.raises(EngineError, match="no card"):
        read_emotion_spec(str(tmp_path / "mine.onnx"))
    (tmp_path / "mine.json").write_text(json.dumps({})[:-1])
    with pytest.raises(EngineError, match="cannot be read"):
        read_emotion_spec(str(tmp_path / "mine.onnx"))


def test_a_card_of_another_kind_is_refused(tmp_path):
    for ending in ("json", "onnx"):
        shutil.copy(COLORIZER_FOLDER / f"film.{ending}", tmp_path)
    with pytest.raises(EngineError, match=r"film\.json is not the card of an emotion net: .*`label_sets`"):
        read_emotion_spec(str(tmp_path / "film.onnx"))


def test_what_all_cards_state():
    for read, name in ((read_emotion_spec, "tiny"), (read_colorizer_spec, "film"), (read_style_spec, "fast")):
        spec = read(name)
        assert isinstance(spec, NetSpec)
        assert (spec.name, spec.weights.name) == (name, f"{name}.onnx")
        assert spec.definition
        assert spec.metrics


def test_outputs_without_a_temperature_are_not_scaled(tmp_path):
    shutil.copy(EMOTION_FOLDER / "tiny.onnx", tmp_path)
    card = json.loads((EMOTION_FOLDER / "tiny.json").read_text())
    card["temperatures"] = {"ferplus": 1.5}
    (tmp_path / "tiny.json").write_text(json.dumps(card))
    assert read_emotion_spec(str(tmp_path / "tiny.onnx")).temperatures == {"fer2013": 1.0, "ferplus": 1.5}

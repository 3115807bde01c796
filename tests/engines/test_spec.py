import json
import shutil

import pytest

from emocolor.errors import ConfigurationError, EngineError
from engines.spec import EMOTION, net_names, read_spec


@pytest.mark.parametrize("name", net_names())
def test_every_card_fits_its_weights(name):
    spec = read_spec(name)
    assert spec.metrics["fer2013"]["deterministic"]["n"] == 3589
    assert spec.weights.stat().st_size < 10_000_000


def test_damaged_weights_are_refused(tmp_path):
    shutil.copy(EMOTION / "s0.json", tmp_path)
    weights = bytearray((EMOTION / "s0.onnx").read_bytes())
    weights[1000] ^= 1
    (tmp_path / "s0.onnx").write_bytes(weights)
    with pytest.raises(EngineError, match="damaged"):
        read_spec(str(tmp_path / "s0.onnx"))


def test_unknown_nets_name_the_nearest():
    with pytest.raises(ConfigurationError, match="Unknown net 'sO'"):
        read_spec("sO")


def test_weights_without_a_card_or_with_a_broken_one(tmp_path):
    with pytest.raises(EngineError, match="no card"):
        read_spec(str(tmp_path / "mine.onnx"))
    (tmp_path / "mine.json").write_text(json.dumps({})[:-1])
    with pytest.raises(EngineError, match="cannot be read"):
        read_spec(str(tmp_path / "mine.onnx"))

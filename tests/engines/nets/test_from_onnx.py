"""Weights that ship, back in torch."""

import shutil

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; the nets' definitions need it")
pytest.importorskip("onnx", reason="onnx is not installed; it reads the weights back")

from torch import nn  # noqa: E402

from emocolor.classifier import EmotionClassifier  # noqa: E402
from emocolor.errors import ConfigurationError, EngineError  # noqa: E402
from engines.emotion import load_emotion_net  # noqa: E402
from engines.nets.from_onnx import HALF, fill, load_net, load_weights  # noqa: E402
from engines.spec import EMOTION_FOLDER, emotion_net_names, read_emotion_spec  # noqa: E402


@pytest.mark.parametrize("name", emotion_net_names())
def test_a_shipped_net_outputs_in_torch_what_it_outputs_in_its_runtime(name):
    spec, net = read_emotion_spec(name), load_net(name)
    classifier = EmotionClassifier(load_emotion_net(name), passes=0)
    crops = np.random.default_rng(0).integers(0, 256, (2, spec.crop_size, spec.crop_size), np.uint8)
    with torch.inference_mode():
        logits = net(torch.from_numpy(crops[:, None].astype(np.float32) / 255))
    for number, label_set in enumerate(spec.label_sets):
        expected = (logits[:, number] / spec.temperatures[label_set]).softmax(-1).numpy()
        assert np.abs(classifier.passes_of(crops, label_set)[0] - expected).max() < 1e-3


def test_all_are_float32_and_have_their_own_names():
    state = load_weights(read_emotion_spec("tiny").weights)
    assert {value.dtype for value in state.values()} == {torch.float32}
    assert not any(name.endswith(HALF) for name in state)


def test_a_file_of_another_net_is_refused():
    with pytest.raises(EngineError, match="lacks"):
        fill(nn.Linear(3, 2), read_emotion_spec("tiny").weights)

    class Other(nn.Module):
        def __init__(self):
            super().__init__()
            self.dense1 = nn.Linear(3, 2)

    with pytest.raises(EngineError, match="holds another net"):
        fill(Other(), read_emotion_spec("tiny").weights)


def test_weights_that_lie_outside_of_the_file_are_not_looked_for(tmp_path):
    onnx = pytest.importorskip("onnx")
    model = onnx.load(EMOTION_FOLDER / "tiny.onnx")
    onnx.save(model, tmp_path / "made.onnx", save_as_external_data=True, location="data.bin", size_threshold=0)
    with pytest.raises(EngineError, match="data outside of the file"):
        load_weights(tmp_path / "made.onnx")


def test_a_name_that_is_unknown_and_a_card_that_is_missing(tmp_path):
    with pytest.raises(ConfigurationError, match="did you mean 'tiny'"):
        load_net("tyny")
    shutil.copy(EMOTION_FOLDER / "tiny.onnx", tmp_path)
    with pytest.raises(EngineError, match="no card"):
        load_net(str(tmp_path / "tiny.onnx"))

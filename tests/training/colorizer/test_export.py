"""What is exported is the colorizer that was trained, and vividness means what its card says."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; exporting needs it")
pytest.importorskip("onnx", reason="onnx is not installed; exporting needs it")

from emocolor.errors import ConfigurationError  # noqa: E402
from engines.colorizer import load_colorizer  # noqa: E402
from engines.nets.annealed import Annealed  # noqa: E402
from engines.nets.from_onnx import load_weights  # noqa: E402
from engines.nets.video_colorizer import VideoColorizer  # noqa: E402
from engines.runners.openvino import OpenVinoRunner  # noqa: E402
from engines.spec import Choice  # noqa: E402
from training import keep  # noqa: E402
from training.colorizer import export as export_colorizer  # noqa: E402
from training.colorizer.card import card_text  # noqa: E402
from training.colorizer.export import export_onnx, export_run, measure_again, net_of_run  # noqa: E402
from training.colorizer.recipe import ColorizerRecipe  # noqa: E402
from training.colorizer.train import train  # noqa: E402
from training.colorizer.vividness import measure_choices  # noqa: E402
from training.data.photos import read_photos  # noqa: E402

RECIPE = ColorizerRecipe(
    net="video", prior="none", loss="rebalanced", grid=20, crop=32, batch=4, epochs=1, bf16=False, ema=0.0
)
SAFEST, BOLDEST = Choice(temperature=0.8, rebalancing=0.0), Choice(temperature=0.4, rebalancing=1.0)


@pytest.fixture(scope="module")
def run(blobs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "run"
    train(RECIPE, [blobs], [blobs], folder)
    return folder


def fresh():
    """As after some training: no two parameters are equal."""
    torch.manual_seed(0)
    net = VideoColorizer(20)
    with torch.no_grad():
        for values in net.state_dict().values():
            if values.is_floating_point():
                values.mul_(1 + 0.1 * torch.rand_like(values)).add_(0.01 * torch.rand_like(values))
    return Annealed(net, torch.rand(len(net.bins)) + 0.5).eval()


@pytest.mark.parametrize("size", [(64, 96), (32, 32), (96, 256)])
def test_the_graph_answers_as_the_net_does_at_any_size(tmp_path, size):
    net = fresh()
    export_onnx(net, tmp_path / "net.onnx")
    net.net.load_state_dict(load_weights(tmp_path / "net.onnx"), strict=False)  # kernels are stored in float16
    gray, choice = torch.rand(1, 1, *size), (torch.tensor([0.5]), torch.tensor([0.3]))
    with torch.inference_mode():
        ab, confidence = net(gray, *choice)
    given = OpenVinoRunner(tmp_path / "net.onnx", threads=1).run(
        {"gray": gray.numpy(), "temperature": choice[0].numpy(), "rebalancing": choice[1].numpy()}
    )
    assert np.abs(given["ab"] - ab.numpy()).max() < 0.05
    assert np.abs(given["confidence"] - confidence.numpy()).max() < 1e-3


def test_every_parameter_keeps_its_name(tmp_path):
    net = fresh()
    export_onnx(net, tmp_path / "net.onnx")
    loaded = load_weights(tmp_path / "net.onnx")
    state = {key: value for key, value in net.net.state_dict().items() if value.is_floating_point()}
    assert state.keys() <= loaded.keys()
    for key, value in state.items():
        assert torch.equal(loaded[key], value.half().float() if value.ndim > 1 else value), key


def test_rebalancing_is_the_exponent_of_the_weights():
    """At 1 the net answers as it learnt; at 0 each bin's probability is divided by its weight."""
    net = fresh()
    logits = torch.randn(1, len(net.bins), 2, 3)
    assert torch.equal(net.rebalanced(logits, 1.0), logits)
    weights = net.log_weights.exp()
    natural = net.rebalanced(logits, 0.0).softmax(1)
    wanted = logits.softmax(1) / weights
    assert torch.allclose(natural, wanted / wanted.sum(1, keepdim=True), atol=1e-6)


def test_a_finished_run_becomes_a_net_that_is_found_by_its_card(run, blobs, tmp_path, monkeypatch):
    monkeypatch.setattr(export_colorizer, "COLORIZER", tmp_path / "nets")
    monkeypatch.setattr(keep, "RESULTS", tmp_path / "results")
    monkeypatch.setattr("engines.spec.COLORIZER", tmp_path / "nets")
    card = export_run(run, "mine", [blobs], SAFEST, BOLDEST)
    assert card["parity"]["ab"] < 1
    assert set(card["metrics"]) == {"0", "0.3", "0.5", "0.75", "1"}
    assert card["metrics"]["0"]["n"] == 8
    assert (tmp_path / "results" / "colorizer" / "mine" / "bin_weights.json").exists()
    spec = load_colorizer("mine").spec
    assert spec.choice(0) == SAFEST
    assert spec.choice(1) == BOLDEST
    between = spec.choice(0.5)
    assert between.temperature == pytest.approx((0.8 * 0.4) ** 0.5)
    assert between.rebalancing == 0.5


def test_a_net_that_ships_is_measured_again(run, blobs, vgg_file, tmp_path, monkeypatch):
    """Without VGG16's values there is no distance, in the card's words neither; with them all else stays."""
    monkeypatch.setattr(export_colorizer, "COLORIZER", tmp_path / "nets")
    monkeypatch.setattr(keep, "RESULTS", tmp_path / "results")
    monkeypatch.setattr("engines.spec.COLORIZER", tmp_path / "nets")
    first = export_run(run, "mine", [blobs], SAFEST, BOLDEST)
    assert "VGG16" not in card_text("mine", first)
    again = measure_again("mine", [blobs], vgg_file)
    assert json.loads((tmp_path / "nets" / "mine.json").read_text()) == json.loads(json.dumps(again))
    assert again["metrics"]["0"]["vgg_distance"] > 0
    assert "VGG16's distance" in card_text("mine", again)
    timed = {"ms_per_image", "vgg_distance"}
    for vividness, row in first["metrics"].items():
        assert {k: v for k, v in row.items() if k not in timed} == {
            k: v for k, v in again["metrics"][vividness].items() if k not in timed
        }
    assert {k: v for k, v in first.items() if k != "metrics"} == {k: v for k, v in again.items() if k != "metrics"}


def test_what_cannot_be_exported_is_refused(run, tmp_path):
    with pytest.raises(ConfigurationError, match="not finished"):
        net_of_run(tmp_path)
    settings = json.loads((run / "config.json").read_text())
    settings["settings"] |= {"net": "s2", "loss": "classes"}
    (tmp_path / "config.json").write_text(json.dumps(settings))
    (tmp_path / "final.json").write_text("{}")
    with pytest.raises(ConfigurationError, match="net of the papers"):
        net_of_run(tmp_path)


def test_bolder_choices_are_more_colourful(run, blobs):
    """On a net that has hardly learnt, sharpening still takes the answer from the mean of all toward one colour."""
    soft, sharp = measure_choices(
        net_of_run(run), read_photos([blobs]),
        [Choice(temperature=1.0, rebalancing=1.0), Choice(temperature=0.05, rebalancing=1.0)],
    )  # fmt: skip
    assert sharp["colorfulness"] > soft["colorfulness"]
    assert soft["ab_error"] > 0

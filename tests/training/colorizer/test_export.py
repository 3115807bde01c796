"""What is exported is the colorizer that was trained, and vividness means what its card says."""

import json
import shutil
from copy import deepcopy

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; exporting needs it")
pytest.importorskip("onnx", reason="onnx is not installed; exporting needs it")

from emocolor.errors import ConfigurationError, EngineError  # noqa: E402
from engines.colorizer import load_colorizer  # noqa: E402
from engines.nets.annealed import Annealed  # noqa: E402
from engines.nets.from_onnx import load_weights  # noqa: E402
from engines.nets.graphs import COLORIZERS  # noqa: E402
from engines.runners.openvino import OpenVinoRunner  # noqa: E402
from engines.spec import ColorChoice  # noqa: E402
from training.colorizer.card import card_text  # noqa: E402
from training.colorizer.export import (  # noqa: E402
    check_parity,
    export_onnx,
    export_run,
    measure_again,
    net_of_run,
)

SAFEST, BOLDEST = ColorChoice(temperature=0.8, rebalancing=0.0), ColorChoice(temperature=0.4, rebalancing=1.0)


@pytest.fixture(scope="module")
def exported(trained_colorizer, one_blob, tmp_path_factory):
    """The card of an exported net, and the folders that it and the run's records were written to."""
    place = tmp_path_factory.mktemp("exported")
    package, results = place / "nets", place / "results"
    ends = (SAFEST, BOLDEST)
    return (
        export_run(trained_colorizer, "mine", [one_blob], ends, package=package, results=results), package, results
    )  # fmt: skip


def fresh(definition="video"):
    """As after some training: no two parameters are equal."""
    torch.manual_seed(0)
    net = COLORIZERS[definition](20)
    with torch.no_grad():
        for values in net.state_dict().values():
            if values.is_floating_point():
                values.mul_(1 + 0.1 * torch.rand_like(values)).add_(0.01 * torch.rand_like(values))
    return Annealed(net, torch.rand(len(net.bins)) + 0.5).eval()


@pytest.fixture(scope="module", params=COLORIZERS)
def graph(request, tmp_path_factory):
    """A net, and the file that it was exported to."""
    net, path = fresh(request.param), tmp_path_factory.mktemp("graph") / "net.onnx"
    export_onnx(net, path)
    return net, path


@pytest.mark.parametrize("size", [(64, 96), (32, 32), (96, 256)])
def test_the_graph_outputs_what_the_net_does_at_any_size(graph, size):
    net, path = deepcopy(graph[0]), graph[1]
    net.net.load_state_dict(load_weights(path), strict=False)  # kernels are stored in float16
    gray, choice = torch.rand(1, 1, *size), (torch.tensor([0.5]), torch.tensor([0.3]))
    with torch.inference_mode():
        ab, confidence = net(gray, *choice)
    given = OpenVinoRunner(path, threads=1).run(
        {"gray": gray.numpy(), "temperature": choice[0].numpy(), "rebalancing": choice[1].numpy()}
    )
    assert np.abs(given["ab"] - ab.numpy()).max() < 0.05
    assert np.abs(given["confidence"] - confidence.numpy()).max() < 1e-3


def test_every_parameter_keeps_its_name(graph):
    net, path = graph
    loaded = load_weights(path)
    state = {key: value for key, value in net.net.state_dict().items() if value.is_floating_point()}
    assert state.keys() <= loaded.keys()
    for key, value in state.items():
        assert torch.equal(loaded[key], value.half().float() if value.ndim > 1 else value), key


def test_rebalancing_is_the_exponent_of_the_weights():
    """At 1 the net outputs as it learnt; at 0 each bin's probability is divided by its weight."""
    net = fresh()
    logits = torch.randn(1, len(net.bins), 2, 3)
    assert torch.equal(net.rebalanced(logits, 1.0), logits)
    weights = net.log_weights.exp()
    natural = net.rebalanced(logits, 0.0).softmax(1)
    wanted = logits.softmax(1) / weights
    assert torch.allclose(natural, wanted / wanted.sum(1, keepdim=True), atol=1e-6)


def test_a_finished_run_becomes_a_net_that_is_found_by_its_card(exported, trained_colorizer):
    card, package, results = exported
    assert card["parity"]["ab"] < 1
    assert set(card["metrics"]) == {"0", "0.3", "0.5", "0.75", "1"}
    assert (card["metrics"]["0"]["n"], card["metrics"]["0"]["weights"]) == (1, "mine")
    assert (results / "colorizer" / "mine" / "bin_weights.json").exists()
    assert json.loads((package / "mine.json").read_text()) == json.loads(json.dumps(card))
    assert (package / "mine.md").read_text() == card_text("mine", card)
    spec = load_colorizer(str(package / "mine.onnx")).spec
    assert spec.choice(0) == SAFEST
    assert spec.choice(1) == BOLDEST
    between = spec.choice(0.5)
    assert between.temperature == pytest.approx((0.8 * 0.4) ** 0.5)
    assert between.rebalancing == 0.5


def test_an_exported_net_is_measured_again(exported, one_blob, vgg_file, tmp_path):
    """Without VGG16's values there is no distance, in the card's words neither; with them all else stays."""
    first, package, _ = exported
    assert "VGG16" not in card_text("mine", first)
    for file in package.iterdir():
        shutil.copy(file, tmp_path)
    again = measure_again(str(tmp_path / "mine.onnx"), [one_blob], vgg_file)
    assert json.loads((tmp_path / "mine.json").read_text()) == json.loads(json.dumps(again))
    assert again["metrics"]["0"]["vgg_distance"] > 0
    assert "VGG16 distance" in (tmp_path / "mine.md").read_text()
    timed = {"ms_per_image", "vgg_distance"}
    for vividness, row in first["metrics"].items():
        assert {k: v for k, v in row.items() if k not in timed} == {
            k: v for k, v in again["metrics"][vividness].items() if k not in timed
        }
    assert {k: v for k, v in first.items() if k != "metrics"} == {k: v for k, v in again.items() if k != "metrics"}


def test_what_cannot_be_exported_is_refused_and_nothing_written(trained_colorizer, one_blob, tmp_path):
    with pytest.raises(ConfigurationError, match="not finished"):
        net_of_run(tmp_path)
    run = tmp_path / "s2"
    run.mkdir()
    config = json.loads((trained_colorizer / "config.json").read_text())
    config["settings"] |= {"net": "s2", "loss": "classes"}
    (run / "config.json").write_text(json.dumps(config))
    (run / "final.json").write_text("{}")
    with pytest.raises(ConfigurationError, match="net of the papers"):
        export_run(run, "mine", [one_blob], (SAFEST, BOLDEST), package=tmp_path / "nets", results=tmp_path / "results")
    config["settings"] |= {"net": "context", "loss": "rebalanced", "widths": [64, 128, 192]}
    (run / "config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigurationError, match="other layers than those of the definition context"):
        net_of_run(run)
    assert not (tmp_path / "nets").exists()
    assert not (tmp_path / "results").exists()


def test_a_graph_that_is_not_the_net_s_is_refused(exported, trained_colorizer, one_blob):
    _, package, _ = exported
    net = net_of_run(trained_colorizer)
    assert check_parity(net, package / "mine.onnx", [one_blob])["ab"] < 1
    with torch.no_grad():
        net.log_weights[0, 0] -= 50  # its colour then dominates
    with pytest.raises(EngineError, match=r"differs from the trained one by up to .*Nothing was written"):
        check_parity(net, package / "mine.onnx", [one_blob])

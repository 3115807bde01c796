"""What is exported is the style net that was trained, and its card tells what is needed to use and to believe it."""

import json
import shutil
from copy import deepcopy
from dataclasses import asdict, replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; exporting needs it")
pytest.importorskip("onnx", reason="onnx is not installed; exporting needs it")

from emocolor.emotions import EMOTIONS  # noqa: E402
from emocolor.errors import ConfigurationError, EngineError  # noqa: E402
from engines.nets.from_onnx import load_weights  # noqa: E402
from engines.nets.graphs import Painter  # noqa: E402
from engines.nets.style_net import IDENTITY, LAYOUTS, StyleNet  # noqa: E402
from engines.runners.openvino import OpenVinoRunner  # noqa: E402
from engines.spec import Painting, read_style_spec  # noqa: E402
from engines.style import load_style_transfer  # noqa: E402
from training.style.evaluate import StyleEvalConfig, evaluate_style  # noqa: E402
from training.style.export import check_parity, export_onnx, export_run, main  # noqa: E402
from training.style.nets import net_of_run, new_net  # noqa: E402


@pytest.fixture(scope="module")
def runs(trained_style, tiny_recipe, single_recipe, tmp_path_factory):
    """A folder of finished runs: of seven styles, as if on from that, and as if of S3's net."""
    folder = tmp_path_factory.mktemp("runs")
    shutil.copytree(trained_style, folder / "first")
    for name, recipe in {
        "second": replace(tiny_recipe, start="first", style_weight=4.0, content_weight=2.0, temporal_weight=100.0),
        "s3": single_recipe,
    }.items():
        shutil.copytree(folder / "first", folder / name)
        config = json.loads((folder / name / "config.json").read_text())
        (folder / name / "config.json").write_text(json.dumps(config | {"settings": asdict(recipe)}))
        torch.save({"net": new_net(recipe).state_dict()}, folder / name / "checkpoint.pt")
    return folder


@pytest.fixture(scope="module")
def config(one_blob, paintings_folder, vgg_file):
    return StyleEvalConfig(
        content=(one_blob,), styles=paintings_folder, vgg=vgg_file, size=64, limit=1, gatys_steps=1, threads=1
    )


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """A place of its own for what ships, and for the records of runs."""
    place = tmp_path_factory.mktemp("package")
    return {"package": place / "nets", "results": place / "results"}


@pytest.fixture(scope="module")
def made(runs, config, places):
    """The card of the second run, which ships as ``mine``."""
    return export_run(runs / "second", "mine", config, **places)


@pytest.fixture(scope="module")
def exported(made, places):
    """Its file."""
    return str(places["package"] / "mine.onnx")


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    """A net, and the file that it was exported to."""
    net, path = learnt(), tmp_path_factory.mktemp("graph") / "net.onnx"
    export_onnx(net, path)
    return net, path


def learnt():
    """As after some training: no two styles are equal."""
    torch.manual_seed(0)
    net = StyleNet(LAYOUTS["fast"])
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(1 + 0.1 * torch.rand_like(parameter)).add_(0.01 * torch.rand_like(parameter))
        for name, parameter in net.named_parameters():
            if name.split(".")[-1] in ("scale", "shift", "keep", "gain", "tone"):
                parameter += 0.1 * torch.randn(parameter.shape)
    return net.eval()


@pytest.mark.parametrize("size", [(64, 96), (36, 36), (40, 132)])
def test_the_graph_outputs_what_the_net_does_at_any_size(graph, size):
    net, path = deepcopy(graph[0]), graph[1]
    net.load_state_dict(load_weights(path), strict=False)  # kernels are stored in float16
    rgb, mixture = torch.randint(0, 256, (1, *size, 3), dtype=torch.uint8), torch.rand(1, 8)
    with torch.inference_mode():
        wanted = Painter(net)(rgb, mixture / mixture.sum()).numpy()
    inputs = {"rgb": rgb.numpy(), "mixture": (mixture / mixture.sum()).numpy()}
    found = OpenVinoRunner(path, threads=1).run(inputs)["painted"]
    assert found.dtype == np.uint8
    assert np.abs(found.astype(int) - wanted).max() <= 1


def test_every_parameter_keeps_its_name(graph):
    net, path = graph
    loaded = load_weights(path)
    assert set(net.state_dict()) <= loaded.keys()
    for key, value in net.state_dict().items():
        assert torch.equal(loaded[key], value.half().float() if value.ndim > 1 else value), key


def test_a_finished_run_becomes_a_net_that_is_found_by_its_card(made, exported, places):
    spec = read_style_spec(exported)
    assert (spec.definition, spec.multiple) == ("fast", 4)
    assert spec.paintings["fear"] == Painting(title="On fear", artist="Nobody", file="fear.png", weight=1.0)
    assert made["parameters"] == {"trainable": 62_468, "running": 0}
    assert 0 < made["parity"]["samples"] < 2
    assert made["training"]["settings"]["temporal_weight"] == 100
    (first,) = made["started_from"]
    assert first["settings"]["temporal_weight"] == 0
    assert spec.metrics["n"] == 1
    assert json.loads((places["package"] / "mine.json").read_text()) == json.loads(json.dumps(made))
    kept = {path.name for path in (places["results"] / "style" / "mine").iterdir()}
    assert kept == {"config.json", "epochs.csv", "final.json", "curves.png"}, "no photos"


def test_it_is_measured_as_its_recipe_has_it(made):
    assert made["metrics"]["style_size"] == 64
    assert made["metrics"]["anchors"]["gatys"]["style_weight"] == 4 / 2


def test_its_card_in_words_tells_its_paintings_and_both_runs(made, places):
    words = (places["package"] / "mine.md").read_text()
    assert "| fear | On fear | Nobody | It is fear. |" in words
    assert "Then, starting from these weights:" in words
    assert f"sha256 `{made['sha256']}`" in words


def test_what_started_from_a_net_that_ships_tells_that_net_s_runs(runs, config, places, tmp_path):
    history = [{"settings": {"start": ""}, "machine": {"commit": "0"}}, {"settings": {}, "machine": {"commit": "1"}}]
    shutil.copytree(runs / "second", tmp_path / "third")
    record = json.loads((tmp_path / "third" / "config.json").read_text())
    record["settings"]["start"] = "a net that was replaced since"
    for run in history:
        run["machine"] |= {"torch": "2", "device": "a CPU"}
    (tmp_path / "third" / "config.json").write_text(json.dumps(record | {"shipped_start": history}))
    made = export_run(tmp_path / "third", "theirs", replace(config, gatys_steps=0), **places)
    assert made["started_from"] == history
    assert "shipped_start" not in made["training"]


def test_it_stylizes_as_the_trained_net_does(exported, runs):
    _, net = net_of_run(runs / "second")
    mixture = np.array([0.1, 0, 0.2, 0, 0.3, 0, 0, 0.4], np.float32)
    rgb = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    with torch.inference_mode():
        trained = Painter(net)(torch.from_numpy(rgb)[None], torch.from_numpy(mixture)[None])[0].numpy()
    assert np.abs(load_style_transfer(exported).paint(rgb, mixture).astype(int) - trained).max() <= 2
    identity = np.eye(8, dtype=np.float32)[IDENTITY]
    assert np.array_equal(load_style_transfer(exported).paint(rgb[:50], identity), rgb[:50])


def test_a_graph_that_is_not_the_net_s_is_refused(exported, runs):
    photo = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    _, net = net_of_run(runs / "second")
    assert check_parity(net, exported, photo) == {"samples": pytest.approx(0.5, abs=1)}
    with torch.no_grad():
        net.tone[EMOTIONS.index("neutral")] += 4 / 255
    with pytest.raises(EngineError, match=r"differs from the trained one by up to [3-5]\.\d of 255"):
        check_parity(net, exported, photo)


def test_nothing_is_written_that_was_not_measured(runs, config, tmp_path):
    places = {"package": tmp_path / "nets", "results": tmp_path / "results"}
    with pytest.raises(EngineError, match="No such file"):
        export_run(runs / "first", "another", replace(config, vgg=tmp_path / "none.npz"), **places)
    assert not places["package"].exists()
    assert not places["results"].exists()


def test_what_cannot_be_exported_is_refused(runs, config, places, tmp_path):
    with pytest.raises(ConfigurationError, match="not finished"):
        export_run(tmp_path, "another", config, **places)
    with pytest.raises(ConfigurationError, match="S3's net of one style"):
        export_run(runs / "s3", "another", config, **places)
    (tmp_path / "second").symlink_to(runs / "second")
    with pytest.raises(ConfigurationError, match=r"first, from which the run started, has no config\.json"):
        export_run(tmp_path / "second", "another", config, **places)


def test_runs_are_measured_as_they_are(runs, config):
    """So S3's nets, which the program does not run, stand beside the ones that it does."""
    found = evaluate_style(replace(config, weights=str(runs / "s3")))
    assert found["weights"] == "s3"
    assert found["backend"] is found["ms_per_frame"] is None
    assert list(found["style_loss"]) == ["happy"]
    assert found["anchors"]["content"]["style_loss"].keys() == {"happy"}


def test_what_the_recipe_has_is_no_option(run_main):
    code, told, _ = run_main(main, "--help")
    assert code == 0
    assert "--gatys-steps" in told
    assert "--style-size" not in told

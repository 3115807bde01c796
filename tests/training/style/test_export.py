"""What is exported is the style net that was trained, and its card tells what is needed to use and to believe it."""

import json
import shutil
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
from engines.spec import Painting, read_style_spec, style_net_names  # noqa: E402
from engines.style import load_style_transfer  # noqa: E402
from training import card, keep  # noqa: E402
from training.style import export as export_style  # noqa: E402
from training.style.candidates import load_candidate, net_of_run  # noqa: E402
from training.style.evaluate import StyleEvalConfig, evaluate_style  # noqa: E402
from training.style.export import check_parity, export_onnx, export_run  # noqa: E402
from training.style.recipe import StyleImage, StyleImages, StyleRecipe  # noqa: E402
from training.style.train import fresh_net, train  # noqa: E402

STYLES = StyleImages(
    **{e: StyleImage(file=f"{e}.png", title=f"On {e}", artist="Nobody", why=f"It is {e}.") for e in EMOTIONS}
)
RECIPE = StyleRecipe(
    styles=STYLES, epochs=1, draws=4, batch=2, crop=36, style_size=64, style_weight=4.0, content_weight=2.0, bf16=False
)


@pytest.fixture(scope="module")
def runs(blobs, paintings_folder, vgg_file, tmp_path_factory):
    """A folder of finished runs: of seven styles, as if on from that, and as if of S3's net."""
    folder = tmp_path_factory.mktemp("runs")
    train(RECIPE, paintings_folder, [blobs], [blobs], vgg_file, folder / "first")
    for name, recipe in {
        "second": replace(RECIPE, start="first", temporal_weight=100.0),
        "s3": replace(RECIPE, net="s3", styles=StyleImages(sad=STYLES.sad)),
    }.items():
        shutil.copytree(folder / "first", folder / name)
        config = json.loads((folder / name / "config.json").read_text())
        (folder / name / "config.json").write_text(json.dumps(config | {"settings": asdict(recipe)}))
        torch.save({"net": fresh_net(recipe).state_dict()}, folder / name / "checkpoint.pt")
    return folder


@pytest.fixture(scope="module")
def config(blobs, paintings_folder, vgg_file):
    return StyleEvalConfig(
        content=(blobs,), styles=paintings_folder, vgg=vgg_file, size=64, limit=1, gatys_steps=1, threads=1
    )


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A place of its own for what ships, and for the facts of runs."""
    place = tmp_path_factory.mktemp("package")
    with pytest.MonkeyPatch.context() as patch:
        for module in ("engines.spec", "training.style.export", "training.card"):
            patch.setattr(f"{module}.STYLE", place / "nets")
        patch.setattr(keep, "RESULTS", place / "results")
        yield place


@pytest.fixture(scope="module")
def made(runs, config, package):
    """The card of the second run, which ships as ``mine``."""
    return export_run(runs / "second", "mine", config)


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
def test_the_graph_outputs_as_the_net_does_at_any_size(tmp_path, size):
    net = learnt()
    export_onnx(net, tmp_path / "net.onnx")
    net.load_state_dict(load_weights(tmp_path / "net.onnx"), strict=False)  # kernels are stored in float16
    rgb, mixture = torch.randint(0, 256, (1, *size, 3), dtype=torch.uint8), torch.rand(1, 8)
    with torch.inference_mode():
        wanted = Painter(net)(rgb, mixture / mixture.sum()).numpy()
    inputs = {"rgb": rgb.numpy(), "mixture": (mixture / mixture.sum()).numpy()}
    found = OpenVinoRunner(tmp_path / "net.onnx", threads=1).run(inputs)["painted"]
    assert found.dtype == np.uint8
    assert np.abs(found.astype(int) - wanted).max() <= 1


def test_every_parameter_keeps_its_name(tmp_path):
    net = learnt()
    export_onnx(net, tmp_path / "net.onnx")
    loaded = load_weights(tmp_path / "net.onnx")
    assert set(net.state_dict()) <= loaded.keys()
    for key, value in net.state_dict().items():
        assert torch.equal(loaded[key], value.half().float() if value.ndim > 1 else value), key


def test_a_finished_run_becomes_a_net_that_is_found_by_its_card(made, package):
    assert style_net_names() == ("mine",)
    spec = read_style_spec("mine")
    assert (spec.definition, spec.multiple) == ("fast", 4)
    assert spec.paintings["fear"] == Painting(title="On fear", artist="Nobody", file="fear.png", weight=1.0)
    assert made["parameters"] == {"trainable": 62_468, "running": 0}
    assert 0 < made["parity"]["samples"] < 2
    assert made["training"]["settings"]["temporal_weight"] == 100
    (first,) = made["started_from"]
    assert first["settings"]["temporal_weight"] == 0
    assert spec.metrics["n"] == 1
    assert json.loads((package / "nets" / "mine.json").read_text()) == json.loads(json.dumps(made))
    kept = {path.name for path in (package / "results" / "style" / "mine").iterdir()}
    assert kept == {"config.json", "epochs.csv", "final.json", "curves.png"}, "no photos"


def test_what_started_from_a_net_that_ships_tells_that_net_s_runs(runs, config, package, tmp_path):
    history = [{"settings": {"start": ""}, "machine": {"commit": "0"}}, {"settings": {}, "machine": {"commit": "1"}}]
    shutil.copytree(runs / "second", tmp_path / "third")
    config = json.loads((tmp_path / "third" / "config.json").read_text())
    config["settings"]["start"] = "a net that was replaced since"
    (tmp_path / "third" / "config.json").write_text(json.dumps(config | {"shipped_start": history}))
    made = export_run(tmp_path / "third", "theirs", config)
    (package / "nets" / "theirs.json").unlink()
    assert made["started_from"] == history
    assert "shipped_start" not in made["training"]


def test_it_is_measured_as_its_recipe_has_it(made):
    assert made["metrics"]["style_size"] == 64
    assert made["metrics"]["anchors"]["gatys"]["style_weight"] == 4 / 2


def test_its_card_in_words_tells_its_paintings_and_both_runs(made):
    words = card.write_card("mine").read_text()
    assert "| fear | On fear | Nobody | It is fear. |" in words
    assert "Then, from the last epoch of that:" in words
    assert f"sha256 `{made['sha256']}`" in words


def test_it_paints_as_the_trained_net_does(made, runs):
    _, net = net_of_run(runs / "second")
    mixture = np.array([0.1, 0, 0.2, 0, 0.3, 0, 0, 0.4], np.float32)
    rgb = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    with torch.inference_mode():
        trained = Painter(net)(torch.from_numpy(rgb)[None], torch.from_numpy(mixture)[None])[0].numpy()
    assert np.abs(load_style_transfer("mine").paint(rgb, mixture).astype(int) - trained).max() <= 2
    identity = np.eye(8, dtype=np.float32)[IDENTITY]
    assert np.array_equal(load_style_transfer("mine").paint(rgb[:50], identity), rgb[:50])


def test_a_graph_that_is_not_the_net_s_is_refused(made, runs):
    photo = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    _, net = net_of_run(runs / "second")
    assert check_parity(net, "mine", photo) == {"samples": pytest.approx(0.5, abs=1)}
    with torch.no_grad():
        net.tone[EMOTIONS.index("neutral")] += 4 / 255
    with pytest.raises(EngineError, match=r"differs from the trained one by up to [3-5]\.\d of 255"):
        check_parity(net, "mine", photo)


def test_nothing_ships_that_was_not_measured(runs, config, package, tmp_path):
    with pytest.raises(EngineError, match="No such file"):
        export_run(runs / "first", "another", replace(config, vgg=tmp_path / "none.npz"))
    assert not list(package.rglob("another*"))


def test_what_cannot_be_exported_is_refused(runs, config, package, tmp_path):
    with pytest.raises(ConfigurationError, match="not finished"):
        export_run(tmp_path, "another", config)
    with pytest.raises(ConfigurationError, match="S3's net of one style"):
        export_run(runs / "s3", "another", config)
    (tmp_path / "second").symlink_to(runs / "second")
    with pytest.raises(ConfigurationError, match="first, which the run started from, cannot be read"):
        export_run(tmp_path / "second", "another", config)


def test_runs_are_measured_as_they_are(runs, config):
    """So S3's nets, which the program does not run, stand beside the ones that it does."""
    found = evaluate_style(replace(config, weights=str(runs / "s3")))
    assert found["weights"] == "s3"
    assert found["backend"] is found["ms_per_frame"] is None
    assert list(found["style_loss"]) == ["sad"]
    assert found["anchors"]["content"]["style_loss"].keys() == {"sad"}
    net = load_candidate(str(runs / "first"), threads=1)
    assert list(net.paintings) == list(EMOTIONS)
    assert net.paintings["happy"].title == "On happy"


def test_what_the_recipe_has_is_no_option(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["export_style", "--help"])
    with pytest.raises(SystemExit):
        export_style.main()
    told = capsys.readouterr().out
    assert "--gatys-steps" in told
    assert "--style-size" not in told

"""What is exported is what was trained."""

import json
import shutil

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; exporting needs it")
pytest.importorskip("onnx", reason="onnx is not installed; exporting needs it")

from emocolor.errors import ConfigurationError, EngineError  # noqa: E402
from engines.emotion import load_emotion_net  # noqa: E402
from engines.nets.catalog import EMOTION_NETS, emotion_net  # noqa: E402
from engines.nets.from_onnx import load_weights  # noqa: E402
from engines.nets.graphs import MonteCarlo  # noqa: E402
from engines.runners.openvino import OpenVinoRunner  # noqa: E402
from training.emotion.card import card_text  # noqa: E402
from training.emotion.export import check_accuracy, export_onnx, export_run, net_of_run  # noqa: E402


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # torch's exporter warns of its own insides
@pytest.mark.parametrize("name", sorted(EMOTION_NETS))
def test_weights_and_outputs_survive(name, tmp_path):
    torch.manual_seed(3)
    label_sets = ("fer2013",) if name == "s0" else ("fer2013", "ferplus")
    net = emotion_net(name, label_sets).eval()
    for key, buffer in net.named_buffers():
        if key.endswith(("running_mean", "running_var")):
            buffer.uniform_(0.5, 1.5)
    temperatures = {"fer2013": 1.0, "ferplus": 1.7}
    export_onnx(net, tmp_path / "net.onnx", temperatures)

    loaded = load_weights(tmp_path / "net.onnx")
    state = {key: value for key, value in net.state_dict().items() if value.is_floating_point()}
    assert state.keys() <= loaded.keys()
    for key, value in state.items():
        exact = value.half().float() if value.ndim > 1 else value
        assert torch.equal(loaded[key], exact), key

    runner = OpenVinoRunner(tmp_path / "net.onnx", threads=1)
    random = np.random.default_rng(0)
    net.load_state_dict(loaded, strict=False)
    for passes, faces in ((1, 1), (4, 3)):  # both axes are dynamic
        crops = random.random((faces, net.channels, net.size, net.size), dtype=np.float32)
        masks = [
            (random.random((passes, *shape)) >= rate).astype(np.float32) / np.float32(1 - rate)
            for shape, rate in zip(net.mask_shapes, net.dropout_rates, strict=True)
        ]
        with torch.inference_mode():
            wanted = MonteCarlo(net, temperatures)(torch.from_numpy(crops), *map(torch.from_numpy, masks))
        given = runner.run({"faces": crops, **{f"mask_{i}": mask for i, mask in enumerate(masks)}})
        assert given.keys() == set(label_sets)
        for label_set, output in zip(label_sets, wanted, strict=True):
            assert given[label_set].shape == (passes, faces, 7)
            assert np.abs(given[label_set] - output.numpy()).max() < 1e-4


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # torch's exporter warns of its own insides
def test_a_finished_run_becomes_a_net_that_is_found_by_its_card(trained_classifiers, few_faces_file, tmp_path):
    package, results = tmp_path / "nets", tmp_path / "results"
    card = export_run(
        trained_classifiers / "seed1", "mine", few_faces_file, calibrate=True, package=package, results=results
    )
    assert json.loads((package / "mine.json").read_text()) == json.loads(json.dumps(card))
    assert (package / "mine.md").read_text() == card_text("mine", card)
    assert (results / "emotion" / "mine" / "confusion.png").exists()
    assert card["temperatures"]["fer2013"] != 1
    assert card["parity"]["runtime_vs_torch"] < 1e-4
    assert card["metrics"]["fer2013"]["deterministic"]["n"] == 14
    net = load_emotion_net(str(package / "mine.onnx"))
    assert net.spec.temperatures == card["temperatures"]


def test_what_the_program_cannot_run_is_refused_before_anything_is_written(
    trained_classifiers, few_faces_file, tmp_path
):
    with pytest.raises(ConfigurationError, match="not finished"):
        net_of_run(tmp_path)
    run, places = tmp_path / "s3", {"package": tmp_path / "nets", "results": tmp_path / "results"}
    shutil.copytree(trained_classifiers / "seed1", run)
    config = json.loads((run / "config.json").read_text())
    config["settings"]["net"] = "s3"
    (run / "config.json").write_text(json.dumps(config))
    torch.save({"net": emotion_net("s3").state_dict()}, run / "checkpoint.pt")
    with pytest.raises(ConfigurationError, match="a net with 3 channels; the program runs gray nets alone"):
        export_run(run, "mine", few_faces_file, calibrate=False, **places)
    with pytest.raises(ConfigurationError, match=r"no output 'ferplus'\. It has fer2013"):
        export_run(trained_classifiers / "seed1", "mine", few_faces_file, calibrate=False, output="ferplus", **places)
    assert not places["package"].exists()
    assert not places["results"].exists()


def test_a_graph_less_accurate_than_the_run_is_refused(trained_classifiers):
    run = trained_classifiers / "seed1"
    trained = json.loads((run / "final.json").read_text())["held_out"]["fer2013"]["accuracy"]
    check_accuracy(run, ["fer2013"], {"fer2013": {"deterministic": {"accuracy": trained}}})
    with pytest.raises(EngineError, match=r"has an accuracy of .* on fer2013 labels, the run .*Nothing was written"):
        check_accuracy(run, ["fer2013"], {"fer2013": {"deterministic": {"accuracy": trained + 0.01}}})

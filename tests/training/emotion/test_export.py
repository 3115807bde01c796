"""What is exported is what was trained."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; exporting needs it")
pytest.importorskip("onnx", reason="onnx is not installed; exporting needs it")

from engines.nets.catalog import EMOTION_NETS, emotion_net  # noqa: E402
from engines.nets.from_onnx import load_weights  # noqa: E402
from engines.runners.openvino import OpenVinoRunner  # noqa: E402


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # torch's exporter warns of its own insides
@pytest.mark.parametrize("name", sorted(EMOTION_NETS))
def test_weights_and_outputs_survive(name, tmp_path):
    from engines.nets.graphs import MonteCarlo
    from training.emotion.export import export_onnx

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
        for label_set, answer in zip(label_sets, wanted, strict=True):
            assert given[label_set].shape == (passes, faces, 7)
            assert np.abs(given[label_set] - answer.numpy()).max() < 1e-4

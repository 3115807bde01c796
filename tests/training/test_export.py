"""What is exported is what was trained."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; exporting needs it")
pytest.importorskip("onnx", reason="onnx is not installed; exporting needs it")

from engines.nets.s0 import DROPOUT_RATES, S0Net  # noqa: E402
from engines.openvino_runner import OpenVinoRunner  # noqa: E402


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # torch's exporter warns of its own insides
def test_weights_and_answers_survive(tmp_path):
    from training.export import export_onnx, load_weights

    torch.manual_seed(3)
    net = S0Net().eval()
    for name, buffer in net.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            buffer.uniform_(0.5, 1.5)
    export_onnx(net, tmp_path / "net.onnx")

    loaded = load_weights(tmp_path / "net.onnx")
    state = {name: value for name, value in net.state_dict().items() if value.is_floating_point()}
    assert loaded.keys() == state.keys()
    for name, value in state.items():
        exact = value.half().float() if value.ndim > 1 else value
        assert torch.equal(loaded[name], exact), name

    runner = OpenVinoRunner(tmp_path / "net.onnx", threads=1)
    random = np.random.default_rng(0)
    for passes, faces in ((1, 1), (4, 3)):  # both axes are dynamic
        crops = random.random((faces, 1, 48, 48), dtype=np.float32)
        masks = [
            (random.random((passes, *shape)) >= rate).astype(np.float32) / np.float32(1 - rate)
            for shape, rate in zip(S0Net.mask_shapes, DROPOUT_RATES, strict=True)
        ]
        net.load_state_dict(loaded, strict=False)
        with torch.inference_mode():
            wanted = net.monte_carlo(torch.from_numpy(crops), *map(torch.from_numpy, masks)).numpy()
        given = runner.run({"faces": crops, **{f"mask_{i}": mask for i, mask in enumerate(masks)}})["probabilities"]
        assert given.shape == (passes, faces, 7)
        assert np.abs(given - wanted).max() < 1e-5

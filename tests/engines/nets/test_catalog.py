"""Emotion nets by name."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; the nets' definitions need it")

from emocolor.errors import ConfigurationError  # noqa: E402
from engines.nets.catalog import EMOTION_NETS, emotion_net  # noqa: E402
from engines.spec import emotion_net_names, read_emotion_spec  # noqa: E402


@pytest.mark.parametrize("name", EMOTION_NETS)
def test_every_definition_takes_its_crops_and_its_masks(name):
    net = emotion_net(name, ("fer2013", "ferplus")).eval()
    faces = torch.rand(2, net.channels, net.size, net.size)
    masks = [torch.ones(3, *shape) for shape in net.mask_shapes]
    with torch.inference_mode():
        assert net(faces).shape == (2, 2, 7)
        passes = net.monte_carlo(faces, *masks)
        assert passes.shape == (3, 2, 2, 7)
        assert torch.allclose(passes[0], net(faces), atol=1e-4), "masks of ones are no dropout"
    assert len(net.mask_shapes) == len(net.dropout_rates)


def test_what_ships_has_its_definition_here():
    for name in emotion_net_names():
        spec = read_emotion_spec(name)
        net = emotion_net(spec.definition, spec.label_sets)
        assert [shape for shape, _ in spec.dropouts.values()] == list(net.mask_shapes)
        assert [rate for _, rate in spec.dropouts.values()] == list(net.dropout_rates)


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(ConfigurationError, match="did you mean 'tiny'"):
        emotion_net("tyny")

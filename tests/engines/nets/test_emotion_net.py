"""What all emotion nets have in common: Monte Carlo dropout by masks."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; the nets' definitions need it")

from torch import nn  # noqa: E402

from engines.nets.emotion_net import EmotionNet, count_parameters, start_as_keras  # noqa: E402


class Two(EmotionNet):
    """Counts how often its trunk and its head run."""

    size = 4
    channels = 1
    mask_shapes = ((16,),)
    dropout_rates = (0.5,)

    def __init__(self, label_sets=("fer2013",)):
        super().__init__(label_sets)
        self.dense = nn.Linear(16, 7 * len(label_sets))
        self.trunks = self.heads = 0

    def trunk(self, faces):
        self.trunks += 1
        return faces.flatten(1)

    def head(self, features, masks=None):
        self.heads += 1
        return self.dense(self.drop(features, 0, masks))


def test_the_trunk_runs_once_for_all_passes():
    net = Two(("fer2013", "ferplus")).eval()
    passes = net.monte_carlo(torch.rand(3, 1, 4, 4), torch.ones(5, 16))
    assert passes.shape == (5, 3, 2, 7)
    assert (net.trunks, net.heads) == (1, 1)


def test_a_mask_serves_every_face_of_its_pass():
    net = Two().eval()
    faces = torch.rand(2, 1, 4, 4)
    masks = torch.tensor([[2.0] * 8 + [0.0] * 8, [0.0] * 8 + [2.0] * 8])
    with torch.inference_mode():
        passes = net.monte_carlo(faces, masks)
        for number, mask in enumerate(masks):
            assert torch.allclose(passes[number, :, 0], net.dense(faces.flatten(1) * mask), atol=1e-6)


def test_without_masks_dropout_is_on_in_training_alone():
    net = Two()
    faces = torch.rand(1, 1, 4, 4)
    torch.manual_seed(0)
    assert not torch.equal(net.train()(faces), net.train()(faces))
    assert torch.equal(net.eval()(faces), net.eval()(faces))


def test_label_sets_are_known_ones():
    with pytest.raises(AssertionError):
        Two(())
    with pytest.raises(AssertionError):
        Two(("imagenet",))


def test_parameters_and_running_statistics_are_counted_apart():
    assert count_parameters(nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))) == (3 * 2 + 2 + 2 * 2, 2 * 2)


def test_keras_starts_without_biases():
    net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.Linear(8, 4))
    start_as_keras(net)
    assert all(not module.bias.any() for module in net)
    bound = (6 / (9 + 72)) ** 0.5
    assert net[0].weight.abs().max() <= bound
    assert net[0].weight.abs().max() > 0.7 * bound

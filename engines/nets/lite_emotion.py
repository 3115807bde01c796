"""The classifier that ships as ``ours``: EfficientNet-Lite0 on gray faces of 48x48.

The net doubles the crop to 96x96, so that the backbone's filters meet structures of about the size that they learnt
on ImageNet. Dropout acts late, before and after stage 6 and on the pooled features, so a Monte Carlo pass costs a
fraction of the trunk.
"""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from .efficientnet_lite import HEAD_CHANNELS, EfficientNetLite0, imagenet_weights
from .emotion_net import CLASSES, EmotionNet


class LiteEmotionNet(EmotionNet):
    """Gray face crops of 48x48 to emotion logits; 3.4 M parameters."""

    size = 48
    channels = 1
    mask_shapes = ((112, 6, 6), (192, 3, 3), (HEAD_CHANNELS,))
    dropout_rates = (0.1, 0.2, 0.3)

    def __init__(self, label_sets: Sequence[str] = ("fer2013",)) -> None:
        super().__init__(label_sets)
        self.backbone = EfficientNetLite0()
        self.dense = nn.Linear(HEAD_CHANNELS, CLASSES * len(label_sets))

    def start_from_imagenet(self) -> None:
        """Give the backbone its ImageNet weights; raises ``MissingDependencyError``."""
        self.backbone.load_state_dict(imagenet_weights())

    def trunk(self, faces: Tensor) -> Tensor:
        """(N, 1, 48, 48) in [0, 1] to (N, 112, 6, 6)."""
        doubled = functional.interpolate(faces, scale_factor=2.0, mode="bilinear", align_corners=False)
        images = ((doubled * 255 - 127) / 128).expand(-1, 3, -1, -1)
        return self.backbone.stages(self.backbone.stem(images), 1, 5)

    def head(self, features: Tensor, masks: Sequence[Tensor] | None = None) -> Tensor:
        x = self.backbone.stages(self.drop(features, 0, masks), 6, 6)
        x = self.backbone.stages(self.drop(x, 1, masks), 7, 7)
        return self.dense(self.drop(self.backbone.pooled(x), 2, masks))

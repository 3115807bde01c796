"""The colorizer of S4, which a classifier helps, after "Deep Koalarization" (Baldassarre et al. 2017).

An encoder reduces lightness to 1/8 of the resolution. A pretrained classifier sees the same image; its embedding,
repeated over the encoder's map, is fused with it by a 1x1 convolution; a decoder with nearest-neighbour upsampling and
tanh outputs ab. Layers and channels are those of the 2017 paper (its table 1); S4's text names parts, not sizes.

What was decided here:

- The classifier is EfficientNet-Lite0 with its 1,280 pooled features, while the papers take Inception-ResNet-v2 (about
  56 M parameters; the 1,000 or so outputs before its softmax). Its ImageNet weights come with a package that training
  needs anyway, and it costs about a thirtieth. It is never trained, and it sees the image stretched to 224x224, its
  own size, as theirs sees 299x299.
- Repeating an embedding and fusing by 1x1 equals adding a dense layer of it to a 1x1 of the map. Written so, the
  repeated map is never stored.
- Without the prior the dense layer is missing and everything else stays, so a comparison shows the effect of the
  embedding alone.
- tanh outputs ab / 128; lightness enters as L* / 50 - 1. Weights are initialised as by Keras, which the papers used.

At width 1 the net has 6,317,794 parameters without the prior; with it 6,645,474, and 3,371,008 of the prior that never
change. The papers state no number.
"""

from typing import Literal, Self, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from .cielab import lightness
from .colorizer import ColorizerNet, scaled_width
from .efficientnet_lite import HEAD_CHANNELS, EfficientNetLite0, imagenet_weights
from .emotion_net import start_as_keras

Prior = Literal["lite0", "none"]

ENCODER = ((64, 2), (128, 1), (128, 2), (256, 1), (256, 2), (512, 1), (512, 1), (256, 1))
"""Channels and stride."""
AB_SCALE = 128.0
PRIOR_SIDE = 224


class S4Colorizer(ColorizerNet):
    """Gray to ab of the same size, constant in blocks of 2x2. ``width`` multiplies the channels; 1 is the paper's.

    The prior is part of the state; :meth:`start_from_imagenet` gives it to an untrained net.
    """

    output_form = "ab"
    multiple = 8

    def __init__(self, prior: Prior = "lite0", *, width: float = 1.0) -> None:
        super().__init__()
        assert prior in ("lite0", "none"), prior
        layers: list[nn.Module] = []
        channels_in = 1
        for channels, stride in ENCODER:
            channels_out = scaled_width(channels, width)
            layers += [nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1), nn.ReLU(inplace=True)]
            channels_in = channels_out
        self.encoder = nn.Sequential(*layers)
        self.fuse_map = nn.Conv2d(channels_in, channels_in, 1)
        self.fuse_embedding = None if prior == "none" else nn.Linear(HEAD_CHANNELS, channels_in, bias=False)
        high, middle, low = (scaled_width(channels, width) for channels in (128, 64, 32))
        self.decoder = nn.Sequential(
            *(nn.Conv2d(channels_in, high, 3, padding=1), nn.ReLU(inplace=True), nn.Upsample(scale_factor=2)),
            *(nn.Conv2d(high, middle, 3, padding=1), nn.ReLU(inplace=True)),
            *(nn.Conv2d(middle, middle, 3, padding=1), nn.ReLU(inplace=True), nn.Upsample(scale_factor=2)),
            *(nn.Conv2d(middle, low, 3, padding=1), nn.ReLU(inplace=True)),
            *(nn.Conv2d(low, 2, 3, padding=1), nn.Tanh(), nn.Upsample(scale_factor=2)),
        )
        start_as_keras(self)
        self.prior = None if prior == "none" else EfficientNetLite0().requires_grad_(False).eval()

    def start_from_imagenet(self) -> None:
        """Give the prior its ImageNet weights, if the net has one. Raises ``MissingDependencyError``."""
        if self.prior is not None:
            self.prior.load_state_dict(imagenet_weights())

    def train(self, mode: bool = True) -> Self:
        """As for any module, except that the prior stays in evaluation mode."""
        super().train(mode)
        if self.prior is not None:
            self.prior.eval()
        return self

    def embedding(self, gray: Tensor) -> Tensor:
        """The prior's 1,280 features (N, 1280) of gray (N, 1, H, W) in [0, 1]; no gradient passes."""
        assert self.prior is not None
        with torch.no_grad():
            square = functional.interpolate(
                gray, size=(PRIOR_SIDE, PRIOR_SIDE), mode="bilinear", align_corners=False, antialias=True
            )
            x = self.prior.stem(((square * 255 - 127) / 128).expand(-1, 3, -1, -1))
            return self.prior.pooled(self.prior.stages(x, 1, 7))

    def forward(self, gray: Tensor) -> Tensor:
        x = self.fuse_map(self.encoder(lightness(gray) / 50 - 1))
        if self.fuse_embedding is not None:
            x = x + self.fuse_embedding(self.embedding(gray))[:, :, None, None]
        return cast(Tensor, self.decoder(functional.relu(x))).float() * AB_SCALE

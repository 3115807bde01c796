"""Images of any size are painted; one that does not fit into memory is painted smaller."""

import numpy as np
import pytest

from emocolor.errors import OutOfMemoryError
from engines.spec import StyleSpec
from engines.style import NetStyleTransfer

MIXTURE = np.eye(8, dtype=np.float32)[0]


class SmallDevice:
    """Gives the image back inverted, unless it has more pixels than there is room for."""

    backend = "test"

    def __init__(self, room):
        self.room = room
        self.seen = []

    def run(self, inputs):
        rgb = inputs["rgb"]
        self.seen.append(rgb.shape[1:3])
        if rgb.shape[1] * rgb.shape[2] > self.room:
            raise OutOfMemoryError("no room")
        return {"painted": 255 - rgb}


def net_with_room_for(room):
    spec = StyleSpec(name="n", weights=None, sha256="", definition="fast", multiple=4, paintings={}, metrics={})
    return NetStyleTransfer(spec, SmallDevice(room))


@pytest.mark.parametrize("size", [(64, 64), (361, 640), (37, 99), (36, 36)])
def test_sides_are_padded_and_cropped_again(size):
    style_transfer = net_with_room_for(10**9)
    rgb = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    assert np.array_equal(style_transfer.paint(rgb, MIXTURE), 255 - rgb)
    height, width = style_transfer.runner.seen[0]
    assert height % 4 == width % 4 == 0
    assert (0, 0) <= (height - size[0], width - size[1]) < (4, 4)


def test_an_image_too_large_for_memory_is_painted_smaller(caplog):
    style_transfer = net_with_room_for(200 * 120)
    rgb = np.full((400, 700, 3), 100, np.uint8)
    painted = [style_transfer.paint(rgb, MIXTURE) for _ in range(2)]
    assert all(p.shape == rgb.shape and (p == 155).all() for p in painted)
    assert style_transfer.runner.seen == [(400, 700), (200, 352), (100, 176), (100, 176)], (
        "a size that failed is not tried again"
    )
    assert caplog.messages == [
        "The device has too little memory to paint 700x400; painting at half the size.",
        "The device has too little memory to paint 350x200; painting at half the size.",
    ]


def test_where_nothing_fits_it_is_an_error():
    with pytest.raises(OutOfMemoryError):
        net_with_room_for(10).paint(np.zeros((300, 300, 3), np.uint8), MIXTURE)

"""The encoder of images, and the keypoint detector (spec sections 2.1 and 2.2; Kim et al. 2019, section 3.1)."""

from __future__ import annotations

import keras

from analogy.models.building import Composite
from analogy.systems.keypoints.networks.blocks import ConvNorm, Stack, doubled
from analogy.systems.keypoints.networks.points import points_of_maps

LEVELS = (32, 64, 128, 256)  # channels of e1 to e4


def scaled(channels: int, width: float) -> int:
    return max(1, round(channels * width))


class ImageEncoder(Composite, keras.Model):
    """Images [B, H, W, C] -> maps e1 [B, H, W, 32], e2 [B, H/2, W/2, 64], e3 [B, H/4, W/4, 128], e4 [B, H/8, W/8, 256].

    Args:
        levels: how many of these maps are computed. The translator reads e3, so that it needs 3.
        width: multiplier of all channels.
        momentum: of batch normalisation; 0.999 in the published code.
    """

    def __init__(self, *, levels: int = 4, width: float = 1.0, momentum: float = 0.999, name: str = "encoder"):
        super().__init__(name=name)
        self.levels = []
        for index, channels in enumerate(LEVELS[:levels]):
            size, stride = (3, 2) if index else (7, 1)
            channels = scaled(channels, width)
            first = ConvNorm(channels, size, stride, momentum=momentum, name=f"level{index + 1}_first")
            self.levels.append([first, ConvNorm(channels, momentum=momentum, name=f"level{index + 1}_second")])

    def call(self, image, training: bool = False):
        x, maps = image, []
        for first, second in self.levels:
            x = second(first(x, training=training), training=training)
            maps.append(x)
        return maps


class Detector(Composite, keras.Model):
    """Images [B, H, W, C] in -1..1 -> keypoints [B, K, 2], x then y, in -1..1.

    Args:
        keypoints: K.
        softmax: see `points_of_maps`. resize: see `doubled`. width, momentum: as in `ImageEncoder`.
    """

    def __init__(
        self,
        *,
        keypoints: int,
        softmax: str = "marginals",
        resize: str = "half_pixel",
        width: float = 1.0,
        momentum: float = 0.999,
        name: str = "detector",
    ):
        super().__init__(name=name)
        self.softmax, self.resize = softmax, resize
        self.encoder = ImageEncoder(width=width, momentum=momentum)
        sizes = ((128, 4), (64, 4), (32, 4), (16, 2))
        self.decoder = [
            Stack(scaled(channels, width), repeats, momentum=momentum, name=f"level{4 - index}")
            for index, (channels, repeats) in enumerate(sizes)
        ]
        self.last = keras.layers.Conv2D(keypoints, 1, dtype="float32", name="maps")

    def call(self, image, training: bool = False):
        *skips, x = self.encoder(image, training=training)
        for stack, skip in zip(self.decoder, [*reversed(skips), None], strict=True):
            x = stack(x, training=training)
            if skip is not None:
                x = keras.ops.concatenate([doubled(x, self.resize), skip], -1)
        return points_of_maps(self.last(x), self.softmax)

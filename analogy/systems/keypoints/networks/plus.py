"""Ours: a detector and a translator that moves the pixels of the reference frame with its keypoints (docs/keypoints.md)."""

from __future__ import annotations

import keras
import tensorflow as tf

from analogy.models.building import Composite
from analogy.models.mixing import BLURS, soften
from analogy.models.unet import Unet, leaky
from analogy.models.warp import read_places
from analogy.systems.keypoints.networks.points import gaussian_maps, grid, points_of_maps

FAINT = 0.003  # added to a share before the logarithm, so that the network can still overrule a share of 0
KEPT = 0.3  # the first guess of the reference's share, beside those of the keypoints, which are 1 at their places
LARGEST_BEND = 0.7  # of each entry of a keypoint's matrix, apart from the identity


class PlusDetector(Composite, keras.Model):
    """Images [B, H, W, C] in -1..1 -> keypoints [B, K, 2], x then y, in -1..1: the mean places of a softmax over all pixels.

    Args:
        keypoints: K. widths: channels of the U-Net's levels. temperature: of the softmax.
    """

    def __init__(self, *, keypoints: int, widths: tuple[int, ...], temperature: float, name: str = "detector"):
        super().__init__(name=name, autocast=False)  # places stay float32
        self.temperature = temperature
        self.unet = Unet(keypoints, widths, halved=True, last="glorot_uniform")

    def call(self, image):
        return points_of_maps(self.unet(image), "pixels", self.temperature)


class PlusTranslator(Composite, keras.Model):
    """Reference frame, its keypoints, other keypoints -> the frame with these.

    Candidates for each pixel are the reference itself, the reference moved with each keypoint, and a painted picture. A U-Net
    gives their shares, and says how sharp the moved part can be. Before training, pixels move with the keypoints near them.

    Args:
        keypoints: K. channels: of a frame. widths: channels of the U-Net's levels.
        bend: whether what moves with a keypoint is also turned and stretched. A small network reads the matrices from the
            places of all keypoints.
        sharpness: of the Gaussians around keypoints, see `gaussian_maps`.
    """

    def __init__(
        self,
        *,
        keypoints: int,
        channels: int,
        widths: tuple[int, ...],
        bend: bool,
        sharpness: float,
        name: str = "translator",
    ):
        super().__init__(name=name, autocast=False)  # places and pixels stay float32
        self.keypoints, self.channels, self.sharpness = keypoints, channels, sharpness
        self.hidden = keras.layers.Dense(256, activation=leaky, dtype="float32", name="hidden") if bend else None
        self.matrices = (
            keras.layers.Dense(4 * keypoints, kernel_initializer="zeros", dtype="float32", name="matrices") if bend else None
        )
        self.unet = Unet(keypoints + 2 + channels + 1 + len(BLURS), widths)

    def call(self, frame, keypoints, next_keypoints):
        """frame: [B, H, W, C] in -1..1. keypoints, next_keypoints: [B, K, 2].

        Returns:
            the answer and what is painted where the reference is not kept, [B, H, W, C] each; the mask [B, H, W, 1], which is
            the share of the reference.
        """
        size, count = frame.shape[1:3], self.keypoints
        before, after = (gaussian_maps(points, size, self.sharpness) for points in (keypoints, next_keypoints))
        moved = self._moved(frame, keypoints, next_keypoints)  # [B, H, W, K, C]
        guess = tf.concat([tf.fill(tf.shape(after[..., :1]), KEPT), after, tf.zeros_like(after[..., :1])], -1)
        beside = tf.reshape(moved, [-1, *size, count * self.channels])
        raw = self.unet(tf.concat([frame, beside, after, before], -1))
        logits, paint, gates = tf.split(raw, [count + 2, self.channels, 1 + len(BLURS)], -1)
        painted = frame + paint
        mask, moved_shares, painted_share = tf.split(tf.nn.softmax(tf.math.log(guess + FAINT) + logits), [1, count, 1], -1)
        others = tf.reduce_sum(moved * moved_shares[..., None], 3) + painted * painted_share
        others = soften(others / (1.0 - mask + 1e-6), gates)
        return mask * frame + (1.0 - mask) * others, others, mask

    def _moved(self, frame, keypoints, next_keypoints):
        """The reference, moved with each keypoint, [B, H, W, K, C]: a pixel at z shows the place k + A (z - k').

        Both coordinates of that place are sums of a part that depends on the column alone, and one that depends on the row."""
        height, width = frame.shape[1:3]
        away_x = grid(width)[:, None] - next_keypoints[:, None, :, 0]  # [B, W, K]
        away_y = grid(height)[:, None] - next_keypoints[:, None, :, 1]  # [B, H, K]
        bends = self._bends(keypoints, next_keypoints)[:, None] if self.hidden else tf.zeros([1, 1, self.keypoints, 2, 2])
        x_by_column = keypoints[:, None, :, 0] + away_x * (1.0 + bends[..., 0, 0])
        y_by_row = keypoints[:, None, :, 1] + away_y * (1.0 + bends[..., 1, 1])
        x = x_by_column[:, None] + (away_y * bends[..., 0, 1])[:, :, None]  # [B, H, W, K]
        y = (away_x * bends[..., 1, 0])[:, None] + y_by_row[:, :, None]
        return read_places(frame, (x + 1.0) * ((width - 1) / 2.0), (y + 1.0) * ((height - 1) / 2.0))

    def _bends(self, keypoints, next_keypoints):
        """What is added to the identity in each keypoint's matrix: [B, K, 2, 2]."""
        flat = [tf.reshape(part, [-1, 2 * self.keypoints]) for part in (keypoints, next_keypoints, next_keypoints - keypoints)]
        bends = self.matrices(self.hidden(tf.concat(flat, -1)))
        return LARGEST_BEND * tf.tanh(tf.reshape(bends, [-1, self.keypoints, 2, 2]))

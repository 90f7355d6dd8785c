"""VGG-16 as the eye of both networks (spec section 2.1)."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import tensorflow as tf

from analogy.models.building import Composite
from analogy.models.vgg import Encoder, caffe_range, stages
from analogy.pretrained.vgg16 import load_into_encoder, load_vgg16

STAGES = 5
COMPARED_STAGES = 3  # the last convolutions of stages 2 and 3 are compared: relu2_2 and relu3_3


class Features(Composite, keras.Model):
    """Frames [B, S, H, W, 1 or 3] in 0..1 -> for each the output of VGG-16's last pooling, flat: [B, S, H/32 W/32 512 width].

    Args:
        width: multiplier of all channels.
        scale: what the features are multiplied by. Published weights give 0 to hundreds, which saturates an LSTM.
        pretrained: the weights are to be those of a VGG-16 that others trained: frames go in as it saw them (BGR, 0..255 less
            ImageNet's mean), and it has plain ReLU. Otherwise frames go in as RGB in -1..1, with leaky ReLU.
        trained: whether training changes the weights.
    """

    def __init__(self, *, width: float = 1.0, scale: float = 1.0, pretrained: bool, trained: bool, name: str = "features"):
        super().__init__(name=name)
        self.pretrained, self.width, self.scale = pretrained, width, scale
        self.encoder = Encoder(STAGES, width=width, frozen_stages=STAGES if pretrained else 0)
        self.encoder.trainable = trained

    def count(self, frame: Sequence[int]) -> int:
        """The number of features of a frame [H, W, C]: 25,088 at 224 x 224 and full width."""
        channels, _ = stages(STAGES, self.width)[-1]
        return (frame[0] // 2**STAGES) * (frame[1] // 2**STAGES) * channels

    def load(self, weights: str) -> None:
        """Load the weights of `load_vgg16`. Raises UserError."""
        load_into_encoder(self.encoder, load_vgg16(weights, STAGES), stages=STAGES)

    def call(self, frames):
        maps = self.scale * self.encoder(self._as_it_reads(frames))
        return tf.reshape(maps, [-1, frames.shape[1] or tf.shape(frames)[1], maps.shape[1] * maps.shape[2] * maps.shape[3]])

    def _as_it_reads(self, frames):
        """Frames [B, S, H, W, C] in 0..1 -> the encoder's input [B S, H, W, 3], batch by batch."""
        images = 2.0 * tf.reshape(frames, [-1, *frames.shape[2:]]) - 1.0
        images = tf.repeat(images, 3, -1) if images.shape[-1] == 1 else images
        return caffe_range(images) if self.pretrained else images

    def compared(self, frames) -> list[tf.Tensor]:
        """Frames [B, S, H, W, C] in 0..1 -> relu2_2 [B S, H/2, W/2, ...] and relu3_3 [B S, H/4, W/4, ...], float32."""
        x, activations = self._as_it_reads(frames), []
        for stage in self.encoder.stages[:COMPARED_STAGES]:
            x, activation = stage(x, with_skip=True)
            activations.append(tf.cast(activation, tf.float32))
        return activations[1:]


def perceptual_error(features: Features, truth, prediction):
    """Squared error of relu2_2 and of relu3_3, each relative to the truth's mean square; their sum for each example, [B].

    It is 0 for equal frames, and does not depend on the scale of the features.

    truth, prediction: [B, S, H, W, C] in 0..1.
    """
    total, steps = 0.0, truth.shape[1]
    for true, ours in zip(features.compared(truth), features.compared(prediction), strict=True):
        error, size = (tf.reduce_mean(tf.square(x), [1, 2, 3]) for x in (ours - true, true))
        error, size = (tf.reduce_mean(tf.reshape(x, [-1, steps]), 1) for x in (error, size))
        total += error / (size + 1e-6)
    return total

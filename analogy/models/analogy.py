"""The visual-analogy generator and its discriminator (paper 3.4; spec 3.2).

A frame x_t, its pose p_t and the pose p_{t+n} make the frame x_{t+n}:  f_dec(f_img(x_t) + f_pose(p_{t+n}) - f_pose(p_t)).
"""

from __future__ import annotations

import keras
import tensorflow as tf

from analogy.models.layers import BlockDense, build_once, leaky_relu
from analogy.models.vgg import Decoder, Encoder


class AnalogyGenerator(keras.Model):
    """f_img, f_pose, f_dec and their composition.

    Args:
        depth: VGG stages before the latent, 2 to 5.
        image_channels: 3 or 1.
        width: multiplier of all channels.
        simplified_pose_encoder: one convolution per stage in f_pose (paper 3.4.1).
    """

    def __init__(
        self, *, depth: int, image_channels: int, width: float = 1.0, simplified_pose_encoder: bool = False, name="generator"
    ):
        super().__init__(name=name)
        self.image_encoder = Encoder(depth, width=width, name="image_encoder")
        self.pose_encoder = Encoder(depth, width=width, simplified=simplified_pose_encoder, name="pose_encoder")
        self.decoder = Decoder(depth, image_channels=image_channels, width=width, name="decoder")

    def build(self, input_shape):
        image, pose, _ = input_shape
        build_once(self.image_encoder, image)
        build_once(self.pose_encoder, pose)
        build_once(self.decoder, self.image_encoder.compute_output_shape(image))
        self.built = True

    def encode(self, image, pose):
        """What one reference contributes to every latent: f_img(x_t) - f_pose(p_t), [B, h, w, channels]."""
        return self.image_encoder(image) - self.pose_encoder(pose)

    def paint(self, reference, pose):
        """The frame at `pose` [B, H, W, 13], given `encode`'s result for the reference: [B, H, W, C] in -1..1."""
        return self.decoder(reference + self.pose_encoder(pose))

    def latent(self, image, pose, next_pose):
        """z of the analogy, [B, h, w, channels]; both poses go through f_pose as one batch.

        Made for training: the first stages are recomputed, 2 % of a step for 0.3 GB of the published network's.
        """
        now, then = tf.split(self.pose_encoder(tf.concat([pose, next_pose], 0), recompute=True), 2)
        return self.image_encoder(image, recompute=True) + then - now

    def call(self, inputs):
        """(image [B, H, W, C], pose, next_pose [B, H, W, 13]), all in -1..1 -> next image [B, H, W, C] in -1..1."""
        return self.decoder(self.latent(*inputs))


class Discriminator(keras.Model):
    """Does this image belong to this pose? One logit per example.

    The encoder's stages on the concatenated image and pose, one fully connected layer with dropout, one linear unit.
    The dropout mask is an input, so that noise is a function of (seed, step, example) and not of the device.

    Args:
        depth, width: as the generator's.
        units: width of the fully connected layer.
    """

    def __init__(self, *, depth: int, width: float = 1.0, units: int = 1024, name: str = "discriminator"):
        super().__init__(name=name)
        self.encoder = Encoder(depth, width=width, name="stages")
        self.flatten = keras.layers.Flatten(name="flatten")
        self.hidden = BlockDense(units, dtype="float32", name="hidden")
        self.logit = keras.layers.Dense(1, name="logit", dtype="float32")

    def build(self, input_shape):
        image, pose, mask = input_shape
        both = (*image[:-1], image[-1] + pose[-1])
        build_once(self.encoder, both)
        _, height, width, channels = self.encoder.compute_output_shape(both)
        build_once(self.hidden, (None, height * width * channels))
        build_once(self.logit, mask)
        self.built = True

    def call(self, inputs):
        """(image [B, H, W, C], pose [B, H, W, 13], dropout mask [B, units]) -> logits [B] float32."""
        image, pose, mask = inputs
        image, pose = (tf.cast(x, self.compute_dtype) for x in (image, pose))
        features = self.flatten(self.encoder(tf.concat([image, pose], -1)))  # [B, h * w * channels]
        hidden = leaky_relu(self.hidden(features))  # [B, units]
        return self.logit(tf.cast(hidden, tf.float32) * tf.cast(mask, tf.float32))[:, 0]

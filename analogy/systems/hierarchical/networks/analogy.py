"""The visual-analogy generator and its discriminator (paper 3.4; spec 3.2).

A frame x_t, its pose p_t and the pose p_{t+n} make the frame x_{t+n}:  f_dec(f_img(x_t) + f_pose(p_{t+n}) - f_pose(p_t)).
"""

from __future__ import annotations

import keras
import tensorflow as tf

from analogy.models.building import Composite
from analogy.models.vgg import Encoder, caffe_range, leaky_relu
from analogy.systems.hierarchical.networks.block_dense import BlockDense
from analogy.systems.hierarchical.networks.decoder import Decoder


def unit_range(image):
    """As it is: RGB in -1..1."""
    return image


def byte_range(image):
    """RGB in -1..1 -> 0..255."""
    return (image + 1.0) * 127.5


# What f_img sees of an image in -1..1 (spec 3.4).
IMAGE_RANGES = {"unit": unit_range, "byte": byte_range, "caffe": caffe_range}


class AnalogyGenerator(Composite, keras.Model):
    """f_img, f_pose, f_dec and their composition.

    A latent is what the decoder takes: z, or with `skip` the pair of z and an activation of f_img.

    Args:
        depth: VGG stages before the latent, 2 to 5.
        image_channels: 3 or 1.
        width: multiplier of all channels.
        pose_encoder: "full" (the stages of f_img), "simplified" (one convolution per stage, paper 3.4.1), or "none": no
            f_pose, f_img takes the image and both poses.
        maxout, frozen_stages, skip: of f_img (and maxout of f_pose), see `Encoder`. upsampling: see `Decoder`.
        image_range: what f_img sees, a key of IMAGE_RANGES.
    """

    def __init__(
        self,
        *,
        depth: int,
        image_channels: int,
        width: float = 1.0,
        pose_encoder: str = "full",
        maxout: int = 1,
        frozen_stages: int = 0,
        skip: bool = False,
        upsampling: str = "deconvolution",
        image_range: str = "unit",
        name: str = "generator",
    ):
        super().__init__(name=name)
        shape = {"width": width, "maxout": maxout}
        self.skip, self.to_range = skip, IMAGE_RANGES[image_range]
        self.image_encoder = Encoder(depth, **shape, frozen_stages=frozen_stages, skip=skip, name="image_encoder")
        self.pose_encoder = None
        if pose_encoder != "none":
            self.pose_encoder = Encoder(depth, **shape, simplified=pose_encoder == "simplified", name="pose_encoder")
        self.decoder = Decoder(depth, image_channels=image_channels, **shape, upsampling=upsampling, skip=skip, name="decoder")

    def encode_image(self, image, recompute: bool = False):
        """f_img's latent of images [B, H, W, C] in -1..1."""
        return self.image_encoder(self.to_range(tf.cast(image, tf.float32)), recompute=recompute)

    def encode(self, image, pose):
        """What one reference contributes to every frame painted from it: f_img(x_t) - f_pose(p_t)."""
        if self.pose_encoder is None:
            return tf.concat([self.to_range(image), pose], -1)
        return self._add(self.encode_image(image), -self.pose_encoder(pose))

    def paint(self, reference, pose):
        """The frame at `pose` [B, H, W, 13], given `encode`'s result for one reference or B: [B, H, W, C] in -1..1."""
        batch = tf.shape(pose)[:1]
        if self.pose_encoder is None:
            reference = tf.broadcast_to(reference, tf.concat([batch, tf.shape(reference)[1:]], 0))
            return self.decoder(self.image_encoder(tf.concat([reference, pose], -1)))
        z = self._add(reference, self.pose_encoder(pose))
        if self.skip:
            z = (z[0], tf.broadcast_to(z[1], tf.concat([batch, tf.shape(z[1])[1:]], 0)))
        return self.decoder(z)

    def latent(self, image, pose, next_pose):
        """The latent of the analogy; both poses go through f_pose as one batch.

        Made for training: the first stages are recomputed, 2 % of a step for 0.3 GB of the published network's.
        """
        if self.pose_encoder is None:
            return self.image_encoder(tf.concat([self.to_range(image), pose, next_pose], -1), recompute=True)
        now, then = tf.split(self.pose_encoder(tf.concat([pose, next_pose], 0), recompute=True), 2)
        return self._add(self.encode_image(image, recompute=True), then - now)

    def _add(self, latent, pose):
        return (latent[0] + pose, latent[1]) if self.skip else latent + pose

    def call(self, inputs):
        """(image [B, H, W, C], pose, next_pose [B, H, W, 13]), all in -1..1 -> next image [B, H, W, C] in -1..1."""
        return self.decoder(self.latent(*inputs))


class Discriminator(Composite, keras.Model):
    """Does this image belong to this condition (a pose, or the frame before it)? One logit per example.

    The encoder's stages on the concatenated image and condition, one fully connected layer with dropout, one linear unit.
    The dropout mask is an input, so that noise is a function of (seed, step, example) and not of the device.

    Args:
        depth, width, maxout: as the generator's.
        units: width of the fully connected layer.
    """

    def __init__(self, *, depth: int, width: float = 1.0, maxout: int = 1, units: int = 1024, name: str = "discriminator"):
        super().__init__(name=name)
        self.encoder = Encoder(depth, width=width, maxout=maxout, name="stages")
        self.flatten = keras.layers.Flatten(name="flatten")
        self.hidden = BlockDense(units, dtype="float32", name="hidden")
        self.logit = keras.layers.Dense(1, name="logit", dtype="float32")

    def call(self, inputs):
        """(image [B, H, W, C], condition [B, H, W, C'], both in -1..1, dropout mask [B, units]) -> logits [B] float32."""
        image, condition, mask = inputs
        image, condition = (tf.cast(x, self.compute_dtype) for x in (image, condition))
        features = self.flatten(self.encoder(tf.concat([image, condition], -1)))  # [B, h * w * channels]
        hidden = leaky_relu(self.hidden(features))  # [B, units]
        return self.logit(tf.cast(hidden, tf.float32) * tf.cast(mask, tf.float32))[:, 0]

"""The visual-analogy generator and its discriminator (paper 3.4).

From a frame x_t, its pose p_t and another pose p_{t+n}, the generator predicts the frame
x_{t+n} = f_dec(f_img(x_t) + f_pose(p_{t+n}) - f_pose(p_t)).
"""

from __future__ import annotations

import keras
import tensorflow as tf

from analogy.models.building import Composite
from analogy.models.vgg import Encoder, caffe_range, leaky
from analogy.systems.hierarchical.networks.block_dense import BlockDense
from analogy.systems.hierarchical.networks.decoder import Decoder


def unit_range(image):
    """RGB in -1..1, unchanged."""
    return image


def byte_range(image):
    """RGB in -1..1 -> 0..255."""
    return (image + 1.0) * 127.5


# The setting generator.image_range -> the function from images in -1..1 to the input range of f_img.
IMAGE_RANGES = {"unit": unit_range, "byte": byte_range, "caffe": caffe_range}


class AnalogyGenerator(Composite, keras.Model):
    """f_img, f_pose, f_dec and their composition.

    A latent is the decoder's input: z, or with `skip` the pair of z and an activation of f_img.

    Args:
        depth: number of VGG stages before the latent, 2 to 5.
        image_channels: 3 or 1.
        width: multiplier of all channels.
        pose_encoder: "full": f_pose has the same stages as f_img. "simplified": it has one convolution per stage (paper
            3.4.1). "none": there is no f_pose; f_img takes the image and both poses.
        maxout: of f_img and f_pose, see `Encoder`.
        frozen_stages, skip: of f_img, see `Encoder`.
        upsampling: see `Decoder`.
        image_range: the input range of f_img, a key of IMAGE_RANGES.
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
        """f_img(image), for images [B, H, W, C] in -1..1. recompute: see `Encoder.call`."""
        return self.image_encoder(self.to_range(tf.cast(image, tf.float32)), recompute=recompute)

    def encode(self, image, pose):
        """f_img(x_t) - f_pose(p_t): the part of the latent that is the same for all frames painted from one reference frame.

        image [B, H, W, C], pose [B, H, W, 13], in -1..1. With pose_encoder "none": the concatenation of both.
        """
        if self.pose_encoder is None:
            return tf.concat([self.to_range(image), pose], -1)
        return self._add(self.encode_image(image), -self.pose_encoder(pose))

    def paint(self, reference, pose):
        """The frames at the target poses: [B, H, W, C] in -1..1.

        reference: the result of `encode` for one reference frame or for B. pose: the target poses [B, H, W, 13] in -1..1.
        """
        batch = tf.shape(pose)[:1]
        if self.pose_encoder is None:
            reference = tf.broadcast_to(reference, tf.concat([batch, tf.shape(reference)[1:]], 0))
            return self.decoder(self.image_encoder(tf.concat([reference, pose], -1)))
        z = self._add(reference, self.pose_encoder(pose))
        if self.skip:
            z = (z[0], tf.broadcast_to(z[1], tf.concat([batch, tf.shape(z[1])[1:]], 0)))
        return self.decoder(z)

    def latent(self, image, pose, next_pose):
        """f_img(x_t) + f_pose(p_{t+n}) - f_pose(p_t), for training. Both poses go through f_pose as one batch.

        The backward pass recomputes the first stages. For the published network this costs 2 % of a step's time and saves
        0.3 GB.
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
    """Judges whether an image is real and belongs to a condition (a pose, or the reference frame): one logit per example.

    The encoder's stages on the concatenation of image and condition, one fully connected layer with dropout, and one linear
    unit. The dropout mask is an input, so that it can depend on (seed, step, example) and not on the device.

    Args:
        depth, width, maxout: as in the generator.
        units: size of the fully connected layer.
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
        hidden = leaky(self.hidden(features))  # [B, units]
        return self.logit(tf.cast(hidden, tf.float32) * tf.cast(mask, tf.float32))[:, 0]

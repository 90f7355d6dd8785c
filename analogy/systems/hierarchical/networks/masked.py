"""A frame painted by choosing, pixel by pixel, among copies of the reference that already exist (experiment analogy_masked).

The candidates (module `limbs`) are the reference as it is, its background with the person painted out, and the
reference moved with each limb. Geometry alone gives a first guess of each pixel's shares; a small U-Net corrects them and
says how sharp the pixel can be. No colour comes from a weight: what a network cannot invent it cannot memorise from a handful
of clips.
"""

from __future__ import annotations

import keras
import tensorflow as tf

from analogy.models.building import Composite
from analogy.systems.hierarchical.networks import limbs
from analogy.systems.hierarchical.networks.limbs import PARTS

CHOICES = len(PARTS) + 2  # the reference, the background, the parts
FAINT = 0.003  # added to the first guess's shares before the logarithm: what geometry rules out costs about 6 nats
NEVER = 30.0  # nats: a part that cannot be painted gets no share
SHARP = 3.0  # nats by which the sharp picture leads the blurred ones at the start
BLURS = (1.0, 2.5)  # standard deviations, pixels of a picture 128 pixels wide
BLUR_WIDTH = 128.0


def leaky(x):
    return tf.nn.leaky_relu(x, 0.1)


class Pair(Composite):
    """Two 3 x 3 convolutions; the second one is added to its input (`residual`: the pair to the pair's)."""

    def __init__(self, channels: int, *, residual: bool, **kwargs):
        super().__init__(**kwargs)
        self.residual = residual
        self.first = keras.layers.Conv2D(channels, 3, padding="same", name="first")
        self.second = keras.layers.Conv2D(channels, 3, padding="same", name="second")

    def call(self, x):
        y = leaky(self.first(x))
        return (x if self.residual else y) + leaky(self.second(y))


class Unet(Composite, keras.Model):
    """[B, S, S, inputs] -> [B, S, S, outputs] float32, all zero at the start. S is divisible by 2^len(widths).

    The convolutions run at S/2, S/4, ...; the last layer's pixels are 2 x 2 blocks of the output.

    Args:
        outputs: channels of the result.
        widths: channels of the levels, finest first.
    """

    def __init__(self, outputs: int, widths: tuple[int, ...], name: str = "unet"):
        super().__init__(name=name)
        self.entries = [keras.layers.Conv2D(width, 1, name=f"entry{level}") for level, width in enumerate(widths)]
        self.down = [Pair(width, residual=True, name=f"down{level}") for level, width in enumerate(widths)]
        self.up = [Pair(width, residual=False, name=f"up{level}") for level, width in enumerate(widths[:-1])]
        self.last = keras.layers.Conv2D(4 * outputs, 1, kernel_initializer="zeros", dtype="float32", name="last")
        self.widths = widths

    def call(self, x):
        x = tf.nn.space_to_depth(tf.cast(x, self.compute_dtype), 2)
        kept = []
        for level, (entry, pair) in enumerate(zip(self.entries, self.down, strict=True)):
            # Pooled, not strided: on a CPU a strided convolution's backward pass is several times slower.
            x = tf.nn.avg_pool2d(x, 2, 2, "SAME") if level else x
            x = pair(leaky(entry(x)))  # [B, S / 2^(level + 1), same, widths[level]]
            kept.append(x)
        for level in reversed(range(len(self.up))):
            x = tf.cast(tf.image.resize(x, tf.shape(kept[level])[1:3]), x.dtype)
            x = self.up[level](tf.concat([x, kept[level]], -1))
        return tf.nn.depth_to_space(self.last(x), 2)


class MaskedGenerator(Composite, keras.Model):
    """Reference frame, its pose and a target pose -> the frame at the target pose.

    Before training it is the zero-learning baseline: soft capsules about the limbs over the in-painted background.

    Args:
        widths: channels of the U-Net's levels.
        work_size: side at which the U-Net sees the frame, whatever the frame's size: a multiple of 2^len(widths).
    """

    def __init__(self, *, widths: tuple[int, ...] = (32, 64, 96), work_size: int = 64, name: str = "generator"):
        super().__init__(name=name, dtype="float32")
        self.work_size = work_size
        self.unet = Unet(CHOICES + 1 + len(BLURS), widths)

    def call(self, inputs):
        """(image [B, H, W, C] in -1..1, joints [B, 13, 2], visibility [B, 13], crop [B, 2], next_joints, next_visibility,
        next_crop) -> next image [B, H, W, C] in -1..1. Joints are in pixels of the image, crop = (w, h) in source pixels."""
        image, *pose = inputs
        choices = limbs.choices(image, *pose)
        raw = tf.image.resize(self._corrections(image, pose, choices), tf.shape(image)[1:3])  # [B, H, W, CHOICES + 3]
        possible = tf.concat([tf.ones_like(choices.usable[:, :2]), choices.usable], 1)  # [B, CHOICES]
        logits = tf.math.log(choices.shares + FAINT) + raw[..., :CHOICES] - NEVER * (1.0 - possible)[:, None, None]
        picture = limbs.mix(choices.pictures, tf.nn.softmax(logits))
        return soften(picture, raw[..., CHOICES:])

    def _corrections(self, image, pose, choices):
        """The U-Net's say on a frame of `work_size`: [B, S, S, CHOICES + 1 + blurs]."""
        side = [self.work_size] * 2
        if list(image.shape[1:3]) != side:
            shrink = tf.constant(side, tf.float32) / tf.cast(tf.gather(tf.shape(image), [2, 1]), tf.float32)  # x, y
            joints, visibility, crop, next_joints, next_visibility, next_crop = pose
            # A joint at p lies on the centre of pixel p, and centres do not scale about zero.
            joints, next_joints = ((at + 0.5) * shrink - 0.5 for at in (joints, next_joints))
            pose = joints, visibility, crop, next_joints, next_visibility, next_crop
            image = tf.image.resize(image, side, antialias=True)
            choices = limbs.choices(image, *pose)
        guess = limbs.mix(choices.pictures, choices.shares)
        nearest = tf.reduce_max(choices.near_before, -1, keepdims=True)
        seen = [image, choices.pictures[:, 1], guess, choices.near_before, choices.near_after, nearest, choices.shares]
        return self.unet(tf.concat(seen, -1))


def soften(picture, gates):
    """Each pixel a mixture of the picture and its blurred copies: where the truth cannot be known, the mean of what it may be
    is the better answer. picture [B, H, W, C]; gates [B, H, W, 1 + blurs] logits."""
    scale = tf.cast(tf.shape(picture)[2], tf.float32) / BLUR_WIDTH
    levels = [picture, *(limbs.blur(picture, sigma * scale) for sigma in BLURS)]
    shares = tf.nn.softmax(gates + tf.constant([SHARP] + [0.0] * len(BLURS)))
    return tf.add_n([level * shares[..., i : i + 1] for i, level in enumerate(levels)])

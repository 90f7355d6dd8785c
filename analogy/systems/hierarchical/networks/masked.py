"""A generator that mixes each pixel of a frame from moved copies of the reference frame (experiment analogy_masked).

The candidates (module `limbs`) are the reference itself, its background with the person in-painted, and the reference moved
with each body part. Geometry alone gives a first guess of the candidates' shares in each pixel. A small U-Net corrects the
shares, and decides how much each pixel is blurred. The network produces no colours of its own, so it cannot memorise the
images of a small training set.
"""

from __future__ import annotations

import keras
import tensorflow as tf

from analogy.models.building import Composite
from analogy.systems.hierarchical.networks import limbs
from analogy.systems.hierarchical.networks.limbs import PARTS

CHOICES = len(PARTS) + 2  # number of candidates: the reference, the background, the parts
# Added to the geometric shares before the logarithm. A candidate of share 0 then has a logit of about -6, which the network can
# still overrule.
FAINT = 0.003
NEVER = 30.0  # subtracted from the logit of a part that cannot be painted: its share becomes 0
SHARP = 3.0  # added to the logit of the sharp picture: before training, it outweighs the blurred ones
BLURS = (1.0, 2.5)  # standard deviations of the blurred pictures, in pixels of a picture that is BLUR_WIDTH wide
BLUR_WIDTH = 128.0


def leaky(x):
    return tf.nn.leaky_relu(x, 0.1)


class Pair(Composite):
    """Two 3 x 3 convolutions with leaky ReLU: [B, H, W, C] -> [B, H, W, channels].

    residual: the second one's result is added to the pair's input x; otherwise, to the first one's result.
    """

    def __init__(self, channels: int, *, residual: bool, **kwargs):
        super().__init__(**kwargs)
        self.residual = residual
        self.first = keras.layers.Conv2D(channels, 3, padding="same", name="first")
        self.second = keras.layers.Conv2D(channels, 3, padding="same", name="second")

    def call(self, x):
        y = leaky(self.first(x))
        return (x if self.residual else y) + leaky(self.second(y))


class Unet(Composite, keras.Model):
    """A U-Net: [B, S, S, inputs] -> [B, S, S, outputs] float32. The untrained result is 0. S is divisible by 2^len(widths).

    The convolutions run at the sizes S/2, S/4, ...; a pixel of the last layer holds a 2 x 2 block of the output.

    Args:
        outputs: channels of the result.
        widths: channels of each level, the largest map first.
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
        skips = []
        for level, (entry, pair) in enumerate(zip(self.entries, self.down, strict=True)):
            # Pooling instead of a strided convolution, whose backward pass is several times slower on a CPU.
            x = tf.nn.avg_pool2d(x, 2, 2, "SAME") if level else x
            x = pair(leaky(entry(x)))  # [B, S / 2^(level + 1), same, widths[level]]
            skips.append(x)
        for level in reversed(range(len(self.up))):
            x = tf.cast(tf.image.resize(x, tf.shape(skips[level])[1:3]), x.dtype)
            x = self.up[level](tf.concat([x, skips[level]], -1))
        return tf.nn.depth_to_space(self.last(x), 2)


class MaskedGenerator(Composite, keras.Model):
    """Reference frame, its pose and a target pose -> the frame at the target pose.

    Before training it uses geometry alone: the moved body parts over the in-painted background.

    Args:
        widths: channels of the U-Net's levels, see `Unet`.
        work_size: side to which the U-Net's input is resized, for frames of any size: a multiple of 2^len(widths).
    """

    def __init__(self, *, widths: tuple[int, ...] = (32, 64, 96), work_size: int = 64, name: str = "generator"):
        super().__init__(name=name, dtype="float32")
        self.work_size = work_size
        self.unet = Unet(CHOICES + 1 + len(BLURS), widths)

    def call(self, inputs):
        """Predict the image at the target pose: [B, H, W, C] in -1..1.

        inputs: a list of image [B, H, W, C] in -1..1; joints [B, 13, 2] in pixels of the image; visibility [B, 13]; crop
            [B, 2], (width, height) in source pixels; then next_joints, next_visibility and next_crop of the target.
        """
        image, *pose = inputs
        choices = limbs.choices(image, *pose)
        raw = tf.image.resize(self._corrections(image, pose, choices), tf.shape(image)[1:3])  # [B, H, W, CHOICES + 3]
        possible = tf.concat([tf.ones_like(choices.usable[:, :2]), choices.usable], 1)  # [B, CHOICES]
        logits = tf.math.log(choices.shares + FAINT) + raw[..., :CHOICES] - NEVER * (1.0 - possible)[:, None, None]
        picture = limbs.mix(choices.pictures, tf.nn.softmax(logits))
        return soften(picture, raw[..., CHOICES:])

    def _corrections(self, image, pose, choices):
        """The U-Net's output at S = `work_size`: corrections of the candidates' logits, and the logits of the sharp and the
        blurred pictures: [B, S, S, CHOICES + 1 + len(BLURS)]. pose: the inputs of `call` after the image."""
        side = [self.work_size] * 2
        if list(image.shape[1:3]) != side:
            shrink = tf.constant(side, tf.float32) / tf.cast(tf.gather(tf.shape(image), [2, 1]), tf.float32)  # x, y
            joints, visibility, crop, next_joints, next_visibility, next_crop = pose
            # A joint at p lies at the centre of pixel p, which is 0.5 away from the pixel's edge.
            joints, next_joints = ((place + 0.5) * shrink - 0.5 for place in (joints, next_joints))
            pose = joints, visibility, crop, next_joints, next_visibility, next_crop
            image = tf.image.resize(image, side, antialias=True)
            choices = limbs.choices(image, *pose)
        guess = limbs.mix(choices.pictures, choices.shares)
        nearest = tf.reduce_max(choices.near_before, -1, keepdims=True)
        background, near = choices.pictures[:, 1], (choices.near_before, choices.near_after)
        return self.unet(tf.concat([image, background, guess, *near, nearest, choices.shares], -1))


def soften(picture, gates):
    """Mix each pixel from the picture and its blurred copies: [B, H, W, C].

    Where the true pixel is uncertain, the mean of its possible values has the smaller error.

    Args:
        picture: [B, H, W, C]. gates: [B, H, W, 1 + len(BLURS)], logits of the picture and of each blurred copy.
    """
    scale = tf.cast(tf.shape(picture)[2], tf.float32) / BLUR_WIDTH
    levels = [picture, *(limbs.blur(picture, sigma * scale) for sigma in BLURS)]
    shares = tf.nn.softmax(gates + tf.constant([SHARP] + [0.0] * len(BLURS)))
    return tf.add_n([level * shares[..., i : i + 1] for i, level in enumerate(levels)])

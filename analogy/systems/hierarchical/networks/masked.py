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
from analogy.models.mixing import BLURS, mix, soften
from analogy.models.pixels import smoothly_resized
from analogy.models.unet import Unet
from analogy.systems.hierarchical.networks import limbs
from analogy.systems.hierarchical.networks.limbs import PARTS

CHOICES = len(PARTS) + 2  # number of candidates: the reference, the background, the parts
# Added to the geometric shares before the logarithm. A candidate of share 0 then has a logit of about -6, which the network can
# still overrule.
FAINT = 0.003
NEVER = 30.0  # subtracted from the logit of a part that cannot be painted: its share becomes 0


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
        picture = mix(choices.pictures, tf.nn.softmax(logits))
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
            image = smoothly_resized(image, side)
            choices = limbs.choices(image, *pose)
        guess = mix(choices.pictures, choices.shares)
        nearest = tf.reduce_max(choices.near_before, -1, keepdims=True)
        background, near = choices.pictures[:, 1], (choices.near_before, choices.near_after)
        return self.unet(tf.concat([image, background, guess, *near, nearest, choices.shares], -1))

"""Our own generator: each pixel is a mixture of the reference frame, its in-painted background, and its moved limbs."""

from __future__ import annotations

import tensorflow as tf

from analogy.joints import JOINTS
from analogy.losses import dissimilarity
from analogy.models.building import build
from analogy.models.pixels import to_unit
from analogy.systems.hierarchical.losses import log_error
from analogy.systems.hierarchical.networks.masked import MaskedGenerator
from analogy.systems.hierarchical.painter import Painter, augmented_pairs
from analogy.systems.hierarchical.settings.analogy_masked import AnalogyMaskedSettings

KEYS = ("joints", "visibility", "crop", "next_joints", "next_visibility", "next_crop")


class AnalogyMasked(Painter):
    """The system of `MaskedGenerator`. It is trained with reconstruction losses, without a discriminator.

    Args:
        settings: the experiment's settings.
    """

    def __init__(self, settings: AnalogyMaskedSettings):
        super().__init__(settings)
        shape = settings.generator
        self.generator = MaskedGenerator(widths=tuple(shape.widths), work_size=shape.work_size, name="generator")
        pose = [(None, JOINTS, 2), (None, JOINTS), (None, 2)]  # joints, visibility, crop
        build(self.generator, [(None, *self.image_size, self.channels), *pose, *pose])
        self.models, self.exported = {"generator": self.generator}, [self.generator]

    def plan_optimizers(self):
        return {"generator": (self.settings.generator_optimizer, self.generator.trainable_variables)}

    # ---------------------------------------------------------------- training

    def train_step(self, batch):
        weights, batch = self.settings.loss, augmented_pairs(self.settings, batch)
        truth = batch["next_image"]
        with tf.GradientTape() as tape:
            generated = self.generator([batch["image"], *(batch[key] for key in KEYS)])
            terms = {
                "error": weights.error * log_error(truth, generated),
                "dissimilarity": weights.dissimilarity * dissimilarity(truth, generated),
            }
        return self.descend("generator", tape, terms)

    # ---------------------------------------------------------------- prediction

    def encode(self, frame, joints, visibility, crop):
        return to_unit(frame), joints, visibility, crop

    def paint(self, reference, joints, visibility, crop):
        count = tf.shape(joints)[0]
        reference = [tf.broadcast_to(x, tf.concat([[count], tf.shape(x)[1:]], 0)) for x in reference]
        reference[0] = tf.ensure_shape(reference[0], [None, *self.image_size, self.channels])
        return self.generator([*reference, joints, visibility, crop])

"""Ours: an analogy generator that keeps, moves or in-paints the reference frame, and chooses among these pixel by pixel."""

from __future__ import annotations

import tensorflow as tf

from analogy import losses
from analogy.optimizers import make_optimizer
from analogy.systems.hierarchical.networks.masked import MaskedGenerator
from analogy.systems.hierarchical.painter import Painter, augmented_pairs, to_unit
from analogy.systems.hierarchical.settings.analogy_masked import AnalogyMaskedSettings

KEYS = ("joints", "visibility", "crop", "next_joints", "next_visibility", "next_crop")


class AnalogyMasked(Painter):
    """Trains with a reconstruction loss alone; predicts with the moving averages of the weights.

    Args:
        settings: the experiment's settings.
    """

    def __init__(self, settings: AnalogyMaskedSettings):
        super().__init__(settings)
        # The second one holds the averages, for pictures and export; checkpoints have them in the optimiser.
        self.generator, self.averaged = (self._build(name) for name in ("generator", "averaged"))
        self.models = {"generator": self.generator}
        self.exported = [self.averaged]

    def _build(self, name: str) -> MaskedGenerator:
        shape = self.settings.generator
        model = MaskedGenerator(widths=tuple(shape.widths), work_size=shape.work_size, name=name)
        model.build([(None, *self.image_size, self.channels)])
        return model

    def prepare_training(self) -> None:
        variables = self.generator.trainable_variables
        self.optimizers = {"generator": make_optimizer(self.settings.generator_optimizer, variables, loss_scaling=self.half)}

    # ---------------------------------------------------------------- training

    def train_step(self, batch):
        weights, batch = self.settings.loss, augmented_pairs(self.settings, batch)
        truth = batch["next_image"]
        with tf.GradientTape() as tape:
            generated = self.generator([batch["image"], *(batch[key] for key in KEYS)])
            terms = {
                "error": weights.error * losses.log_error(truth, generated),
                "dissimilarity": weights.dissimilarity * losses.dissimilarity(truth, generated),
            }
            loss = self._mean(terms) * self._scale("generator")
        self._apply("generator", tape.gradient(loss, self.generator.trainable_variables))
        return self._report({"generator": terms})

    # ---------------------------------------------------------------- prediction

    def _average(self) -> None:
        """Bring the averaged network up to date."""
        if self.settings.generator_optimizer.average and self.optimizers["generator"].iterations.numpy():
            self.optimizers["generator"].finalize_variable_values(self.averaged.trainable_variables)
        else:
            self.averaged.set_weights(self.generator.get_weights())

    def encode(self, frame, joints, visibility, crop):
        return to_unit(frame), joints, visibility, crop

    def paint(self, reference, joints, visibility, crop):
        count = tf.shape(joints)[0]
        reference = [tf.broadcast_to(x, tf.concat([[count], tf.shape(x)[1:]], 0)) for x in reference]
        reference[0] = tf.ensure_shape(reference[0], [None, *self.image_size, self.channels])
        return self.averaged([*reference, joints, visibility, crop])

    def predict(self, clip, reference, targets):
        self._average()
        return super().predict(clip, reference, targets)

    def endpoints(self):
        self._average()
        return super().endpoints()

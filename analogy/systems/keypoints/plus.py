"""Ours: keypoints that move along with the image, and a translator that moves pixels with them."""

from __future__ import annotations

import math

import tensorflow as tf

from analogy.data.batches import draw_uniform
from analogy.losses import dssim, log_squared_error
from analogy.models import colours
from analogy.models.building import build
from analogy.models.pixels import to_unit
from analogy.random_streams import StepStream
from analogy.systems.keypoints import warps
from analogy.systems.keypoints.networks.plus import PlusDetector, PlusTranslator
from analogy.systems.keypoints.networks.points import grid
from analogy.systems.keypoints.settings import PlusSettings
from analogy.systems.keypoints.translation import TranslationSystem

CELL, CHANGED, FAINT = 4, 0.25, 0.02  # of `away_from_change`; FAINT, in units of half the range of pixels, is no change at all
STILL = 2.0  # how much farther away, in units of half a side, a cell counts that does not change
NEAR = 0.1  # in units of half a side: keypoints that are nearer than about this push each other away


class PlusSystem(TranslationSystem):
    """The detector and the translator of `networks.plus`.

    They are trained on errors of the frame; on equivariance: keypoints of a warped frame are the warped ones; on separation:
    no two keypoints in one place; and on change: keypoints lie where the two frames differ, and all that differs is near one.

    Args:
        settings: the experiment's.
    """

    def __init__(self, settings: PlusSettings):
        super().__init__(settings)
        network, image = settings.network, (None, *self.image_size, self.channels)
        self.detector = PlusDetector(
            keypoints=network.keypoints, widths=tuple(network.detector_widths), temperature=network.temperature
        )
        self.translator = PlusTranslator(
            keypoints=network.keypoints,
            channels=self.channels,
            widths=tuple(network.widths),
            bend=network.bend,
            sharpness=network.map_sharpness,
        )
        build(self.detector, image)
        build(self.translator, image, *[(None, network.keypoints, 2)] * 2)
        self.models = {"detector": self.detector, "translator": self.translator}
        self.exported = list(self.models.values())

    def plan_optimizers(self):
        return {"network": (self.settings.optimizer, [v for model in self.exported for v in model.trainable_variables])}

    # ---------------------------------------------------------------- the networks

    def detect(self, frames, training: bool = False):
        return self.detector(frames)

    def translate(self, frame, keypoints, next_keypoints):
        answer, painted, mask = self.translator(frame, keypoints, next_keypoints)
        return {"frame": answer, "painted": painted, "mask": mask}

    # ---------------------------------------------------------------- training

    def train_step(self, batch):
        loss = self.settings.loss
        frame, truth = self._augmented(batch)
        warp, warped_truth = self._warped(batch, truth)
        with tf.GradientTape() as tape:
            keypoints, next_keypoints, warped_keypoints = tf.split(self.detect(tf.concat([frame, truth, warped_truth], 0)), 3)
            answer = self.translate(frame, keypoints, next_keypoints)["frame"]
            moved_along = tf.abs(warps.places_before(warped_keypoints, warp) - next_keypoints)
            images = (truth + 1.0) / 2.0, (answer + 1.0) / 2.0
            terms = {
                "log_mse": loss.log_mse * log_squared_error(*images),
                "dssim": loss.dssim * dssim(*images),
                "equivariance": loss.equivariance * tf.reduce_mean(moved_along, [1, 2]),
                "separation": loss.separation * (crowding(keypoints) + crowding(next_keypoints)) / 2.0,
                "change": loss.change * away_from_change(keypoints, next_keypoints, frame, truth),
            }
        return self.descend("network", tape, terms)

    def _augmented(self, batch):
        """Both frames of each pair, warped and recoloured alike."""
        how, frames = self.settings.augmentation, (to_unit(batch["image"]), to_unit(batch["next_image"]))
        draws = draw_uniform(self.settings, batch, StepStream.AUGMENTATION, [warps.DRAWS + colours.DRAWS])
        warp = warps.random_warps(draws, rotation=how.rotation, zoom=how.zoom, stretch=how.stretch, shift=how.shift)
        return [colours.recoloured(warps.warped(part, warp), draws[:, warps.DRAWS :], how.colour) for part in frames]

    def _warped(self, batch, frame):
        """A random warp [B, 2, 3] of each frame, and the warped frames, in colours of their own."""
        draws = draw_uniform(self.settings, batch, StepStream.EQUIVARIANCE, [warps.DRAWS + colours.DRAWS])
        warp = warps.random_warps(draws, rotation=30.0, zoom=0.2, stretch=0.1, shift=0.1)
        return warp, colours.recoloured(warps.warped(frame, warp), draws[:, warps.DRAWS :], self.settings.augmentation.colour)

    def loss_in_words(self):
        loss = self.settings.loss
        return (
            f"trained by {loss.log_mse:g} log10 of the mean squared error + {loss.dssim:g} (1 - SSIM) + {loss.equivariance:g} "
            f"equivariance + {loss.separation:g} separation + {loss.change:g} change"
        )


def crowding(points):
    """How close keypoints [B, K, 2] are: the sum over pairs of exp(-d^2 / (2 NEAR^2)), for each keypoint. [B]."""
    distances = tf.reduce_sum(tf.square(points[:, :, None] - points[:, None]), -1)  # [B, K, K]
    count = points.shape[1]
    close = tf.exp(-distances / (2.0 * NEAR**2)) * (1.0 - tf.eye(count))
    return tf.reduce_sum(close, [1, 2]) / count


def away_from_change(points, other_points, frame, other):
    """How far keypoints are from what changes between two frames of a clip, and what changes from the next keypoint of either
    frame: the mean of both, in half a side. [B].

    A cell of CELL x CELL pixels changes wholly where its mean change is at least CHANGED of the largest. Within a cell no place
    is better than another.

    Args:
        points, other_points: [B, K, 2], the keypoints of both frames. frame, other: [B, H, W, C] in -1..1.
    """
    difference = tf.nn.avg_pool2d(tf.reduce_mean(tf.abs(other - frame), -1, keepdims=True), CELL, CELL, "SAME")[..., 0]
    largest = tf.reduce_max(difference, [1, 2], keepdims=True)
    changes = tf.minimum(difference / (CHANGED * largest + FAINT), 1.0)[:, None]  # [B, 1, rows, columns]
    points = tf.concat([points, other_points], 1)
    away_x = points[:, :, None, 0] - grid(changes.shape[3])  # [B, 2K, columns]
    away_y = points[:, :, None, 1] - grid(changes.shape[2])
    distance = tf.sqrt(tf.square(away_y)[..., None] + tf.square(away_x)[:, :, None] + 1e-6)  # [B, 2K, rows, columns]
    distance = tf.nn.relu(distance - math.sqrt(2.0) / min(changes.shape[2:]))  # less half the diagonal of a cell
    of_points = tf.reduce_mean(tf.reduce_min(distance + STILL * (1.0 - changes), [2, 3]), 1)
    nearest = changes[:, 0] * tf.reduce_min(distance, 1)
    of_places = tf.reduce_sum(nearest, [1, 2]) / (tf.reduce_sum(changes, [1, 2, 3]) + 1e-6)
    return (of_points + of_places) / 2.0

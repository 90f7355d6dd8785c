"""Frechet video distance (Unterthiner et al. 2018, arXiv:1812.01717): how far predicted videos are from real ones as a set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from analogy.errors import UserError
from analogy.models.i3d import CLASSES, SHORTEST, SIDE, I3d


class Gaussian:
    """Mean and covariance of features, summed up in float64 without keeping the features.

    Args:
        size: of a feature vector.
    """

    def __init__(self, size: int):
        self.count, self._sum, self._outer = 0, np.zeros(size), np.zeros([size, size])

    def add(self, features: np.ndarray) -> None:
        """features: [N, size]."""
        features = np.asarray(features, np.float64)
        self.count += len(features)
        self._sum += features.sum(0)
        self._outer += features.T @ features

    @property
    def mean(self) -> np.ndarray:
        return self._sum / self.count

    @property
    def covariance(self) -> np.ndarray:
        """With N - 1, as `numpy.cov`; needs two vectors."""
        centred = self._outer - self.count * np.outer(self.mean, self.mean)
        return centred / (self.count - 1)


def frechet_distance(a: Gaussian, b: Gaussian) -> float:
    """|m_a - m_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2)); NaN where one has fewer than two vectors.

    tr (S_a S_b)^(1/2) is the sum of the square roots of the eigenvalues of S_a^(1/2) S_b S_a^(1/2), which is symmetric.
    """
    if min(a.count, b.count) < 2:
        return float("nan")
    values, vectors = np.linalg.eigh(a.covariance)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ b.covariance @ root), 0.0)).sum()
    spread = np.trace(a.covariance) + np.trace(b.covariance) - 2.0 * cross
    return float(max(np.square(a.mean - b.mean).sum() + spread, 0.0))


class Fvd:
    """FVD of several methods' videos against the real ones, streamed, with what is needed to judge it.

    The canonical recipe: the 400 logits of I3D trained on Kinetics-400, averaged over time; frames resized to 224 x 224
    bilinearly, as TensorFlow 1 did (corners of the pixels aligned), to -1..1; grey as three equal channels.

    Args:
        weights: the file of `analogy.models.i3d.fetch_i3d`.
        frames: of every video the first so many count; shorter ones are left out, and counted.
    """

    def __init__(self, weights: Path, frames: int = 16):
        if frames < SHORTEST:
            raise UserError(f"FVD needs at least {SHORTEST} frames of a video, not {frames}")
        network = I3d(weights)
        self._logits = tf.function(lambda frames: network(prepare(frames)), reduce_retracing=True)
        self.frames, self.left_out, self.real, self.fake = frames, 0, Gaussian(CLASSES), {}
        self._halves = Gaussian(CLASSES), Gaussian(CLASSES)

    def features(self, video: np.ndarray) -> np.ndarray:
        """uint8 [T, H, W, C], T at least `frames` -> [1, 400]."""
        if video.dtype != np.uint8 or video.ndim != 4:
            raise ValueError(f"FVD needs uint8 [T, H, W, C], got {video.dtype} {video.shape}")
        return self._logits(video[None, : self.frames]).numpy()

    def add(self, truth: np.ndarray, predictions: Mapping[str, np.ndarray]) -> None:
        """One real video, and what each method predicted in its place: uint8 [T, H, W, C]."""
        if len(truth) < self.frames:
            self.left_out += 1
            return
        real = self.features(truth)
        self._halves[self.real.count % 2].add(real)
        self.real.add(real)
        for method, video in predictions.items():
            self.fake.setdefault(method, Gaussian(CLASSES)).add(self.features(video))

    def result(self) -> dict:
        """fvd by method; real_halves, of every other real video against the rest: what is left where nothing differs but the
        choice of videos; videos, how many of each kind; frames, of each; left_out, how many were too short."""
        return {
            "fvd": {method: frechet_distance(self.real, fake) for method, fake in self.fake.items()},
            "real_halves": frechet_distance(*self._halves),
            "videos": self.real.count,
            "frames": self.frames,
            "left_out": self.left_out,
        }


def prepare(frames: tf.Tensor) -> tf.Tensor:
    """uint8 [B, T, H, W, 1|3] -> float32 [B, T, 224, 224, 3] in -1..1."""
    batch, count = tf.shape(frames)[0], tf.shape(frames)[1]
    flat = tf.reshape(frames, tf.concat([[batch * count], tf.shape(frames)[2:]], 0))
    flat = tf.raw_ops.ResizeBilinear(images=flat, size=[SIDE, SIDE], align_corners=False, half_pixel_centers=False)
    if frames.shape[-1] == 1:
        flat = tf.repeat(flat, 3, -1)
    return 2.0 * tf.reshape(flat, [batch, count, SIDE, SIDE, 3]) / 255.0 - 1.0

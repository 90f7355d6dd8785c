"""Frechet video distance (Unterthiner et al. 2018, arXiv:1812.01717): how far predicted videos are from real ones as a set."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from analogy.errors import UserError

SHORTEST = 9  # frames: what I3D needs


def check_length(length: int) -> None:
    """Raises UserError where I3D cannot read videos of so few frames."""
    if length < SHORTEST:
        raise UserError(f"FVD needs at least {SHORTEST} frames of a video, not {length}")


class Gaussian:
    """Mean and covariance of features, summed up in float64 without keeping the features."""

    def __init__(self):
        self.count, self._sum, self._outer = 0, 0.0, 0.0

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

    Args:
        logits: videos uint8 [B, T, H, W, C] -> features [B, F]; canonically the 400 logits of `analogy.pretrained.i3d.I3d`.
        length: how many frames of every video count, the first ones; shorter videos are left out, and counted.
    """

    def __init__(self, logits: Callable, length: int = 16):
        check_length(length)
        self._logits, self.length, self.left_out = logits, length, 0
        self.real, self._halves, self.fake = Gaussian(), (Gaussian(), Gaussian()), {}

    def features(self, video: np.ndarray) -> np.ndarray:
        """uint8 [T, H, W, C], T at least `length` -> [1, F]."""
        if video.dtype != np.uint8 or video.ndim != 4:
            raise ValueError(f"FVD needs uint8 [T, H, W, C], got {video.dtype} {video.shape}")
        return np.asarray(self._logits(video[None, : self.length]))

    def add(self, truth: np.ndarray, predictions: Mapping[str, np.ndarray]) -> None:
        """One real video, and what each method predicted in its place: uint8 [T, H, W, C]."""
        if len(truth) < self.length:
            self.left_out += 1
            return
        real = self.features(truth)
        self._halves[self.real.count % 2].add(real)
        self.real.add(real)
        for method, video in predictions.items():
            self.fake.setdefault(method, Gaussian()).add(self.features(video))

    def result(self) -> dict:
        """fvd by method; real_halves, of every other real video against the rest: what is left where nothing differs but the
        choice of videos; videos, how many of each kind; length, frames of each that
        count; left_out, how many were too short."""
        return {
            "fvd": {method: frechet_distance(self.real, fake) for method, fake in self.fake.items()},
            "real_halves": frechet_distance(*self._halves),
            "videos": self.real.count,
            "length": self.length,
            "left_out": self.left_out,
        }

"""Frechet video distance (Unterthiner et al. 2018, arXiv:1812.01717): how far predicted videos are from real ones as a set."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from analogy.errors import UserError

SHORTEST = 9  # frames: I3D cannot read shorter videos
LONGEST = 256  # frames: of a long clip, evaluation hands over no more than the first part


def check_length(length: int) -> None:
    """Raises UserError where FVD cannot be computed from `length` frames of every video."""
    if length > LONGEST:
        raise UserError(f"FVD takes at most {LONGEST} frames of a video, not {length}")
    if length < SHORTEST:
        raise UserError(f"FVD needs at least {SHORTEST} frames of a video, not {length}")


class Gaussian:
    """Mean and covariance of feature vectors, summed up in float64; the vectors themselves are not kept."""

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
        """[size, size], divided by N - 1 as in `numpy.cov`; needs at least two vectors."""
        centred = self._outer - self.count * np.outer(self.mean, self.mean)
        return centred / (self.count - 1)


def frechet_distance(a: Gaussian, b: Gaussian) -> float:
    """Frechet distance of two Gaussians: |m_a - m_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2)).

    NaN where one of them was estimated from fewer than two vectors.

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
    """FVD between the videos of several methods and the real videos. Videos are added one by one and not kept.

    Args:
        logits: videos uint8 [B, T, H, W, C] -> features [B, F]; by convention the 400 logits of `analogy.pretrained.i3d.I3d`.
        length: the first `length` frames of every video are used, at most LONGEST. Shorter videos are left out; `left_out`
            counts them.
    """

    def __init__(self, logits: Callable, length: int = 16):
        check_length(length)
        self._logits, self.length, self.left_out = logits, length, 0
        self.real, self._halves, self.fake = Gaussian(), (Gaussian(), Gaussian()), {}

    def features(self, video: np.ndarray) -> np.ndarray:
        """Features [1, F] of a video uint8 [T, H, W, C], T at least `length`."""
        if video.dtype != np.uint8 or video.ndim != 4:
            raise ValueError(f"FVD needs uint8 [T, H, W, C], got {video.dtype} {video.shape}")
        return np.asarray(self._logits(video[None, : self.length]))

    def add(self, truth: np.ndarray, predictions: Mapping[str, np.ndarray]) -> None:
        """Add a real video and each method's prediction of it.

        Args:
            truth: uint8 [T, H, W, C].
            predictions: method -> uint8 [T, H, W, C].
        """
        if len(truth) < self.length:
            self.left_out += 1
            return
        real = self.features(truth)
        self._halves[self.real.count % 2].add(real)
        self.real.add(real)
        for method, video in predictions.items():
            self.fake.setdefault(method, Gaussian()).add(self.features(video))

    def result(self) -> dict:
        """The distances, and what is needed to judge them.

        Returns:
            fvd: method -> FVD between its videos and the real ones.
            real_halves: FVD between two halves of the real videos. It shows how large FVD is when only the choice of videos
                differs.
            videos: number of videos of each method.
            length: number of frames of each video that were used.
            left_out: number of videos that were too short.
        """
        return {
            "fvd": {method: frechet_distance(self.real, fake) for method, fake in self.fake.items()},
            "real_halves": frechet_distance(*self._halves),
            "videos": self.real.count,
            "length": self.length,
            "left_out": self.left_out,
        }

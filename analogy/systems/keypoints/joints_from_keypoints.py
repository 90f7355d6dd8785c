"""How much unsupervised keypoints say of a pose: a linear regression from keypoints to joints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RIDGE = 1e-3  # on mean squares of coordinates in -1..1: keypoints that move together must not blow each other up


@dataclass(frozen=True)
class JointRegression:
    """weights: [2 K + 1, 26], the last row constant. mean: [13, 2], the mean pose. Both give pixels of the frame."""

    weights: np.ndarray
    mean: np.ndarray

    def predict(self, keypoints: np.ndarray) -> np.ndarray:
        """Keypoints [N, K, 2] -> joints [N, 13, 2] in pixels, x then y."""
        return (_with_constant(keypoints) @ self.weights).reshape(len(keypoints), -1, 2)


def joint_regression(keypoints: np.ndarray, joints: np.ndarray, visibility: np.ndarray) -> JointRegression:
    """Fit the regression by least squares (with a small ridge), for each joint on the frames in which it is visible.

    Args:
        keypoints: [N, K, 2] in -1..1. joints: [N, 13, 2] in pixels. visibility: [N, 13], above 0 where a joint is visible.
    """
    inputs, count = _with_constant(keypoints), joints.shape[1]
    weights, mean = np.zeros((inputs.shape[1], count, 2)), np.zeros((count, 2))
    for joint in range(count):
        visible = visibility[:, joint] > 0
        if not visible.any():
            continue
        x, y = inputs[visible], joints[visible, joint].astype(np.float64)
        mean[joint] = y.mean(0)
        ridge = RIDGE * len(x) * np.eye(x.shape[1])
        ridge[-1, -1] = 1e-9  # the constant is free
        weights[:, joint] = np.linalg.solve(x.T @ x + ridge, x.T @ y)
    return JointRegression(weights.reshape(len(weights), -1), mean)


def _with_constant(keypoints: np.ndarray) -> np.ndarray:
    flat = keypoints.reshape(len(keypoints), -1).astype(np.float64)
    return np.concatenate([flat, np.ones((len(flat), 1))], 1)

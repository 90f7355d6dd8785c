"""Predicted poses of a test clip, and joints estimated in its frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analogy.metrics.frames import FRAME_METRICS
from analogy.metrics.pose import measure_joints, measure_poses
from analogy.predictions.base import Predicted
from analogy.visualise.skeletons import GREEN, GREY, ORANGE, draw_skeleton, skeleton_frames

SMALLEST_SIDE = 240  # pixels: smaller frames are enlarged, or the skeleton would hide them


@dataclass(frozen=True, kw_only=True)
class PredictedPoses(Predicted):
    """Predicted poses in all N windows of a clip.

    There are two baselines: "hold_last_pose" repeats the last observed pose, "no_motion" the pose of the clip's frame 0.

    windows: what `PoseDataset.windows` gives: joints [N, k + T, 13, 2] in pixels, visibility, valid, box, survives, origin.
    prediction: [N, T, 13, 2] in pixels, x then y.
    visibility: [N, T, 13], 1 for joints that the prediction takes for visible.
    """

    windows: dict[str, np.ndarray]
    prediction: np.ndarray
    visibility: np.ndarray

    @property
    def length(self) -> int:
        return int(self._split("valid")[1].sum())

    def _split(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """The observed and the future part of an entry of `windows`."""
        value = self.windows[name]
        observed = value.shape[1] - self.prediction.shape[1]
        return value[:, :observed], value[:, observed:]

    def _baselines(self) -> dict[str, np.ndarray]:
        observed, future = self._split("joints")
        still = self.windows["origin"][:, None]
        return {
            name: np.broadcast_to(pose, future.shape)
            for name, pose in (("hold_last_pose", observed[:, -1:]), ("no_motion", still))
        }

    def measure(self, metrics=FRAME_METRICS):
        truth, valid = self._split("joints")[1], self._split("valid")[1]
        survives, box = self.windows["survives"][0], self.windows["box"][0]
        methods = {"prediction": self.prediction, **self._baselines()}
        return {name: measure_poses(truth, poses, survives, box, valid) for name, poses in methods.items()}

    def motions(self):
        (visibility, future_visibility), valid = self._split("visibility"), self._split("valid")[1]
        last_visibility = np.broadcast_to(visibility[:, -1:], future_visibility.shape)
        return {
            "prediction": (self.prediction, self.visibility, valid),
            "truth": (self._split("joints")[1], future_visibility, valid),
            **{name: (poses, last_visibility, valid) for name, poses in self._baselines().items()},
        }

    def columns(self):
        """Three columns of the first window: the truth, the prediction, and the last pose repeated.

        The true skeleton is drawn in grey beneath the other two.
        """
        (joints, future), (visibility, future_visibility) = self._split("joints"), self._split("visibility")
        k, count, box = joints.shape[1], int(self._split("valid")[1][0].sum()), self.windows["box"][0]
        truth = np.concatenate([joints[0], future[0, :count]])
        truth_visibility = np.concatenate([visibility[0], future_visibility[0, :count]])
        columns = [("truth", skeleton_frames([(truth, truth_visibility, GREEN)], box))]
        last_pose = self._baselines()["hold_last_pose"][0]
        last_visibility = np.broadcast_to(visibility[0, -1:], last_pose.shape[:2])
        for title, method, method_visibility in (
            ("prediction", self.prediction[0], self.visibility[0]),
            ("last pose held", last_pose, last_visibility),
        ):
            poses = np.concatenate([joints[0], method[:count]])
            poses_visibility = np.concatenate([visibility[0], method_visibility[:count]])
            frames = skeleton_frames([(truth, truth_visibility, GREY), (poses, poses_visibility, ORANGE)], box)
            frames[:k] = columns[0][1][:k]
            columns.append((title, frames))
        return columns


@dataclass(frozen=True, kw_only=True)
class PredictedJoints(Predicted):
    """Joints estimated in every frame of a clip. The baseline is the mean pose of the training set.

    frames: uint8 [T, H, W, C].
    scale: [T, 2], how many source pixels a pixel of the frames spans, along x and y.
    truth, prediction: [T, 13, 2] in pixels of the frames, x then y.
    truth_visibility, visibility: [T, 13].
    mean_pose: [13, 2] in pixels of the frames.
    """

    frames: np.ndarray
    scale: np.ndarray
    truth: np.ndarray
    truth_visibility: np.ndarray
    prediction: np.ndarray
    visibility: np.ndarray
    mean_pose: np.ndarray

    def measure(self, metrics=FRAME_METRICS):
        methods = {"prediction": self.prediction, "mean_pose": np.broadcast_to(self.mean_pose, self.truth.shape)}
        scale, visibility = self.scale[:, None], self.truth_visibility
        return {name: measure_joints(self.truth * scale, joints * scale, visibility) for name, joints in methods.items()}

    def columns(self):
        """Two columns: the true joints and the estimated joints, each over the darkened frames."""
        return [
            ("truth", self._draw_over_frames(self.truth, self.truth_visibility, GREEN)),
            ("prediction", self._draw_over_frames(self.prediction, self.visibility, ORANGE)),
        ]

    def _draw_over_frames(self, joints: np.ndarray, visibility: np.ndarray, colour) -> np.ndarray:
        frames = np.repeat(self.frames, 3, -1) if self.frames.shape[-1] == 1 else self.frames
        enlarged = max(1, -(-SMALLEST_SIDE // frames.shape[1]))
        frames = frames.repeat(enlarged, 1).repeat(enlarged, 2) // 2
        for frame, pose, visible in zip(frames, (joints + 0.5) * enlarged - 0.5, visibility, strict=True):
            draw_skeleton(frame, pose, visible, colour)
        return frames

"""Predicted poses of a test clip, and joints estimated in its frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analogy.metrics.frames import FRAME_METRICS
from analogy.metrics.pose import measure_joints, measure_poses
from analogy.predictions.base import Predicted
from analogy.visualise.skeletons import GREEN, GREY, ORANGE, draw_skeleton, skeleton_frames


@dataclass(frozen=True)
class PredictedPoses(Predicted):
    """Predicted poses of every window of a clip, beside holding the last pose and staying where frame 0 of the clip was.

    windows: what `PoseDataset.windows` gives: joints [N, k + T, 13, 2] in pixels, visibility, valid, box, survives, origin.
    prediction: [N, T, 13, 2] in pixels; visibility: [N, T, 13], which joints it claims to know. shown: draw the first window.
    """

    windows: dict[str, np.ndarray]
    prediction: np.ndarray
    visibility: np.ndarray
    shown: bool

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
        del metrics
        truth, valid = self._split("joints")[1], self._split("valid")[1]
        survives, box = self.windows["survives"][0], self.windows["box"][0]
        methods = {"prediction": self.prediction, **self._baselines()}
        return {name: measure_poses(truth, poses, survives, box, valid) for name, poses in methods.items()}

    def motions(self):
        (seen, future_seen), valid = self._split("visibility"), self._split("valid")[1]
        held = np.broadcast_to(seen[:, -1:], future_seen.shape)
        return {
            "prediction": (self.prediction, self.visibility, valid),
            "truth": (self._split("joints")[1], future_seen, valid),
            **{name: (poses, held, valid) for name, poses in self._baselines().items()},
        }

    def columns(self):
        """The first window: truth; prediction over the truth in grey; the last pose held over the truth in grey."""
        if not self.shown:
            return []
        (joints, future), (seen, future_seen) = self._split("joints"), self._split("visibility")
        count = int(self._split("valid")[1][0].sum())
        hold = self._baselines()["hold_last_pose"][0]
        k, truth = joints.shape[1], np.concatenate([joints[0], future[0, :count]])
        truth_seen = np.concatenate([seen[0], future_seen[0, :count]])
        columns = [("truth", skeleton_frames([(truth, truth_seen, GREEN)], self.windows["box"][0]))]
        for title, poses, known in (
            ("prediction", self.prediction[0], self.visibility[0]),
            ("last pose held", hold, np.broadcast_to(seen[0, -1:], hold.shape[:2])),
        ):
            poses = np.concatenate([joints[0], poses[:count]])
            known = np.concatenate([seen[0], known[:count]])
            frames = skeleton_frames([(truth, truth_seen, GREY), (poses, known, ORANGE)], self.windows["box"][0])
            frames[:k] = columns[0][1][:k]
            columns.append((title, frames))
        return columns


@dataclass(frozen=True)
class PredictedJoints(Predicted):
    """Joints estimated in every frame of a clip, beside the mean training pose.

    frames: uint8 [T, H, W, C]. truth, prediction: [T, 13, 2] in its pixels; truth_visibility, visibility: [T, 13].
    mean_pose: [13, 2]. scale: [T, 2] source pixels in a pixel, x and y.
    """

    frames: np.ndarray
    scale: np.ndarray
    truth: np.ndarray
    truth_visibility: np.ndarray
    prediction: np.ndarray
    visibility: np.ndarray
    mean_pose: np.ndarray

    def measure(self, metrics=FRAME_METRICS):
        del metrics
        methods = {"prediction": self.prediction, "mean_pose": np.broadcast_to(self.mean_pose, self.truth.shape)}
        scale, seen = self.scale[:, None], self.truth_visibility
        return {name: measure_joints(self.truth * scale, joints * scale, seen) for name, joints in methods.items()}

    def columns(self):
        """True joints and estimated ones over the darkened frames."""
        columns = []
        for title, joints, seen, colour in (
            ("truth", self.truth, self.truth_visibility, GREEN),
            ("prediction", self.prediction, self.visibility, ORANGE),
        ):
            frames = np.repeat(self.frames, 3, -1) if self.frames.shape[-1] == 1 else self.frames
            grow = max(1, -(-240 // frames.shape[1]))  # small frames are enlarged, or sticks would hide them
            frames = frames.repeat(grow, 1).repeat(grow, 2) // 2
            for frame, pose, known in zip(frames, (joints + 0.5) * grow - 0.5, seen, strict=True):
                draw_skeleton(frame, pose, known, colour)
            columns.append((title, frames))
        return columns

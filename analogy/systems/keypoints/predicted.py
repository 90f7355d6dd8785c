"""A test clip translated from its first frame, with what its keypoints say of the body; and sampled futures of one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analogy.metrics.frames import FRAME_METRICS
from analogy.metrics.pose import measure_joints
from analogy.predictions.frames import PredictedFrames, mean_and_best
from analogy.systems.keypoints.joints_from_keypoints import JointRegression
from analogy.systems.keypoints.sequences import shuffled


@dataclass(frozen=True, kw_only=True)
class PredictedTranslation(PredictedFrames):
    """Of frame 0 and of the T frames that are measured:

    keypoints: [1 + T, K, 2] in -1..1. joints: [1 + T, 13, 2] in pixels of the frame. visibility: [1 + T, 13]. crop: [1 + T, 2],
    (width, height) in source pixels. body: bool [1 + T, H, W], the area of the body.
    regression: from keypoints to joints; None where no joints are known.
    """

    keypoints: np.ndarray
    joints: np.ndarray
    visibility: np.ndarray
    crop: np.ndarray
    body: np.ndarray
    regression: JointRegression | None

    def videos(self):
        """Also "shuffled": each frame translated by the keypoints of another one."""
        truth, methods = super().videos()
        return truth, {**methods, "shuffled": shuffled(self.prediction)}

    def measure(self, metrics=FRAME_METRICS):
        measured = super().measure(metrics)
        if not self.visibility.any():  # nothing is known of joints
            measured["prediction"] |= {"keypoint_jitter": keypoint_figures(self.keypoints, self.body)["keypoint_jitter"]}
            return measured
        regressed = self.regression.predict(self.keypoints)
        measured["prediction"] |= self._joint_figures(regressed) | keypoint_figures(self.keypoints, self.body)
        measured["mean_pose"] = self._joint_figures(np.broadcast_to(self.regression.mean, regressed.shape))
        return measured

    def _joint_figures(self, joints: np.ndarray) -> dict[str, np.ndarray]:
        """PCK of the frames after the first. Lengths are measured in source pixels: the frame's aspect ratio is not kept."""
        height, width = self.truth.shape[1:3]
        scale = (self.crop / np.array([width, height]))[1:, None]  # [T, 1, 2]
        return measure_joints(self.joints[1:] * scale, joints[1:] * scale, self.visibility[1:])


@dataclass(frozen=True, kw_only=True)
class PredictedMotion(PredictedFrames):
    """Sampled futures, as frames and as keypoints in -1..1.

    true_keypoints: [1 + T, K, 2], those of the first frame and of the true future. keypoint_samples: [N, T, K, 2].
    """

    true_keypoints: np.ndarray
    keypoint_samples: np.ndarray

    def videos(self):
        """Also "shuffled": the true frames in another order."""
        truth, methods = super().videos()
        return truth, {**methods, "shuffled": shuffled(truth)}

    def measure(self, metrics=FRAME_METRICS):
        measured = super().measure(metrics)
        first, truth = self.true_keypoints[:1], self.true_keypoints[1:]
        errors = [{"keypoint_error": _distance(sample, truth)} for sample in self.keypoint_samples]
        spread = _distance(self.keypoint_samples, self.keypoint_samples.mean(0)).mean(0)
        jitters = [_jitter(np.concatenate([first, sample])) for sample in self.keypoint_samples]
        measured["prediction"] |= {**mean_and_best(errors), "sample_spread": spread, "keypoint_jitter": np.mean(jitters, 0)}
        measured["still"] = {"keypoint_error": _distance(first, truth)}
        measured["truth"] = {"keypoint_jitter": _jitter(self.true_keypoints)}
        measured["shuffled"] |= {"keypoint_error": _distance(shuffled(truth), truth)}
        return measured


def _distance(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The mean distance of keypoints [..., K, 2] in -1..1, in percent of the frame's side: [...]."""
    return 50.0 * np.linalg.norm(points - others, axis=-1).mean(-1)


def keypoint_figures(keypoints: np.ndarray, body: np.ndarray) -> dict[str, np.ndarray]:
    """What keypoints do over time.

    Args:
        keypoints: [1 + T, K, 2] in -1..1. body: bool [1 + T, H, W].

    Returns:
        metric -> [T]: keypoints_on_body, the share of keypoints that lie on the body; keypoint_jitter, see `_jitter`.
    """
    return {"keypoints_on_body": keypoints_inside(keypoints, body).mean(1)[1:], "keypoint_jitter": _jitter(keypoints)}


def _jitter(keypoints: np.ndarray) -> np.ndarray:
    """The mean length of the second difference of keypoints [1 + T, K, 2], in percent of the frame's side: [T]; NaN in the last
    frame."""
    jitter = np.full(len(keypoints) - 1, np.nan)
    if len(keypoints) > 2:
        jitter[:-1] = 50.0 * np.linalg.norm(keypoints[2:] - 2 * keypoints[1:-1] + keypoints[:-2], axis=-1).mean(1)
    return jitter


def keypoints_inside(keypoints: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Which keypoints [T, K, 2] in -1..1 lie in a region, bool [T, H, W]: bool [T, K]. Those outside of the frame count as at
    its border."""
    height, width = region.shape[1:3]
    places = (np.clip(keypoints, -1, 1) + 1.0) / 2.0 * (np.array([width, height]) - 1)
    columns, rows = np.moveaxis(places.round().astype(int), -1, 0)
    return region[np.arange(len(region))[:, None], rows, columns]

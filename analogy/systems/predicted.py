"""A test clip as a system predicted it: what is measured of it, and what is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from analogy.errors import UserError
from analogy.metrics.frames import METRICS, measure_frames
from analogy.metrics.pose import measure_joints, measure_poses
from analogy.visualise.canvas import absolute_difference
from analogy.visualise.panels import heatmap_picture, movie_rows
from analogy.visualise.plots import sequence_grid
from analogy.visualise.skeletons import GREEN, GREY, ORANGE, draw_skeleton, skeleton_frames
from analogy.visualise.wording import METRICS as WORDING


def picture(image: np.ndarray) -> np.ndarray:
    """uint8 images pass; float heatmaps [H, W, J] in 0..1 become colours."""
    return image if image.dtype == np.uint8 else heatmap_picture(image)


@dataclass(frozen=True)
class Predicted:
    """clip, action: its name and what is done in it. distance: [T] frames since the last observed one."""

    clip: str
    action: str
    distance: np.ndarray

    @property
    def frames(self) -> int:
        """How many frames were predicted."""
        return len(self.distance)

    def measure(self, metrics: Mapping[str, Callable] = METRICS) -> dict[str, dict[str, np.ndarray]]:
        """method -> metric -> [T] or [windows, T], NaN where it is undefined: first "prediction", then the trivial baselines,
        of which the first is the one to beat. metrics: of frames, where frames are predicted."""
        raise NotImplementedError

    def videos(self) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """The true frames [T, H, W, C], and those of every method of `measure`. Raises UserError where none are predicted."""
        raise UserError(f"{self.clip}: this run predicts no frames, which the asked metric compares")

    def motions(self) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """method -> future joints [N, T, 13, 2], which of them it knows [N, T, 13], and valid [N, T]; the truth among them.
        Raises UserError where no poses are predicted."""
        raise UserError(f"{self.clip}: this run predicts no poses, which a recogniser reads")

    def columns(self) -> list[tuple[str, np.ndarray]]:
        """The video's columns: (title, uint8 [frames, H, W, 1|3]); none where the clip is measured but not shown."""
        return []

    def picture(self) -> np.ndarray | None:
        """uint8 [H, W, 3], of what is no video, or of a video's frames beside each other; or None."""
        return None


@dataclass(frozen=True)
class PredictedClip(Predicted):
    """Predicted frames, beside the truth and the baseline that costs nothing.

    truth, prediction, baseline: uint8 [T, H, W, 1|3], predicted frames only; baseline_name: for example "copy_reference".
    given: uint8 [k, H, W, 1|3], the observed frames. samples: uint8 [N, T, H, W, 1|3], where a stochastic method predicted N
    times, `prediction` among them: its figures are means over the samples, and NAME_best those of the clip's best sample.
    extra: further columns for the video, as long as `truth`; others: what further methods predicted, measured and shown.
    regions: the body's area in the reference frame ("old") and in the true frame ("new"), bool [T, H, W]; or nothing.
    """

    given: np.ndarray
    truth: np.ndarray
    prediction: np.ndarray
    baseline: np.ndarray
    baseline_name: str
    extra: dict[str, np.ndarray] = field(default_factory=dict)
    others: dict[str, np.ndarray] = field(default_factory=dict)
    regions: dict[str, np.ndarray] = field(default_factory=dict)
    samples: np.ndarray | None = None

    def measure(self, metrics=METRICS):
        measured = {name: self._measured(frames, metrics) for name, frames in self.videos()[1].items()}
        if self.samples is not None:
            measured["prediction"] = best_and_mean([self._measured(sample, metrics) for sample in self.samples])
        return measured

    def _measured(self, frames: np.ndarray, metrics: Mapping[str, Callable]) -> dict[str, np.ndarray]:
        return measure_frames(self.truth, frames, self.regions, metrics)

    def videos(self):
        return self.truth, {"prediction": self.prediction, self.baseline_name: self.baseline, **self.others}

    def columns(self):
        """Truth, the extras, prediction and absolute difference, after the observed frames."""
        observed = self.given
        difference = absolute_difference(self.truth, self.prediction)
        columns = [("truth", np.concatenate([observed, self.truth]))]
        for name, pictures in self.extra.items():
            coloured = np.stack([picture(one) for one in pictures])
            columns.append((name, np.concatenate([np.repeat(coloured[:1], len(observed), 0), coloured])))
        for name, frames in {"prediction": self.prediction, **self.others}.items():
            columns.append((name.replace("_", " "), np.concatenate([observed, frames])))
        columns.append(("|difference|", np.concatenate([np.zeros_like(observed), difference])))
        return columns


@dataclass(frozen=True)
class PredictedMovie(PredictedClip):
    """A predicted video. values: unrounded [T, H, W, C] in 0..1, whose squared error is what was trained. shown: write its
    video."""

    values: np.ndarray = field(default_factory=lambda: np.zeros(0))
    shown: bool = False

    def measure(self, metrics=METRICS):
        measured = super().measure(metrics)
        size = self.truth[0].size
        for name, frames in {**self.videos()[1], "prediction": 255.0 * self.values.astype(np.float64)}.items():
            error = (frames - self.truth.astype(np.float64)) / 255.0
            mse, mae = np.square(error).mean((1, 2, 3)), np.abs(error).mean((1, 2, 3))
            unrounded = {"mse": mse, "mae": mae, "mse_sum": mse * size, "mae_sum": mae * size}
            measured[name] |= {name: value for name, value in unrounded.items() if name == "mse" or name in metrics}
        return measured

    def columns(self):
        return super().columns() if self.shown else []

    def picture(self):
        return movie_rows(self.given[-1], self.truth, self.prediction) if self.shown else None


def best_and_mean(samples: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Figures [T] of N samples of one clip -> their means, and under NAME_best those of the sample whose mean over the clip is
    best: the field's "best of N", chosen for each metric apart. Where no direction is better there is no best."""
    joined = {}
    for name in samples[0]:
        values = np.stack([sample[name] for sample in samples])  # [N, T]
        joined[name] = values.mean(0)
        upwards = WORDING[name].higher_is_better if name in WORDING else None
        if upwards is not None and np.isfinite(values).any():
            means = np.nanmean(values, 1)
            joined[f"{name}_best"] = values[np.nanargmax(means if upwards else -means)]
    return joined


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
    def frames(self) -> int:
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

    def measure(self, metrics=METRICS):
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

    images: uint8 [T, H, W, C]. truth, prediction: [T, 13, 2] in its pixels; truth_visibility, visibility: [T, 13].
    mean_pose: [13, 2]. scale: [T, 2] source pixels in a pixel, x and y.
    """

    images: np.ndarray
    scale: np.ndarray
    truth: np.ndarray
    truth_visibility: np.ndarray
    prediction: np.ndarray
    visibility: np.ndarray
    mean_pose: np.ndarray

    def measure(self, metrics=METRICS):
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
            frames = np.repeat(self.images, 3, -1) if self.images.shape[-1] == 1 else self.images
            grow = max(1, -(-240 // frames.shape[1]))  # small frames are enlarged, or sticks would hide them
            frames = frames.repeat(grow, 1).repeat(grow, 2) // 2
            for frame, pose, known in zip(frames, (joints + 0.5) * grow - 0.5, seen, strict=True):
                draw_skeleton(frame, pose, known, colour)
            columns.append((title, frames))
        return columns


@dataclass(frozen=True)
class PredictedActions(Predicted):
    """What a clip was taken for. probabilities: [A]. label, commonest: the true action, and the commonest training action.
    length: frames of the clip."""

    probabilities: np.ndarray
    label: int
    commonest: int
    length: int

    @property
    def frames(self) -> int:
        return self.length

    def measure(self, metrics=METRICS):
        del metrics
        named = {"prediction": int(self.probabilities.argmax()), "commonest_action": self.commonest}
        return {name: {"accuracy": np.array([float(action == self.label)])} for name, action in named.items()}


@dataclass(frozen=True)
class PredictedSequences(Predicted):
    """Some test sequences, measured together. seen: [N, k, C]; truth, prediction, and linear, the best linear map's: [N, T, C];
    values in 0..1. shown: draw the first ones."""

    seen: np.ndarray
    truth: np.ndarray
    prediction: np.ndarray
    linear: np.ndarray
    shown: bool = False

    def picture(self):
        return sequence_grid(self.seen[..., 0], self.truth[..., 0], self.prediction[..., 0]) if self.shown else None

    def measure(self, metrics=METRICS):
        del metrics
        methods = {
            "prediction": self.prediction,
            "linear_map": self.linear,  # the strongest first: it is the one to beat
            "last_value": np.broadcast_to(self.seen[:, -1:], self.truth.shape),
            "half": np.full_like(self.truth, 0.5),
        }
        truth = self.truth.astype(np.float64)
        return {name: {"mse": np.square(values - truth).mean(2)} for name, values in methods.items()}

"""`PoseForecaster`: the common part of systems that predict T future poses from k observed ones."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from analogy.data.poses import PoseClip, PoseDataset
from analogy.graphs import graph_function
from analogy.joints import JOINTS
from analogy.predictions.poses import PredictedPoses
from analogy.systems.base import ALL, Column, System
from analogy.visualise.skeletons import GREY, ORANGE, skeleton_frames

# The inputs of a forecast besides joints and visibility: see `PoseClip.facts`; action is the index of the clip's action.
FACTS = ("box", "size", "survives", "origin", "action")


class PoseForecaster(System):
    """Training data, evaluation, pictures and export. A subclass builds and trains `network`, and implements `forecast`.

    Attributes:
        future_knowledge: a clause for the protocol: which information about the future a forecast uses.

    Args:
        settings: a PoseSettings.
    """

    pooled = True  # as in the spec's reference numbers
    future_knowledge = "a forecast uses no information about the future but the number of frames"

    def __init__(self, settings):
        super().__init__(settings)
        self.context, self.horizon = settings.data.context, settings.data.horizon
        self.export_notes = (
            "the export is not told which joints will stay visible, nor the pose of frame 0: it takes both from observed poses"
        )

    def forecast(self, observed: dict) -> tuple[tf.Tensor, tf.Tensor]:
        """Predict the T poses after k observed ones.

        Args:
            observed: joints [B, k, 13, 2] in pixels of the source frame; visibility [B, k, 13]; and the FACTS.

        Returns:
            joints [B, T, 13, 2] in the same pixels, and visibility [B, T, 13]: 1 for joints that are predicted, 0 for joints
            that were never visible.
        """
        raise NotImplementedError

    # ---------------------------------------------------------------- longer forecasts

    def observe(self, joints, visibility, box, size, action):
        """The input of `forecast` when only k observed poses are known, and not the whole clip.

        The first observed pose takes the place of the clip's first pose, and a joint "survives" if it is visible in all k.
        """
        return {
            "joints": joints,
            "visibility": visibility,
            "box": box,
            "size": size,
            "survives": tf.reduce_min(visibility, 1),
            "origin": joints[:, 0] * visibility[:, 0, :, None],
            "action": action,
        }

    def roll(self, joints, visibility, box, size, action, count):
        """Predict any number of future poses, T in each round: a round's input is the last k poses of the round before.

        Args:
            joints [B, k, 13, 2], visibility [B, k, 13], box [B, 4], size [B, 2], action [B]: the observed poses, as in
                `observe`.
            count: the number of future poses, an int32 scalar.

        Returns:
            joints [B, count, 13, 2], visibility [B, count, 13].
        """
        batch, k = tf.shape(joints)[0], self.context
        rounds = (count + self.horizon - 1) // self.horizon
        loop = tf.constant(0)
        shapes = [tf.TensorShape([]), tf.TensorShape([None, None, JOINTS, 2]), tf.TensorShape([None, None, JOINTS])]

        def forecast_round(index, poses, visibilities):
            """Append T poses to [B, n, 13, 2], and their visibility to [B, n, 13]."""
            last_poses = tf.reshape(poses[:, -k:], [-1, k, JOINTS, 2])  # of static sizes
            last_visibilities = tf.reshape(visibilities[:, -k:], [-1, k, JOINTS])
            future, future_visibility = self.forecast(self.observe(last_poses, last_visibilities, box, size, action))
            return index + 1, tf.concat([poses, future], 1), tf.concat([visibilities, future_visibility], 1)

        _, poses, visibilities = tf.while_loop(
            lambda i, *_: i < rounds, forecast_round, [loop, joints, visibility], shape_invariants=shapes
        )
        first = tf.shape(joints)[1]
        future, future_visibility = poses[:, first : first + count], visibilities[:, first : first + count]
        return tf.reshape(future, [batch, count, JOINTS, 2]), tf.reshape(future_visibility, [batch, count, JOINTS])

    # ---------------------------------------------------------------- prediction

    def predict(self, windows: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Predict the future of N windows (of `PoseDataset.windows`): joints [N, T, 13, 2] and visibility [N, T, 13]."""
        observed = {name: windows[name] for name in FACTS}
        observed |= {name: windows[name][:, : self.context] for name in ("joints", "visibility")}
        future = self.endpoint("predict")(**observed, count=self.horizon)
        return future["joints"].numpy(), future["visibility"].numpy()

    def predict_clips(self, dataset: PoseDataset, share=ALL) -> Iterator[PredictedPoses]:
        pictured_ids = {clip.id for clip in self.selected_clips(dataset.test)}
        for clip in dataset.test[share]:
            windows = dataset.windows(clip)
            joints, visibility = self.predict(windows)
            yield PredictedPoses(
                clip=clip.id,
                action=clip.action,
                distance=np.arange(1, self.horizon + 1),
                with_pictures=clip.id in pictured_ids,
                windows=windows,
                prediction=joints,
                visibility=visibility,
            )

    def panel_columns(self, dataset: PoseDataset, clip: PoseClip) -> list[Column]:
        """The last observed pose, then the predicted pose (orange) over the true one (grey) at three times."""
        windows = {name: value[:1] for name, value in dataset.windows(clip).items()}
        joints, visibility = self.predict(windows)
        k, box = self.context, windows["box"][0]
        truth, true_visibility = windows["joints"][0], windows["visibility"][0]
        last_observed = [(truth[k - 1 : k], true_visibility[k - 1 : k], ORANGE)]
        columns = [Column("last observed", skeleton_frames(last_observed, box)[0])]
        last = int(windows["valid"][0, k:].sum())
        for t in sorted({max(1, last // 3), max(1, 2 * last // 3), last}):
            true, ours = slice(k + t - 1, k + t), slice(t - 1, t)
            poses = [(truth[true], true_visibility[true], GREY), (joints[0, ours], visibility[0, ours], ORANGE)]
            columns.append(Column(f"+{t}", skeleton_frames(poses, box)[0]))
        return columns

    def protocol(self, dataset: PoseDataset) -> str:
        data = self.settings.data
        which = "all actions" if data.actions == "all" else ", ".join(data.actions)
        return (
            f"{dataset.name} labels, {which}, viewpoint {data.viewpoint}, clips of at least {data.min_frames} frames: "
            f"{len(dataset.train)} train ({len(dataset.validation)} more for choosing the weights), "
            f"{len(dataset.test)} test; "
            f"{self.context} observed poses, the next {self.horizon} predicted (at least {data.min_future} where a clip ends); "
            "figures over all frames of all windows of the test clips, each counting the same, and over the first windows "
            "(start 0); joints that are ever hidden count as 0 in the MSE, which is in units of the clip's box, and not in the "
            f"rest; {self.future_knowledge}; "
            f"baselines: the last observed pose held, and the pose of frame 0; seed {self.settings.seed}"
        )

    # ---------------------------------------------------------------- export

    def informed_endpoints(self):
        @graph_function(reduce_retracing=True)
        def predict(count, **observed):
            """One forecast with all FACTS of the clip; count: at most T."""
            joints, visibility = self.forecast(observed)
            return {"joints": joints[:, :count], "visibility": visibility[:, :count]}

        return {"predict": predict}

    def endpoints(self):
        k = self.context
        specs = [
            tf.TensorSpec([None, k, JOINTS, 2], tf.float32, "joints"),
            tf.TensorSpec([None, k, JOINTS], tf.float32, "visibility"),
            tf.TensorSpec([None, 4], tf.float32, "box"),
            tf.TensorSpec([None, 2], tf.float32, "size"),
            tf.TensorSpec([None], tf.int32, "action"),
            tf.TensorSpec([], tf.int32, "count"),
        ]

        @graph_function(input_signature=specs)
        def predict(joints, visibility, box, size, action, count):
            """k observed poses -> `count` future poses, in the same pixels."""
            joints, visibility = self.roll(joints, visibility, box, size, action, count)
            return {"joints": joints, "visibility": visibility}

        return {"predict": predict}

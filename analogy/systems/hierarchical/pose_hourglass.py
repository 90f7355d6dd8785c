"""Our own pose estimator: a stacked hourglass network, trained on labelled frames."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from analogy.data.clips import ClipDataset, LoadedClip
from analogy.data.prepared import Clip
from analogy.graphs import graph_function
from analogy.models.building import build
from analogy.models.pixels import to_unit
from analogy.predictions.base import parts_of
from analogy.predictions.poses import PredictedJoints
from analogy.systems.base import ALL, Column, System
from analogy.systems.hierarchical.networks.heatmaps import joint_heatmaps
from analogy.systems.hierarchical.networks.hourglass import StackedHourglass, read_heatmaps
from analogy.systems.hierarchical.painter import augmented_pairs
from analogy.systems.hierarchical.settings.pose_hourglass import PoseHourglassSettings

VISIBLE = 0.3  # a joint counts as visible if its heatmap's peak is higher


class PoseHourglass(System):
    """Estimates the 13 joints in single frames. Both frames of a training pair are examples. A hidden joint's heatmap is 0.

    Args:
        settings: the experiment's.
    """

    def __init__(self, settings: PoseHourglassSettings):
        super().__init__(settings)
        self.image_size = tuple(settings.data.image_size)
        network = settings.network
        sizes = {key: getattr(network, key) for key in ("channels", "stacks", "depth", "stride")}
        self.network = StackedHourglass(**sizes)
        build(self.network, (None, *self.image_size, settings.data.channels))
        self.models, self.exported = {"network": self.network}, [self.network]

    def train_step(self, batch):
        images, joints, visibility = self._examples(batch)
        stride, sigma = self.settings.network.stride, self.settings.network.heatmap_sigma
        size = tuple(side // stride for side in self.image_size)
        spread = tf.fill([tf.shape(joints)[0], 2], sigma)
        truth = joint_heatmaps((joints + 0.5) / stride - 0.5, visibility, spread, size)
        with tf.GradientTape() as tape:
            errors = tf.reduce_mean(tf.square(tf.cast(self.network(images), tf.float32) - truth), [2, 3, 4])  # [S, 2 b]
            # A pair has two examples. The factor makes the loss of an empty heatmap independent of its size.
            terms = {"loss": size[0] * size[1] / 10.0 * tf.reduce_sum(errors) / 2}
        return self.descend("network", tape, terms)

    def _examples(self, batch):
        """Both frames of b augmented pairs: images [2 b, H, W, C] in -1..1, joints [2 b, 13, 2] in pixels of the image,
        visibility [2 b, 13]."""
        batch = augmented_pairs(self.settings, batch)
        return (tf.concat([batch[key], batch[f"next_{key}"]], 0) for key in ("image", "joints", "visibility"))

    # ---------------------------------------------------------------- prediction

    def predict(self, clip: LoadedClip) -> tuple[np.ndarray, np.ndarray]:
        """Estimate the poses in all frames of a clip: joints [T, 13, 2] in pixels of its frames, and scores [T, 13], about
        0..1."""
        most, count = self.settings.evaluation.frames_per_call, len(clip.frames)
        parts = []
        for first in range(0, count, most):  # the last part repeats the last frame, so that all have the same shape
            selected = np.minimum(np.arange(first, first + most), count - 1)
            parts.append(self.endpoint("estimate")(frames=clip.frames[selected]))
        joints, scores = (np.concatenate([part[name] for part in parts])[:count] for name in ("joints", "scores"))
        return joints, scores

    def predict_clips(self, dataset: ClipDataset, share=ALL) -> Iterator[PredictedJoints]:
        mean = self._mean_pose(dataset)
        for clip in self.selected_clips(dataset.test)[share]:
            for numbers in parts_of(clip.length):
                loaded = dataset.load(clip, numbers)
                joints, scores = self.predict(loaded)
                yield PredictedJoints(
                    clip=clip.id,
                    action=clip.action,
                    distance=numbers,
                    frames=loaded.frames,
                    scale=loaded.crop / np.array(self.image_size[::-1]),
                    truth=loaded.joints,
                    truth_visibility=loaded.visibility,
                    prediction=joints,
                    visibility=(scores > VISIBLE).astype(np.float32),
                    mean_pose=mean,
                )

    def _mean_pose(self, dataset: ClipDataset) -> np.ndarray:
        """The baseline [13, 2]: the mean place of each joint in the first frames of about 100 training clips."""
        clips = [dataset.load(clip, np.array([0])) for clip in dataset.train[:: max(1, len(dataset.train) // 100)]]
        joints, visibility = (np.concatenate([getattr(clip, key) for clip in clips]) for key in ("joints", "visibility"))
        return (joints * visibility[..., None]).sum(0) / np.maximum(visibility.sum(0), 1)[:, None]

    def panel_columns(self, dataset: ClipDataset, clip: Clip) -> list[Column]:
        """The clip's middle frame, the heatmaps of its true joints, and those of the estimated joints."""
        spread = np.full([1, 2], self.settings.network.heatmap_sigma * self.settings.network.stride, np.float32)
        loaded = dataset.load(clip, np.array([clip.length // 2]))
        joints, scores = self.predict(loaded)
        true, estimated = (
            joint_heatmaps(places, visibility, spread, self.image_size)[0].numpy()
            for places, visibility in ((loaded.joints, loaded.visibility), (joints, (scores > VISIBLE).astype(np.float32)))
        )
        return [
            Column(f"frame {clip.length // 2}", loaded.frames[0]),
            Column("true joints", true),
            Column("estimated", estimated),
        ]

    def protocol(self, dataset: ClipDataset) -> str:
        height, width = self.image_size
        most = self.settings.evaluation.clips_per_action
        count = len(self.selected_clips(dataset.test))
        return (
            f"{dataset.name}, {count} test clips (at most {most} an action) of {len(dataset.test)}, "
            f"every frame; {self.settings.data.crop} crop, {height} x {width}; visible joints, relative to the longer "
            "side of the box around them in source pixels; baseline: the mean training pose; "
            f"trained on {len(dataset.train)} clips, seed {self.settings.seed}"
        )

    # ---------------------------------------------------------------- export

    def endpoints(self):
        spec = tf.TensorSpec([None, *self.image_size, self.settings.data.channels], tf.uint8, "frames")

        @graph_function(input_signature=[spec])
        def estimate(frames):
            """Frames of one person each -> joints in pixels of the frames, and a score for each joint."""
            heatmaps = tf.cast(self.network(to_unit(frames))[-1], tf.float32)
            joints, scores = read_heatmaps(heatmaps, self.settings.network.stride)
            return {"joints": joints, "scores": scores}

        return {"estimate": estimate}

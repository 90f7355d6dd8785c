"""Action recognition from poses, to judge whether predicted motion shows the right action.

The protocol of Kim et al. 2019, table 2: a classifier is trained on the real motion of the training clips, and then classifies
predicted motion. Their classifier reads frames and ours reads poses, so the two accuracies must not be compared.
"""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from analogy.data.batches import draw_uniform, dropout_mask
from analogy.data.poses import PoseClip, PoseDataset
from analogy.graphs import graph_function
from analogy.joints import JOINTS
from analogy.models.building import build
from analogy.predictions.actions import PredictedActions
from analogy.random_streams import StepStream
from analogy.systems.base import ALL, Column, System
from analogy.systems.hierarchical.networks.pose_actions import PoseActions
from analogy.systems.hierarchical.networks.pose_residual import mirrored_where
from analogy.systems.hierarchical.settings.pose import PoseActionsSettings
from analogy.visualise.skeletons import GREEN, skeleton_frames


class PoseActionsSystem(System):
    """Classifies the action of the last `horizon` poses of windows of `context` + `horizon` poses.

    These are the poses that a pose predictor of the same settings predicts.

    Args:
        settings: the experiment's.
    """

    def __init__(self, settings: PoseActionsSettings):
        super().__init__(settings)
        self.context, self.frames = settings.data.context, settings.data.horizon
        self.actions = list(settings.data.actions)
        self.network = PoseActions(frames=self.frames, units=settings.network.units, actions=len(self.actions))
        build(self.network, (None, self.frames, JOINTS, 2), (None, self.frames, JOINTS), (None, self.frames))
        self.models, self.exported = {"network": self.network}, [self.network]

    def train_step(self, batch):
        k, dropout, units = self.context, self.settings.network.dropout, self.settings.network.units
        draws = draw_uniform(self.settings, batch, StepStream.AUGMENTATION, [1 + JOINTS + 2 * units])
        joints, visibility = batch["joints"][:, k:], batch["visibility"][:, k:]
        joints, visibility = mirrored_where(draws[:, 0] < 0.5, joints, visibility)
        visibility *= tf.cast(draws[:, None, 1 : 1 + JOINTS] >= self.settings.hide, tf.float32)
        keep = dropout_mask(draws[:, 1 + JOINTS :], dropout)
        with tf.GradientTape() as tape:
            logits = self.network(joints, visibility, batch["valid"][:, k:], keep)
            terms = {"loss": keras.losses.sparse_categorical_crossentropy(batch["action"], logits, from_logits=True)}
        right = tf.cast(tf.equal(tf.argmax(logits, -1, tf.int32), batch["action"]), tf.float32)
        return {**self.descend("network", tape, terms), "accuracy": self.mean({"accuracy": right})}

    # ---------------------------------------------------------------- prediction

    def classify(self, joints: np.ndarray, visibility: np.ndarray, valid: np.ndarray) -> np.ndarray:
        """Probabilities [N, A] of the actions of N pose sequences.

        Args:
            joints: [N, T, 13, 2] in pixels. visibility: [N, T, 13].
            valid: [N, T], 1 for poses of the clip, 0 for repeated ones after its end.
        """
        motion = {"joints": np.nan_to_num(joints), "visibility": visibility, "valid": valid}
        motion = {name: tf.constant(part, tf.float32) for name, part in motion.items()}
        return self.endpoint("classify")(**motion)["probabilities"].numpy()

    def predict(self, dataset: PoseDataset, clip: PoseClip) -> np.ndarray:
        """Probabilities [N, A] for each of the clip's N windows."""
        windows = dataset.windows(clip)
        return self.classify(*(windows[name][:, self.context :] for name in ("joints", "visibility", "valid")))

    def predict_clips(self, dataset: PoseDataset, share=ALL) -> Iterator[PredictedActions]:
        counts = [sum(clip.action == action for clip in dataset.train) for action in self.actions]
        for clip in dataset.test[share]:
            probabilities = self.predict(dataset, clip).mean(0)
            yield PredictedActions(
                clip=clip.id,
                action=clip.action,
                distance=np.zeros(1, int),
                probabilities=probabilities,
                label=self.actions.index(clip.action),
                commonest=int(np.argmax(counts)),
                clip_length=clip.length,
            )

    def panel_columns(self, dataset: PoseDataset, clip: PoseClip):
        """The clip's middle pose; its title is the predicted action with its probability."""
        probabilities = self.predict(dataset, clip).mean(0)
        middle = slice(clip.length // 2, clip.length // 2 + 1)
        poses = [(clip.joints[middle], clip.visibility[middle], GREEN)]
        title = f"{self.actions[int(probabilities.argmax())]} {probabilities.max():.2f}"
        return [Column(title, skeleton_frames(poses, clip.facts["box"])[0])]

    def protocol(self, dataset: PoseDataset) -> str:
        return (
            f"{dataset.name} labels, {len(self.actions)} actions, {len(dataset.train)} train and {len(dataset.test)} test "
            f"clips of at least {self.settings.data.min_frames} frames; true poses; probabilities averaged over all windows of "
            f"{self.frames} frames after the first {self.context}; accuracy over clips; baseline: the "
            f"commonest action in training; seed {self.settings.seed}"
        )

    # ---------------------------------------------------------------- export

    def endpoints(self):
        specs = [
            tf.TensorSpec([None, self.frames, JOINTS, 2], tf.float32, "joints"),
            tf.TensorSpec([None, self.frames, JOINTS], tf.float32, "visibility"),
            tf.TensorSpec([None, self.frames], tf.float32, "valid"),
        ]

        @graph_function(input_signature=specs)
        def classify(joints, visibility, valid):
            """Pose sequences -> probabilities of the actions, in the order of the setting data.actions."""
            return {"probabilities": self.network.probabilities(joints, visibility, valid)}

        return {"classify": classify}

"""What both translators share: a detector of keypoints, and the translation of a frame from its keypoints to others."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import tensorflow as tf

from analogy.data.clips import ClipDataset, LoadedClip
from analogy.data.contract import name_with_notes
from analogy.data.prepared import Clip
from analogy.graphs import graph_function
from analogy.metrics.collapse import changed_psnr
from analogy.metrics.regions import pose_region
from analogy.models.pixels import to_bytes, to_unit
from analogy.systems.base import ALL, Column, Study, System
from analogy.systems.keypoints.calling import detected_by, translated_by
from analogy.systems.keypoints.joints_from_keypoints import JointRegression, joint_regression
from analogy.systems.keypoints.pictures import with_keypoints
from analogy.systems.keypoints.predicted import PredictedTranslation
from analogy.systems.keypoints.translation_study import study_translation


class TranslationSystem(System):
    """Prediction, pictures and export of a translator. A subclass builds and trains networks, and implements `detect` and
    `translate`.

    It is measured on whole test clips: every frame after the first is translated from the first one, by the keypoints that the
    detector sees in the true frame.

    Args:
        settings: a TranslationSettings.
    """

    paints = True

    def __init__(self, settings):
        super().__init__(settings)
        self.image_size, self.channels = tuple(settings.data.image_size), settings.data.channels
        self.keypoints = settings.network.keypoints

    def detect(self, frames, training: bool = False):
        """Frames [B, H, W, C] in -1..1 -> keypoints [B, K, 2], x then y, in -1..1."""
        raise NotImplementedError

    def translate(self, frame, keypoints, next_keypoints) -> dict[str, tf.Tensor]:
        """Reference frames [B, H, W, C] in -1..1, their keypoints and those of the frames to paint, [B, K, 2] each.

        Returns:
            frame: the painted frames [B, H, W, C] in -1..1. Where there is a mask, also painted: before masking, of that shape;
            mask: [B, H, W, 1] in 0..1, 1 where the reference is kept.
        """
        raise NotImplementedError

    # ---------------------------------------------------------------- prediction

    def detected(self, frames: np.ndarray) -> np.ndarray:
        """The keypoints of frames uint8 [T, H, W, C]: float32 [T, K, 2] in -1..1. A long clip needs no more memory."""
        return detected_by(self.endpoint("detect"), frames, self.settings.evaluation.frames_per_call)

    def translated(self, frame: np.ndarray, keypoints: np.ndarray, next_keypoints: np.ndarray) -> dict[str, np.ndarray]:
        """See `translated_by`."""
        most = self.settings.evaluation.frames_per_call
        return translated_by(self.endpoint("translate"), frame, keypoints, next_keypoints, most)

    def _regression(self, dataset: ClipDataset) -> JointRegression | None:
        """The regression from keypoints to joints, fitted on frames of the training clips. None where no joints are known."""
        if not dataset.reader.labelled:
            return None
        loaded = []
        for clip in dataset.train:
            numbers = np.unique(np.linspace(0, clip.length - 1, self.settings.regression_frames).round().astype(int))
            loaded.append(dataset.load(clip, numbers))
        keypoints = self.detected(np.concatenate([clip.frames for clip in loaded]))
        joints, visibility = (np.concatenate([getattr(clip, name) for clip in loaded]) for name in ("joints", "visibility"))
        return joint_regression(keypoints, joints, visibility)

    def predict_clips(self, dataset: ClipDataset, share=ALL) -> Iterator[PredictedTranslation]:
        regression, pictured = self._regression(dataset), {clip.id for clip in self.selected_clips(dataset.test)}
        for clip in dataset.test[share]:
            yield self._predicted(clip, dataset.load(clip), regression, clip.id in pictured)

    def _predicted(self, clip: Clip, loaded: LoadedClip, regression: JointRegression | None, with_pictures: bool):
        keypoints = self.detected(loaded.frames)
        answer = self.translated(loaded.frames[0], keypoints[0], keypoints[1:])
        truth = loaded.frames[1:]
        body = pose_region(loaded.joints, loaded.visibility, self.image_size, loaded.crop)
        pictures = {}
        if with_pictures:
            pictures = {"keypoints": with_keypoints(truth, keypoints[1:])} | self.shown_parts(answer)
            pictures["keypoints, translated"] = with_keypoints(answer["frame"], keypoints[1:])
        return PredictedTranslation(
            clip=clip.id,
            action=clip.action,
            distance=np.arange(1, clip.length),
            with_pictures=with_pictures,
            observed_frames=loaded.frames[:1],
            truth=truth,
            prediction=answer["frame"],
            baseline=np.broadcast_to(loaded.frames[:1], truth.shape),
            baseline_name="copy_reference",
            extra_columns=pictures,
            further_metrics={"changed_psnr": partial(changed_psnr, first=loaded.frames[0])},
            regions={"old": np.broadcast_to(body[:1], body[1:].shape), "new": body[1:]} if loaded.visibility.any() else {},
            keypoints=keypoints,
            joints=loaded.joints,
            visibility=loaded.visibility,
            crop=loaded.crop,
            body=body,
            regression=regression,
        )

    def shown_parts(self, answer: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Title -> pictures uint8 [T, H, W, 1 or 3]: what was painted before masking, and the mask."""
        if "mask" not in answer:
            return {}
        return {"painted": answer["painted"], "mask": np.rint(255.0 * answer["mask"]).astype(np.uint8)}

    def panel_columns(self, dataset: ClipDataset, clip: Clip) -> list[Column]:
        """The first frame and one half a clip later: with their keypoints, what was painted, the mask, and the translation."""
        loaded = dataset.load(clip, np.array([0, clip.length // 2]))
        keypoints = self.detected(loaded.frames)
        answer = self.translated(loaded.frames[0], keypoints[0], keypoints[1:])
        pictures = with_keypoints(loaded.frames, keypoints)
        parts = [Column(title, frames[0]) for title, frames in self.shown_parts(answer).items()]
        return [
            Column("reference", pictures[0]),
            Column("truth", loaded.frames[1]),
            Column("keypoints", pictures[1]),
            *parts,
            Column("translated", answer["frame"][0], predicted=True),
        ]

    def study(self, dataset: ClipDataset) -> Study:
        return study_translation(self, dataset)

    def protocol(self, dataset: ClipDataset) -> str:
        height, width = self.image_size
        data, how = self.settings.data, {"consistent": "one box a clip", "centre": "the central square"}
        return (
            f"{name_with_notes(dataset)}: {len(dataset.test)} test clips, {how.get(data.crop, data.crop)}, {height} x {width}, "
            f"{'gray' if data.gray else 'RGB'} uint8; every frame after the first is translated from frame 0, by the keypoints "
            "detected in the TRUE frame; PSNR, SSIM (11 x 11 Gaussian) a frame, averaged over frames, then over clips; "
            "baselines: frame 0 copied; translations by the keypoints of other frames (shuffled); "
            f"{self._regression_in_words(dataset)}{self.loss_in_words()}; trained on {len(dataset.train)} clips, "
            f"seed {self.settings.seed}"
        )

    def _regression_in_words(self, dataset: ClipDataset) -> str:
        if not dataset.reader.labelled:
            return ""
        return (
            f"PCK of 13 joints by a linear regression from the {self.keypoints} keypoints, fitted on "
            f"{self.settings.regression_frames} frames of each training clip, lengths relative to the box around the visible "
            "joints, beside the mean pose of those frames; "
        )

    def loss_in_words(self) -> str:
        """A clause for the protocol: what trained."""
        raise NotImplementedError

    # ---------------------------------------------------------------- export

    def endpoints(self):
        frames = tf.TensorSpec([None, *self.image_size, self.channels], tf.uint8, "frames")
        frame = tf.TensorSpec(frames.shape, tf.uint8, "frame")
        points = [tf.TensorSpec([None, self.keypoints, 2], tf.float32, name) for name in ("keypoints", "next_keypoints")]

        @graph_function(input_signature=[frames])
        def detect(frames):
            """Frames -> their keypoints, x then y, from -1 (the left and upper border) to 1."""
            return {"keypoints": self.detect(to_unit(frames))}

        @graph_function(input_signature=[frame, *points])
        def translate(frame, keypoints, next_keypoints):
            """Frames with their keypoints, and other keypoints -> the frames with these; where there is a mask, also what was
            painted before masking, and the mask, float32 [B, H, W, 1], 1 where the reference is kept."""
            answer = self.translate(to_unit(frame), keypoints, next_keypoints)
            return {name: value if name == "mask" else to_bytes(value) for name, value in answer.items()}

        return {"detect": detect, "translate": translate}

"""Evaluation of the joined pipeline: frames painted from true poses, from predicted poses, and from poses that were predicted
after estimated ones."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from analogy.data.frames import padded_box
from analogy.data.video import read_video
from analogy.errors import UserError
from analogy.metrics.regions import pose_region
from analogy.predictions.frames import PredictedFrames
from analogy.systems.hierarchical.background import Observed, observe
from analogy.systems.hierarchical.composition import recomposed
from analogy.systems.hierarchical.estimation.tracking import name_sides_by_image, track_person
from analogy.systems.hierarchical.pipeline import Pipeline

PADDING = 10  # pixels around the clip's box, as in the painters' training crops
log = logging.getLogger("analogy")


class PipelinePredictor:
    """A pose predictor and a painter, joined, with the members that evaluation needs of a system.

    Args:
        pipeline: the two steps.
        source: a dataset folder in Penn Action's layout.
        estimator: estimates the observed poses for the method "estimated_poses"; None leaves that method out.
        horizon: the largest number of future frames.
    """

    pooled, paints = False, True
    published = ()

    def __init__(self, pipeline: Pipeline, source: Path, estimator, horizon: int):
        self.pipeline, self.source, self.estimator, self.horizon = pipeline, source, estimator, horizon

    def predict_clips(self, dataset: Sequence) -> Iterator[PredictedFrames]:
        for clip in dataset:
            yield self._predict(clip)

    def protocol(self, dataset: Sequence) -> str:
        height, width = self.pipeline.image_size
        estimated = f"; estimated poses: observed ones by {self.estimator.name}" if self.estimator else ""
        names = ", ".join(clip.id for clip in dataset)
        return (
            f"{len(dataset)} clips of {self.source}: {names}; {self.pipeline.context} observed "
            f"frames, then at most {self.horizon}; the clip's box with {PADDING} px, {height} x {width}; every frame painted "
            "from the last observed one, with the person's outline in it, and the background from all observed ones; "
            "prediction: labelled observed poses, predicted future ones; true poses: labelled "
            f"future ones{estimated}; baseline: the last observed frame copied; figures per frame, averaged over frames, then "
            "over clips"
        )

    def _predict(self, clip) -> PredictedFrames:
        pipeline, k = self.pipeline, self.pipeline.context
        frames = read_video(self.source / "frames" / clip.id, count=k + self.horizon).frames[: clip.length]
        count = len(frames) - k
        if count < 1:
            raise UserError(f"clip {clip.id}: {len(frames)} frames with labels, but {k} are observed; leave it out of --clips")
        height, width = frames[0].shape[:2]
        box = padded_box(clip.union_box, PADDING, height, width)
        box = np.array((0, 0, width, height) if pipeline.whole_frames else box, np.int32)
        views = np.stack([pipeline.view(frame, box).numpy() for frame in frames])
        joints, visibility = clip.joints[: k + count], clip.visibility[: k + count]
        observed = observe(frames[:k], joints[:k], visibility[:k])
        other_methods = {"true_poses": self._paint(observed, joints[k - 1 :], visibility[k - 1 :], box)}
        if self.estimator:
            estimated = self._estimate_poses(frames[:k])
            poses = self._predict_poses(frames, *estimated, count)
            other_methods["estimated_poses"] = self._paint(observe(frames[:k], *estimated), *poses, box)
        size = np.array(pipeline.image_size[::-1], np.float32)
        crop = np.repeat((box[2:] - box[:2])[None].astype(np.float32), count + 1, 0)
        body = pose_region((joints[k - 1 :] - box[:2]) * size / crop[0], visibility[k - 1 :], pipeline.image_size, crop)
        return PredictedFrames(
            clip=clip.id,
            action=clip.action,
            distance=np.arange(1, count + 1),
            observed_frames=views[:k],
            truth=views[k:],
            prediction=self._paint(observed, *self._predict_poses(frames, joints[:k], visibility[:k], count), box),
            baseline=np.repeat(views[k - 1 : k], count, 0),
            baseline_name="copy_last_frame",
            other_methods=other_methods,
            regions={"old": np.broadcast_to(body[:1], body[1:].shape), "new": body[1:]},
        )

    def _estimate_poses(self, frames):
        """Estimated joints [k, 13, 2] and visibility [k, 13] of the observed frames. If the estimator finds nobody, all joints
        are hidden."""
        try:
            track = track_person(frames, self.estimator)
        except UserError as error:
            log.info("%s", error)
            return np.zeros([len(frames), 13, 2], np.float32), np.zeros([len(frames), 13], np.float32)
        return name_sides_by_image(track.joints, track.visibility)

    def _predict_poses(self, frames, joints, visibility, count: int):
        """The last observed pose, then the predicted ones: joints [1 + count, 13, 2], visibility [1 + count, 13]. joints
        [k, 13, 2], visibility [k, 13]: the observed poses."""
        size = np.array(frames[0].shape[1::-1], np.int32)
        future, future_visibility = self.pipeline.forecast(joints, visibility, size, np.int32(-1), np.int32(count))
        return np.concatenate([joints[-1:], future]), np.concatenate([visibility[-1:], future_visibility])

    def _paint(self, observed: Observed, joints, visibility, box) -> np.ndarray:
        """Frames uint8 [T, h, w, C] of the poses 1 to T, painted from the last observed frame, whose pose is pose 0."""
        painted = self.pipeline.paint(observed.frame, joints[0], visibility[0], joints[1:], visibility[1:], box).numpy()
        return recomposed(painted, observed, self.pipeline.view, box, joints, visibility)

"""How good is the whole method? Frames from true, predicted, and estimated and predicted poses, against the distance in time.

python experiments/evaluate_pipeline.py --pose-run results/pose_lstm_residual/RUN --paint-run results/analogy_masked/RUN
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import typer

from analogy.errors import UserError
from analogy.systems.hierarchical.estimation import ESTIMATORS

RESULTS = Path(__file__).parent.parent / "results"
PADDING = 10  # pixels about the clip's box, as the painters' training crops
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
log = logging.getLogger("analogy")


class Judged:
    """What `analogy.evaluation.evaluate` asks of a system, for the two steps joined.

    Args:
        pipeline: of a pose predictor and a painter. source: a folder in Penn Action's layout. estimator: of the observed
            poses, or None. horizon: the most future frames.
    """

    pooled, published = False, {}

    def __init__(self, pipeline, source: Path, estimator, horizon: int):
        self.pipeline, self.source, self.estimator, self.horizon = pipeline, source, estimator, horizon

    def predict_clips(self, clips) -> Iterator:
        for clip in clips:
            yield self._predict(clip)

    def protocol(self, clips) -> str:
        height, width = self.pipeline.image_size
        estimated = f"; estimated poses: observed ones by {self.estimator.name}" if self.estimator else ""
        return (
            f"{len(clips)} clips of {self.source}: {', '.join(clip.id for clip in clips)}; {self.pipeline.context} observed "
            f"frames, then at most {self.horizon}; the clip's box with {PADDING} px, {height} x {width}; every frame painted "
            "from the last observed one; prediction: labelled observed poses, predicted future ones; true poses: labelled "
            f"future ones{estimated}; baseline: the last observed frame copied; figures per frame, averaged over frames, then "
            "over clips"
        )

    def _predict(self, clip):
        from analogy.data.frames import padded_box
        from analogy.data.video import read_video
        from analogy.metrics.regions import pose_region
        from analogy.predictions.frames import PredictedClip

        pipeline, k = self.pipeline, self.pipeline.context
        frames = read_video(self.source / "frames" / clip.id, count=k + self.horizon).frames[: clip.length]
        count = len(frames) - k
        if count < 1:
            raise UserError(f"clip {clip.id}: {len(frames)} frames with labels, but {k} are observed; leave it out of --clips")
        height, width = frames[0].shape[:2]
        box = padded_box(clip.union_box, PADDING, height, width)
        box = np.array((0, 0, width, height) if pipeline.whole_frames else box, np.int32)
        seen = np.stack([pipeline.view(frame, box).numpy() for frame in frames])
        joints, visibility = clip.joints[: k + count], clip.visibility[: k + count]
        others = {"true_poses": self._paint(frames, joints[k - 1 :], visibility[k - 1 :], box)}
        if self.estimator:
            others["estimated_poses"] = self._paint(frames, *self._future(frames, *self._estimated(frames[:k]), count), box)
        size = np.array(pipeline.image_size[::-1], np.float32)
        crop = np.repeat((box[2:] - box[:2])[None].astype(np.float32), count + 1, 0)
        body = pose_region((joints[k - 1 :] - box[:2]) * size / crop[0], visibility[k - 1 :], pipeline.image_size, crop)
        return PredictedClip(
            clip=clip.id,
            action=clip.action,
            distance=np.arange(1, count + 1),
            given=seen[:k],
            truth=seen[k:],
            prediction=self._paint(frames, *self._future(frames, joints[:k], visibility[:k], count), box),
            baseline=np.repeat(seen[k - 1 : k], count, 0),
            baseline_name="copy_last_frame",
            others=others,
            regions={"old": np.broadcast_to(body[:1], body[1:].shape), "new": body[1:]},
        )

    def _estimated(self, frames):
        """What the estimator sees of the observed frames; where it sees nobody, nothing is known."""
        from analogy.systems.hierarchical.estimation.tracking import name_sides_by_image, track_person

        try:
            found = track_person(frames, self.estimator)
        except UserError as error:
            log.info("%s", error)
            return np.zeros([len(frames), 13, 2], np.float32), np.zeros([len(frames), 13], np.float32)
        return name_sides_by_image(found.joints, found.visibility)

    def _future(self, frames, joints, visibility, count: int):
        """The last observed pose and the predicted ones: joints [1 + count, 13, 2], visibility [1 + count, 13]."""
        size = np.array(frames[0].shape[1::-1], np.int32)
        future, seen = self.pipeline.forecast(joints, visibility, size, np.int32(-1), np.int32(count))
        return np.concatenate([joints[-1:], future]), np.concatenate([visibility[-1:], seen])

    def _paint(self, frames, joints, visibility, box) -> np.ndarray:
        """Frames of the poses 1, 2, ... from the last observed frame and pose 0."""
        reference = frames[self.pipeline.context - 1]
        return self.pipeline.paint(reference, joints[0], visibility[0], joints[1:], visibility[1:], box).numpy()


@app.command(help=__doc__)
def main(
    pose_run: Annotated[Path | None, typer.Option(help="A finished pose run; the newest if not given.")] = None,
    paint_run: Annotated[Path | None, typer.Option(help="A finished analogy run; the newest if not given.")] = None,
    data_dir: Annotated[
        Path | None, typer.Option(envvar="ANALOGY_DATA_DIR", help="Penn Action; synthetic_actors if not given.")
    ] = None,
    clips: Annotated[str | None, typer.Option(help="Clips by number, 0050,0280; else test clips of every action.")] = None,
    clips_per_action: Annotated[int, typer.Option(min=1, help="Test clips of an action.")] = 1,
    horizon: Annotated[int, typer.Option(min=1, help="The most future frames.")] = 45,
    poses: Annotated[str | None, typer.Option(help="Also from estimated poses: movenet or blazepose.")] = None,
    models: Annotated[Path | None, typer.Option(help="Folder in which the estimators' .tflite files lie.")] = None,
    results_dir: Annotated[Path, typer.Option(help="Where runs are, and where this one goes.")] = RESULTS,
) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        from analogy.evaluation.judge import Measures, write_evaluation
        from analogy.systems.hierarchical.estimation.tflite import open_estimator
        from analogy.systems.hierarchical.pipeline import PAINT_SYSTEMS, POSE_SYSTEMS, Pipeline, newest_run
        from data_prep.datasets import cache_folder, synthetic_actors

        if poses not in (None, *ESTIMATORS):
            raise UserError(f"--poses {poses}: choose {' or '.join(ESTIMATORS)}")
        estimator = open_estimator(poses, models) if poses else None
        pose_run = pose_run or newest_run(results_dir, POSE_SYSTEMS)
        paint_run = paint_run or newest_run(results_dir, PAINT_SYSTEMS)
        pipeline = Pipeline(pose_run, paint_run)
        source = data_dir or synthetic_actors(cache_folder())
        chosen = _choose(source, clips, clips_per_action, pipeline.context)
        seen = _trained_on(pose_run, source) | _trained_on(paint_run, source)
        if leaked := [clip.id for clip in chosen if clip.id in seen or (clip.split == "train" and None in seen)]:
            print(f"NOT held out, a run was trained on them: {', '.join(leaked)}")
        facts = {
            "system": "pipeline", "dataset": source.name, "source": f"poses by {pose_run}, frames by {paint_run}",
            "summary": "Both steps joined: observed poses, predicted poses, painted frames",
        }  # fmt: skip
        judged = Judged(pipeline, source, estimator, horizon)
        print(f"open {write_evaluation(judged, chosen, results_dir, 'pipeline', Measures(), facts)}")
    except (UserError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(2) from error


def _choose(source: Path, clips: str | None, per_action: int, context: int) -> list:
    """Clips with frames, longer than the context. Raises UserError."""
    from analogy.data.selection import first_per_action
    from data_prep.penn_action.poses import read_pose_clips

    every = {clip.id: clip for clip in read_pose_clips(source) if (source / "frames" / clip.id).is_dir()}
    if clips:
        wanted = [name.strip() for name in clips.split(",")]
        if missing := [name for name in wanted if name not in every]:
            raise UserError(f"--clips {', '.join(missing)}: not in {source} with frames and labels")
        chosen = [every[name] for name in wanted]
    else:
        chosen = first_per_action([clip for clip in every.values() if clip.split == "test"], per_action)
    long = [clip for clip in chosen if clip.length > context]
    if not long:
        raise UserError(f"{source}: no chosen clip is longer than {context} frames, which the pose run observes")
    return long


def _trained_on(run: Path, source: Path) -> set[str | None]:
    """The clips of `source` that a run was trained on; None stands for the dataset's training half."""
    from analogy.data.selection import read_split_file
    from analogy.settings.loading import read_experiment

    stored = run / "settings.yaml"
    data = read_experiment(stored)["data"] if stored.is_file() else {}
    rendered = "synthetic_actors" in source.parts
    if not data or rendered != (data["dataset"] == "synthetic_actors"):
        return set()
    clips = data["train_clips"]
    return {None} if clips is None else set(clips) if isinstance(clips, list) else set(read_split_file(Path(clips)))


if __name__ == "__main__":
    app()

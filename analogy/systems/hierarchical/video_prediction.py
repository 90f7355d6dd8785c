"""Predicting the frames that follow a few observed frames of any video, for `analogy predict`.

`check_request` checks all options first, and `predict` then does the work.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.progress import track

from analogy.data.video import Video, prediction_folder, read_video, too_short
from analogy.errors import Mistakes, UserError
from analogy.files.marks import PREDICTION, SAVED_MODEL
from analogy.files.paths import check_present
from analogy.files.reading import not_there
from analogy.memory import machine_memory
from analogy.one_line import say
from analogy.ownership import check_output
from analogy.runs.find import find_run, folders_named, saved_model_of
from analogy.systems.hierarchical.background import observe
from analogy.systems.hierarchical.estimation import ESTIMATORS, find_models, usual_estimator
from analogy.systems.hierarchical.observed_action import check_action, told_action
from analogy.systems.hierarchical.pose_files import doubts_about_poses, read_poses
from analogy.systems.hierarchical.steps import Step, find_recogniser, find_steps
from data_prep.datasets import check_folder

USUAL_HORIZON = 45  # frames, where the run of a pose predictor does not say how many it was trained for
COPIES = 8  # of each frame that are in memory at once while the films are written
FRAMES_PER_UPDATE = 16  # frames that are painted between two updates of the progress bar


@dataclass(frozen=True)
class Request:
    """The checked options of a prediction. Nothing is loaded yet.

    source: the video, folder of pictures, or number of a Penn Action clip. clip: the folder of frames if the source is a Penn
    Action clip, or None. poses: where the observed poses come from: "labels", the name of an estimator, or a file.
    estimator_run: the run of a pose estimator that is used instead, or None. start: index of the first observed frame.
    context: number of observed frames; None for as many as the pose run reads. horizon: number of future frames. predictor,
    painter: the two steps. recogniser: of the observed action, or None. action: as the user names it, or None. folder: where
    the prediction is written. new: whether `prediction_folder` has named it. full_frame: write whole frames instead of the crop
    around the person. export: where to write both steps as one SavedModel, or None.
    """

    source: str
    clip: Path | None
    data_dir: Path | None
    poses: str
    models: Path | None
    estimator_run: Path | None
    start: int
    context: int | None
    horizon: int
    predictor: Step
    painter: Step
    recogniser: Step | None
    action: str | None
    folder: Path
    new: bool
    full_frame: bool
    export: Path | None


def check_request(
    source: str,
    *,
    poses: str = "",
    models: Path | None = None,
    data_dir: Path | None = None,
    start: int = 0,
    context: int | None = None,
    horizon: int | None = None,
    pose_run: str | None = None,
    paint_run: str | None = None,
    action: str | None = None,
    results_dir: Path,
    out: Path | None = None,
    full_frame: bool = False,
    export: Path | None = None,
) -> Request:
    """Check the options of `analogy predict`, without importing TensorFlow.

    Args: as the options of that command. horizon: None for as many frames as the pose predictor was trained for.

    Raises:
        UserError: one line for each mistake.
    """
    folder = out or prediction_folder(results_dir, source, start)
    clip = estimator_run = steps = None
    with Mistakes() as mistakes:
        with mistakes.noted():
            check_present(data_dir, "--data-dir ($ANALOGY_DATA_DIR)")
        with mistakes.noted():
            clip = _find_clip(source, data_dir)
            if clip is None and not Path(source).exists():
                raise UserError(f"{source}: there is no such file; name a video, or a folder of pictures")
        if poses or clip or Path(source).exists():  # a source that does not exist has no default for `poses`
            poses = poses or ("labels" if clip else usual_estimator(models))
            with mistakes.noted():
                estimator_run = _check_poses(poses, models, results_dir, None if clip else source)
        with mistakes.noted():
            steps = find_steps(pose_run, paint_run, results_dir)
            for step in steps:
                saved_model_of(step.run)
            check_action(action, steps[0])
        pose_file = Path(poses) if poses else None
        used = [clip or Path(source), data_dir, models, pose_file, estimator_run, *(step.run for step in steps or ())]
        with mistakes.noted():
            check_output(folder, PREDICTION, [*used, export])
        if export:
            with mistakes.noted():
                check_output(export, SAVED_MODEL, [*used, folder])
    return Request(
        source=source, clip=clip, data_dir=data_dir, poses=poses, models=models, estimator_run=estimator_run, start=start,
        context=context, horizon=horizon or steps[0].horizon or USUAL_HORIZON, predictor=steps[0], painter=steps[1],
        recogniser=None if action else find_recogniser(results_dir, steps[0]), action=action, folder=folder, new=out is None,
        full_frame=full_frame, export=export,
    )  # fmt: skip


def _find_clip(source: str, data_dir: Path | None) -> Path | None:
    """The folder of frames if the source is the number of a Penn Action clip; None if it is a path. Raises UserError."""
    if not source.strip():
        raise UserError("the name of the video is empty; name a video, or a folder of pictures")
    if Path(source).exists() or not source.isdecimal():
        return None
    if data_dir is None:
        raise UserError(f"{source}: there is no such file; for a clip of Penn Action name the dataset with --data-dir")
    folder = data_dir / "frames" / source
    if data_dir.is_dir():  # if it is missing, `check_request` has already said so
        check_folder("penn_action", "frames", data_dir)
        if not folder.is_dir():
            raise UserError(f"{folder}: there is no clip {source} in this dataset")
    return folder


def _check_poses(poses: str, models: Path | None, results: Path, unlabelled: str | None) -> Path | None:
    """Check the value of `--poses`. Returns the run folder of an estimator if it names one, or else None. Raises UserError.

    unlabelled: the source if it has no labels, or None.
    """
    if poses == "labels":
        if unlabelled:
            raise UserError(
                f"--poses labels: {unlabelled} is no clip of Penn Action; name its number, and the dataset with --data-dir"
            )
    elif poses in ESTIMATORS:
        find_models(poses, models)
    elif folders_named(poses, results, "--poses"):
        run = find_run(poses, results, "--poses")
        saved_model_of(run)
        return run
    elif Path(poses).suffix.lower() not in (".json", ".npy"):
        raise UserError(
            f"--poses {poses}: choose labels, {', '.join(ESTIMATORS)}, a run of pose_hourglass, a .json or .npy file"
        )
    elif why := not_there(poses):
        raise UserError(f"--poses {poses}: {why}; name a .json or .npy file of poses")
    return None


# ---------------------------------------------------------------- predicting


class Unsuited(UserError):
    """What is observed does not show a person for as long as the pose predictor reads."""


def predict(request: Request) -> Path:
    """Read the video, estimate the observed poses, predict future poses, paint the frames, and write `request.folder`. Prints
    what one should know.

    Returns:
        The folder where all lies: `request.folder`, or one beside it, if somebody else took that meanwhile.

    Raises:
        Unsuited: the video or the context is too short, or nobody is seen in it.
        UserError: the video is damaged, or the runs do not fit it.
    """
    from analogy.systems.hierarchical.video_output import write_prediction

    seconds: dict[str, float] = {}
    with _timed(seconds, "load"):
        pipeline, estimator = _open_pipeline(request), _open_estimator(request)
    observed, start = request.context or pipeline.context, request.start
    if observed < pipeline.context:
        raise Unsuited(f"--context {observed}: the pose run reads {pipeline.context} observed frames: give that many or more")
    with _timed(seconds, "read"):
        copies = COPIES if request.full_frame else 1
        video = _read(request.source, request.clip, start, observed, request.horizon, copies)
    with _timed(seconds, "estimate"):
        if estimator:
            poses, notes = _estimate_poses(estimator, video.frames[:observed])
        else:
            poses, notes = _load_poses(request.poses, request.clip, request.data_dir, start, observed), []
    if not poses[1][-1].any():
        last = start + observed - 1
        raise Unsuited(f"{request.source}: the person is not seen in frame {last}, the last observed; choose another --start")
    notes += doubts_about_poses(*poses, video.frames[0].shape[:2])
    told = told_action(request.action, request.predictor, request.recogniser, *poses)
    lines = [*_lines(request, video.notes), *notes, *told.lines]
    say(*lines)
    prediction = _predict(pipeline, video.frames[:observed], *poses, request.horizon, told.number, seconds)
    with _timed(seconds, "write"):
        folder, further_lines = write_prediction(request, video, prediction, lines)
    durations = ", ".join(f"{stage} {duration:.1f} s" for stage, duration in seconds.items())
    rate = request.horizon / max(1e-9, seconds["poses"] + seconds["frames"])
    say(*further_lines, f"{durations}; {rate:.1f} predicted frames a second")
    return folder


def _lines(request: Request, notes: list[str]) -> list[str]:
    """What the user should know of the runs and of the video."""
    predictor, painter = request.predictor, request.painter
    lines = [
        f"poses by {predictor.run} ({predictor.why}; trained on {predictor.trained_on})",
        f"frames by {painter.run} ({painter.why})",
    ]
    if predictor.horizon and request.horizon > predictor.horizon:
        lines.append(
            f"the poses were trained and measured up to {predictor.horizon} frames ahead; what follows, up to frame "
            f"{request.horizon}, is rolled on"
        )
    return [*lines, *(f"{request.source}: {note}" for note in notes)]


def _open_pipeline(request: Request):
    from analogy.systems.hierarchical.pipeline import Pipeline

    pipeline = Pipeline(request.predictor.run, request.painter.run)
    if request.export:
        pipeline.export(request.export)
        say(f"both as one SavedModel: {request.export}")
    return pipeline


def _open_estimator(request: Request):
    """The estimator of the observed poses; None if they are labels or come from a file."""
    if request.estimator_run:
        from analogy.systems.hierarchical.estimation.hourglass import Hourglass

        return Hourglass(request.estimator_run)
    if request.poses in ESTIMATORS:
        from analogy.systems.hierarchical.estimation.tflite import open_estimator

        return open_estimator(request.poses, request.models)
    return None


def _predict(pipeline, frames, joints, visibility, horizon: int, action: int, seconds: dict[str, float]):
    """Predict `horizon` poses and frames: a `video_output.Prediction`.

    frames: the n observed ones, uint8 [H, W, 3] each, n >= k. joints [n, 13, 2], visibility [n, 13]: their poses. action: its
    number. seconds: gets the time of each stage.
    """
    from analogy.systems.hierarchical.composition import recomposed
    from analogy.systems.hierarchical.video_output import Prediction

    reference = frames[-1]
    k, size = pipeline.context, np.array(reference.shape[1::-1], np.int32)
    with _timed(seconds, "poses"):
        future = pipeline.forecast(joints[-k:], visibility[-k:], size, np.int32(action), np.int32(horizon))
        future, future_visibility = (values.numpy() for values in future)
    all_joints, all_visibility = np.concatenate([joints, future]), np.concatenate([visibility, future_visibility])
    box = pipeline.crop(all_joints[-horizon - k :], all_visibility[-horizon - k :], size).numpy()
    check_memory(len(all_joints), box[3] - box[1], box[2] - box[0], COPIES)
    with _timed(seconds, "frames"):
        painted = painted_frames(pipeline, reference, (joints[-1], visibility[-1]), (future, future_visibility), box)
        poses = all_joints[len(joints) - 1 :], all_visibility[len(joints) - 1 :]
        painted = recomposed(painted, observe(frames, joints, visibility), pipeline.view, box, *poses)
    return Prediction(all_joints, all_visibility, painted, tuple(int(edge) for edge in box))


def painted_frames(pipeline, reference: np.ndarray, pose, future, box: np.ndarray) -> np.ndarray:
    """Paint the future poses in parts, between which the progress is shown: uint8 [T, h, w, C].

    Args:
        reference: the last observed frame. pose: its joints [13, 2] and their visibility [13]. future: joints [T, 13, 2],
            visibility [T, 13]. box: the area to paint.
    """
    parts, horizon = [], len(future[0])
    for first in track(range(0, horizon, FRAMES_PER_UPDATE), "painting", disable=not sys.stdout.isatty()):
        # The last part repeats the last frame, so that all parts have the same shape and use the same graph.
        targets = np.minimum(np.arange(first, first + FRAMES_PER_UPDATE), horizon - 1)
        parts.append(pipeline.paint(reference, *pose, *(values[targets] for values in future), box).numpy())
    return np.concatenate(parts)[:horizon]


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    seconds[stage] = time.monotonic() - began


def check_memory(frames: int, height: int, width: int, copies: int) -> None:
    """Raise a UserError where so many copies of so many frames exceed the machine's memory."""
    most, needed = machine_memory(), copies * frames * height * width * 3
    if most and needed > most:
        raise UserError(
            f"{frames} observed and predicted frames of {width} x {height} pixels take about {needed / 1e9:.0f} GB, and this "
            f"machine has {most / 1e9:.0f} GB: give a smaller --horizon or --context, or a video of smaller frames"
        )


def _read(source: str, clip: Path | None, start: int, observed: int, horizon: int, copies: int) -> Video:
    def checked(frame: np.ndarray) -> np.ndarray:
        check_memory(observed + horizon, *frame.shape[:2], copies)
        return frame

    video = read_video(clip or Path(source), start=start, count=observed + horizon, transform=checked)
    if len(video.frames) < observed:
        raise Unsuited(too_short(source, len(video.frames), start, observed))
    return video


def _estimate_poses(estimator, frames: list[np.ndarray]) -> tuple[tuple[np.ndarray, np.ndarray], list[str]]:
    """Track one person through k observed frames: (joints [k, 13, 2], visibility [k, 13]), and what may be wrong."""
    from analogy.systems.hierarchical.estimation.tracking import name_sides_by_image, track_person

    try:
        person = track_person(track(frames, estimator.name, disable=not sys.stdout.isatty()), estimator)
    except UserError as error:
        raise Unsuited(*error.lines) from error
    if 2 * person.missing > len(frames):
        raise Unsuited(
            f"{estimator.name} sees nobody in {person.missing} of {len(frames)} observed frames: choose another --start, or "
            "give your own poses"
        )
    notes = []
    if person.people > 1:
        notes.append(f"at least {person.people} people are seen; the one that {estimator.name} is surest of is followed")
    if person.missing:
        notes.append(f"nobody is seen in {person.missing} of {len(frames)} observed frames")
    return name_sides_by_image(person.joints, person.visibility), notes


def _load_poses(
    poses: str, clip: Path | None, data_dir: Path | None, start: int, observed: int
) -> tuple[np.ndarray, np.ndarray]:
    """joints [observed, 13, 2] and visibility [observed, 13] from a clip's labels or from a file."""
    if poses == "labels":
        from data_prep.penn_action.labels import read_labels

        labels = read_labels(data_dir / "labels" / f"{clip.name}.mat")
        joints, visibility = labels.joints, labels.visibility
    else:
        joints, visibility = read_poses(Path(poses))
        if len(joints) == observed:  # the file has poses of the observed frames only
            return joints, visibility
    if len(joints) < start + observed:
        raise UserError(
            f"{poses}: poses of {len(joints)} frames, but frames up to number {start + observed - 1} are observed: "
            "give poses of all of them, or a smaller --start or --context"
        )
    return joints[start : start + observed], visibility[start : start + observed]

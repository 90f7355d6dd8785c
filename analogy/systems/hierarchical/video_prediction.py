"""Predicting the frames that follow a few observed frames of any video, for `analogy predict`.

`check_request` checks all options first, and `predict_video` then does the work.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from rich.progress import track

from analogy.data.video import Video, read_video, video_name, write_pictures
from analogy.errors import Mistakes, UserError
from analogy.files import check_present
from analogy.ownership import PREDICTION, SAVED_MODEL, check_output, replacing_folder, unused_folder
from analogy.runs.find import find_run, folders_named, saved_model_of
from analogy.systems.hierarchical.estimation import ESTIMATORS, find_models, usual_estimator
from analogy.systems.hierarchical.pose_files import read_poses, write_poses
from analogy.systems.hierarchical.steps import find_steps
from data_prep.datasets import check_folder

GIF_SIDE = 400  # pixels
FRAMES_PER_UPDATE = 16  # frames that are painted between two updates of the progress bar


@dataclass(frozen=True)
class Request:
    """The checked options of a prediction. Nothing is loaded yet.

    source: the video, folder of pictures, or number of a Penn Action clip. clip: the folder of frames if the source is a Penn
    Action clip, or None. poses: where the observed poses come from: "labels", the name of an estimator, or a file.
    estimator_run: the run of a pose estimator that is used instead, or None. start: index of the first observed frame.
    context: number of observed frames; None for as many as the pose run reads. horizon: number of future frames. folder: where
    the prediction is written. full_frame: write whole frames instead of the crop around the person. export: where to write
    both steps as one SavedModel, or None.
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
    pose_run: Path
    paint_run: Path
    folder: Path
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
    horizon: int = 45,
    pose_run: str | None = None,
    paint_run: str | None = None,
    results_dir: Path,
    out: Path | None = None,
    full_frame: bool = False,
    export: Path | None = None,
) -> Request:
    """Check the options of `analogy predict`, without importing TensorFlow.

    Args: as the options of that command.

    Raises:
        UserError: one line for each mistake.
    """
    folder = out or unused_folder(results_dir / "predictions" / video_name(source, start))
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
            for run in steps:
                saved_model_of(run)
        used = [clip or Path(source), data_dir, models, Path(poses) if poses else None, estimator_run, *(steps or ())]
        with mistakes.noted():
            check_output(folder, PREDICTION, [*used, export])
        if export:
            with mistakes.noted():
                check_output(export, SAVED_MODEL, [*used, folder])
    return Request(
        source, clip, data_dir, poses, models, estimator_run, start, context, horizon, *steps, folder, full_frame, export
    )


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
    elif Path(poses).suffix not in (".json", ".npy"):
        raise UserError(
            f"--poses {poses}: choose labels, {', '.join(ESTIMATORS)}, a run of pose_hourglass, a .json or .npy file"
        )
    elif not Path(poses).is_file():
        raise UserError(f"--poses {poses}: there is no such file")
    return None


# ---------------------------------------------------------------- predicting


def predict_video(request: Request) -> dict[str, float]:
    """Read the video, estimate the observed poses, predict future poses, paint the frames, and write `request.folder`.

    Returns:
        stage -> seconds.

    Raises:
        UserError: the video is too short or damaged, nobody is seen in it, or the runs do not fit it.
    """
    seconds: dict[str, float] = {}
    with _timed(seconds, "load"):
        pipeline, estimator = _open_pipeline(request), _open_estimator(request)
    observed, start = request.context or pipeline.context, request.start
    if observed < pipeline.context:
        raise UserError(f"--context {observed}: the pose run reads {pipeline.context} observed frames: give that many or more")
    with _timed(seconds, "read"):
        video = _read(request.source, request.clip, start, observed, request.horizon)
    with _timed(seconds, "estimate"):
        if estimator:
            poses = _estimate_poses(estimator, video.frames[:observed])
        else:
            poses = _load_poses(request.poses, request.clip, request.data_dir, start, observed)
    if not poses[1][-1].any():
        last = start + observed - 1
        raise UserError(f"{request.source}: the person is not seen in frame {last}, the last observed; choose another --start")
    prediction = _predict(pipeline, video.frames[observed - 1], *poses, request.horizon, seconds)
    with _timed(seconds, "write"):
        _write(request.folder, video, prediction, request.full_frame)
    return seconds


class Prediction(NamedTuple):
    """joints [k + T, 13, 2] in pixels of the video, and visibility [k + T, 13], of the observed and then the future frames;
    frames uint8 [T, h, w, C]: the future frames within the area `box` (x_min, y_min, x_max, y_max) of the video."""

    joints: np.ndarray
    visibility: np.ndarray
    frames: np.ndarray
    box: tuple[int, int, int, int]


def _open_pipeline(request: Request):
    from analogy.systems.hierarchical.pipeline import Pipeline

    print(f"poses by {request.pose_run}\nframes by {request.paint_run}")
    pipeline = Pipeline(request.pose_run, request.paint_run)
    if request.export:
        pipeline.export(request.export)
        print(f"both as one SavedModel: {request.export}")
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


def _predict(pipeline, reference, joints, visibility, horizon: int, seconds: dict[str, float]) -> Prediction:
    """Predict `horizon` poses and frames.

    reference: the last observed frame, uint8 [H, W, 3]. joints [n, 13, 2], visibility [n, 13]: the observed poses, n >= k.
    seconds: gets the time of each stage.
    """
    from analogy.systems.hierarchical.pipeline import UNKNOWN_ACTION

    k, size = pipeline.context, np.array(reference.shape[1::-1], np.int32)
    with _timed(seconds, "poses"):
        future, future_visibility = pipeline.forecast(
            joints[-k:], visibility[-k:], size, np.int32(UNKNOWN_ACTION), np.int32(horizon)
        )
    all_joints, all_visibility = np.concatenate([joints, future]), np.concatenate([visibility, future_visibility])
    box = pipeline.crop(all_joints[-horizon - k :], all_visibility[-horizon - k :], size).numpy()
    parts = []
    with _timed(seconds, "frames"):
        for first in track(range(0, horizon, FRAMES_PER_UPDATE), "painting", disable=not sys.stdout.isatty()):
            # The last part repeats the last frame, so that all parts have the same shape and use the same graph.
            targets = len(joints) + np.minimum(np.arange(first, first + FRAMES_PER_UPDATE), horizon - 1)
            poses = all_joints[targets], all_visibility[targets]
            parts.append(pipeline.paint(reference, joints[-1], visibility[-1], *poses, box).numpy())
    return Prediction(all_joints, all_visibility, np.concatenate(parts)[:horizon], tuple(int(edge) for edge in box))


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    seconds[stage] = time.monotonic() - began


def _read(source: str, clip: Path | None, start: int, observed: int, horizon: int) -> Video:
    video = read_video(clip or Path(source), start=start, count=observed + horizon)
    for note in video.notes:
        print(f"{source}: {note}")
    if len(video.frames) < observed:
        raise UserError(
            f"{source}: {len(video.frames)} frames from number {start} on, but {observed} must be observed: "
            "give a longer video or a smaller --start"
        )
    return video


def _estimate_poses(estimator, frames: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Track one person through k observed frames: joints [k, 13, 2] and visibility [k, 13]. Prints what may be wrong."""
    from analogy.systems.hierarchical.estimation.tracking import name_sides_by_image, track_person

    person = track_person(track(frames, estimator.name, disable=not sys.stdout.isatty()), estimator)
    if person.people > 1:
        print(f"at least {person.people} people are seen; the one that {estimator.name} is surest of is followed")
    if person.missing:
        print(f"nobody is seen in {person.missing} of {len(frames)} observed frames")
    return name_sides_by_image(person.joints, person.visibility)


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


# ---------------------------------------------------------------- writing


def _write(folder: Path, video: Video, prediction: Prediction, full_frame: bool) -> None:
    """Write prediction.mp4, prediction.gif, frames/, joints.json, and beside.mp4 (truth if there is one, poses and prediction
    side by side). If one of them fails, nothing is written."""
    from analogy.visualise.video import side_by_side, write_gif, write_mp4

    observed = len(prediction.joints) - len(prediction.frames)
    x_min, y_min, x_max, y_max = prediction.box
    view = (slice(None), slice(None)) if full_frame else (slice(y_min, y_max), slice(x_min, x_max))
    last = video.frames[observed - 1]
    predicted = np.stack([_paste_crop(last, frame, prediction.box)[view] for frame in prediction.frames])

    with replacing_folder(folder, PREDICTION) as partial:
        write_mp4(partial / "prediction.mp4", predicted, video.rate)
        write_gif(partial / "prediction.gif", _shrink(predicted), video.rate)
        write_pictures(partial / "frames", predicted)
        facts = {"observed_frames": observed, "box": prediction.box, "frames_per_second": video.rate}
        write_poses(partial / "joints.json", prediction.joints, prediction.visibility, **facts)

        truth = [frame[view] for frame in video.frames]
        columns = [("poses", _draw_poses(video, prediction, view)), ("prediction", np.stack([*truth[:observed], *predicted]))]
        if len(truth) > observed:
            black = [np.zeros_like(truth[0])] * (len(prediction.joints) - len(truth))
            columns.insert(0, ("truth", np.stack(truth + black)))
        write_mp4(partial / "beside.mp4", side_by_side(columns), video.rate)


def _shrink(frames: np.ndarray) -> np.ndarray:
    """Frames [T, H, W, C] resized to at most GIF_SIDE pixels per side. A larger GIF takes minutes to write."""
    scale = GIF_SIDE / max(frames.shape[1:3])
    if scale >= 1:
        return frames
    return np.stack([cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) for frame in frames])


def _paste_crop(frame: np.ndarray, crop: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """A copy of the frame [H, W, 3] whose area `box` is replaced by the painted crop [h, w, C]."""
    x_min, y_min, x_max, y_max = box
    crop = cv2.resize(crop, (x_max - x_min, y_max - y_min), interpolation=cv2.INTER_LINEAR)
    whole = frame.copy()
    whole[y_min:y_max, x_min:x_max] = crop if crop.ndim == 3 else crop[..., None]
    return whole


def _draw_poses(video: Video, prediction: Prediction, view) -> np.ndarray:
    """All poses drawn on darkened frames, uint8 [k + T, h, w, 3]: observed poses in green on their own frames, future poses in
    orange on the last observed frame. view: the slices of rows and columns that are written."""
    from analogy.visualise.skeletons import GREEN, ORANGE, draw_skeleton

    observed, pictures = len(prediction.joints) - len(prediction.frames), []
    for index, (pose, visibility) in enumerate(zip(prediction.joints, prediction.visibility, strict=True)):
        frame = video.frames[min(index, observed - 1)] // 2
        draw_skeleton(frame, pose, visibility, GREEN if index < observed else ORANGE, width=max(2, len(frame) // 240))
        pictures.append(frame[view])
    return np.stack(pictures)

"""From one picture to films, for `analogy predict PICTURE --run RUN`: sampled futures, or the motion of another video.

`check_request` checks all options first, and `predict` then does the work.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from analogy.data.frames import central_square, in_channels
from analogy.data.pictures import is_animation, read_picture
from analogy.data.video import check_video, is_single_picture, prediction_folder, read_video
from analogy.errors import Mistakes, UserError
from analogy.files.marks import PREDICTION
from analogy.files.names import NAMED_PICTURES, VIDEOS
from analogy.one_line import counted
from analogy.ownership import check_output, replacing_folder
from analogy.runs.find import endpoint_of, endpoints_of, inputs_of, load_endpoint, saved_model_of
from analogy.settings.sections import Settings
from analogy.systems.actions import action_number, told_actions
from analogy.systems.keypoints.pictures import with_keypoints
from analogy.systems.keypoints.settings import GENERATORS, TRANSLATORS
from analogy.visualise.html import write_page
from analogy.visualise.video import side_by_side, write_gif, write_mp4

MOST_SAMPLES = 64
SAMPLES_PER_FILM = 8  # that are shown side by side
MIDDLE = "the largest square in the middle"
AROUND_PEOPLE = "; the model was trained with boxes around people: give one with {option} x_min,y_min,x_max,y_max"
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Request:
    """The checked options. Nothing is loaded yet.

    picture: the file. run: the run folder, with its settings. action: its number; 0 where the run knows none. action_name: for
    titles. samples: number of futures. crop: x_min, y_min, x_max, y_max in pixels of the picture; None for the largest square
    in the middle. driving: the video whose motion is transferred, instead of sampled futures. driving_crop: as `crop`, of that
    video. folder: where all is written. new: whether `prediction_folder` has named it.
    """

    picture: Path
    run: Path
    settings: Settings
    action: int
    action_name: str
    samples: int
    seed: int
    crop: Box | None
    driving: Path | None
    driving_crop: Box | None
    folder: Path
    new: bool


def check_request(
    picture: str,
    *,
    run: Path,
    settings,
    action: str | None = None,
    samples: int = 4,
    seed: int = 0,
    crop: str | None = None,
    driving: Path | None = None,
    driving_crop: str | None = None,
    results_dir: Path,
    out: Path | None = None,
) -> Request:
    """Check the options of `analogy predict PICTURE --run RUN`.

    Args:
        picture: one that is there (`check_video`).
        run: the folder of a run. settings: its settings.

    Raises:
        UserError: one line for each mistake.
    """
    path, folder = Path(picture), out or prediction_folder(results_dir, picture)
    boxes, number, fits = {}, 0, False
    with Mistakes() as mistakes:
        with mistakes.noted():
            _check_picture(path)
        with mistakes.noted():
            saved_model_of(run)
            _check_kind(run, settings, driving)
            fits = True
        if fits and driving is None:
            with mistakes.noted():
                number = _number_of(action, settings)
        if not 1 <= samples <= MOST_SAMPLES:
            mistakes.add(f"--samples {samples}: choose 1 to {MOST_SAMPLES}")
        if driving is not None:
            try:
                check_video(driving)
            except UserError as error:
                mistakes.add(f"--driving {error}")
        for option, given in (("--crop", crop), ("--driving-crop", driving_crop)):
            with mistakes.noted():
                boxes[option] = _read_box(option, given)
        with mistakes.noted():
            check_output(folder, PREDICTION, [path, driving, run])
    return Request(
        picture=path,
        run=run,
        settings=settings,
        action=number,
        action_name=action or "",
        samples=samples,
        seed=seed,
        crop=boxes["--crop"],
        driving=driving,
        driving_crop=boxes["--driving-crop"],
        folder=folder,
        new=out is None,
    )


def _check_picture(path: Path) -> None:
    known = path.suffix.lower() in (*VIDEOS, *NAMED_PICTURES)
    if path.is_dir() or (not is_single_picture(path) if known else is_animation(path)):
        raise UserError(
            f"{path}: this is no single picture, from which --run predicts: name a picture, such as a frame of it; or with "
            "--driving a picture that moves like it"
        )


def _check_kind(run: Path, settings, driving: Path | None) -> None:
    """Raises UserError where the run's system cannot do what is asked."""
    if driving is None and settings.system in TRANSLATORS:
        raise UserError(
            f"--run {run}: {settings.system} translates frames and predicts no motion: name a run that builds on it, such as "
            "keypoints_plus_motion, or give a video with --driving"
        )
    wanted = GENERATORS if driving is None else TRANSLATORS
    if settings.system not in wanted:
        what = "that predicts motion" if driving is None else "whose keypoints a driving video can move"
        raise UserError(f"--run {run}: it is a run of {settings.system}; name one {what} ({', '.join(wanted)})")


def _number_of(action: str | None, settings) -> int:
    """The number of an action of a run. Raises UserError where the run does not know it."""
    actions = told_actions(settings)
    if not actions:
        if action is not None:
            raise UserError(f"--action {action}: this run was trained without actions; leave --action out")
        return 0
    if action is None:
        raise UserError(f"--action is missing; this run knows {', '.join(actions)}")
    return action_number(action, actions)


def _read_box(option: str, crop: str | None) -> Box | None:
    """Raises UserError, which names the option."""
    if crop is None:
        return None
    try:
        x_min, y_min, x_max, y_max = (int(edge) for edge in crop.split(","))
    except ValueError:
        raise UserError(f"{option} {crop}: give x_min,y_min,x_max,y_max in pixels, such as 10,0,200,190") from None
    if x_min < 0 or y_min < 0 or x_min >= x_max or y_min >= y_max:
        raise UserError(f"{option} {crop}: the box is empty or begins outside of the frame")
    return x_min, y_min, x_max, y_max


# ---------------------------------------------------------------- predicting


def predict(request: Request) -> Path:
    """Predict and write `request.folder`: films, keypoints.npy, and a page.

    Returns:
        The folder where all lies: `request.folder`, or one beside it, if somebody else took that meanwhile.

    Raises:
        UserError: the picture or the video cannot be read, or the box does not lie in it.
    """
    picture = read_picture(request.picture)
    frame = _fitted(picture, request.crop, request.settings.data, "--crop", request.picture)
    films, points = _transferred(frame, request) if request.driving else _sampled(frame, request)
    return _write(request, frame, films, points)


def _sampled(frame: np.ndarray, request: Request) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Futures of the picture: films, and keypoints [N, T, K, 2]."""
    from analogy.runs.uses import open_used
    from analogy.systems.keypoints.calling import futures_by
    from analogy.systems.keypoints.motion import MotionSystem

    motion, settings = load_endpoint(request.run, "generate", "sample"), request.settings
    # A model that comes along has no `generate`: it is the motion alone.
    translator = None if "generate" in endpoints_of(motion) else open_used(settings, MotionSystem.needs)["translator"]
    if translator is not None:
        _check_same_keypoints(motion, translator, request)
    asked = {"action": request.action, "seed": request.seed, "count": request.samples}
    most = settings.evaluation.frames_per_call
    samples, points = futures_by(partial(endpoint_of, motion), translator, frame, most, **asked)
    return {f"sample {number}": frames for number, frames in enumerate(samples, 1)}, points


def _check_same_keypoints(motion, translator, request: Request) -> None:
    """Raises UserError where a motion alone has another K than the translator that its settings name."""
    moved, detected = (
        inputs_of(model, name)["keypoints"].shape[1] for model, name in ((motion, "sample"), (translator, "translate"))
    )
    if moved != detected:
        raise UserError(
            f"--run {request.run}: it moves K = {moved} keypoints, and uses.translator, {request.settings.uses['translator']}, "
            f"has {detected}: was that trained again? Name in settings.yaml the one on which this motion was trained"
        )


def _transferred(frame: np.ndarray, request: Request) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The picture moved as the driving video's keypoints move from its first frame on: films, and keypoints [1, T, K, 2]."""
    from analogy.systems.keypoints.calling import detected_by, moved_by

    translator, most = load_endpoint(request.run, "translate"), request.settings.evaluation.frames_per_call
    driving = _driving_frames(request)
    moved, points = moved_by(translator, frame, detected_by(translator.detect, driving, most), most)
    return {"driving": driving, "transferred": moved}, points[None]


def _driving_frames(request: Request) -> np.ndarray:
    how = request.driving_crop, request.settings.data, "--driving-crop", request.driving
    return np.stack(read_video(request.driving, transform=lambda frame: _fitted(frame, *how)).frames)


def _fitted(picture: np.ndarray, crop: Box | None, data, option: str, file: Path) -> np.ndarray:
    """A part of a picture uint8 [H, W, 3] in the size and the channels of a run's frames.

    Args:
        crop: None for the largest square in the middle. data: of the run's settings. option: of the crop. file: of the picture.

    Raises:
        UserError: the crop does not lie in the picture.
    """
    height, width = picture.shape[:2]
    x_min, y_min, x_max, y_max = crop or central_square(height, width)
    if x_max > width or y_max > height:
        box = ",".join(map(str, crop))
        raise UserError(f"{option} {box}: {file} has {width} x {height} pixels: choose a box within")
    part = picture[y_min:y_max, x_min:x_max]
    size = data.image_size  # height, width
    smaller = part.shape[0] >= size[0]
    part = cv2.resize(part, size[::-1], interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
    return in_channels(part, data.channels)


def _crop_in_words(request: Request, option: str, crop: Box | None) -> str:
    """For the page: the box, or what is taken without one."""
    if crop:
        return ",".join(map(str, crop))
    return MIDDLE + (AROUND_PEOPLE.format(option=option) if request.settings.data.crop == "consistent" else "")


def _title(request: Request) -> str:
    """What the page shows, in words."""
    if request.driving:
        return f"{request.picture.name}, moved as {request.driving.name}"
    futures = f"{counted(request.samples, 'future')} of {request.picture.name}"
    return f"{futures}: {request.action_name.replace('_', ' ')}" if request.action_name else futures


def _write(request: Request, frame: np.ndarray, films: dict[str, np.ndarray], points: np.ndarray) -> Path:
    """Write films of all columns side by side, with and without keypoints; each film alone; the keypoints; a page. Returns
    where they lie."""
    rate = request.settings.evaluation.frames_per_second
    shown = dict(list(films.items())[:SAMPLES_PER_FILM])
    length = len(next(iter(films.values())))
    columns = [("picture", np.repeat(frame[None], length, 0)), *shown.items()]
    # Of a transferred motion, the keypoints are those of its last column.
    moved = list(shown.items())[-len(points) :]
    dotted = [(title, with_keypoints(frames, own)) for (title, frames), own in zip(moved, points, strict=False)]
    with replacing_folder(request.folder, PREDICTION, new=request.new) as replacement:
        partial = replacement.partial
        for name, parts in (("films", columns), ("keypoints", dotted)):
            together = side_by_side(parts)
            write_mp4(partial / f"{name}.mp4", together, rate)
            write_gif(partial / f"{name}.gif", together, rate)
        files = {title: f"{title.replace(' ', '_')}.mp4" for title in films}
        for title, frames in films.items():
            write_mp4(partial / files[title], frames, rate)
        np.save(partial / "keypoints.npy", points)
        facts = {"picture": str(request.picture), "run": str(request.run)}
        facts["crop"] = _crop_in_words(request, "--crop", request.crop)
        if request.driving:
            facts["driving"] = str(request.driving)
            facts["crop of the driving video"] = _crop_in_words(request, "--driving-crop", request.driving_crop)
        else:
            facts |= {"action": request.action_name or "none", "seed": request.seed}
        content = {"title": _title(request), "facts": facts, "files": files, "columns": len(columns), "dotted": len(dotted)}
        write_page(partial / "index.html", "futures.html", content)
    return replacement.folder

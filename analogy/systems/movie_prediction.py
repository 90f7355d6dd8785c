"""From the first frames of anybody's video to those that follow, for `analogy predict VIDEO --run RUN`.

`check_request` checks all options first, before anything is read or loaded, and `predict` then does the work.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from numbers import Integral
from pathlib import Path

import numpy as np

from analogy.data.frames import in_channels
from analogy.data.video import Video, prediction_folder, read_video, too_short, write_pictures
from analogy.data.windows import SAME_RATE, WindowPlan
from analogy.errors import Mistakes, UserError, about
from analogy.files.marks import PREDICTION
from analogy.metrics.image import psnr, ssim
from analogy.one_line import counted, say
from analogy.ownership import check_output, replacing_folder
from analogy.predictions.motion import motion_continued
from analogy.runs.find import saved_model_of
from analogy.runs.ready import name_of
from analogy.settings.sections import MovieDataSettings
from analogy.visualise.html import write_page
from analogy.visualise.video import column_boxes, side_by_side, write_gif, write_mp4
from analogy.visualise.wording import Comparison, compare
from data_prep.datasets import find_opening
from data_prep.video_source import fit_frame

# Rows of a table: metric, the prediction's figure, and for each other method its name and the comparison with it.
Figures = list[tuple[str, str, list[tuple[str, Comparison]]]]
Columns = list[tuple[str, np.ndarray]]  # titles and films
FASTEST = 120  # frames per second of a video, of which enough is read at once
MOST_FRAMES = 1000  # of one prediction, which is held in memory
FILES = (("prediction.mp4", "the prediction alone"), ("frames/", "its frames"))  # that are linked on the page
ENDED = 128  # the grey of a frame that the video no longer has
LEAST_DISTORTED = 1.25  # the change of the ratio of width and height from which on it is said


@dataclass(frozen=True)
class Request:
    """The checked options. Nothing is loaded yet.

    source: the video. run: the run folder. data: its settings of the data. channels: of its frames.
    start: number of the first observed frame of the video. context: number of observed frames. horizon: number of predicted
    frames. folder: where all is written. new: whether `prediction_folder` has named it.
    """

    source: Path
    run: Path
    data: MovieDataSettings
    channels: int
    start: int
    context: int
    horizon: int
    folder: Path
    new: bool


@dataclass(frozen=True)
class Cut:
    """The frames of a video that are observed, and those that are to be predicted, as far as it has them.

    observed: uint8 [k, H, W, C]. truth: uint8 [0 to T, H, W, C]. rate: frames per second. notes: what the user should know.
    """

    observed: np.ndarray
    truth: np.ndarray
    rate: float
    notes: list[str]


def check_request(
    source: str,
    *,
    run: Path,
    settings,
    start: int = 0,
    context: int | None = None,
    horizon: int | None = None,
    fit: str | None = None,
    results_dir: Path,
    out: Path | None = None,
) -> Request:
    """Check the options of `analogy predict VIDEO --run RUN`.

    Args:
        source: a video that is there (`check_video`).
        run: the folder of a run. settings: its settings, whose `data` is a MovieDataSettings.
        context, horizon: None for as many frames as the run was trained with. fit: how frames of another shape are brought to
            the run's (see `fit_frame`); None for as it was trained.

    Raises:
        UserError: one line for each mistake.
    """
    path, data = Path(source), settings.data.model_copy(update={"fit": fit} if fit else {})
    folder = out or prediction_folder(results_dir, source, start)
    context, channels = data.context if context is None else context, find_opening(settings).channels
    horizon = data.horizon if horizon is None else horizon
    with Mistakes() as mistakes:
        with mistakes.noted():
            saved_model_of(run)
        if context < data.context:
            mistakes.add(f"--context {context}: {run} reads {data.context} frames: give at least as many")
        if context > MOST_FRAMES:
            mistakes.add(f"--context {context}: give at most {MOST_FRAMES} frames")
        if not (isinstance(horizon, Integral) and 1 <= horizon <= MOST_FRAMES):
            mistakes.add(f"--horizon {horizon}: give 1 to {MOST_FRAMES} frames")
        with mistakes.noted():
            check_output(folder, PREDICTION, [path, run])
    return Request(path, run, data, channels, start, context, horizon, folder, new=out is None)


def predict(request: Request) -> Path:
    """Predict and write `request.folder`: films, the predicted frames as pictures, and a page. Prints what one should know.

    Returns:
        The folder where all lies: `request.folder`, or one beside it, if somebody else took that meanwhile.

    Raises:
        UserError: the video cannot be read or is too short, or the run predicts no frames.
    """
    from analogy.runs.calling import SavedModel

    model = SavedModel(request.run)
    check_model(model, request.run)
    cut = cut_video(request)
    future = predicted_frames(model, cut.observed, request.horizon)
    methods = {
        "prediction": future,
        "motion continued": motion_continued(cut.observed, request.horizon),
        "last frame copied": np.repeat(cut.observed[-1:], request.horizon, 0),
    }
    figures = figures_beside_truth(cut.truth, methods)
    lines = _lines(request, cut)
    folder = _write(request, cut, methods, figures, lines)
    say(*lines, *figure_lines(figures, len(cut.truth)))
    return folder


def check_model(model, run: Path) -> None:
    """Raises UserError unless `predicted_frames` can call this `SavedModel`."""
    with about(f"{run}: this run predicts no frames of videos"):
        inputs = model.inputs("predict")
    if "count" not in inputs and [spec.shape.rank for spec in inputs.values()] != [5]:
        raise UserError(f"{run}: this run predicts no frames of videos; its endpoint predict takes {', '.join(inputs)}")


# ---------------------------------------------------------------- reading


def cut_video(request: Request) -> Cut:
    """Read the frames that are needed, as the run's dataset would store and space them. Raises UserError."""
    data, length = request.data, request.context + request.horizon
    plan = WindowPlan(length, skip=data.skip, fps=data.fps)
    count = ceil(length * (max(1.0, FASTEST / data.fps) if data.fps else data.skip))
    video = _read(request, count)
    pace, numbers = _paced(plan, video.rate)
    if len(video.frames) >= count and numbers[-1] >= len(video.frames):  # a video of slow motion
        video = _read(request, int(numbers[-1]) + 1)
        pace, numbers = _paced(plan, video.rate)
    notes = list(video.notes)
    if data.fps and pace == 1.0 and video.rate < data.fps * SAME_RATE:
        notes.append(
            f"it has {video.rate:g} frames per second, and {data.fps:g} were trained: each frame is taken, so that things move "
            "faster than in training"
        )
    numbers = numbers[numbers < len(video.frames)]
    if len(numbers) < request.context:
        apart = "" if pace == 1.0 else f", {pace:.3g} frames apart"
        raise UserError(too_short(request.source, len(video.frames), request.start, request.context, apart))
    frames = np.stack([video.frames[number] for number in numbers])
    return Cut(frames[: request.context], frames[request.context :], video.rate / pace, notes)


def _read(request: Request, count: int) -> Video:
    """The first `count` frames from the start on, as the run's dataset would store them. Raises UserError."""
    data, sizes = request.data, []

    def stored(frame: np.ndarray) -> np.ndarray:
        sizes.append(frame.shape[:2])
        return fit_frame(in_channels(frame, request.channels), data.size, data.fit)

    video = read_video(request.source, start=request.start, count=count, even=True, transform=stored)
    return video._replace(notes=[*video.notes, *_distortion(sizes[0], data)])


def _distortion(size: tuple[int, int], data: MovieDataSettings) -> list[str]:
    """A note where frames of this (height, width) lose their shape. data: says how frames are stored."""
    (height, width), (rows, columns) = size, data.size
    wider = (columns / rows) / (width / height)
    if data.fit != "squeeze" or 1 / LEAST_DISTORTED < wider < LEAST_DISTORTED:
        return []
    change = f"{max(wider, 1 / wider):.1f} times as {'wide' if wider > 1 else 'high'}"
    return [
        f"its {width} x {height} pixels are squeezed into {columns} x {rows}, {change} as they were: --fit letterbox or "
        "--fit crop keeps the shape"
    ]


def _paced(plan: WindowPlan, rate: float) -> tuple[float, np.ndarray]:
    """The distance of the frames to take from a video of this rate, and their numbers. Of one that is too slow, all."""
    try:
        return plan.pace(rate), plan.numbers(0, rate)
    except ValueError:
        return 1.0, np.arange(plan.length)


# ---------------------------------------------------------------- predicting


def predicted_frames(model, observed: np.ndarray, horizon: int) -> np.ndarray:
    """Observed frames uint8 [k, H, W, C] -> the next `horizon` frames, uint8 [T, H, W, C].

    model: a `SavedModel` with the endpoint `predict`. One that takes a fixed number of frames and answers with another is
    called again on its own answers until there are enough. Raises UserError where it predicts no frames.
    """
    inputs = model.inputs("predict")
    if "count" in inputs:
        answer = model.call(None, {"frames": observed, "count": horizon}, "predict")
        return answer["future"] if isinstance(answer, dict) else answer
    (name,) = inputs
    known, context = observed, inputs[name].shape[1]
    while len(known) < len(observed) + horizon:
        known = np.concatenate([known, model.call(None, {name: known[-context:]}, "predict")])
    return known[len(observed) :][:horizon]


# ---------------------------------------------------------------- writing


def figures_beside_truth(truth: np.ndarray, methods: dict[str, np.ndarray]) -> Figures:
    """Means over the true frames, of the method "prediction" beside the other methods.

    Args:
        truth: uint8 [0 to T, H, W, C]. methods: name -> uint8 [T, H, W, C].
    """
    if not len(truth):
        return []
    rows = []
    for name, function in (("psnr", psnr), ("ssim", ssim)):
        means = {method: float(np.mean(function(truth, frames[: len(truth)]))) for method, frames in methods.items()}
        ours = means.pop("prediction")
        comparisons = [(method, compare(name, ours, mean)) for method, mean in means.items()]
        rows.append((comparisons[0][1].label, comparisons[0][1].score, comparisons))
    return rows


def _lines(request: Request, cut: Cut) -> list[str]:
    """What the user should know of the prediction."""
    lines = [f"{request.source}: {note}" for note in cut.notes]
    if request.horizon > request.data.horizon:
        lines.append(
            f"the run was trained and measured on {request.data.horizon} future frames; what follows, up to frame "
            f"{request.horizon}, is rolled on"
        )
    return lines + ending_lines(len(cut.truth), request.horizon)


def ending_lines(count: int, horizon: int) -> list[str]:
    """A line where the video has fewer true frames than are predicted. count: their number."""
    return [f"the video goes on for {count} of the {horizon} predicted frames"] if count < horizon else []


def figure_lines(figures: Figures, count: int) -> list[str]:
    """The rows of `figures_beside_truth` as lines. count: number of true frames."""
    lines = []
    for label, score, comparisons in figures:
        beside = ", ".join(f"{method} {row.baseline} ({row.gain_text} {row.verdict})" for method, row in comparisons)
        lines.append(f"{label} of {counted(count, 'frame')}: {score}; {beside}")
    return lines


def _write(request: Request, cut: Cut, methods: dict[str, np.ndarray], figures: Figures, lines: list[str]) -> Path:
    """Write films of all columns side by side, the prediction alone, its frames, and a page. Returns where they lie."""
    video = np.concatenate([cut.observed, cut.truth])
    columns = [("video", filled_up(video, request.context + request.horizon))]
    columns += [(name, np.concatenate([cut.observed, frames])) for name, frames in methods.items()]
    with replacing_folder(request.folder, PREDICTION, new=request.new) as replacement:
        partial = replacement.partial
        together = write_films_page(
            partial, "films.mp4", columns, cut.rate, [("films.gif", "as GIF"), *FILES], source=request.source,
            made_by=name_of(request.run), start=request.start, observed=request.context,
            horizon=request.horizon, figures=figures, measured=len(cut.truth), lines=lines,
        )  # fmt: skip
        write_gif(partial / "films.gif", together, cut.rate)
        write_mp4(partial / "prediction.mp4", methods["prediction"], cut.rate)
        write_pictures(partial / "frames", methods["prediction"])
    return replacement.folder


def filled_up(frames: np.ndarray, length: int) -> np.ndarray:
    """The frames of a video, uint8 [n, H, W, C], and after its end grey ones: [length, H, W, C]."""
    return np.concatenate([frames, np.full((length - len(frames), *frames.shape[1:]), ENDED, np.uint8)])


def write_films_page(
    folder: Path, films: str, columns: Columns, rate: float, files: list[tuple[str, str]], **facts
) -> np.ndarray:
    """Write all columns side by side as one film, and the page index.html, which plays it and links the files.

    Args:
        films: the name of the film. columns: title and frames uint8 [k + T, H, W, 1 or 3] of each. rate: frames per second.
        files: further files in the folder, name and words of each. facts: all else that the template shows.

    Returns:
        the film, uint8 [k + T, H', W', 3].
    """
    together = side_by_side(columns)
    write_mp4(folder / films, together, rate)
    views = [(title, list(box)) for (title, _), box in zip(columns, column_boxes(columns), strict=True)]
    facts |= {"films": Path(films), "files": [(films, "all films side by side"), *files], "views": views}
    write_page(folder / "index.html", "video_future.html", {**facts, "rate": rate, "length": len(together)})
    return together

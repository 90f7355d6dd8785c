"""Predict the future frames of a video, or of one picture.

Without --run the command chooses a model, and says which. A video with a person: it predicts poses, and paints frames (only
after `analogy fetch blazepose`). Any other video: it predicts the next frames. One picture with --action: it samples several
futures. One picture with --driving: the picture moves like another video. With --run it uses that run: for a video one that
predicts frames (lvln, ConvLSTM, VGG-16 + LSTM), for a picture one of learned keypoints."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import typer

from analogy.cli.console import RESULTS, clear_errors
from analogy.cli.opening import Open, show
from analogy.cli.options import PaintRun, PoseModels, PoseRun, ResultsDir
from analogy.cli.predict_options import (
    Action,
    Crop,
    Driving,
    DrivingCrop,
    Export,
    Fit,
    FullFrame,
    ObservedFrames,
    Out,
    PennAction,
    Poses,
    PredictedFrames,
    Run,
    Samples,
    Seed,
    Source,
    Start,
)
from analogy.errors import UserError, about
from analogy.files.paths import SAVE_THE_VIDEO, expanded
from analogy.one_line import say
from analogy.runs.ready import FOR_VIDEOS, ready_models, run_or_ready
from analogy.systems.hierarchical.estimation import find_models, usual_estimator
from analogy.systems.keypoints.settings import GENERATORS, TRANSLATORS

NEXT_FRAMES = f"{FOR_VIDEOS}, which comes along, predicts the frames (see `analogy models`); name another with --run"


class Way(NamedTuple):
    """A way to predict.

    module: it has `check_request` and `predict`. options: those that it takes, beside PLACES. unfit: options that it lacks, and
    why not: the words of a message about such an option.
    """

    module: str
    options: tuple[str, ...]
    unfit: tuple[str, ...] = ()
    why_not: str = ""


PLACES = ("results_dir", "out")
OF_POSES = ("poses", "models", "data_dir", "pose_run", "paint_run", "full_frame", "export")
OF_VIDEOS = ("start", "context", "horizon")
OF_SAMPLES = ("action", "samples", "seed")
OF_PICTURES = ("samples", "seed", "crop", "driving", "driving_crop")
BY_POSES = Way("analogy.systems.hierarchical.video_prediction", (*OF_POSES, *OF_VIDEOS, "action"))
BY_NEXT_FRAMES = Way(
    "analogy.systems.movie_prediction", (*OF_VIDEOS, "fit"), (*OF_PICTURES, "action"), "is not for next frames"
)
BY_KEYPOINTS = Way(
    "analogy.systems.keypoints.picture_prediction", (*OF_PICTURES, "action"), (*OF_VIDEOS, "fit"), "is for videos"
)


def main(
    invocation: typer.Context,
    source: Source,
    poses: Poses = "",
    models: PoseModels = None,
    data_dir: PennAction = None,
    start: Start = 0,
    context: ObservedFrames = None,
    horizon: PredictedFrames = None,
    pose_run: PoseRun = None,
    paint_run: PaintRun = None,
    results_dir: ResultsDir = RESULTS,
    out: Out = None,
    full_frame: FullFrame = False,
    export: Export = None,
    run: Run = None,
    action: Action = None,
    samples: Samples = 4,
    seed: Seed = 0,
    crop: Crop = None,
    fit: Fit = None,
    driving: Driving = None,
    driving_crop: DrivingCrop = None,
    open_: Open = None,
) -> None:
    with clear_errors(out or results_dir):
        source = str(expanded(source, SAVE_THE_VIDEO))
        with about("--driving"):
            moves_like = None if driving is None else expanded(driving, SAVE_THE_VIDEO)
        with about("--poses"):
            poses = str(expanded(poses)) if poses else ""
        folder = _predict(source, _given_options(invocation), invocation.params | {"poses": poses, "driving": moves_like})
        say(f"written to {folder}: open {folder / 'index.html'}")
        show(folder / "index.html", open_)


def _predict(source: str, given: set[str], options: dict) -> Path:
    """Predict in the way that fits, and return the folder where all lies. Raises UserError.

    given: the names of the options of the command line. options: name -> value of all options.
    """
    from analogy.data.video import check_video, sole_picture

    source = str(sole_picture(Path(source)))
    if options["run"] is not None or not (given & {*OF_POSES} or source.isdecimal()):  # a number is a clip of Penn Action
        check_video(Path(source))  # before TensorFlow is imported, and before what options mean beside it
    chooses = not given & {"run", *OF_POSES} and (
        _is_picture(source) or (not given & {*OF_PICTURES} and not source.isdecimal())
    )
    _check_together(given | {"run"} if chooses else given)
    if options["run"] is None and not chooses:
        return _predict_by(BY_POSES, source, options)
    run, poses_first = _best_model(source, options) if chooses else (options["run"], False)
    if poses_first and (folder := _predict_by_poses_if_suited(source, options)):
        return folder
    run_folder, settings = _open(run, options["results_dir"])
    if options["driving"] is None and settings.system in TRANSLATORS:
        run_folder, settings = _with_its_motion(run, run_folder, settings, options["results_dir"])
    way = BY_NEXT_FRAMES if settings.data.kind == "movies" else BY_KEYPOINTS
    _refuse(given, way.unfit, f"{way.why_not}, and {run_folder} is a run of {settings.system}: leave it out")
    return _predict_by(way, source, options, run=run_folder, settings=settings)


def _predict_by(way: Way, source: str, options: dict, **run) -> Path:
    """Predict in this way, and return the folder where all lies. run: the folder of a run and its settings, for ways that take
    them. Raises UserError."""
    module = import_module(way.module)
    return module.predict(module.check_request(source, **{name: options[name] for name in (*way.options, *PLACES)}, **run))


def _is_picture(source: str) -> bool:
    from analogy.data.video import is_single_picture

    return Path(source).is_file() and is_single_picture(Path(source))


def _best_model(source: str, options: dict) -> tuple[str, bool]:
    """What predicts the future of this source where no run is named: the folder of a model that comes along, and whether poses
    are to be tried first, by those that are there. Says what is taken. Raises UserError."""
    from analogy.systems.hierarchical.steps import find_steps

    models, action = ready_models(), options["action"]
    if _is_picture(source):
        systems = GENERATORS if options["driving"] is None else TRANSLATORS
        suited = next(model.run for model in models.values() if model.summary["system"] in systems)
        say(f"{suited.name}, which comes along, makes films of one picture (see `analogy models`)")
        return str(suited), False
    if options["fit"] is not None:  # poses have a crop of their own
        say(NEXT_FRAMES)
        return str(models[FOR_VIDEOS].run), False
    try:
        find_steps(None, None, options["results_dir"])
        find_models(usual_estimator(None), None)
    except UserError as error:
        if action is not None:
            raise UserError(
                f"--action {action}: on a video it is for people's poses, which cannot be predicted: {error.in_one_line}"
            ) from error
        say(f"people's poses are not predicted: {error.lines[0]}", NEXT_FRAMES)
        return str(models[FOR_VIDEOS].run), False
    return str(models[FOR_VIDEOS].run), True


def _predict_by_poses_if_suited(source: str, options: dict) -> Path | None:
    """Predict by poses, if the video shows a person; else say why not, and return None."""
    from analogy.systems.hierarchical.video_prediction import Unsuited

    try:
        return _predict_by(BY_POSES, source, options)
    except Unsuited as error:
        if options["action"] is not None:
            raise
        say(*error.lines, f"so {NEXT_FRAMES}")
        return None


def _given_options(invocation: typer.Context) -> set[str]:
    """The names of the options of the command line. What is a default, or comes from the environment, is none of them."""
    return {name for name in invocation.params if invocation.get_parameter_source(name).name == "COMMANDLINE"}


def _check_together(given: set[str]) -> None:
    """Raises UserError where an option has no meaning beside the others, or without one that is missing."""

    if "run" not in given:
        _refuse(given, ("fit",), "goes with --run: the crop around a person is found")
        _refuse(given, OF_PICTURES, "is for films of one picture, not for predictions by poses: leave it out")
        return
    _refuse(given, OF_POSES, "is for predictions by poses, and --run names another run: leave one of them out")
    if "driving" in given:
        _refuse(given, OF_SAMPLES, "is for sampled futures, and --driving gives the motion: leave one of them out")
    else:
        _refuse(given, ("driving_crop",), "is the crop of a driving video: name one with --driving, or leave it out")


def _refuse(given: set[str], names: tuple[str, ...], mend: str) -> None:
    """Raises UserError where one of these options is given."""
    if options := [f"--{name.replace('_', '-')}" for name in names if name in given]:
        raise UserError(f"{options[0]} {mend}")


def _open(run: str, results_dir: Path):
    """(folder, settings) of a run, or where there is none of that name of the model that comes along. Raises UserError."""
    from analogy.systems.run_settings import settings_of_run

    folder = run_or_ready(run, results_dir, "--run")
    if (model := ready_models().get(run)) and folder == model.run:
        say(f"--run {run}: there is no run of your own in {results_dir}; the model that comes along is taken")
    return folder, settings_of_run(folder)


def _with_its_motion(run: str, folder: Path, settings, results_dir: Path):
    """(folder, settings) of NAME_motion, the motion generator that goes with the translator NAME; says what is taken. Those of
    the translator where there is none."""
    try:
        motion, its_settings = _open(f"{run}_motion", results_dir)
    except UserError:
        return folder, settings
    builds_on = its_settings.uses.get("translator")
    say(f"--run {run} translates frames and predicts no motion: {motion} is taken, which moves the keypoints of {builds_on}")
    return motion, its_settings

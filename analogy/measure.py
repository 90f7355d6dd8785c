"""Evaluate a finished run again, its exported SavedModel, or a folder of predicted videos.

`check_evaluation` finds all mistakes in the options; `evaluate` then does the work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from analogy.errors import Mistakes, UserError, about
from analogy.evaluation.selection import check_selection
from analogy.evaluation.tiles import Layout, TiledVideos
from analogy.evaluation.videos import Video, find_videos, pair_videos
from analogy.files import check_present, distinct_name, not_there
from analogy.metrics.table import USUAL
from analogy.ownership import check_results_dir
from analogy.pretrained.fetching import fetched_file
from analogy.runs.find import find_model, find_run, is_saved_model, run_of, saved_model_of
from analogy.runs.history import describe, differences_of_data, trained_steps
from analogy.runs.reading import read_run
from analogy.settings import Settings, load_settings
from analogy.settings.loading import read_experiment
from analogy.settings.published import summary_rows
from analogy.systems import SYSTEMS
from data_prep.datasets import DATASETS, check_dataset


@dataclass(frozen=True)
class Evaluation:
    """A checked evaluation: every option is right, nothing is loaded yet. It measures either a run or videos.

    A run: `run` is its folder, or with `exported` the folder of its SavedModel. `settings` are those for the evaluation.
    `clips` names the test clips to select, where the settings have no key for them; `selected` says whether any are named.
    Videos: `videos` are pairs of a true video and its predictions, of which the first `context` frames are observed ones. With
    `tiles` instead, `predictions` are animations that hold both.
    """

    results_dir: Path
    metrics: tuple[str, ...]
    all_metrics: bool  # the user has selected no metrics
    weights: Path  # of I3D; they exist if `metrics` has fvd
    fvd_frames: int
    features: str | None
    recogniser: Path | None
    run: Path | None = None
    exported: bool = False
    settings: Settings | None = None
    clips: tuple[str, ...] = ()
    selected: bool = False
    videos: tuple[Video, ...] = ()
    predictions: tuple[Path, ...] = ()
    truth: Path | None = None
    context: int = 1
    tiles: Layout | None = None


def check_evaluation(
    *,
    run: str | None = None,
    settings: Path | None = None,
    data_dir: Path | None = None,
    clips: Sequence[str] = (),
    predictions: Sequence[Path] = (),
    truth: Path | None = None,
    context: int | None = None,
    metrics: Sequence[str] = (),
    fvd_frames: int = 16,
    features: str | None = None,
    recogniser: str | None = None,
    tiles: str | None = None,
    tile_size: str | None = None,
    tile_corners: str | None = None,
    results_dir: Path,
) -> Evaluation:
    """Check the options of `analogy evaluate`, without importing TensorFlow.

    Args: the options of that command.

    Raises:
        UserError: one line for each mistake.
    """
    subject: dict = {}
    with Mistakes() as mistakes:
        if (run is None) == (not predictions):
            mistakes.add("give either --run, or --predictions with --truth, or --predictions with --tiles")
        of_tiles = {"--tiles": tiles, "--tile-size": tile_size, "--tile-corners": tile_corners}
        of_videos, of_run = (
            {"--truth": truth, "--context": context, **of_tiles},
            {"--settings": settings, "--data-dir": data_dir},
        )
        subject_option, misplaced = ("--predictions", of_run) if run is None else ("--run", of_videos)
        for name, value in misplaced.items():
            if value is not None and (run is not None or predictions):
                mistakes.add(f"{name} has no meaning with {subject_option}; leave it out")
        with mistakes.noted():
            weights = fetched_file("i3d")
            check_selection(metrics, weights=weights, fvd_frames=fvd_frames, features=features)
        with mistakes.noted():
            check_results_dir(results_dir)
        with mistakes.noted():
            judge = find_run(recogniser, results_dir, "--recogniser") if recogniser is not None else None
            if judge:
                saved_model_of(judge)
                if not (judge / "settings.yaml").is_file():
                    raise UserError(f"--recogniser {judge}: it has no settings.yaml with its actions; name a run folder")
        if run is None or not predictions:
            with mistakes.noted():
                if run is not None:
                    subject = _check_run(run, settings, data_dir, tuple(clips), results_dir)
                elif tiles is not None:
                    subject = _check_tiles(
                        tuple(predictions), truth, context, clips, Layout.read(tiles, tile_size, tile_corners)
                    )
                elif predictions:
                    for name in ("--tile-size", "--tile-corners"):
                        if of_tiles[name] is not None:
                            mistakes.add(f"{name} has no meaning without --tiles, the names of the tiles")
                    subject = _check_videos(tuple(predictions), truth, context or 1, clips)
    return Evaluation(
        results_dir=results_dir,
        metrics=tuple(metrics) or USUAL,
        all_metrics=not metrics,
        weights=weights,
        fvd_frames=fvd_frames,
        features=features,
        recogniser=judge,
        **subject,
    )


def _check_run(name: str, settings_file: Path | None, data_dir: Path | None, clips: tuple[str, ...], results: Path) -> dict:
    with Mistakes() as mistakes:
        with mistakes.noted():
            folder = find_model(name, results, "--run")
        with mistakes.noted():
            check_present(data_dir, "--data-dir")
        if settings_file and (why := not_there(settings_file)):
            mistakes.add(f"--settings {settings_file}: {why}; name the settings.yaml of a run")
    exported = is_saved_model(folder)
    if not exported and not trained_steps(folder):
        raise UserError(f"--run {folder}: there is no checkpoint in it; name a finished run, or the folder of a SavedModel")
    stored = settings_file or run_of(folder) / "settings.yaml"
    settings = load_settings(stored, SYSTEMS, **_changes(stored, data_dir, clips))
    check_dataset(settings)
    selected = bool(clips)
    clips = () if hasattr(settings.data, "test_clips") else clips  # then the settings name them
    return {"run": folder, "exported": exported, "settings": settings, "clips": clips, "selected": selected}


def _changes(stored: Path, data_dir: Path | None, clips: Sequence[str]) -> dict:
    """The arguments `scale` and `values` with which `load_settings` reads the settings of a run again. Raises UserError."""
    if why := not_there(stored):
        raise UserError(f"{stored}: {why}; name the run's settings.yaml with --settings")
    content = read_experiment(stored)
    if content.get("scale") not in ("paper", "demo") or not isinstance(content.get("data"), dict):
        raise UserError(f"{stored}: these are not the settings of a run; name the settings.yaml of its folder")
    values: dict[str, object] = {"training.start_from": None, "training.precision": "float32"}
    if data_dir:
        values["data.folder"] = data_dir
        if (entry := DATASETS.get(str(content["data"].get("dataset")))) and entry.stands_in_for:
            values["data.dataset"] = entry.stands_in_for  # a folder holds the real dataset, which has the same layout
    if clips and "test_clips" in content["data"]:
        values |= {"data.test_clips": list(clips), "evaluation.clips_per_action": len(clips)}
    return {"scale": content["scale"], "values": values}


def _check_videos(predictions: tuple[Path, ...], truth: Path | None, context: int, clips: Sequence[str]) -> dict:
    with Mistakes() as mistakes:
        if truth is None:
            mistakes.add("--predictions needs --truth, the folder of true videos")
        for option, folder in (("--truth", truth), *(("--predictions", folder) for folder in predictions)):
            with mistakes.noted():
                check_present(folder, option)
    videos = tuple(pair_videos(predictions, truth, clips))
    if same := next((video.truth for video in videos for path in video.samples if path.samefile(video.truth)), None):
        raise UserError(
            f"{same}: this true video would be its own prediction; name another folder with --predictions or --truth"
        )
    return {"videos": videos, "predictions": predictions, "truth": truth, "context": context}


def _check_tiles(
    predictions: tuple[Path, ...], truth: Path | None, context: int | None, clips: Sequence[str], layout: Layout
) -> dict:
    """predictions: animations, and folders of them. clips: the names of those to measure; all where it is empty."""
    with Mistakes() as mistakes:
        if truth is not None:
            mistakes.add("--truth has no meaning with --tiles: one of the tiles is the truth; leave it out")
        if context is None:
            mistakes.add("--tiles needs --context, the number of observed frames with which the animations begin")
        for path in predictions:
            with mistakes.noted():
                check_present(None if path.is_file() else path, "--predictions")
    every: dict[str, Path] = {}
    for path in predictions:
        for name, animation in ({path.stem: path} if path.is_file() else find_videos(path)).items():
            every[distinct_name(name, every)] = animation
    if missing := [name for name in clips if name not in every]:
        raise UserError(f"--clips {missing[0]}: there is no such animation; there are {', '.join(list(every)[:5])}, ...")
    return {"predictions": tuple(every[name] for name in clips or every), "context": context, "tiles": layout}


# ---------------------------------------------------------------- the evaluation


def evaluate(plan: Evaluation) -> Path:
    """Do a checked evaluation: load, predict, measure, and write results_dir/evaluation_of_NAME/DATE_TIME.

    Returns:
        That folder.

    Raises:
        UserError: a fault of the data, or a run that cannot be measured in this way.
    """
    from analogy.evaluation.judge import Measures, write_evaluation

    if plan.settings and not plan.all_metrics and not SYSTEMS[plan.settings.system].system.paints:
        raise UserError(
            f"--metrics: {plan.settings.experiment} predicts no frames; leave it out: the figures of its kind are always "
            "measured"
        )
    measures = Measures.choose(plan.metrics, weights=plan.weights, fvd_frames=plan.fvd_frames, features=plan.features)
    predictor, dataset, facts, rate = open_run(plan, measures) if plan.run else _open_videos(plan)
    if plan.recogniser:
        measures.recogniser = _open_recogniser(plan.recogniser, dataset)
    name = f"evaluation_of_{facts['of']}"
    return write_evaluation(predictor, dataset, plan.results_dir, name, measures, facts, rate).parent


def _open_recogniser(run: Path, dataset):
    """Load the recogniser. Raises a UserError before anything is predicted if it knows no action of these clips."""
    from analogy.evaluation.recogniser import Recogniser

    with about("--recogniser"):
        recogniser = Recogniser(run)
    if not {clip.action for clip in getattr(dataset, "test", [])} & set(recogniser.actions):
        actions = ", ".join(recogniser.actions)
        raise UserError(f"--recogniser {run}: it knows none of these clips' actions; it knows {actions}")
    return recogniser


def open_run(plan: Evaluation, measures):
    """Open the run of a plan. measures: a `Measures`, to which notes are added.

    Returns (system with trained networks, dataset, facts for summary.json, frames per second of the written videos).
    """
    from analogy.data.fingerprint import dataset_fingerprint
    from analogy.runs.find import load_endpoint
    from analogy.runs.uses import open_used, retrained_models
    from analogy.training.distribute import local_strategy
    from analogy.training.loop import build_system
    from data_prep.datasets import open_dataset

    settings, folder = plan.settings, plan.run
    entry = SYSTEMS[settings.system]
    used = open_used(settings, entry.system.needs)
    dataset = open_dataset(settings, used)
    differing = differences_of_data(run_of(folder), dataset_fingerprint(dataset), selected=plan.selected)
    for note in [*([differing] if differing else []), *retrained_models(settings, read_run(run_of(folder)).table)]:
        measures.notes.append(note)
        print(note)
    if plan.clips:
        _select(dataset, plan.clips)
    system = build_system(entry.build, settings, local_strategy("cpu"), None, used)
    size = getattr(settings.data, "image_size", None)
    shape = {"resolution": [size] * 2 if isinstance(size, int) else size and list(size)}
    shape |= {name: getattr(settings.data, name, None) for name in ("context", "horizon")}
    shape = {name: value for name, value in shape.items() if value is not None}
    facts = {
        "of": settings.experiment, "run": str(folder), "system": settings.system, "dataset": settings.data.dataset,
        "scale": settings.scale, "seed": settings.seed, "range": "uint8 0..255", "split": "test", **shape,
        "summary": f"{settings.summary}: measured again" + (", as exported" if plan.exported else ""), "source": str(folder),
        "published": summary_rows(settings.published, settings),
    }  # fmt: skip
    if parts := describe(read_run(run_of(folder)).table.get("parts")):
        measures.notes.append(f"trained in parts{parts}")
    if plan.exported:
        system.use_export(load_endpoint(folder, *system.endpoints()))
        measures.notes += [system.export_notes] if system.export_notes else []
    else:
        facts["steps"] = _restore(system, folder)
        if facts["steps"] < settings.training.steps:
            measures.notes.append(f"measured as it was at step {facts['steps']} of {settings.training.steps}")
            print(measures.notes[-1])
    return system, dataset, facts, settings.evaluation.frames_per_second


def _select(dataset, names: Sequence[str]) -> None:
    """Keep only these test clips in the dataset. Raises UserError."""
    clips = {clip.id: clip for clip in dataset.test}
    if missing := [name for name in names if name not in clips]:
        raise UserError(f"--clips {missing[0]}: there is no such test clip; there are {', '.join(list(clips)[:5])}, ...")
    dataset.test = [clips[name] for name in names]


def _restore(system, run: Path) -> int:
    """Load the newest checkpoint of a run. Returns its step. Raises UserError."""
    import tensorflow as tf

    from analogy.training.checkpoint import Checkpoints

    step = tf.Variable(0, dtype=tf.int64, trainable=False)
    checkpoints = Checkpoints(run / "checkpoints", system, step, 1)
    if checkpoints.latest is None:
        raise UserError(f"{run}: there is no checkpoint in it; name its saved_model")
    checkpoints.restore()
    system.use_averages()
    return int(step.numpy())


def _open_videos(plan: Evaluation):
    from analogy.evaluation.videos import Videos

    facts = {
        "of": "videos", "range": "uint8 0..255", "source": ", ".join(map(str, plan.predictions)), "system": "videos",
        "context": plan.context,
    }  # fmt: skip
    if plan.tiles:
        folder = plan.predictions[0].absolute().parent.name
        facts |= {"dataset": folder, "summary": f"Published animations of {folder}"}
        return TiledVideos(plan.tiles, plan.context), plan.predictions, facts, 10
    facts |= {"dataset": plan.truth.name, "summary": f"Predicted videos of {plan.predictions[0].name}"}
    judge, count = Videos(plan.context), len(find_videos(plan.truth))
    if count > len(plan.videos):  # such as of a prediction that was stopped
        judge.notes.append(
            f"NOT MEASURED: {count - len(plan.videos)} of the {count} true videos, without a prediction or not asked for"
        )
    return judge, plan.videos, facts, 10

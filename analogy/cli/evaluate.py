"""Measure a finished run again, an exported SavedModel, or a folder of predicted videos, with any metric."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from analogy.cli.console import RESULTS, clear_errors
from analogy.errors import UserError
from analogy.metrics.table import SELECTABLE, USUAL


def main(
    run: Annotated[
        str | None, typer.Option(help="A run folder, its saved_model, or an experiment's name for its latest finished run.")
    ] = None,
    settings: Annotated[Path | None, typer.Option(help="settings.yaml of a SavedModel that lies outside of its run.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="The dataset, if not where it was in training.")] = None,
    clips: Annotated[str | None, typer.Option(help="Test clips by name, 0050,0280; else those of the run.")] = None,
    predictions: Annotated[
        list[Path] | None, typer.Option(help="A folder of predicted videos; give it again for each further sample of them.")
    ] = None,
    truth: Annotated[Path | None, typer.Option(help="The folder of true videos, of the same names.")] = None,
    context: Annotated[int | None, typer.Option(min=1, help="With --predictions: frames given at the start; 1.")] = None,
    metrics: Annotated[
        str | None,
        typer.Option(help=f"Of frames: {', '.join(SELECTABLE)}; if not given: {', '.join(USUAL)}."),
    ] = None,
    fvd_frames: Annotated[int, typer.Option(help="For fvd: how many predicted frames of every video count.")] = 16,
    features: Annotated[Path | None, typer.Option(help="For feature_distance: a VGG-16 or SqueezeNet file.")] = None,
    recogniser: Annotated[str | None, typer.Option(help="A run of pose_actions, to recognise predicted poses.")] = None,
    results_dir: Annotated[Path, typer.Option(help="Where runs are, and where the evaluation goes.")] = RESULTS,
) -> None:
    with clear_errors(results_dir):
        from analogy.evaluation.judge import Measures, write_evaluation
        from analogy.pretrained.fetch_i3d import WEIGHTS
        from data_prep.datasets import cache_folder

        if (run is None) == (not predictions):
            raise UserError("give --run, or --predictions with --truth")
        of_other_kind = {"--truth": truth, "--context": context} if run else {"--settings": settings, "--data-dir": data_dir}
        if alien := [name for name, value in of_other_kind.items() if value is not None]:
            raise UserError(f"{alien[0]} has no meaning with {'--run' if run else '--predictions'}; leave it out")
        names = [name.strip() for name in metrics.split(",") if name.strip()] if metrics else list(USUAL)
        weights = cache_folder() / "weights" / WEIGHTS
        measures = Measures.choose(names, weights=weights, fvd_frames=fvd_frames, features=features and str(features))
        if run:
            predictor, dataset, facts, rate = _open_run(run, settings, data_dir, clips, results_dir, measures)
        else:
            predictor, dataset, facts, rate = _open_videos(predictions, truth, context or 1, clips)
        if metrics and not predictor.paints:
            raise UserError(
                f"--metrics: {facts['of']} predicts no frames; leave it out: the figures of its kind are always measured"
            )
        if recogniser:
            measures.recogniser = _open_recogniser(recogniser, results_dir, dataset)
        page = write_evaluation(predictor, dataset, results_dir, f"evaluation_of_{facts['of']}", measures, facts, rate)
        print((page.parent / "table.md").read_text(encoding="utf-8"), end="")
        print(f"open {page}")


def _open_recogniser(name: str, results: Path, dataset):
    """Refused before anything is predicted, where it cannot judge these clips."""
    from analogy.evaluation.recogniser import Recogniser
    from analogy.runs.find import find_run

    recogniser = Recogniser(find_run(name, results, "--recogniser"))
    if not {clip.action for clip in getattr(dataset, "test", [])} & set(recogniser.actions):
        known = ", ".join(recogniser.actions)
        raise UserError(f"--recogniser {name}: it knows none of these clips' actions; it knows {known}")
    return recogniser


# ---------------------------------------------------------------- a run, or what it exported


def _open_run(run: str, settings_file: Path | None, data_dir: Path | None, clips: str | None, results: Path, measures):
    """The system with its trained networks, its dataset, facts for the summary, and the videos' frames per second."""
    from analogy.runs.find import find_run, is_saved_model, load_endpoint, run_of
    from analogy.runs.uses import open_used
    from analogy.settings import load_settings
    from analogy.settings.published import summary_rows
    from analogy.systems import SYSTEMS
    from analogy.training.distribute import make_strategy
    from analogy.training.loop import build_system
    from data_prep.datasets import open_dataset

    exported = is_saved_model(Path(run))
    folder = Path(run).absolute() if exported else find_run(run, results, "--run")
    stored = settings_file or run_of(folder) / "settings.yaml"
    settings = load_settings(stored, SYSTEMS, **_options(stored, data_dir, clips))
    entry = SYSTEMS[settings.system]
    used = open_used(settings, entry.system.needs)
    dataset = open_dataset(settings, used)
    if clips and not hasattr(settings.data, "test_clips"):
        _choose(dataset, _names(clips))
    system = build_system(entry.build, settings, make_strategy("cpu"), None, used)
    size = getattr(settings.data, "image_size", None)
    known = {"resolution": [size] * 2 if isinstance(size, int) else size and list(size)}
    known |= {name: getattr(settings.data, name, None) for name in ("context", "horizon")}
    shape = {name: value for name, value in known.items() if value is not None}
    facts = {
        "of": settings.experiment, "run": str(folder), "system": settings.system, "dataset": settings.data.dataset,
        "scale": settings.scale, "seed": settings.seed, "range": "uint8 0..255", "split": "test", **shape,
        "summary": f"{settings.summary}: measured again" + (", as exported" if exported else ""), "source": str(folder),
        "published": summary_rows(settings.published, settings),
    }  # fmt: skip
    if exported:
        first = next(iter(system.endpoints()))
        if less := system.use_export(load_endpoint(folder, first)):
            measures.notes.append(less)
    else:
        facts["steps"] = _restore(system, folder)
        if facts["steps"] < settings.training.steps:
            measures.notes.append(f"measured as it was at step {facts['steps']} of {settings.training.steps}")
            print(measures.notes[-1])
    return system, dataset, facts, settings.evaluation.frames_per_second


def _options(stored: Path, data_dir: Path | None, clips: str | None) -> dict:
    """How the settings of a run are read again."""
    from analogy.settings.loading import read_experiment
    from data_prep.datasets import DATASETS

    if not stored.is_file():
        raise UserError(f"{stored}: there is no such file; name the run's settings.yaml with --settings")
    content = read_experiment(stored)
    if content.get("scale") not in ("paper", "demo") or not isinstance(content.get("data"), dict):
        raise UserError(f"{stored}: these are not the settings of a run; name the settings.yaml of its folder")
    overrides = ["training.start_from=null", "training.precision=float32"]
    if data_dir:
        overrides.append(f"data.folder={data_dir.resolve()}")
        if (entry := DATASETS.get(str(content["data"].get("dataset")))) and entry.stands_in_for:
            overrides.append(f"data.dataset={entry.stands_in_for}")  # a folder holds the real one, in the same layout
    if clips and "test_clips" in content["data"]:
        names = _names(clips)
        overrides += [f"data.test_clips=[{','.join(names)}]", f"evaluation.clips_per_action={max(1, len(names))}"]
    return {"scale": content["scale"], "overrides": overrides}


def _names(clips: str) -> list[str]:
    return [name.strip() for name in clips.split(",") if name.strip()]


def _choose(dataset, names: list[str]) -> None:
    """Only these test clips. Raises UserError."""
    known = {clip.id: clip for clip in dataset.test}
    if missing := [name for name in names if name not in known]:
        raise UserError(f"--clips {missing[0]}: there is no such test clip; there are {', '.join(list(known)[:5])}, ...")
    dataset.test = [known[name] for name in names]


def _restore(system, run: Path) -> int:
    """Load the newest checkpoint. Returns its step."""
    import tensorflow as tf

    from analogy.training.checkpoint import Checkpoints

    step = tf.Variable(0, dtype=tf.int64, trainable=False)
    checkpoints = Checkpoints(run / "checkpoints", system, step, 1)
    if checkpoints.latest is None:
        raise UserError(f"{run}: there is no checkpoint in it; name its saved_model")
    checkpoints.restore()
    return int(step.numpy())


# ---------------------------------------------------------------- folders of videos


def _open_videos(predictions: list[Path], truth: Path | None, context: int, clips: str | None):
    from analogy.evaluation.videos import Videos, pair_videos

    if truth is None:
        raise UserError("--predictions needs --truth, the folder of true videos")
    selected = pair_videos(predictions, truth, _names(clips) if clips else ())
    facts = {
        "of": "videos", "dataset": truth.name, "range": "uint8 0..255", "source": ", ".join(map(str, predictions)),
        "system": "videos", "summary": f"Predicted videos of {predictions[0].name}", "context": context,
    }  # fmt: skip
    return Videos(context), selected, facts, 10

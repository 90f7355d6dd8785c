"""Measure pose prediction and painting joined: frames from true, predicted and estimated poses, at each future time step."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from analogy.cli.console import RESULTS, clear_errors, names_in
from analogy.cli.evaluate_options import ResultsDir
from analogy.cli.options import PaintRun, PoseModels, PoseRun
from analogy.errors import Mistakes, UserError
from analogy.files.paths import cache_folder
from analogy.one_line import say
from analogy.ownership import check_results_dir
from analogy.runs.find import saved_model_of
from analogy.systems.hierarchical.estimation import ESTIMATORS, find_models
from analogy.systems.hierarchical.steps import find_steps
from analogy.training.progress import messages_shown
from data_prep.datasets import DATASETS, check_folder


def main(
    pose_run: PoseRun = None,
    paint_run: PaintRun = None,
    data_dir: Annotated[
        Path | None, typer.Option(envvar="ANALOGY_DATA_DIR", help="The folder of Penn Action. Default: synthetic_actors.")
    ] = None,
    clips: Annotated[
        str | None,
        typer.Option(help="Numbers of clips, such as 0050,0280. Default: test clips of each action, see --clips-per-action."),
    ] = None,
    clips_per_action: Annotated[int, typer.Option(min=1, max=10_000, help="Number of test clips of each action.")] = 1,
    horizon: Annotated[int, typer.Option(min=1, max=10_000, help="Largest number of future frames.")] = 45,
    poses: Annotated[str | None, typer.Option(help="Also measure with estimated poses, by movenet or blazepose.")] = None,
    models: PoseModels = None,
    results_dir: ResultsDir = RESULTS,
) -> None:
    with clear_errors(results_dir), messages_shown():
        pose_folder, paint_folder = _check(pose_run, paint_run, data_dir, clips, poses, models, results_dir)

        from analogy.evaluation.judge import Measures, write_evaluation
        from analogy.systems.hierarchical.estimation.tflite import open_estimator
        from analogy.systems.hierarchical.pipeline import Pipeline
        from analogy.systems.hierarchical.pipeline_evaluation import PipelinePredictor
        from data_prep.synthetic_actors.opening import rendered_actors

        estimator = open_estimator(poses, models) if poses else None
        pipeline = Pipeline(pose_folder, paint_folder)
        source = data_dir or rendered_actors(cache_folder())
        selected_clips = _select_clips(source, clips, clips_per_action, pipeline.context)
        trained = _trained_on(pose_folder, source) | _trained_on(paint_folder, source)
        if leaked := [clip.id for clip in selected_clips if clip.id in trained or (clip.split == "train" and None in trained)]:
            say(f"NOT held out, a run was trained on them: {', '.join(leaked)}")
        facts = {
            "system": "pipeline", "dataset": source.name, "source": f"poses by {pose_folder}, frames by {paint_folder}",
            "summary": "Both steps joined: observed poses, predicted poses, painted frames",
        }  # fmt: skip
        predictor = PipelinePredictor(pipeline, source, estimator, horizon)
        say(f"open {write_evaluation(predictor, selected_clips, results_dir, 'pipeline', Measures(), facts)}")


def _check(
    pose_run: str | None,
    paint_run: str | None,
    data_dir: Path | None,
    clips: str | None,
    poses: str | None,
    models: Path | None,
    results_dir: Path,
) -> tuple[Path, Path]:
    """Check the options without importing TensorFlow. Returns the folders of the two runs. Raises UserError."""
    with Mistakes() as mistakes:
        with mistakes.noted():
            if poses in ESTIMATORS:
                find_models(poses, models)
            elif poses is not None:
                raise UserError(f"--poses {poses}: choose {' or '.join(ESTIMATORS)}")
        with mistakes.noted():
            steps = tuple(step.run for step in find_steps(pose_run, paint_run, results_dir))
            for run in steps:
                saved_model_of(run)
        with mistakes.noted():
            if data_dir:
                check_folder("penn_action", "frames", data_dir)
                if missing := [name for name in names_in(clips) if not (data_dir / "frames" / name).is_dir()]:
                    raise UserError(f"--clips {', '.join(missing)}: not in {data_dir} with frames and labels")
        with mistakes.noted():
            check_results_dir(results_dir)
    return steps


def _select_clips(source: Path, clips: str | None, per_action: int, context: int) -> list:
    """The clips named in `clips`, or test clips of each action; only those longer than the context. Raises UserError."""
    from analogy.data.selection import first_per_action
    from data_prep.penn_action.poses import read_pose_clips

    present = {clip.id: clip for clip in read_pose_clips(source) if (source / "frames" / clip.id).is_dir()}
    if clips:
        names = list(dict.fromkeys(names_in(clips)))
        if missing := [name for name in names if name not in present]:
            raise UserError(f"--clips {', '.join(missing)}: not in {source} with frames and labels")
        selected_clips = [present[name] for name in names]
    else:
        selected_clips = first_per_action([clip for clip in present.values() if clip.split == "test"], per_action)
    long = [clip for clip in selected_clips if clip.length > context]
    if not long:
        raise UserError(
            f"{source}: no selected clip has more than {context} frames, which the pose run observes; name others in --clips"
        )
    return long


def _trained_on(run: Path, source: Path) -> set[str | None]:
    """The ids of the clips of `source` on which a run was trained. None stands for the training clips of the official split."""
    from analogy.data.selection import read_split_file
    from analogy.settings.loading import read_experiment
    from data_prep.synthetic_actors.opening import actors_folder

    stored = run / "settings.yaml"
    data = read_experiment(stored).get("data") if stored.is_file() else None
    entry = DATASETS.get(str(data.get("dataset"))) if isinstance(data, dict) else None
    rendered = source.resolve() == actors_folder(cache_folder()).resolve()
    if entry is None or rendered != entry.generated:
        return set()
    clips = data.get("train_clips")
    return {None} if clips is None else set(clips) if isinstance(clips, list) else set(read_split_file(Path(clips)))

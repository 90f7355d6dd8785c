"""What `import analogy` offers: the functions train, load, predict, evaluate, experiments and datasets, and the class Run.

A mistake in the arguments raises `analogy.UserError` before anything is loaded or trained. Its message says how to mend it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analogy.errors import UserError
from analogy.files.paths import SAVE_THE_VIDEO, expanded
from analogy.runs.reading import read_run
from analogy.runs.ready import FOR_VIDEOS, run_or_ready
from analogy.settings import Experiment, Settings, list_experiments
from analogy.systems.actions import check_numbers, told_actions
from analogy.systems.run_settings import settings_of_run
from data_prep.datasets import DATASETS, Entry

if TYPE_CHECKING:
    import numpy as np

    from analogy.data.contract import Dataset

__all__ = ["Run", "UserError", "datasets", "evaluate", "experiments", "load", "predict", "train"]


class Run:
    """A trained run: its figures, its settings and its predictions.

    folder: the absolute path of the run folder.
    """

    def __init__(self, folder: Path):
        self.folder = folder.absolute()
        self._record = read_run(self.folder)

    def __repr__(self) -> str:
        return f"<analogy.Run {self.experiment}, {self.status}: {self.folder}>"

    @property
    def experiment(self) -> str:
        """The experiment's name."""
        return self._record.experiment

    @property
    def status(self) -> str:
        """running, interrupted, failed or finished."""
        return self._record.status

    @cached_property
    def settings(self) -> Settings:
        """The settings of the training, read from settings.yaml. Raises UserError where that file is missing or not valid."""
        return settings_of_run(self.folder)

    @property
    def test(self) -> dict[str, Any]:
        """metric -> figure on the test clips, such as test["psnr"] in dB. `analogy.metrics.table` explains each metric.

        Raises:
            UserError: the run is not finished.
        """
        return self._figures("test")

    @property
    def baseline(self) -> dict[str, dict[str, Any]]:
        """baseline -> metric -> figure, for trivial predictions such as copying a frame. Raises UserError as `test` does."""
        return self._figures("baseline")

    @property
    def protocol(self) -> str:
        """One sentence that says what was measured: data, split, clips, resolution, frames."""
        return self._record.summary.protocol

    @property
    def page(self) -> Path:
        """The HTML page of the run, to open in a browser."""
        return self.folder / "index.html"

    @property
    def films(self) -> dict[str, Path]:
        """ACTION/CLIP -> the film (GIF) of a test clip: the truth, the prediction, and how they differ, side by side."""
        films = sorted((self.folder / "test").glob("*/*.gif"))
        return {f"{film.parent.name}/{film.stem}": film for film in films}

    @cached_property
    def dataset(self) -> Dataset:
        """The run's dataset, opened again: `dataset.train` and `dataset.test` are its clips. Of labelled frames,
        `dataset.load(clip)` reads one. `dataset.doubts` say where a run in `uses` was trained again since. Raises UserError
        where the data are no longer there.
        """
        from analogy.runs.uses import open_used, retrained_models
        from analogy.systems import SYSTEMS
        from data_prep.datasets import open_dataset

        dataset = open_dataset(self.settings, open_used(self.settings, SYSTEMS[self.settings.system].system.needs))
        dataset.doubts = [*dataset.doubts, *retrained_models(self.settings, self._record.table)]
        return dataset

    def predict(self, observed=None, /, *, endpoint: str | None = None, **inputs) -> np.ndarray | dict[str, np.ndarray]:
        """Predict with the run's SavedModel, which holds the networks as they were exported.

        Pass each input by its name. A SavedModel with a single input also takes it as `observed`.

        - Painters: frame uint8 [H, W, C], 0..255 and of the run's size; joints float32 [13, 2], x then y, in pixels of that
          frame; next_joints [T, 13, 2] -> frames uint8 [T, H, W, C]. Optional: visibility [13] and next_visibility [T, 13],
          1 or 0 (default: every joint is visible); crop [2], the width and height of the frame in pixels of the source video
          (default: the size of the frame).
        - Videos: observed frames uint8 [k, H, W, C] -> future frames uint8 [T, H, W, C]. Frames float32 in 0..1 are also
          accepted; the result is then float32.
        - Sequences: observed values float32 [k, C] in 0..1 -> future values [T, C].
        - Poses: joints [k, 13, 2] and visibility [k, 13] in pixels, box [4] (x_min, y_min, x_max, y_max) around the person,
          size [2] (width, height) of the frame, count: the number of future poses -> a dict of joints [count, 13, 2] and
          visibility [count, 13]. Optional, of networks that are told the action: action, its number in `settings.data.actions`.
        - Motions of keypoints: frame, action (its number as above; -1: unknown), seed, count: the number of futures
          -> a dict of frames and keypoints.

        Every input may have a batch axis in front; every result then has it too.

        Args:
            endpoint: the endpoint to call. It is needed only where several endpoints take the same inputs.

        Returns:
            The predicted array, or a dict name -> array where the endpoint has several outputs.

        Raises:
            UserError: there is no SavedModel, or the inputs do not fit it. The message lists the inputs of each endpoint.
        """
        settings = self.settings if (self.folder / "settings.yaml").is_file() else None
        if settings and "action" in inputs and (actions := told_actions(settings)):
            check_numbers(inputs["action"], actions)
        return self._model.call(observed, inputs, endpoint, count=settings and getattr(settings.data, "horizon", None))

    @cached_property
    def _model(self):
        from analogy.runs.calling import SavedModel

        return SavedModel(self.folder)

    def _figures(self, name: str) -> dict[str, Any]:
        if not (figures := getattr(self._record.summary, name)):
            why = self._record.problem or f"it is {self.status}"
            raise UserError(f"{self.folder}: this run has no {name} figures: {why}; finish it with resume, or load another")
        return figures


def train(
    experiment: str | Path | None = None,
    *,
    steps: int | None = None,
    seed: int | None = None,
    scale: str = "auto",
    data_dir: str | Path | None = None,
    set: Mapping[str, Any] | None = None,
    resume: str | Path | None = None,
    precision: str | None = None,
    devices: str | None = None,
    cluster: str = "tf_config",
    results_dir: str | Path = "results",
    verbose: bool = True,
) -> Run | None:
    """Train an experiment, evaluate it on its test clips, export it, and write its page: as `analogy run` does.

    Args:
        experiment: its name (see `experiments`), or the path of a YAML file.
        steps: the number of updates. Default: the experiment's.
        seed: the seed of the initial weights, the order of the data, and the noise. Default: the experiment's.
        scale: "paper", "demo" (minutes on a CPU), or "auto": paper where the dataset is present.
        data_dir: the folder of the dataset, as its authors distribute it.
        set: other settings by dotted key, such as {"generator.width": 0.5}.
        resume: the folder of an interrupted run. It continues exactly as if it had not been interrupted.
        precision: "auto", "float32", "bfloat16" or "float16". devices: "auto", "cpu", "gpu:2" ...
        cluster: who names the workers that train together: "tf_config", "slurm" or "kubernetes".
        results_dir: where the run folder EXPERIMENT/DATE_TIME is made.
        verbose: whether to print messages to standard output.

    Returns:
        The finished run; None on workers other than the chief, where several train together.

    Raises:
        UserError: one line for each mistake in the arguments; or a fault of the data or of the disk.
        KeyboardInterrupt: Ctrl-C. `resume` continues the run from its last checkpoint.

    Examples:
        >>> run = analogy.train("seq2seq_noise_l1", scale="demo", steps=20)
        >>> run.test["mse"], run.baseline["linear_map"]["mse"]
    """
    from analogy.resolve import say_settings, shorthand_values, stages
    from analogy.training.progress import messages_shown

    if experiment is None and resume is None:
        raise UserError("name an experiment, or a run to go on with as resume=FOLDER; analogy.experiments() lists all")
    if set is not None and not (isinstance(set, Mapping) and all(isinstance(key, str) for key in set)):
        raise UserError('set: give settings by dotted key, such as {"training.steps": 100}')
    results, run = expanded(results_dir), _path(resume)
    runs = stages(
        None if experiment is None else str(experiment),
        results_dir=results,
        data_dir=_path(data_dir),
        scale=scale,
        values=shorthand_values(steps=steps, seed=seed, precision=precision, devices=devices),
        own=set,
        resume=run,
        cluster=cluster,
    )
    with messages_shown(verbose):
        for settings in runs:
            say_settings(settings)
            from analogy.training.run import run_experiment
            from data_prep.datasets import open_dataset

            folder = run_experiment(settings, open_dataset, results, run, workers=cluster)
    return folder and Run(folder)


def load(run: str | Path, results_dir: str | Path = "results") -> Run:
    """Open a trained run.

    Args:
        run: the run's folder; or an experiment, by its name or its folder in `results_dir`: then its newest finished run.
            Where there is none, the model of that name in the package (`analogy models`).

    Raises:
        UserError: there is no such run.
    """
    return Run(run_or_ready(run, expanded(results_dir), "load"))


def predict(
    video: str | Path,
    run: Run | str | Path = FOR_VIDEOS,
    *,
    horizon: int | None = None,
    out: str | Path | None = None,
    results_dir: str | Path = "results",
) -> Path:
    """Predict the next frames of a video, as `analogy predict VIDEO --run RUN` does.

    Args:
        video: a video file, a GIF, or a folder of pictures.
        run: a Run that predicts frames, or an argument of `load`. Default: the model in the package.
        horizon: the number of predicted frames. Default: as many as the run learned.
        out: the folder to write. Default: a new one in results_dir/predictions.

    Returns:
        The folder with index.html, prediction.mp4, frames/ and films.gif: the video, the prediction and both baselines side by
        side.

    Raises:
        UserError: the video cannot be read or is too short, or the run predicts no frames.
    """
    from analogy.data.video import check_video
    from analogy.systems import movie_prediction

    path = expanded(video, SAVE_THE_VIDEO)
    check_video(path)
    run, results = run if isinstance(run, Run) else load(run, results_dir), expanded(results_dir)
    if run.settings.data.kind != "movies":
        raise UserError(f"{run.folder}: this run predicts no frames of videos; name one that does, such as {FOR_VIDEOS}")
    request = movie_prediction.check_request(
        str(path), run=run.folder, settings=run.settings, horizon=horizon, results_dir=results, out=_path(out)
    )
    return movie_prediction.predict(request)


def evaluate(
    run: Run | str | Path,
    *,
    metrics: Sequence[str] = (),
    clips: Sequence[str] = (),
    data_dir: str | Path | None = None,
    fvd_frames: int | None = None,
    features: str | Path | None = None,
    recogniser: str | None = None,
    results_dir: str | Path = "results",
) -> Run:
    """Measure a run again on its test clips, with other metrics or clips, as `analogy evaluate --run` does.

    Args:
        run: a Run, or an argument of `load`. From the folder of a SavedModel, the exported networks are measured.
        metrics: names of metrics of frames (`analogy.metrics.table`). Empty: the usual ones.
        clips: names of test clips. Empty: the test clips of the run.
        data_dir: the dataset's folder, if it has moved since training.
        fvd_frames: the number of predicted frames of each video that the metric "fvd" uses. Default: 16.
        features: "hed", "imagenet", or the weights file of a VGG-16 or SqueezeNet, for the metric "feature_distance".
        recogniser: a run of pose_actions, which recognises the actions in the predicted poses.

    Returns:
        The evaluation as a run of its own, results_dir/evaluation_of_EXPERIMENT/DATE_TIME: its `test`, `baseline`, `page`.

    Raises:
        UserError: one line for each mistake, before anything is loaded; or a fault of the data.
    """
    from analogy.measure import check_evaluation
    from analogy.measure import evaluate as measure

    for name, value in {"metrics": metrics, "clips": clips}.items():
        if isinstance(value, str):
            raise UserError(f'{name}: give a list of names: ["{value}"]')
    plan = check_evaluation(
        run=str(run.folder if isinstance(run, Run) else run),
        metrics=metrics,
        clips=clips,
        data_dir=_path(data_dir),
        fvd_frames=fvd_frames,
        features=features and str(_path(features)),
        recogniser=recogniser,
        results_dir=expanded(results_dir),
    )
    return Run(measure(plan))


def _path(path: str | Path | None) -> Path | None:
    return None if path is None else expanded(path)


def experiments() -> dict[str, Experiment]:
    """experiment name -> its paper, summary, source (where it was published) and YAML file."""
    return list_experiments()


def datasets() -> dict[str, Entry]:
    """dataset name -> its entry, which says what the dataset's folder must hold and whether it can be generated."""
    return dict(DATASETS)

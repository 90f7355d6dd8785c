"""What `import analogy` offers: train, load, evaluate, experiments, datasets, and the runs that they give.

Mistakes raise `analogy.UserError`, whose message says how to mend them, before anything is loaded or trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analogy.errors import UserError
from analogy.runs.find import find_run, run_of
from analogy.runs.reading import read_run
from analogy.settings import Experiment, Settings, list_experiments, load_settings
from analogy.settings.loading import read_experiment
from analogy.systems import SYSTEMS
from data_prep.datasets import DATASETS, Entry

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Run", "UserError", "datasets", "evaluate", "experiments", "load", "train"]


class Run:
    """A run that was trained: its figures, its settings, and what it predicts.

    folder: the run's, absolute.
    """

    def __init__(self, folder: Path):
        self.folder = folder.absolute()
        self._found = read_run(self.folder)

    def __repr__(self) -> str:
        return f"<analogy.Run {self.experiment}, {self.status}: {self.folder}>"

    @property
    def experiment(self) -> str:
        """The experiment's name."""
        return self._found.experiment

    @property
    def status(self) -> str:
        """running, interrupted, failed or finished."""
        return self._found.status

    @cached_property
    def settings(self) -> Settings:
        """The settings that it was trained with, as in settings.yaml. Raises UserError."""
        path = self.folder / "settings.yaml"
        scale = str(read_experiment(path).get("scale"))
        return load_settings(path, SYSTEMS, scale=scale)

    @property
    def test(self) -> dict[str, Any]:
        """The figures on the test clips by metric, such as test["psnr"] in dB; `analogy.metrics.table` explains each.

        Raises:
            UserError: the run is not finished.
        """
        return self._figures("test")

    @property
    def baseline(self) -> dict[str, dict[str, Any]]:
        """The same figures of what costs nothing, such as copying a frame: baseline -> metric -> figure. Raises UserError."""
        return self._figures("baseline")

    @property
    def protocol(self) -> str:
        """What the figures mean, in one sentence: data, split, clips, resolution, frames."""
        return self._found.summary.protocol

    @property
    def page(self) -> Path:
        """The page to open in a browser."""
        return self.folder / "index.html"

    def predict(self, observed=None, /, *, endpoint: str | None = None, **inputs) -> np.ndarray | dict[str, np.ndarray]:
        """Predict by the networks as they were exported (the run's SavedModel).

        What is given, by name, is what the SavedModel takes; `observed` stands for its only input.

        - Painters: frame uint8 [H, W, C], 0..255 and of the run's size; joints float32 [13, 2], x then y, in pixels of that
          frame; next_joints [T, 13, 2] -> frames uint8 [T, H, W, C]. If left out, every joint is visible (visibility [13],
          next_visibility [T, 13], 1 or 0), and crop, the width and height in source pixels that the frame shows, is its own.
        - Videos: observed frames uint8 [k, H, W, C] -> future frames uint8 [T, H, W, C]; float32 in 0..1 gives float32.
        - Sequences: observed values float32 [k, C] in 0..1 -> future values [T, C].
        - Poses: joints [k, 13, 2] and visibility [k, 13] in pixels, box [4] (x_min, y_min, x_max, y_max) around the person,
          size [2] (width, height) of the frame, count future poses -> a dict of joints [count, 13, 2] and visibility.

        Everything may have one more axis in front, for a batch; so have the results then.

        Args:
            endpoint: where a SavedModel offers several that take the same.

        Returns:
            The prediction; a dict by name where there is more than one array.

        Raises:
            UserError: there is no SavedModel, or what is given does not fit: the message says what is taken.
        """
        horizon = getattr(self.settings.data, "horizon", None) if (self.folder / "settings.yaml").is_file() else None
        return self._model.call(observed, inputs, endpoint, count=horizon)

    @cached_property
    def _model(self):
        from analogy.runs.calling import SavedModel

        return SavedModel(self.folder)

    def _figures(self, name: str) -> dict[str, Any]:
        if not (figures := getattr(self._found.summary, name)):
            why = self._found.problem or f"it is {self.status}"
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
    results_dir: str | Path = "results",
    verbose: bool = True,
) -> Run | None:
    """Train an experiment, evaluate it on its test clips, export it, and write its page: as `analogy run` does.

    Args:
        experiment: its name (see `experiments`), or the path of a YAML file.
        steps: how many updates; seed: of weights, data order and noise. Those of the experiment if not given.
        scale: "paper", "demo" (minutes on a CPU), or "auto": paper where the dataset is present.
        data_dir: the dataset's folder in its official layout.
        set: other settings by dotted key, such as {"generator.width": 0.5}.
        resume: the folder of a run to go on with, exactly as if it had not been interrupted.
        precision: "auto", "float32", "bfloat16" or "float16". devices: "auto", "cpu", "gpu:2" ...
        results_dir: where the run folder EXPERIMENT/DATE_TIME is made.
        verbose: say on standard output what is done.

    Returns:
        The finished run; None on workers other than the chief, where several train together.

    Raises:
        UserError: a line for each mistake in what was asked; or a fault of the data, or of the disk.
        KeyboardInterrupt: Ctrl-C; the run goes on with `resume` from its last checkpoint.

    Example:
        >>> run = analogy.train("seq2seq_noise_l1", scale="demo", steps=20)
        >>> run.test["mse"], run.baseline["linear_map"]["mse"]
    """
    from analogy.resolve import resolve_settings, say_settings
    from analogy.training.progress import messages_shown

    if experiment is None and resume is None:
        raise UserError("name an experiment, or a run to go on with as resume=FOLDER; analogy.experiments() lists all")
    shorthands = {"training.steps": steps, "seed": seed, "training.precision": precision, "training.devices": devices}
    changes = {key: value for key, value in shorthands.items() if value is not None} | dict(set or {})
    results = Path(results_dir)
    settings = resolve_settings(
        None if experiment is None else str(experiment),
        results_dir=results,
        data_dir=None if data_dir is None else Path(data_dir),
        scale=scale,
        values=changes,
        resume=None if resume is None else Path(resume),
    )
    with messages_shown(verbose):
        say_settings(settings)
        from analogy.training.run import run_experiment
        from data_prep.datasets import open_dataset

        folder = run_experiment(settings, open_dataset, results, None if resume is None else Path(resume))
    return folder and Run(folder)


def load(run: str | Path, results_dir: str | Path = "results") -> Run:
    """A run that was trained before.

    Args:
        run: its folder; or an experiment, by its folder or its name in `results_dir`, for its newest finished run.

    Raises:
        UserError: there is none.
    """
    return Run(run_of(find_run(run, Path(results_dir), "load")))


def evaluate(
    run: Run | str | Path,
    *,
    metrics: Sequence[str] = (),
    clips: Sequence[str] = (),
    data_dir: str | Path | None = None,
    fvd_frames: int = 16,
    features: str | Path | None = None,
    recogniser: str | None = None,
    results_dir: str | Path = "results",
) -> Run:
    """Measure a run again on its test clips, with other metrics or clips, as `analogy evaluate --run` does.

    Args:
        run: what `load` takes, or gives; the folder of a SavedModel is measured as it was exported.
        metrics: names of metrics of frames (`analogy.metrics.table`); the usual ones if empty.
        clips: names of test clips; those of the run if empty.
        data_dir: the dataset's folder, if not where it was in training.
        fvd_frames: for "fvd", how many predicted frames of every video count.
        features: for "feature_distance", the file of a VGG-16 or SqueezeNet.
        recogniser: a run of pose_actions, to recognise predicted poses.

    Returns:
        The evaluation as a run of its own, results_dir/evaluation_of_EXPERIMENT/DATE_TIME: its `test`, `baseline`, `page`.

    Raises:
        UserError: a line for each mistake, before anything is loaded; or a fault of the data.
    """
    from analogy.measure import check_evaluation
    from analogy.measure import evaluate as measure

    plan = check_evaluation(
        run=str(run.folder if isinstance(run, Run) else run),
        metrics=metrics,
        clips=clips,
        data_dir=None if data_dir is None else Path(data_dir),
        fvd_frames=fvd_frames,
        features=None if features is None else Path(features),
        recogniser=recogniser,
        results_dir=Path(results_dir),
    )
    return Run(measure(plan))


def experiments() -> dict[str, Experiment]:
    """Every experiment by name: its paper, what it is, where it was published, and its YAML file."""
    return list_experiments()


def datasets() -> dict[str, Entry]:
    """Every dataset by name: what its folder must hold, and whether it can be generated without one."""
    return dict(DATASETS)

"""A run that is measured again: the options of `analogy evaluate --run`, and opening it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from analogy.errors import Mistakes, UserError, about
from analogy.files.paths import check_present
from analogy.files.reading import not_there
from analogy.measure.opened import Opened
from analogy.one_line import say
from analogy.runs.find import MODEL, inputs_of, is_saved_model, run_of
from analogy.runs.history import describe, differences_of_data, trained_steps
from analogy.runs.reading import read_run
from analogy.runs.ready import model_or_ready
from analogy.runs.uses import check_inputs, open_used, retrained_models
from analogy.settings import Settings, load_settings
from analogy.settings.loading import read_experiment
from analogy.settings.published import summary_rows
from analogy.systems import SYSTEMS
from data_prep.datasets import DATASETS, check_dataset


@dataclass(frozen=True)
class MeasuredRun:
    """A checked run. Nothing is loaded yet.

    folder: of the run, or with `exported` of its SavedModel. settings: those for the evaluation. clips: the test clips to
    select, where the settings have no key for them. selected: whether any are named.
    """

    folder: Path
    exported: bool
    settings: Settings
    clips: tuple[str, ...]
    selected: bool

    @classmethod
    def check(
        cls, name: str, *, settings_file: Path | None, data_dir: Path | None, clips: tuple[str, ...], results: Path
    ) -> MeasuredRun:
        """Args: as the options of `analogy evaluate`. Raises UserError: one line for each mistake."""
        with Mistakes() as mistakes:
            with mistakes.noted():
                folder = model_or_ready(name, results, "--run")
            with mistakes.noted():
                check_present(data_dir, "--data-dir")
            if settings_file and (why := not_there(settings_file)):
                mistakes.add(f"--settings {settings_file}: {why}; name the settings.yaml of a run")
        if not trained_steps(folder) and is_saved_model(folder / MODEL):
            folder /= MODEL  # of a model that comes along, or of a run whose checkpoints are gone
        exported = is_saved_model(folder)
        if not exported and not trained_steps(folder):
            raise UserError(f"--run {folder}: there is no checkpoint in it, and no {MODEL}; name a finished run")
        stored = settings_file or run_of(folder) / "settings.yaml"
        settings = load_settings(stored, SYSTEMS, **_changes(stored, data_dir, clips))
        check_dataset(settings)
        selected = bool(clips)
        clips = () if hasattr(settings.data, "test_clips") else clips  # then the settings name them
        return cls(folder, exported, settings, clips, selected)

    @property
    def paints(self) -> bool:
        """Whether it predicts frames."""
        return SYSTEMS[self.settings.system].system.paints

    def open(self, measures) -> Opened:
        """The system with trained networks and its dataset. measures: a `Measures`, to which notes are added."""
        from analogy.data.fingerprint import dataset_fingerprint
        from analogy.runs.find import load_endpoint
        from analogy.training.distribute import local_strategy
        from analogy.training.loop import build_system
        from analogy.training.precision import use_precision
        from data_prep.datasets import open_dataset

        settings, folder = self.settings, self.folder
        entry = SYSTEMS[settings.system]
        if self.exported:
            say(f"{folder}: measured as exported")
        used = open_used(settings, entry.system.needs)
        with _option_for_setting(self.selected):
            dataset = open_dataset(settings, used)
        record = read_run(run_of(folder)).table
        differing = differences_of_data(run_of(folder), dataset_fingerprint(dataset), selected=self.selected)
        for note in [*([differing] if differing else []), *retrained_models(settings, record)]:
            measures.notes.append(note)
            say(note)
        if self.clips:
            _select(dataset, self.clips)
        with use_precision("float32"):  # whatever policy a notebook has set
            system = build_system(entry.build, settings, local_strategy("cpu"), None, used)
        facts = self._facts()
        if parts := describe(record.get("parts")):
            measures.notes.append(f"trained in parts{parts}")
        if self.exported:
            loaded = load_endpoint(folder, *system.endpoints())
            check_fits(loaded, system, folder)
            system.use_export(loaded)
            measures.notes += [system.export_notes] if system.export_notes else []
        else:
            facts["steps"] = _restore(system, folder)
            if facts["steps"] < settings.training.steps:
                measures.notes.append(f"measured as it was at step {facts['steps']} of {settings.training.steps}")
                say(measures.notes[-1])
        return Opened(system, dataset, facts, settings.evaluation.frames_per_second)

    def _facts(self) -> dict:
        """Facts for summary.json."""
        settings, folder = self.settings, str(self.folder)
        size = getattr(settings.data, "image_size", None)
        shape = {"resolution": [size] * 2 if isinstance(size, int) else size and list(size)}
        shape |= {name: getattr(settings.data, name, None) for name in ("context", "horizon")}
        shape = {name: value for name, value in shape.items() if value is not None}
        return {
            "of": settings.experiment, "run": folder, "system": settings.system, "dataset": settings.data.dataset,
            "scale": settings.scale, "seed": settings.seed, "range": "uint8 0..255", "split": "test", **shape,
            "summary": f"{settings.summary}: measured again" + (", as exported" if self.exported else ""), "source": folder,
            "published": summary_rows(settings.published, settings),
        }  # fmt: skip


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


@contextmanager
def _option_for_setting(selected: bool) -> Iterator[None]:
    """A context: where --clips has selected the test clips, the message of a UserError names that option, not the settings of
    the clips; those that the run was trained on cannot be others."""
    try:
        yield
    except UserError as error:
        if not selected:
            raise
        lines = (line.replace(" or data.train_clips", "").replace("data.test_clips", "--clips") for line in error.lines)
        raise UserError(*lines) from error


def check_fits(loaded, system, folder: Path) -> None:
    """Raise a UserError where an exported endpoint takes other inputs than the system of the settings gives."""
    here = f"with these settings {system.built_for}".strip()
    for endpoint, function in system.endpoints().items():
        if endpoint in loaded.signatures:
            taken = inputs_of(loaded, endpoint)  # of an earlier version perhaps fewer
            inputs = {given.name: given.shape for given in function.input_signature if given.name in taken}
            with about(str(folder)):
                check_inputs(loaded, endpoint, inputs, f"{here}: name those with which it was exported")


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

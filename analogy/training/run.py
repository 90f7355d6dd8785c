"""One run from start to end: train or resume, evaluate, export, and write the pages."""

from __future__ import annotations

import logging
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import closing, nullcontext, suppress
from pathlib import Path

from analogy.data.fingerprint import dataset_fingerprint
from analogy.data.python_calls import user_errors
from analogy.memory import keep_freed_memory
from analogy.metrics.table import HEADLINES
from analogy.one_line import counted
from analogy.runs.environment import describe_environment
from analogy.runs.folder import RunFolder, write_json
from analogy.runs.history import check_data, check_precision, check_settings, describe, flat_settings, go_on, precision_before
from analogy.runs.reading import read_table
from analogy.runs.uses import doubts_about_used, open_used, used_models
from analogy.settings import Settings, write_settings
from analogy.settings.published import summary_rows
from analogy.systems import SYSTEMS
from analogy.training.distribute import check_batch, make_strategy, place_of_worker
from analogy.training.loop import Trainer, build_system
from analogy.training.memory_need import enough_memory
from analogy.training.precision import resolve_precision, use_precision
from analogy.training.stop import Stopped, StopRequest
from analogy.training.trackers import Trackers
from analogy.visualise.pages import write_pages
from analogy.visualise.wording import compare

log = logging.getLogger("analogy")


def run_experiment(
    settings: Settings,
    open_dataset: Callable[[Settings, Mapping[str, object]], object],
    results_dir: Path,
    run: Path | None = None,
    stop: StopRequest | None = None,
    began: float | None = None,
    workers: str = "tf_config",
) -> Path | None:
    """Train an experiment, or resume a run; then evaluate, export and write the pages.

    Args:
        settings: the experiment's settings from `analogy.resolve.resolve_settings`.
        open_dataset: called with (settings, used), returns the dataset that `settings.data` describes. used: role -> the loaded
            SavedModel of each run in `uses`.
        results_dir: the folder in which the run folder EXPERIMENT/DATE_TIME is made, unless `run` is given.
        run: the folder of a run to resume.
        stop: handles signals during the run. Without it, Ctrl-C is Python's own KeyboardInterrupt.
        began: time.monotonic() at the start of the command, so that the run's seconds include importing TensorFlow. Default:
            the time of this call.
        workers: who says which workers train together, one of `schedulers.KINDS`.

    Returns:
        The run folder; None on workers other than the chief.

    Raises:
        UserError: a fault of the settings, the data or the disk.
        Stopped: a signal or Ctrl-C has ended the run; it can be resumed.
    """
    began = time.monotonic() if began is None else began
    run = run and run.resolve()  # `Path(".")` has no parent; its absolute path has
    results_dir = run.parent.parent if run else results_dir.absolute()
    if run:
        check_settings(run, settings)
    keep_freed_memory()
    strategy = make_strategy(settings.training.devices, workers)  # before anything else touches a device
    precision = resolve_precision(settings.training.precision, precision_before(run) if run else None)
    if run:
        check_precision(run, precision)
    # Our signal handlers are set after those of TensorFlow, which handles SIGTERM where there are several workers.
    with stop or nullcontext(StopRequest()) as stop, use_precision(precision), enough_memory(settings), user_errors():
        return _run_on(strategy, precision, settings, open_dataset, results_dir, run, stop, began)


def _run_on(strategy, precision: str, settings, open_dataset, results_dir: Path, run: Path | None, stop, began: float):
    """`run_experiment` with the devices of `strategy` and the Keras policy of `precision`. Other arguments: see there."""
    check_batch(settings.training.batch_size, strategy)
    log.info("%d replica(s), %s", strategy.num_replicas_in_sync, precision)
    # The data and the networks are opened before the run folder is made, so that an error in them leaves no folder behind.
    entry = SYSTEMS[settings.system]
    with strategy.scope():  # each device gets a copy of a used SavedModel
        used = open_used(settings, entry.system.needs)
    dataset = open_dataset(settings, used)
    dataset.doubts = [*dataset.doubts, *doubts_about_used(settings, dataset.test)]
    fingerprint = dataset_fingerprint(dataset)
    if run:
        check_data(run, settings, fingerprint)
    system = build_system(entry.build, settings, strategy, run and run / "checkpoints", used)
    if place_of_worker(strategy)[0] > 0:  # the other workers do the same steps, and measure their share of the test clips
        trainer = _make_trainer(system, settings, dataset, strategy, None, run and run / "checkpoints")
        trainer.train(stop)
        trainer.finish()
        return None
    folder = RunFolder(run) if run else RunFolder.create(results_dir, settings.experiment)
    log.info("run folder %s", folder.path)
    log.debug("experiment %s, scale %s, dataset %s", settings.experiment, settings.scale, settings.data)
    try:
        # A checkpoint that does not fit is refused here, before anything in the folder is written.
        trainer = _make_trainer(system, settings, dataset, strategy, folder, folder.path / "checkpoints")
        trackers = Trackers(folder.path, settings.training.trackers, settings.experiment, flat_settings(settings))
        trainer.trackers = trackers
        with closing(trackers):
            _begin(folder, settings, trainer, fingerprint, precision)
            _run_in(folder, trainer, began, stop)
    finally:
        folder.close()
        if run is None and not (folder.path / "settings.yaml").exists():
            # Nothing was begun: a fault leaves no folder behind.
            shutil.rmtree(folder.path, ignore_errors=True)
    return folder.path


def _make_trainer(system, settings, dataset, strategy, folder: RunFolder | None, checkpoints: Path | None) -> Trainer:
    """Make the trainer and restore its newest checkpoint, if there is one."""
    trainer = Trainer(system, dataset, settings, strategy, folder, checkpoints)
    trainer.resume()
    return trainer


def _begin(folder: RunFolder, settings, trainer: Trainer, fingerprint, precision: str) -> None:
    """Write what is known of a run before its first step: settings, environment, the head of summary.json, and the pages."""
    parts = go_on(folder.path, settings, fingerprint, trainer.steps_done)
    write_settings(settings, folder.path / "settings.yaml")
    environment = folder.path / "environment.json"
    write_json(environment, describe_environment(trainer.strategy, read_table(environment)))
    folder.update_summary(
        experiment=settings.experiment, summary=settings.summary, source=settings.source, system=settings.system,
        dataset=settings.data.dataset, scale=settings.scale, status="running", steps=trainer.steps_done,
        seed=settings.seed, precision=precision, replicas=trainer.strategy.num_replicas_in_sync,
        parameters=trainer.system.parameters(), protocol=trainer.system.protocol(trainer.dataset) + describe(parts),
        parts=parts,
        uses=used_models(settings, folder.summary),
        published=summary_rows(settings.published, settings),
        try_next=settings.try_next,
    )  # fmt: skip
    write_pages(folder.path)


def _run_in(folder: RunFolder, trainer: Trainer, began: float, stop) -> None:
    """Train and finish. summary.json in the run folder always tells the present status of the run."""
    earlier = folder.summary.get("seconds", {})  # durations before this process, if the run is resumed
    started = time.monotonic()
    seconds = {"data": started - began}  # includes starting TensorFlow and building the networks

    def close(status: str, steps: int) -> None:
        """Write the final status, the number of steps and the durations to summary.json and the pages."""
        seconds.setdefault("train", time.monotonic() - started)
        seconds["total"] = time.monotonic() - began
        whole = {name: round(earlier.get(name, 0.0) + value, 2) for name, value in seconds.items()}
        folder.update_summary(status=status, steps=steps, seconds={**folder.summary.get("seconds", {}), **whole})
        write_pages(folder.path)

    def last_words() -> None:
        """Called by `stop` before it ends the process in the middle of a step."""
        log.error("go on with --resume %s", folder.path)
        close("interrupted", trainer.checkpoints.newest_step)

    stop.last_words = last_words
    try:
        trainer.train(stop)
        seconds["train"] = time.monotonic() - started
        trainer.finish()
    except KeyboardInterrupt as interrupt:
        message = f"{str(interrupt) or 'stopped by SIGINT'}; go on with --resume {folder.path}"
        log.debug("%s", message)  # for log.txt only; the caller prints the message of `Stopped`
        close("interrupted", trainer.steps_done)
        raise Stopped(message, getattr(interrupt, "signal", signal.SIGINT)) from interrupt
    except Exception as error:
        log.debug("failed: %s", error)
        with suppress(OSError):  # if the disk is full, the first error has already said so
            (folder.path / "index.html").unlink(missing_ok=True)  # its room is enough for the status; `close` writes it again
            close("failed", trainer.steps_done)
        raise
    close("finished", trainer.steps_done)
    _say_result(folder)


def _say_result(folder: RunFolder) -> None:
    """Log the test figures beside each baseline, the duration, the page to open, and what to try next."""
    test = folder.summary["test"]
    for baseline, figures in folder.summary["baseline"].items():
        scores = [compare(name, test[name], figures[name]) for name in HEADLINES if name in test and name in figures]
        comparison = "; ".join(f"{s.label} {s.score} against {s.baseline}, {s.verdict}" for s in scores)
        if scores:
            log.info("%s, %s: %s", counted(test["clips"], "test clip"), baseline.replace("_", " "), comparison)
    log.info("done in %.0f s: open %s", folder.summary["seconds"]["total"], folder.path / "index.html")
    for experiment, reaches in folder.summary["try_next"].items():
        log.info("try next on the same data: %s: %s", experiment, reaches)

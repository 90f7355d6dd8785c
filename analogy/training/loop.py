"""The training loop of all systems: devices, steps, checkpoints, samples, evaluation, export and pages.

It knows nothing about the method of a system.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from analogy.data.batches import ReplicaContext
from analogy.environment import prepare_environment
from analogy.errors import UserError, first_line
from analogy.evaluation.evaluate import MeasuredClip, measure_clips, write_figures, write_loss_plot, write_samples
from analogy.evaluation.shares import read_shares, write_share
from analogy.graphs import graph_function
from analogy.runs.export import export_saved_model
from analogy.runs.find import MODEL
from analogy.runs.folder import RunFolder
from analogy.runs.history import describe
from analogy.systems.base import ALL, Study, System
from analogy.training.checkpoint import Checkpoints, load_networks, saved_checkpoints
from analogy.training.health import Health, weights_hash
from analogy.training.memory_need import counted_weights, say_memory
from analogy.training.progress import Progress
from analogy.training.stop import Stopped, StopRequest
from analogy.training.trackers import Trackers
from analogy.training.workers import Workers
from analogy.visualise.pages import write_run_page
from analogy.visualise.panels import write_picture

log = logging.getLogger("analogy")

# The steps of one call take at most about this long, so that signals, the progress bar and pictures need not wait longer.
SECONDS_PER_CALL = 5.0
STUDY_FAILED = "the study of what was learned failed"


def build_system(
    build: Callable[..., System],
    settings,
    strategy: tf.distribute.Strategy,
    checkpoints: Path | None,
    used: Mapping | None = None,
) -> System:
    """Build a system's models and optimisers. The seed makes the initial weights equal on all replicas.

    The networks of the run in `training.start_from` are loaded, unless there is a checkpoint to continue from.

    Args:
        build: the system's class or function, called with (settings, used).
        checkpoints: the folder of the run's checkpoints; None for a new run.
        used: role -> the loaded SavedModel of each run that the system uses.

    Raises:
        UserError: the settings do not fit, or the networks of `training.start_from` cannot be loaded.
    """
    prepare_environment()  # again: a notebook may have changed Keras since the import
    keras.utils.set_random_seed(settings.seed)
    if settings.training.deterministic:
        tf.config.experimental.enable_op_determinism()
    with strategy.scope(), counted_weights(settings):
        system = build(settings, used)
        system.prepare_training()
        resumes = checkpoints and saved_checkpoints(checkpoints)
        if (start := settings.training.start_from) and not resumes:
            log.info("networks from %s", load_networks(system, Path(start.run), start.networks))
    return system


class Trainer:
    """Trains one system on one dataset into one run folder.

    Args:
        system: built within the scope of `strategy`.
        dataset: the training and the test data.
        settings: the experiment's settings.
        folder: the run folder; None on workers other than the chief, which write only what is drawn of their test clips.
        checkpoints_path: the folder from which all workers read checkpoints, and to which the chief writes them. None on the
            other workers of a new run, which do not know the run folder.
    """

    def __init__(self, system: System, dataset, settings, strategy, folder: RunFolder | None, checkpoints_path: Path | None):
        self.system, self.dataset, self.settings, self.strategy, self.folder = system, dataset, settings, strategy, folder
        with strategy.scope():
            self.step = tf.Variable(0, dtype=tf.int64, trainable=False, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)
        keep = settings.training.keep_checkpoints
        self.checkpoints = Checkpoints(checkpoints_path, system, self.step, keep) if checkpoints_path else None
        self.trackers: Trackers | None = None  # set before training, where there is a folder of a run
        # The values for the next row of metrics.jsonl: the scalars of each step since the last row, sorted by name; and the
        # figures of the last validation.
        self._pending: list[list[float]] = []
        self._validated: dict[str, float] = {}
        self._one_step = graph_function(self._step_on_devices)
        self._traced = False
        self._workers = Workers(strategy, self._newest_checkpoint)

    @property
    def steps_done(self) -> int:
        """The number of steps that are done, also in earlier parts of a run."""
        return int(self.step.numpy())

    # ---------------------------------------------------------------- resume
    # A run continues from its newest checkpoint; without one, it starts at step 0. Rows of metrics and samples that were made
    # after that checkpoint are made again, so a resumed run equals one that was never interrupted.

    def resume(self) -> None:
        """Restore the newest checkpoint, if there is one. Raises UserError as `Checkpoints.restore`."""
        pending = self.checkpoints.restore() if self.checkpoints else {}
        self._pending, self._validated = pending.get("rows", []), pending.get("validated", {})
        if self.folder:
            self.checkpoints.remove_leftovers()
            self.folder.drop_rows_after(self.steps_done)

    # ---------------------------------------------------------------- train

    def train(self, stop: StopRequest) -> None:
        """Train up to step `training.steps`.

        Raises:
            Stopped: `stop` has received a signal. A checkpoint was saved.
            UserError: a loss or a weight is no longer finite, or another worker has died.
        """
        training = self.settings.training
        first, last = self.steps_done, training.steps
        clips = [clip.id for clip in (*self.dataset.train, *self.dataset.test)]
        self._workers.check_agreed(first, clips, keras.config.dtype_policy().name)
        if first >= last:
            log.info("step %d of %d: nothing left to train", first, last)
            return
        if not first:
            self.system.begin(self.dataset)
        health = Health(self.system.trained_variables(), self.system.adversaries)
        if self.folder:
            self._say_doubts([])
            write_run_page(self.folder.path)
        iterator = iter(self._distributed_batches(first))
        log.info("training from step %d to %d", first, last)
        start, seconds_per_step, step = time.monotonic(), math.inf, first
        with stop.deferred(), Progress("training", first, last) as progress:
            while step < last:
                count = self._steps_to_take(step, seconds_per_step)
                began = time.monotonic()
                names, rows = self._run_steps(iterator, count)
                if step > first:  # the first call includes tracing
                    seconds_per_step = (time.monotonic() - began) / count
                self._check_finite(names, rows, step)
                step += count
                self._pending += rows.tolist()
                self._at_interval(step, names, time.monotonic() - start, progress, health)
                stop_signal, seconds_per_step = self._workers.agree(stop.signal, seconds_per_step)
                if stop_signal:
                    self._save()
                    raise Stopped(f"stopped at step {step} of {last} by {stop_signal.name}", stop_signal)
            self._save()
        if stop.signal:  # received while the checkpoint was saved
            raise Stopped(f"stopped after training by {stop.signal.name}", stop.signal)

    def _distributed_batches(self, start_step: int):
        """The batches of training from a step on: for each replica of this worker its part of the batch."""
        replicas = self.strategy.num_replicas_in_sync

        def batches(context: tf.distribute.InputContext) -> tf.data.Dataset:
            local = replicas // context.num_input_pipelines
            part = ReplicaContext(
                start_step=start_step,
                batch_size=self.settings.training.batch_size,
                replicas=replicas,
                first_replica=context.input_pipeline_id * local,
                local_replicas=local,
            )
            return self.system.train_batches(self.dataset, part)

        if self.strategy.extended.worker_devices == ("/job:localhost/replica:0/task:0/device:CPU:0",):
            # A distributed iterator copies batches to its devices with datasets of its own. No option turns off their tuner,
            # which can delay the end of the process by up to a minute after some minutes of training.
            return batches(tf.distribute.InputContext())
        return self.strategy.distribute_datasets_from_function(batches)

    def _run_steps(self, iterator, count: int) -> tuple[list[str], np.ndarray]:
        """Do `count` steps. Returns the sorted names of their scalars, and the values [count, names].

        The values are fetched from the device only after the last step, so that a GPU never waits for Python.
        """
        with self._workers.all_there():
            first = next(iterator)
            if not self._traced:
                self._traced = True
                say_memory(self._one_step, first, self._bytes_of_variables(), self.settings)
            steps = [self._one_step(first), *(self._one_step(next(iterator)) for _ in range(count - 1))]
            names = sorted(steps[0])
            return names, np.array([[step[name].numpy() for name in names] for step in steps])

    def _bytes_of_variables(self) -> int:
        """Of all networks and optimisers, on all devices of this process."""
        holders = (*self.system.models.values(), *self.system.optimizers.values())
        each = sum(variable.value.dtype.size * math.prod(variable.shape) for holder in holders for variable in holder.variables)
        return each * len(self.strategy.extended.worker_devices)

    def _step_on_devices(self, batch) -> dict[str, tf.Tensor]:
        """Do one step on every replica. Returns name -> scalar, summed over the replicas."""
        scalars = self.strategy.run(self.system.train_step, (batch,))
        self.step.assign_add(1)
        names = sorted(scalars)

        def stacked(*values):
            return tf.stack([tf.cast(value, tf.float32) for value in values])

        # As a single tensor, so that workers exchange data only once a step.
        per_replica = self.strategy.run(stacked, tuple(scalars[name] for name in names))
        sums = self.strategy.reduce(tf.distribute.ReduceOp.SUM, per_replica, axis=None)
        return dict(zip(names, tf.unstack(sums), strict=True))

    def _steps_to_take(self, step: int, seconds_per_step: float) -> int:
        """The number of steps for the next call: at most up to the next interval, at most `steps_per_call`, and at most what
        takes about SECONDS_PER_CALL. It is 1 while the time of a step is unknown."""
        training = self.settings.training
        intervals = (training.log_every, training.sample_every, training.checkpoint_every)
        to_next = min([interval - step % interval for interval in intervals] + [training.steps - step])
        by_time = int(SECONDS_PER_CALL / seconds_per_step) if seconds_per_step else training.steps_per_call
        return max(1, min(to_next, training.steps_per_call, by_time))

    def _check_finite(self, names: list[str], rows: np.ndarray, step: int) -> None:
        """Raise a UserError if a scalar of the steps after `step` is not finite. rows: [steps, names]."""
        bad = np.argwhere(~np.isfinite(rows))
        if len(bad):
            index, name = bad[0]
            raise self._not_finite(
                f"{names[name]} became {rows[index, name]} at step {step + index + 1} "
                f"(between steps {step + 1} and {step + len(rows)})"
            )

    def _not_finite(self, what: str) -> UserError:
        return UserError(
            f"{what}; last good checkpoint: {self._newest_checkpoint() or 'none yet'}. "
            "Lower the learning rates, or set training.precision=float32"
        )

    def _newest_checkpoint(self) -> str | None:
        return self.checkpoints.latest if self.checkpoints else None

    def _at_interval(self, step: int, names: list[str], seconds: float, progress: Progress, health: Health) -> None:
        """After `step`: validate, write a row of metrics, samples and a checkpoint, where their intervals say so."""
        training = self.settings.training
        done = step == training.steps
        samples = step % training.sample_every == 0 or done
        if samples:
            with self.system.averaged_weights():
                self._validated = self.system.validate(self.dataset)
        if step % training.log_every == 0 or done:
            self._write_row(step, names, seconds, progress)
        progress.update(step)
        if samples and self.folder:
            self._write_samples(step, health)
        # The checkpoint comes last: a run that is killed before it continues from the earlier one, and makes the row and the
        # samples again.
        if step % training.checkpoint_every == 0 and not done:
            self._save()

    def _write_row(self, step: int, names: list[str], seconds: float, progress: Progress) -> None:
        """Write a row of metrics.jsonl: the means over the steps since the last row, and the figures of the last validation."""
        means = dict(zip(names, np.mean(self._pending, axis=0).tolist(), strict=True)) | self._validated
        self._pending, self._validated = [], {}
        if self.folder:
            self.folder.add_row({"step": step, "seconds": round(seconds, 3), **means})
            self.trackers.scalars(means, step)
        losses = {name: value for name, value in means.items() if name.endswith("/loss")} or means
        progress.say(step, "  ".join(f"{name} {value:.4g}" for name, value in losses.items()))

    def _write_samples(self, step: int, health: Health) -> None:
        """Write sample pictures, doubts about the training, plots, and the run's page."""
        with self.system.averaged_weights():
            predicted = write_samples(self.system, self.dataset, self.folder, step, self.trackers)
        self.folder.summary["steps"] = step  # written with the doubts
        self._say_doubts(health.doubts(self.folder.rows(), predicted))
        write_loss_plot(self.folder)
        write_run_page(self.folder.path)
        log.info("step %d: samples written to %s", step, self.folder.path / "samples" / f"step-{step:06d}")

    def _say_doubts(self, training_doubts: list[str]) -> None:
        """Log each doubt when it first appears. The run's page shows the present doubts."""
        doubts = [f"look at the data: {doubt}" for doubt in self.dataset.doubts]
        doubts += [f"look at the training: {doubt}" for doubt in training_doubts]
        for doubt in doubts:
            if doubt not in self.folder.summary.get("doubts", []):
                log.warning("%s", doubt)
        self.folder.update_summary(doubts=doubts)

    def _save(self) -> None:
        """Save a checkpoint. Raises UserError if a weight is not finite, or the checkpoint cannot be written."""
        for name, variables in self.system.trained_variables().items():
            if not all(bool(tf.reduce_all(tf.math.is_finite(variable.value))) for variable in variables):
                raise self._not_finite(f"the weights of {name} are no longer finite at step {self.steps_done}")
        if self.folder:
            self.checkpoints.save({"rows": self._pending, "validated": self._validated})
            log.info("step %d: checkpoint saved", self.steps_done)

    # ---------------------------------------------------------------- after training

    def finish(self) -> None:
        """Evaluate and export. All workers measure the test clips; the chief does the rest, while the others wait."""
        run = self.folder.path if self.folder else None
        with self.system.averaged_weights(), self._workers.shared_folder(run) as shares:
            if self.folder:
                self._evaluate_and_export(self.folder, shares)
            elif shares:
                self._measured_clips(shares.parent, shares)
        if self.folder:
            self.trackers.figures(self.folder.summary["test"])
        if self._workers.many:
            # Equal hashes in the logs show that the workers have equal weights.
            log.info("weights %s", " ".join(weights_hash(model.variables) for model in self.system.models.values()))
        self._workers.wait()

    def _measured_clips(self, run: Path, shares: Path | None) -> Iterable[MeasuredClip]:
        """The test clips, measured by this process alone; with a folder for shares, every n-th clip by each of n workers."""
        workers, rate = self._workers, self.settings.evaluation.frames_per_second
        share = slice(workers.number, None, workers.count) if shares else ALL
        log.info("evaluating on the test clips" + (f", share {workers.number + 1} of {workers.count}" if shares else ""))
        clips = measure_clips(self.system.predict_clips(self.dataset, share), run, rate)
        if shares is None:
            return clips
        paths = [shares / str(number) for number in range(workers.count)]
        write_share(paths[workers.number], clips)
        workers.wait()
        return read_shares(paths)

    def _evaluate_and_export(self, folder: RunFolder, shares: Path | None) -> None:
        began = time.monotonic()
        figures = write_figures(self.system, self._measured_clips(folder.path, shares), folder.path)
        figures["training_clips"] = self.system.training_figures(self.dataset)
        evaluated = time.monotonic()
        log.info("exporting the SavedModel")
        export_saved_model(self.system, folder.path / MODEL)
        exported = time.monotonic()
        folder.write_metrics_csv()
        seconds = {"evaluate": round(evaluated - began, 2), "export": round(exported - evaluated, 2)}
        folder.summary["seconds"] = {**folder.summary.get("seconds", {}), **seconds}
        protocol = self.system.protocol(self.dataset) + describe(folder.summary.get("parts"))
        folder.update_summary(**figures, protocol=protocol)
        study = self._study(folder)
        for name, picture in study.plots.items():
            write_picture(folder.path / "plots" / f"{name}.png", picture)
        folder.update_summary(study=study.figures)

    def _study(self, folder: RunFolder) -> Study:
        """The system's study. One that fails is a doubt of the run: it costs neither the figures nor the SavedModel."""
        doubts = [doubt for doubt in folder.summary.get("doubts", []) if not doubt.startswith(STUDY_FAILED)]
        study = Study({}, {})
        try:
            study = self.system.study(self.dataset)
        except Exception as error:
            doubts.append(f"{STUDY_FAILED}: {first_line(error)}")
            log.warning("%s", doubts[-1])
            log.debug("where the study failed", exc_info=True)
        folder.update_summary(doubts=doubts)
        return study

"""What several workers, each in its own process, must agree on. With a single worker, nothing here has an effect."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tensorflow as tf

from analogy.errors import UserError
from analogy.files.marks import SHARES, mark_folder
from analogy.files.writing import partial_name
from analogy.graphs import graph_function
from analogy.training.distribute import place_of_worker

log = logging.getLogger("analogy")

LONGEST_PATH = 4096  # bytes
# The exceptions of a step when another worker has died.
LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError, tf.errors.DeadlineExceededError)


class Workers:
    """The workers of a strategy.

    Args:
        strategy: the strategy of the training.
        newest_checkpoint: returns the path of the newest checkpoint, for the error message when a worker has died.
    """

    def __init__(self, strategy: tf.distribute.Strategy, newest_checkpoint: Callable[[], str | None]):
        self._strategy, self._newest_checkpoint = strategy, newest_checkpoint
        self.many = isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
        self.number, self.count = place_of_worker(strategy)
        self._sum = graph_function(self._sum_over_replicas)

    def _sum_over_replicas(self, values):
        per_replica = self._strategy.run(lambda: tf.identity(values))
        return self._strategy.reduce(tf.distribute.ReduceOp.SUM, per_replica, axis=None)

    def _means(self, values: Sequence, dtype: tf.DType) -> np.ndarray:
        """The means of these values over all workers."""
        with self.all_there():
            return self._sum(tf.constant(values, dtype)).numpy() / self._strategy.num_replicas_in_sync

    @contextmanager
    def all_there(self) -> Iterator[None]:
        """A context for steps that need all workers. Raises UserError if another worker has died."""
        try:
            yield
        except LOST as error:
            if not self.many:
                raise
            saved = self._newest_checkpoint() or "in the chief's run folder, if there is one yet"
            raise UserError(
                f"another worker is gone ({type(error).__name__}); newest checkpoint: {saved}. Start all again, with --resume"
            ) from error

    def agree(self, stop: signal.Signals | None, seconds_per_step: float) -> tuple[signal.Signals | None, float]:
        """Agree on the next steps. Returns the signal that stops all workers (None: go on), and the mean seconds per step.

        If one worker has received a signal, all must stop, or the others would wait for it for ever. All workers also need the
        same seconds per step, from which each computes the number of steps of the next call.

        Args:
            stop: the signal that this worker has received; None without one.
            seconds_per_step: as measured by this worker.
        """
        if not self.many:
            return stop, seconds_per_step
        stopped_share, pace = self._means([stop is not None, seconds_per_step], tf.float32)
        return (stop or signal.SIGTERM) if stopped_share else None, float(pace)

    def check_agreed(self, step: int, clips: Sequence[str], precision: str) -> None:
        """Raises UserError if the workers have restored different steps, have different clips, or compute in other formats.

        Without this check they would silently train differently. clips: the ids of the training clips and the test clips.
        precision: a dtype policy.
        """
        if not self.many:
            return
        sum_of_ids, sum_of_precision = (zlib.crc32(text.encode()) for text in ("\n".join(clips), precision))
        mean_step, mean_sum, mean_precision = self._means([step, sum_of_ids, sum_of_precision], tf.float64)
        if mean_step != step:
            raise UserError(
                f"this worker would go on from step {step}, others from another (mean {mean_step:g}): "
                "--resume must name one run folder that all workers see alike"
            )
        if mean_sum != sum_of_ids:
            raise UserError(
                f"this worker has {len(clips)} training and test clips, others have other ones: "
                "--data-dir must name the same whole dataset on all workers"
            )
        if mean_precision != sum_of_precision:
            raise UserError(
                f"this worker would compute in {precision}, others in another precision: name one for all with --precision"
            )

    @contextmanager
    def shared_folder(self, run: Path | None) -> Iterator[Path | None]:
        """A context with a temporary folder in the run folder, in which the workers leave files for the chief.

        It is None for a single worker, and where not all workers see the chief's run folder.

        run: the run folder; None on workers other than the chief.
        """
        if not self.many:
            yield None
            return
        own = run / partial_name() if run else None
        try:
            if own:
                own.mkdir()
                mark_folder(own, SHARES)  # so that a run that is resumed removes what a killed one has left
            folder = self._path_of_chief(own)
            shared = self._means([os.access(folder, os.W_OK)], tf.float32)[0] == 1.0
            if not shared:
                log.warning("not all workers can write in %s: the chief alone measures the test clips", folder.parent)
            yield folder if shared else None
        finally:
            if own:
                shutil.rmtree(own, ignore_errors=True)

    def _path_of_chief(self, path: Path | None) -> Path:
        """The path that the chief gives. The other workers give None."""
        text = os.fsencode(path) if path else b""
        means = self._means(np.frombuffer(text.ljust(LONGEST_PATH, b"\0"), np.uint8), tf.float64)
        sums = np.rint(means * self.count).astype(np.uint8)  # only the chief has given more than zeros
        return Path(os.fsdecode(sums.tobytes().rstrip(b"\0")))

    def wait(self) -> None:
        """Wait until all workers have come to this call."""
        if self.many:
            self._means([0.0], tf.float32)

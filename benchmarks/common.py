"""Helpers of the benchmarks: settings, a system, a random batch, a dataset, and timing."""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

from analogy.data.batches import ReplicaContext
from analogy.data.clips import ClipDataset
from analogy.data.prepared import PreparedClips
from analogy.joints import JOINTS
from analogy.memory import keep_freed_memory
from analogy.settings import find_experiment, load_settings
from analogy.systems import SYSTEMS
from analogy.systems.hierarchical.analogy_gan import AnalogyGan
from analogy.systems.hierarchical.settings.analogy_gan import AnalogyGanSettings
from analogy.training.precision import use_precision
from data_prep.datasets import open_dataset
from data_prep.penn_action import prepare_penn_action
from data_prep.synthetic_actors import write_synthetic_actors

keep_freed_memory()
CONFIG = find_experiment("analogy_pool3")


def parser(description: str, **defaults) -> argparse.ArgumentParser:
    """A parser with one option for each keyword: image_size=224 makes the option --image-size, an int with this default."""
    options = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    for name, default in defaults.items():
        options.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default, help=" ")
    return options


def make_settings(scale: str = "paper", **overrides) -> AnalogyGanSettings:
    """Settings of analogy_pool3. A keyword such as data__image_size=64 overrides the setting data.image_size."""
    values = {key.replace("__", "."): value for key, value in overrides.items()}
    return load_settings(CONFIG, SYSTEMS, scale=scale, values=values)


def make_system(settings: AnalogyGanSettings, *, optimizers: bool = True) -> AnalogyGan:
    """The system as a run builds it on one device. Layers that are built later are float32."""
    keras.utils.set_random_seed(settings.seed)
    with use_precision(settings.training.precision):
        system = AnalogyGan(settings)
    if optimizers:
        system.prepare_training()
    return system


def ready_to_train(settings):
    """The system of any experiment that builds on no other, ready to train on one device, its dataset, and its first batch."""
    dataset = open_dataset(settings)
    keras.utils.set_random_seed(0)
    with use_precision(settings.training.precision):
        system = SYSTEMS[settings.system].build(settings, {})
    system.prepare_training()
    batch = next(iter(system.train_batches(dataset, ReplicaContext(batch_size=settings.training.batch_size))))
    return system, dataset, batch


def random_batch(size: int, side: int) -> dict[str, tf.Tensor]:
    """A batch of noise in the form that the input pipeline makes."""
    rng = np.random.default_rng(0)
    batch = {"step": tf.constant(0, tf.int64), "position": tf.range(size)}
    for prefix in ("", "next_"):
        batch[f"{prefix}image"] = tf.constant(rng.integers(0, 256, (size, side, side, 3), np.uint8))
        batch[f"{prefix}joints"] = tf.constant(rng.uniform(0, side, (size, JOINTS, 2)).astype(np.float32))
        batch[f"{prefix}visibility"] = tf.ones([size, JOINTS])
        batch[f"{prefix}crop"] = tf.fill([size, 2], float(side))
    return batch


def open_clips(settings: AnalogyGanSettings, folder: str | None) -> ClipDataset:
    """The dataset in `folder`, in Penn Action's layout, or a small synthetic one. Prepared data are kept for the next time."""
    cache = Path(os.environ.get("ANALOGY_CACHE") or Path(tempfile.gettempdir()) / "analogy_benchmarks")
    source = Path(folder) if folder else cache / "actors"
    if not source.exists() and not folder:
        write_synthetic_actors(source, train_clips=32, test_clips=8, frames=20, size=128)
    name = "penn_action" if folder else "synthetic_actors"
    prepared = PreparedClips.open(prepare_penn_action(source, cache / "prepared", name=name))
    return ClipDataset(prepared, settings.data, seed=settings.seed)


def time_alternately(
    actions: dict[str, Callable[[], object]], repeats: int, clocks: dict[str, Callable[[], float]] | None = None
) -> dict[str, float]:
    """Median seconds of each action. The actions run in turn, so that other load on the machine slows all of them alike.

    clocks: the clock of each action, in seconds; by default a watch.
    """
    seconds = {name: [] for name in actions}
    for _ in range(repeats):
        for name, action in actions.items():
            clock = clocks[name] if clocks else time.perf_counter
            action()  # not timed: the first call traces, and later calls start with the caches of another action
            began = clock()
            action()
            seconds[name].append(clock() - began)
    return {name: statistics.median(values) for name, values in seconds.items()}


def use_one_thread() -> None:
    """TensorFlow computes in one thread. Call it before TensorFlow runs anything."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)

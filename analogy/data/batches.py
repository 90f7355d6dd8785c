"""Training batches as a function of (seed, step): a resumed run sees the same batches, however many replicas share them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

from analogy.random_streams import StepStream


@dataclass(frozen=True)
class ReplicaContext:
    """Which part of which batches this worker draws.

    start_step: the first step. batch_size: of the whole step, over all replicas. replicas: of the whole job.
    first_replica, local_replicas: this worker's.
    """

    start_step: int = 0
    batch_size: int = 4
    replicas: int = 1
    first_replica: int = 0
    local_replicas: int = 1


def endless_batches(element: Callable, context: ReplicaContext) -> tf.data.Dataset:
    """Endless batches for this worker's replicas in turn: replica 0 of a step, replica 1 of it, ..., the next step.

    Args:
        element: (step int64, position int32 [b]: the examples' places in the whole batch) -> a dict of tensors.
    """
    per_replica = context.batch_size // context.replicas

    def of_replica(index):
        step = index // context.local_replicas
        replica = context.first_replica + tf.cast(index % context.local_replicas, tf.int32)
        return element(step, tf.ensure_shape(replica * per_replica + tf.range(per_replica), [per_replica]))

    start = context.start_step * context.local_replicas
    batches = tf.data.Dataset.range(start, tf.int64.max)
    batches = batches.map(of_replica, num_parallel_calls=os.cpu_count() or 1, deterministic=True)
    batches = batches.prefetch(2 * context.local_replicas)
    # Fixed numbers, not tuned ones: after minutes of training the tuner's thread holds up the end of a run for most of one.
    options = tf.data.Options()
    options.autotune.enabled = False
    return batches.with_options(options)


def pick(uniform, count):
    """uniform in [0, 1) -> integer in [0, count)."""
    count = tf.cast(count, tf.float64)
    return tf.cast(tf.minimum(tf.floor(uniform * count), count - 1.0), tf.int32)


def step_uniform(seed: int, step, stream: int, shape: list[int], dtype=tf.float32):
    """Uniform random numbers of a step, in 0..1: a function of seed, step and stream alone.

    Args:
        seed: the experiment's. step: int64 scalar. stream: a StepStream.
    """
    key = tf.stack([tf.cast(seed, tf.int64), tf.cast(step, tf.int64)])
    if stream != StepStream.EXAMPLES:
        key = tf.random.experimental.stateless_fold_in(key, int(stream))
    return tf.random.stateless_uniform(shape, key, dtype=dtype)


def draw_uniform(settings, batch: dict, stream: int, shape: list[int]):
    """Uniform random numbers of a step's examples, [b, *shape]: drawn for the whole batch, of which a replica takes its part.

    Args:
        settings: with seed and training.batch_size. batch: with step and position. stream: a StepStream.
    """
    whole = step_uniform(settings.seed, batch["step"], stream, [settings.training.batch_size, *shape])
    return tf.gather(whole, batch["position"])

"""Training batches as a function of (seed, step).

So a resumed run gets the same batches as one that was never interrupted, and so does a run with another number of replicas.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

from analogy.graphs import as_written
from analogy.memory import count_processors
from analogy.random_streams import StepStream


@dataclass(frozen=True)
class ReplicaContext:
    """The steps and the part of each batch for which this worker prepares data.

    start_step: the first step.
    batch_size: the examples of a step, over all replicas of all workers.
    replicas: the number of replicas of all workers.
    first_replica: the number of this worker's first replica, counted from 0 over all workers.
    local_replicas: the number of this worker's replicas.
    """

    start_step: int = 0
    batch_size: int = 4
    replicas: int = 1
    first_replica: int = 0
    local_replicas: int = 1


def endless_batches(element: Callable, context: ReplicaContext) -> tf.data.Dataset:
    """Endless batches of b = batch_size / replicas examples, for this worker's replicas in turn.

    The order is: the batch of the first local replica in a step, of the second one, ...; then those of the next step.

    Args:
        element: makes one batch. It is called with step, int64 scalar, and position, int32 [b]: the numbers of the examples in
            the batch of all replicas. It returns a dict of tensors.
    """
    per_replica = context.batch_size // context.replicas

    def replica_batch(index):
        step = index // context.local_replicas
        replica = context.first_replica + tf.cast(index % context.local_replicas, tf.int32)
        return element(step, tf.ensure_shape(replica * per_replica + tf.range(per_replica), [per_replica]))

    start = context.start_step * context.local_replicas
    batches = tf.data.Dataset.range(start, tf.int64.max)
    batches = batches.map(as_written(replica_batch), num_parallel_calls=count_processors(), deterministic=True)
    batches = batches.prefetch(2 * context.local_replicas)
    # No autotuning: after some minutes of training, the tuner's thread delays the end of the process by up to a minute.
    options = tf.data.Options()
    options.autotune.enabled = False
    return batches.with_options(options)


def pick(uniform, count):
    """Uniform random numbers in [0, 1) -> random integers in [0, count), int32. `count` may be a tensor that broadcasts."""
    count = tf.cast(count, tf.float64)
    return tf.cast(tf.minimum(tf.floor(uniform * count), count - 1.0), tf.int32)


def step_uniform(seed: int, step, stream: int, shape: list[int], dtype=tf.float32):
    """Uniform random numbers in [0, 1) of this shape. They are a function of seed, step and stream alone.

    Args:
        seed: the experiment's seed. step: int64 scalar.
        stream: a StepStream. Different streams give independent numbers.
    """
    key = tf.stack([tf.cast(seed, tf.int64), tf.cast(step, tf.int64)])
    if stream != StepStream.EXAMPLES:
        key = tf.random.experimental.stateless_fold_in(key, int(stream))
    return tf.random.stateless_uniform(shape, key, dtype=dtype)


def normal(uniform, tail: float = 1e-6):
    """Uniform random numbers in [0, 1) -> standard normal ones, by the inverse of the normal distribution function.

    tail: the share at each end that is moved to its border, which keeps all numbers finite: 1e-6 is beyond 4.7 deviations.
    """
    return tf.math.ndtri(tf.clip_by_value(uniform, tail, 1.0 - tail))


def dropout_mask(uniform, rate: float):
    """Uniform random numbers in [0, 1) -> a dropout mask: 0 for the share `rate` of them, 1 / (1 - rate) for the others."""
    return tf.cast(uniform >= rate, tf.float32) / (1.0 - rate)


def draw_uniform(settings, batch: dict, stream: int, shape: list[int]):
    """Uniform random numbers in [0, 1) for the examples of a batch: float32 [b, *shape].

    They are drawn for the batch of all replicas, of which each replica takes those of its own examples.

    Args:
        settings: has seed and training.batch_size. batch: has the keys step and position.
        stream: a StepStream. shape: the shape for one example.
    """
    whole = step_uniform(settings.seed, batch["step"], stream, [settings.training.batch_size, *shape])
    return tf.gather(whole, batch["position"])

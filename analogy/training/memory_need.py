"""How much memory a training needs, said before its first step; and one line where it is not there."""

from __future__ import annotations

import errno
import logging
import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf

from analogy.errors import UserError
from analogy.memory import gpu_memory, machine_memory

# Operations whose result is their input, or a variable: they take no memory of their own.
VIEWS = ("Identity", "IdentityN", "Reshape", "Squeeze", "ExpandDims", "StopGradient", "ReadVariableOp", "Placeholder", "NoOp")
# Settings that a step's memory grows with, those first that cost least to lower.
LOWERED = ("training.batch_size", "data.image_size", "data.horizon", "data.context")
# Faults that are no lack of memory, although TensorFlow raises a ResourceExhaustedError for them.
OF_DISKS_AND_FILES = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE)
log = logging.getLogger("analogy")


@contextmanager
def counted_weights(settings) -> Iterator[None]:
    """A context for building networks and optimisers. Raises UserError as soon as they exceed the machine's memory."""
    most, made = machine_memory(), 0

    def count(create, **arguments):
        nonlocal made
        variable = create(**arguments)
        made += variable.shape.num_elements() * variable.dtype.size if variable.shape.is_fully_defined() else 0
        if most and made > most and not tf.config.list_logical_devices("GPU"):
            sections = " or ".join(type(settings).networks)
            raise UserError(
                f"the weights and their optimisers alone take more than the {most / 1e9:.0f} GB of this machine: make the "
                f"networks smaller ({sections})"
            )
        return variable

    with tf.variable_creator_scope(count):
        yield


@contextmanager
def enough_memory(settings) -> Iterator[None]:
    """A context in which running out of memory is a UserError that names the settings to lower.

    TensorFlow calls a full disk and too many open files exhausted resources too: these are raised as OSError.
    """
    try:
        yield
    except (MemoryError, tf.errors.ResourceExhaustedError, TypeError) as error:
        if isinstance(error, TypeError) and "ResourceExhaustedError" not in str(error):
            raise  # Keras makes a TypeError of it while it builds a layer
        for number in OF_DISKS_AND_FILES:
            if os.strerror(number) in str(error):
                raise OSError(number, os.strerror(number)) from error
        why = "a layer is too large" if isinstance(error, TypeError) else (str(error).splitlines() or ["no more can be had"])[0]
        raise UserError(
            f"there is not enough memory ({why[:160]}): lower {settings_to_lower(settings)}, or make the networks smaller"
        ) from error


def settings_to_lower(settings) -> str:
    """The settings that the memory of a step depends on, with their values: `training.batch_size (4) or ...`."""
    named = []
    for key in LOWERED:
        section, _, name = key.partition(".")
        if hasattr(getattr(settings, section), name):
            named.append(f"{key} ({getattr(getattr(settings, section), name)})")
    return " or ".join(named)


def say_memory(step: tf.types.experimental.PolymorphicFunction, batch, variables: int, settings) -> None:
    """Log a warning where a training step needs more memory than the machine has, or with GPUs the smallest of them.

    Args:
        step: the function of a step. It is traced here if it was not; its first call would trace it otherwise.
        batch: its argument.
        variables: bytes of all variables.
    """
    gpus = len(tf.config.list_logical_devices("GPU"))
    most, place = (gpu_memory(), "the smallest GPU here") if gpus else (machine_memory(), "this machine")
    if not most and not gpus:
        return
    # A replica's share: on CPUs all replicas of this machine are on it.
    needed = (variables + peak_bytes(step.get_concrete_function(batch).graph)) / max(1, gpus)
    if gpus and not most:
        log.info("a step needs about %.1f GB of memory on each GPU; how much there is is not known", needed / 1e9)
    elif needed > most:
        log.warning(
            "a step needs about %.0f GB of memory, and %s has %.0f GB: lower %s, or make the networks smaller",
            needed / 1e9, place, most / 1e9, settings_to_lower(settings),
        )  # fmt: skip


def peak_bytes(graph: tf.Graph) -> int:
    """The most bytes of tensors that are alive at once when the operations of a graph run in the order in which they were made.

    Parallel execution keeps more. Sizes that the graph does not know, and those within loops, are left out.
    """
    operations = graph.get_operations()
    last_use = {tensor.ref(): place for place, operation in enumerate(operations) for tensor in operation.inputs}
    alive = peak = 0
    freed: dict[int, int] = defaultdict(int)
    for place, operation in enumerate(operations):
        if operation.type not in VIEWS:
            for tensor in operation.outputs:
                size = tensor.dtype.size * tensor.shape.num_elements() if tensor.shape.is_fully_defined() else 0
                alive += size
                freed[last_use.get(tensor.ref(), place)] += size
        peak = max(peak, alive)
        alive -= freed.pop(place, 0)
    return peak

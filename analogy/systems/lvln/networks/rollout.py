"""Running a cell over time: `cell(frame, states) -> (next frame, next states)`, where states None means the beginning.

Two ways give the same numbers. In training the steps are written out one after the other, which is quick to run and slow to
trace; every number of frames is static. Elsewhere TensorFlow loops, for any number of frames.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from analogy.models.recurrent import time_first

Cell = Callable[[tf.Tensor, list | None], tuple[tf.Tensor, list]]


def unroll(cell: Cell, frames, count: int, *, silent: int = 0) -> list[tf.Tensor]:
    """Read frames, then say the next ones, each from the one before.

    Args:
        frames: [B, k, H, W, C]; k is static.
        count: the number of frames to say. The first one is the cell's answer to the last observed frame.
        silent: the number of answers that are fed back first without being among those (spec section 2.5).

    Returns:
        `count` frames [B, H, W, C].
    """
    states, said = None, []
    for frame in tf.unstack(frames, axis=1):
        answer, states = cell(frame, states)
    for step in range(silent + count):
        if step:
            answer, states = cell(answer, states)
        if step >= silent:
            said.append(answer)
    return said


def read(cell: Cell, frames) -> tuple[tf.Tensor, list]:
    """Read frames [B, k, H, W, C], k at least 1. Returns the answer to the last one, and the states after it."""
    answer, states = cell(frames[:, 0], None)

    def step(index, answer, states):
        return index + 1, *cell(frames[:, index], states)

    _, answer, states = tf.while_loop(lambda index, *_: index < tf.shape(frames)[1], step, (1, answer, states))
    return answer, states


def feed_back(cell: Cell, answer, states, count) -> tuple[tf.Tensor, list]:
    """Let the cell read its own answer `count` times. Returns its last answer, and the states."""

    def step(index, answer, states):
        return index + 1, *cell(answer, states)

    _, answer, states = tf.while_loop(lambda index, *_: index < count, step, (0, answer, states))
    return answer, states


def roll_out(cell: Cell, frames, count, *, silent: int = 0) -> tf.Tensor:
    """As `unroll`, for any number of frames and any `count` of at least 1: [B, count, H, W, C]."""
    answer, states = feed_back(cell, *read(cell, frames), silent)
    said = tf.TensorArray(answer.dtype, count, element_shape=answer.shape).write(0, answer)

    def step(index, answer, states, said):
        answer, states = cell(answer, states)
        return index + 1, answer, states, said.write(index, answer)

    *_, said = tf.while_loop(lambda index, *_: index < count, step, (1, answer, states, said))
    return time_first(said.stack())

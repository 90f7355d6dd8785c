"""Running a cell over time: `cell(frame, states) -> (next frame, next states)`, where states None means the beginning.

Two ways give the same numbers. In training the steps are written out one after the other, which is quick to run and slow to
trace; every number of frames is static. In an endpoint TensorFlow loops over one step, for any number of frames.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from analogy.models.recurrent import time_first

Cell = Callable[[tf.Tensor, list | None], tuple[tf.Tensor, list]]


def unroll(cell: Cell, frames, count: int, *, silent: int = 0) -> list[tf.Tensor]:
    """Read frames, then predict the next ones, each from the one before.

    Args:
        frames: [B, k, H, W, C]; k is static.
        count: the number of frames to predict. The first one is the cell's answer to the last observed frame.
        silent: the number of answers that are fed back first without being among those (spec lvln, section 2.5).

    Returns:
        `count` frames [B, H, W, C].
    """
    states, predicted = None, []
    for frame in tf.unstack(frames, axis=1):
        answer, states = cell(frame, states)
    for step in range(silent + count):
        if step:
            answer, states = cell(answer, states)
        if step >= silent:
            predicted.append(answer)
    return predicted


def roll(cell: Cell, frames, own, states) -> tuple[tf.Tensor, list]:
    """Read frames, then `own` answers of the cell itself, each after it was given.

    Args:
        frames: [B, k, H, W, C], k at least 1.
        own: the number of own answers to read, 0 or more.
        states: at the beginning: the cell's states of zeros.

    Returns:
        the answers to all of these frames [B, k + own, H, W, C], and the states after the last one.
    """
    observed = tf.shape(frames)[1]
    steps = observed + own
    answers = tf.TensorArray(frames.dtype, steps, element_shape=frames[:, 0].shape)

    def step(index, answer, states, answers):
        frame = tf.where(index < observed, frames[:, tf.minimum(index, observed - 1)], answer)
        answer, states = cell(frame, states)
        return index + 1, answer, states, answers.write(index, answer)

    start = (0, tf.zeros_like(frames[:, 0]), states, answers)
    _, _, states, answers = tf.while_loop(lambda index, *_: index < steps, step, start)
    return time_first(answers.stack()), states

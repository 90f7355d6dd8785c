"""What a blend of pictures is judged by, and the fit of the blend of each step before the network trains.

The squared errors of a weighted sum of pictures follow from the pictures' inner products alone. So the weights of every step,
the same for all pixels and windows, are fitted in seconds, where training on a few windows at a time would take long.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from analogy.graphs import graph_function
from analogy.losses import log_of_error
from analogy.systems.vgg_lstm.networks.plus import LAST

SMALLEST_CHANGE = 1e-2  # added to the change of the true frames, which may stand still; values in 0..1
AHEAD = 0.02  # to be behind copying begins at an error smaller by this log10, 0.2 dB: unseen windows differ
UPDATES, RATE = 600, 0.05  # of the fit


class Squares(NamedTuple):
    """Mean squared differences of future frames in 0..1, from which the terms of the loss are computed.

    error, error_of_copying: of each predicted frame, and of the last observed one, from the truth [B, T]. change, true_change:
    of each frame from the one before, in the prediction and in truth [B, T - 1].
    """

    error: tf.Tensor
    error_of_copying: tf.Tensor
    change: tf.Tensor
    true_change: tf.Tensor

    @classmethod
    def of_frames(cls, truth, predicted, last) -> Squares:
        """truth, predicted: [B, T, H, W, C]. last: the last observed frame [B, H, W, C]."""
        pairs = ((truth, predicted), (truth, last[:, None]), *((x[:, 1:], x[:, :-1]) for x in (predicted, truth)))
        return cls(*(tf.reduce_mean(tf.square(first - second), [2, 3, 4]) for first, second in pairs))

    @classmethod
    def of_blends(cls, products, weights) -> Squares:
        """products: see `inner_products`, of n pictures. weights: of the blend of each step [T, n]; the sum of each is 1."""
        one, none = tf.ones_like(weights[:, :1]), tf.zeros_like(weights[:, :1])
        nothing, before = tf.zeros_like(weights), tf.concat([weights[:1], weights[:-1]], 0)
        copied = nothing + tf.one_hot(LAST, weights.shape[1])
        sums = (
            (-one, weights, none, nothing),
            (-one, copied, none, nothing),
            (none, weights, none, -before),
            (one, nothing, -one, nothing),
        )
        sums = [tf.concat(parts, 1) for parts in sums]
        error, copying, *changes = (tf.nn.relu(tf.einsum("ti,btij,tj->bt", x, products, x)) for x in sums)
        return cls(error, copying, *(change[:, 1:] for change in changes))

    def terms(self) -> dict[str, Callable]:
        """Name of a term of the loss -> function that gives it, [B]."""
        error, error_of_copying = log_of_error(self.error), log_of_error(self.error_of_copying)
        return {
            "log_mse": lambda: tf.reduce_mean(error, 1),
            "behind_copying": lambda: tf.reduce_mean(tf.nn.relu(error - error_of_copying + AHEAD), 1),
            "change": self.change_error,
        }

    def change_error(self):
        """How wrong the amount of change within a prediction is: 0 where it is right, 1 where nothing changes at all.

        The amount is the root of the mean squared difference of successive frames, over all of them. The squared error alone
        makes what is uncertain stand still; this error asks for as much change as there is in truth, wherever it costs least.
        The change from the last observed frame to the first prediction does not count: that frame can be known best.

        Returns:
            [B], relative to the truth's change; 0 for a single frame.
        """
        count = max(1, self.change.shape[1])
        true, ours = (tf.sqrt(tf.reduce_sum(x, 1) / count + 1e-10) for x in (self.true_change, self.change))
        return tf.abs(ours - true) / (true + SMALLEST_CHANGE)


def inner_products(truth, pictures):
    """The inner products of what each step shows and what the step before shows, divided by the number of values.

    Args:
        truth: the future frames [B, T, H, W, C]. pictures: what each step blends [B, T, H, W, C, n].

    Returns:
        [B, T, 2 n + 2, 2 n + 2]: of the true frame, the n pictures, the true frame before and the n pictures before. The first
        step has none before it, and zeros there.
    """
    shown = tf.concat([truth[..., None], pictures], -1)
    shown = tf.reshape(shown, [tf.shape(shown)[0], shown.shape[1], -1, shown.shape[-1]])
    before = tf.concat([tf.zeros_like(shown[:, :1]), shown[:, :-1]], 1)
    both = tf.concat([shown, before], -1)
    return tf.matmul(both, both, transpose_a=True) / tf.cast(tf.shape(both)[2], tf.float32)


def fitted_blend(products, first_weights, loss: Callable) -> np.ndarray:
    """The logarithms of the weights of each step's blend, fitted by gradient descent (Adam): [T, n].

    Args:
        products: of training windows, see `inner_products`.
        first_weights: of every step, where the fit begins [n].
        loss: name -> function that gives a term [B], as `Squares.terms` returns them -> name -> weighted term [B].
    """
    first = tf.math.log(tf.constant(first_weights, tf.float32))
    logs = tf.Variable(tf.repeat(first[None], products.shape[1], 0))
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(RATE, UPDATES))
    optimizer.build([logs])

    @graph_function
    def update():
        with tf.GradientTape() as tape:
            terms = loss(Squares.of_blends(products, tf.nn.softmax(logs)).terms())
            value = tf.reduce_mean(tf.add_n(list(terms.values())))
        optimizer.apply([tape.gradient(value, logs)], [logs])

    for _ in range(UPDATES):
        update()
    return logs.numpy()

"""Batch normalisation over all replicas."""

from __future__ import annotations

import keras
import tensorflow as tf


class BatchNorm(keras.layers.Layer):
    """Batch normalisation of [B, H, W, C] or [B, C] with PyTorch's constants and running statistics.

    In training the statistics are those of the batch of all replicas, and every call moves the running ones: 0.9 of the old
    value and 0.1 of the new, whose variance is divided by n - 1 instead of n.

    Keras' own layer, synchronised, exchanges three tensors instead of one, and does not use TensorFlow's fused kernel.

    Args:
        momentum: the share of the old running value.
    """

    epsilon = 1e-5

    def __init__(self, momentum: float = 0.9, **kwargs):
        super().__init__(**kwargs)
        self.momentum = momentum

    def build(self, input_shape):
        def add(name: str, value: str, *, trainable: bool):
            return self.add_weight(name=name, shape=(input_shape[-1],), initializer=value, trainable=trainable, autocast=False)

        self.gamma, self.beta = add("gamma", "ones", trainable=True), add("beta", "zeros", trainable=True)
        self.moving_mean = add("moving_mean", "zeros", trainable=False)
        self.moving_variance = add("moving_variance", "ones", trainable=False)
        self.built = True

    def call(self, x, training: bool = False):
        if not training:
            return self._normalised(x, self.moving_mean, self.moving_variance)
        replicas = tf.distribute.get_replica_context().num_replicas_in_sync
        fused = replicas == 1 and x.dtype != tf.float64  # for which TensorFlow has no fused kernel
        y, mean, variance = self._fused(x) if fused else self._over_replicas(x, replicas)
        for running, new in ((self.moving_mean, mean), (self.moving_variance, variance)):
            running.assign(self.momentum * running + (1.0 - self.momentum) * tf.stop_gradient(new))
        return y

    def _normalised(self, x, mean, variance):
        scale = self.gamma * tf.math.rsqrt(variance + self.epsilon)
        return tf.cast(tf.cast(x, self.variable_dtype) * scale + (self.beta - mean * scale), x.dtype)

    def _fused(self, x) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """On one replica: the output, the batch's mean, and its variance divided by n - 1."""
        image = x if x.shape.rank == 4 else x[:, None, None]
        y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=image, scale=self.gamma.value, offset=self.beta.value, mean=[], variance=[], epsilon=self.epsilon
        )
        return tf.reshape(y, tf.shape(x)), mean, variance

    def _over_replicas(self, x, replicas: int) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """As `_fused`, with the statistics of all replicas, which have equally many examples."""
        wide, axes = tf.cast(x, self.variable_dtype), list(range(x.shape.rank - 1))
        count = tf.cast(replicas * tf.size(x) // x.shape[-1], self.variable_dtype)
        sums = tf.stack([tf.reduce_sum(wide, axes), tf.reduce_sum(tf.square(wide), axes)])
        mean, square = tf.unstack(tf.distribute.get_replica_context().all_reduce("SUM", sums) / count)
        variance = tf.maximum(square - tf.square(mean), 0.0)
        return self._normalised(x, mean, variance), mean, variance * count / tf.maximum(count - 1.0, 1.0)

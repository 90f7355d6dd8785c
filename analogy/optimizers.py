"""Optimisers built from settings."""

from __future__ import annotations

import keras
import tensorflow as tf


class FusedAdam(keras.optimizers.Adam):
    """Adam with TensorFlow's one-kernel update, in place of a dozen element-wise operations per variable.

    Same formula as Keras (and TensorFlow 1): w -= lr sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + epsilon). It needs no
    temporary as large as the variable, which for a 200-million-weight layer is a gigabyte or two.
    """

    def update_step(self, gradient, variable, learning_rate):
        step = tf.cast(self.iterations + 1, tf.float32)
        index = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=_handle(variable),
            m=_handle(self._momentums[index]),
            v=_handle(self._velocities[index]),
            beta1_power=tf.pow(float(self.beta_1), step),
            beta2_power=tf.pow(float(self.beta_2), step),
            lr=tf.cast(learning_rate, tf.float32),
            beta1=float(self.beta_1),
            beta2=float(self.beta_2),
            epsilon=float(self.epsilon),
            grad=tf.cast(gradient, tf.float32),
        )


class LossScaling(keras.optimizers.LossScaleOptimizer):
    """Dynamic loss scaling that skips an update when the gradients of ANY replica overflow.

    Keras asks the first replica alone, as if gradients had been summed by then; they have not, and the overflow of
    another replica would reach the weights of all.
    """

    def check_finite(self, grads):
        finite = super().check_finite(grads)
        overflows = tf.distribute.get_replica_context().all_reduce("SUM", tf.cast(~finite, tf.float32))
        return overflows < 0.5


def _handle(variable):
    """The resource of a variable; under a strategy, of the copy on the device that is being updated."""
    return (variable.value if isinstance(variable, keras.Variable) else variable).handle


def make_optimizer(settings, variables, *, steps: int = 0, loss_scaling: bool = False) -> keras.optimizers.Optimizer:
    """An optimiser with its slots already built (an unbuilt one cannot be restored, nor used under a strategy).

    Args:
        settings: an OptimizerSettings: name, learning_rate, beta_1, beta_2, epsilon, decay, decay_steps; and perhaps
            average, the momentum of moving averages of the weights; and schedule, exponential or cosine.
        variables: the trainable variables it will update.
        steps: of the whole training, over which a cosine schedule falls to zero.
        loss_scaling: wrap in dynamic loss scaling, for float16.
    """
    rate = settings.learning_rate
    if getattr(settings, "schedule", "exponential") == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, steps)
    elif settings.decay < 1:
        rate = keras.optimizers.schedules.ExponentialDecay(rate, settings.decay_steps, settings.decay, staircase=True)
    average = getattr(settings, "average", 0.0)
    options = {"use_ema": True, "ema_momentum": average} if average else {}
    if settings.name == "sgd":
        optimizer = keras.optimizers.SGD(rate, **options)
    elif settings.name == "rmsprop":
        optimizer = keras.optimizers.RMSprop(rate, rho=settings.beta_2, epsilon=settings.epsilon, **options)
    else:
        moments = {"beta_1": settings.beta_1, "beta_2": settings.beta_2, "epsilon": settings.epsilon}
        optimizer = FusedAdam(rate, **moments, **options)
    assert variables, "an optimiser without variables would train nothing"
    optimizer.build(variables)
    if settings.name == "rmsprop":  # as in TensorFlow 1, whose mean square starts at 1: from 0, the first steps are huge
        for square in optimizer._velocities:
            square.assign(tf.ones(square.shape))
    if loss_scaling:
        optimizer = LossScaling(optimizer)
        optimizer.build(variables)
    return optimizer

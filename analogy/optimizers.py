"""Optimisers built from settings."""

from __future__ import annotations

import logging

import keras
import tensorflow as tf

log = logging.getLogger("analogy")


class FusedAdam(keras.optimizers.Adam):
    """Adam and AdamW, updated by TensorFlow's single Adam kernel instead of a dozen element-wise operations per variable.

    The formula is that of Keras and TensorFlow 1: w -= lr sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + epsilon). The kernel
    needs no temporary tensors of the variable's size; for a layer of 200 million weights these would take one or two
    gigabytes. `weight_decay` works as in Keras: before the update, w -= lr weight_decay w.
    """

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        """What all variables share is computed once; Keras hands it on to `update_step` in place of the learning rate."""
        step = tf.cast(self.iterations + 1, tf.float32)
        powers = [tf.pow(float(beta), step) for beta in (self.beta_1, self.beta_2)]
        super()._backend_update_step(grads, trainable_variables, (tf.cast(learning_rate, tf.float32), *powers))

    def update_step(self, gradient, variable, shared):
        rate, beta1_power, beta2_power = shared
        index = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=_handle(variable),
            m=_handle(self._momentums[index]),
            v=_handle(self._velocities[index]),
            beta1_power=beta1_power,
            beta2_power=beta2_power,
            lr=rate,
            beta1=float(self.beta_1),
            beta2=float(self.beta_2),
            epsilon=float(self.epsilon),
            grad=tf.cast(gradient, tf.float32),
        )


class LossScaling(keras.optimizers.LossScaleOptimizer):
    """Dynamic loss scaling that skips an update when the gradients of ANY replica overflow.

    Keras checks the gradients of the first replica only, although they are not yet summed over replicas at that point: an
    overflow on another replica would reach all weights.
    """

    def check_finite(self, grads):
        finite = super().check_finite(grads)
        overflows = tf.distribute.get_replica_context().all_reduce("SUM", tf.cast(~finite, tf.float32))
        return overflows < 0.5


class Warmup(keras.optimizers.schedules.LearningRateSchedule):
    """A linear warm-up: the learning rate rises to `rate` over the first `steps` updates; then `schedule` starts at step 0."""

    def __init__(self, rate: float, steps: int, schedule):
        self.rate, self.steps, self.schedule = rate, steps, schedule

    def __call__(self, step):
        step, steps = tf.cast(step, tf.float32), float(self.steps)
        return tf.where(step < steps, self.rate * (step + 1.0) / steps, self.schedule(tf.maximum(step - steps, 0.0)))

    def get_config(self):
        return {"rate": self.rate, "steps": self.steps, "schedule": self.schedule}


def _handle(variable):
    """The resource handle of a variable. Under a strategy: of its copy on the device that is being updated."""
    return (variable.value if isinstance(variable, keras.Variable) else variable).handle


def make_schedule(settings, steps: int):
    """The learning rate: a number if it is constant, or else a Keras schedule.

    Args:
        settings: an OptimizerSettings.
        steps: number of steps of the whole training. A cosine schedule reaches zero there.
    """
    rate, warmup = settings.learning_rate, min(settings.warmup_steps, steps // 2)
    if warmup < settings.warmup_steps:
        log.info("the learning rate rises over %d steps, half of the training, not %d", warmup, settings.warmup_steps)
    schedules = keras.optimizers.schedules
    if settings.schedule == "cosine":
        schedule = schedules.CosineDecay(rate, steps - warmup)
    elif settings.decay < 1 or warmup:
        schedule = schedules.ExponentialDecay(rate, settings.decay_steps, settings.decay, staircase=settings.staircase)
    else:
        return rate
    return Warmup(rate, warmup, schedule) if warmup else schedule


def make_optimizer(settings, variables, *, steps: int, loss_scaling: bool = False):
    """A Keras optimiser whose slots are already built, so that it can be restored and used under a strategy.

    It does not clip gradients, because Keras would clip those of each replica before they are summed: see
    `clip_global_norm`.

    Args:
        settings: an OptimizerSettings.
        variables: the weights to train, at least one.
        steps: number of steps of the whole training.
        loss_scaling: add dynamic loss scaling, for float16.

    Raises:
        ValueError: `variables` is empty.
    """
    if not variables:
        raise ValueError("an optimiser without variables would train nothing")
    rate = make_schedule(settings, steps)
    common = {"use_ema": True, "ema_momentum": settings.average} if settings.average else {}
    moments = {"beta_1": settings.beta_1, "beta_2": settings.beta_2, "epsilon": settings.epsilon}
    if settings.name == "sgd":
        optimizer = keras.optimizers.SGD(rate, momentum=settings.momentum, **common)
    elif settings.name == "adagrad":  # its sum of squared gradients starts at 0, as in PyTorch
        optimizer = keras.optimizers.Adagrad(rate, initial_accumulator_value=0.0, epsilon=settings.epsilon, **common)
    elif settings.name == "rmsprop":
        how = {"rho": settings.beta_2, "epsilon": settings.epsilon, "momentum": settings.momentum}
        optimizer = keras.optimizers.RMSprop(rate, **how, **common)
    else:
        optimizer = FusedAdam(rate, weight_decay=settings.weight_decay or None, **moments, **common)
    optimizer.build(variables)
    if settings.name == "rmsprop":  # as in TensorFlow 1, the mean square starts at 1: from 0, the first steps would be huge
        for square in optimizer._velocities:
            square.assign(tf.ones(square.shape))
    if loss_scaling:
        optimizer = LossScaling(optimizer)
        optimizer.build(variables)
    return optimizer


def held_variables(optimizer: keras.optimizers.Optimizer) -> list[keras.Variable]:
    """The weights that a built optimiser trains, in the optimiser's order. Works with and without loss scaling."""
    return list(optimizer._trainable_variables)  # Keras has no public name for them


def keeps_averages(optimizer: keras.optimizers.Optimizer) -> bool:
    """Whether the optimiser has moving averages of the weights. Before the first update it has none."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    return inner.use_ema and bool(inner.iterations.numpy())


def average_weights(optimizer: keras.optimizers.Optimizer) -> None:
    """Replace the weights that an optimiser trains by their moving averages, if it has any."""
    if keeps_averages(optimizer):
        getattr(optimizer, "inner_optimizer", optimizer).finalize_variable_values(held_variables(optimizer))


def clip_global_norm(gradients: list, norm):
    """Clip gradients by the global norm of their sum over replicas. Call it in replica context.

    Keras would clip each replica's gradients before they are summed.

    Args:
        gradients: this replica's gradients. norm: the largest global norm.

    Returns:
        the clipped sum divided by the number of replicas, so that the optimiser's sum over replicas gives it again.
    """
    context = tf.distribute.get_replica_context()
    gradients, _ = tf.clip_by_global_norm(context.all_reduce("SUM", gradients), norm)
    return [gradient / context.num_replicas_in_sync for gradient in gradients]

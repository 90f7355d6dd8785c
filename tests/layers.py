"""Our layers beside Keras' own: random inputs, equal weights, results with both gradients."""

import numpy as np
import tensorflow as tf


def random(*shape):
    return tf.constant(np.random.default_rng(0).normal(size=shape).astype(np.float32))


def with_equal_weights(ours, expected, shape) -> None:
    """Build two layers for inputs of a shape, and give both the same random weights."""
    for layer in (ours, expected):
        layer.build(shape)
    ours.set_weights([random(*weight.shape).numpy() for weight in ours.weights])
    expected.set_weights(ours.get_weights())


def result_and_gradients(layer, maps):
    """The result, and the gradients by the maps and by the weights, in graph mode with a batch of any size."""

    @tf.function(input_signature=[tf.TensorSpec([None, *maps.shape[1:]])])
    def compute(maps):
        with tf.GradientTape() as tape:
            tape.watch(maps)
            result = layer(maps)
            loss = tf.reduce_sum(result * random(*layer.compute_output_shape(maps.shape)[1:]))
        return result, *tape.gradient(loss, [maps, *layer.trainable_variables])

    return compute(maps)

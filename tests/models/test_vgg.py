"""The VGG encoder and its parts."""

import keras
import numpy as np
import tensorflow as tf

from analogy.models.vgg import Encoder, Stage, leaky


def test_simplified_pose_encoder_has_one_convolution_a_stage():
    encoder = Encoder(3, simplified=True)
    assert [len(stage.convolutions) for stage in encoder.stages] == [1, 1, 1]


def test_activation_after_pooling_equals_activation_before_it():
    stage, x = Stage(4, 2), tf.random.normal([1, 8, 8, 3])
    first, second = stage.convolutions
    slow = keras.ops.max_pool(keras.ops.leaky_relu(second(leaky(first(x))) if stage(x) is not None else x, 0.2), 2)
    np.testing.assert_allclose(stage(x), slow, atol=1e-6)


def test_recomputing_the_first_stage_changes_no_gradient():
    encoder = Encoder(2, width=0.125)
    image = tf.random.stateless_normal([2, 16, 16, 3], [0, 1])
    gradients = []
    for recompute in (False, True):
        with tf.GradientTape() as tape:
            tape.watch(image)
            loss = tf.reduce_sum(encoder(image, recompute=recompute) ** 2)
        gradients.append(tape.gradient(loss, [image, *encoder.trainable_variables]))
    for kept, recomputed in zip(*gradients, strict=True):
        np.testing.assert_allclose(kept, recomputed, rtol=1e-5, atol=1e-5)

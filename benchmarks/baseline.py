"""A plain float32 implementation of analogy_gan's training step and of generation, as the reference of speed measurements.

Networks, losses and optimisers are the same as ours, but written in the direct way: leaky ReLU comes before pooling, all
upsampling is by transposed convolutions, f_pose is called once for each pose, and the discriminator once for each kind of
input. The discriminator is updated after the generator, with a second forward pass. The optimiser is Keras' Adam. Generation
makes one frame in a call and encodes the reference frame every time.
"""

from __future__ import annotations

import keras
import tensorflow as tf

from analogy.joints import JOINTS
from analogy.losses import squared_error
from analogy.models.vgg import stages
from analogy.systems.hierarchical import losses
from analogy.systems.hierarchical.networks.decoder import decoder_plan
from analogy.systems.hierarchical.networks.heatmaps import pose_maps
from analogy.systems.hierarchical.settings.analogy_gan import AnalogyGanSettings


def _leaky(x):
    return tf.nn.leaky_relu(x, 0.2)


def _encoder(depth: int, width: float, side: int, channels: int, *, simplified: bool = False) -> keras.Sequential:
    layers = [keras.Input((side, side, channels))]
    for filters, repeats in stages(depth, width):
        for _ in range(1 if simplified else repeats):
            layers.append(keras.layers.Conv2D(filters, 3, padding="same", activation=_leaky))
        layers.append(keras.layers.MaxPooling2D(2))
    return keras.Sequential(layers)


def _decoder(settings, shape) -> keras.Sequential:
    plan = decoder_plan(settings.generator.depth, settings.data.channels, settings.generator.width)
    layers = [keras.Input(shape)]
    for index, (width, stride) in enumerate(plan):
        last = "tanh" if index == len(plan) - 1 else "relu"
        layers.append(keras.layers.Conv2DTranspose(width, 3, strides=stride, padding="same", activation=last))
    return keras.Sequential(layers)


class Baseline:
    """The plain implementation.

    Args:
        settings: must have square images and Adam, and no feature loss.
        train: whether to make the discriminator and the optimisers too.
    """

    def __init__(self, settings: AnalogyGanSettings, *, train: bool = True):
        self.settings, self.side = settings, settings.data.image_size[0]
        channels, simplified = settings.data.channels, settings.generator.pose_encoder == "simplified"
        shape = settings.generator.depth, settings.generator.width
        self.f_img = _encoder(*shape, self.side, channels)
        self.f_pose = _encoder(*shape, self.side, JOINTS, simplified=simplified)
        self.f_dec = _decoder(settings, self.f_img.output_shape[1:])
        self.generator_weights = [v for part in (self.f_img, self.f_pose, self.f_dec) for v in part.trainable_variables]
        if train:
            tail = [
                keras.layers.Flatten(),
                keras.layers.Dense(settings.discriminator.units, activation=_leaky),
                keras.layers.Dropout(settings.discriminator.dropout),
                keras.layers.Dense(1),
            ]
            encoder = _encoder(settings.generator.depth, settings.discriminator.width, self.side, channels + JOINTS)
            self.d = keras.Sequential([keras.Input((self.side, self.side, channels + JOINTS)), *encoder.layers, *tail])
            self.generator_adam = self._adam(settings.generator_optimizer, self.generator_weights)
            self.discriminator_adam = self._adam(settings.discriminator_optimizer, self.d.trainable_variables)

    @staticmethod
    def _adam(settings, variables) -> keras.optimizers.Adam:
        adam = keras.optimizers.Adam(settings.learning_rate, settings.beta_1, settings.beta_2, epsilon=settings.epsilon)
        adam.build(variables)
        return adam

    def _pose(self, joints, visibility, crop):
        sigma = self.settings.generator.heatmap_sigma * self.side / crop
        return pose_maps(joints, visibility, sigma, (self.side, self.side))

    def generator(self, image, pose, next_pose):
        return self.f_dec(self.f_img(image) + self.f_pose(next_pose) - self.f_pose(pose))

    def discriminator(self, image, pose):
        return self.d(tf.concat([image, pose], -1), training=True)[:, 0]

    @tf.function
    def train_step(self, batch) -> dict[str, tf.Tensor]:
        """Update each network once. Returns the losses by name."""
        loss, guard = self.settings.loss, self.settings.loss.guard
        image = tf.cast(batch["image"], tf.float32) / 127.5 - 1.0
        truth = tf.cast(batch["next_image"], tf.float32) / 127.5 - 1.0
        pose = self._pose(batch["joints"], batch["visibility"], batch["crop"])
        next_pose = self._pose(batch["next_joints"], batch["next_visibility"], batch["next_crop"])

        with tf.GradientTape() as tape:
            generated = self.generator(image, pose, next_pose)
            l2 = loss.l2 * tf.reduce_mean(squared_error(truth, generated, domain=loss.l2_domain))
            fooled = losses.log_fooled(self.discriminator(generated, next_pose), guard=guard)
            generator_loss = l2 + loss.adversarial * tf.reduce_mean(fooled)
        gradients = tape.gradient(generator_loss, self.generator_weights)
        self.generator_adam.apply_gradients(zip(gradients, self.generator_weights, strict=True))

        generated = self.generator(image, pose, next_pose)
        with tf.GradientTape() as tape:
            real = losses.log_true(self.discriminator(truth, next_pose), guard=guard)
            false = losses.log_false(self.discriminator(generated, next_pose), guard=guard)
            mismatch = losses.log_false(self.discriminator(image, next_pose), guard=guard)
            discriminator_loss = tf.reduce_mean(loss.real * real + loss.generated * false + loss.mismatch * mismatch)
        gradients = tape.gradient(discriminator_loss, self.d.trainable_variables)
        self.discriminator_adam.apply_gradients(zip(gradients, self.d.trainable_variables, strict=True))
        return {"generator/loss": generator_loss, "discriminator/loss": discriminator_loss}

    @tf.function
    def generate(self, frame, joints, visibility, next_joints, next_visibility, crop):
        """The next frame, uint8 [1, H, W, C], from a frame of the same shape, its pose, and the next pose."""
        pose, next_pose = self._pose(joints, visibility, crop), self._pose(next_joints, next_visibility, crop)
        painted = self.generator(tf.cast(frame, tf.float32) / 127.5 - 1.0, pose, next_pose)
        return tf.saturate_cast(tf.round((painted + 1.0) * 127.5), tf.uint8)

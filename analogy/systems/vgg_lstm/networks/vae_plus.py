"""Ours: an auto-encoder of segments whose latents are maps, so that they say where things are."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from analogy.models.building import Composite
from analogy.models.recurrent import ConvGruCell, read, time_first
from analogy.models.unet import leaky
from analogy.systems.vgg_lstm.networks.plus import conv

FINE = 4  # the encoder begins at a quarter of the frame's size
REDUCTION = 8  # a latent has an eighth of the frame's height and width
# The standard deviations of natural pictures, about: of a block's mean, of the slowest wave, and of colours beside brightness.
MEAN_SIZE, WAVE_SIZE, COLOUR_SIZES = 2.5, 0.6, (1.0, 0.25, 0.15)
COLOURS = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]]) / np.sqrt([[3], [2], [6]])  # brightness, and two differences
FIRST_LOG_VARIANCE = -4.0  # before training latents are nearly exact, so that the decoder learns to read them


class MapEncoder(Composite, keras.Model):
    """Frames [B, S, H, W, C] in 0..1 and their features [B, S, N] -> mean and log-variance of maps [B, S, H/8, W/8, latents].

    VGG-16's last maps say what is there, convolutions of the frame itself how it looks: the last maps alone hold too little of
    that. A ConvGRU reads both in the order of time. Beside them a linear way leads from overlapping blocks of 16 x 16 pixels
    to the mean. It begins as JPEG's transform (`block_waves`), and the rest learns what it lacks.

    Args:
        units: channels of all layers.
        latents: channels of the latent maps.
    """

    def __init__(self, *, units: int, latents: int, name: str = "encoder"):
        super().__init__(name=name, autocast=False)
        self.units, self.latents = units, latents
        self.tap = conv(units, "tap", size=1)
        self.frame_layers = [conv(units, "frame1"), conv(units, "frame2", strides=2)]
        self.joined = conv(units, "joined")
        self.cell = ConvGruCell(units, 3, name="gru")
        self.blocks = conv(latents, "blocks", size=2 * REDUCTION, strides=REDUCTION, kernel_initializer=reading_kernel)
        self.mean = conv(latents, "mean", size=1, kernel_initializer="zeros")
        first = keras.initializers.Constant(FIRST_LOG_VARIANCE)
        self.log_variance = conv(latents, "log_variance", size=1, kernel_initializer="zeros", bias_initializer=first)

    def call(self, frames, features):
        steps, height, width = frames.shape[1:4]
        images = folded(frames) - 0.5
        x = tf.nn.space_to_depth(images, FINE)
        for layer in self.frame_layers:
            x = leaky(layer(x))
        cells = (height // 32) * (width // 32)
        maps = tf.reshape(tf.asinh(features), [-1, height // 32, width // 32, features.shape[-1] // cells])
        tap = tf.image.resize(leaky(self.tap(maps)), x.shape[1:3])
        x = leaky(self.joined(tf.concat([x, tap], -1)))
        x = x + folded(run_over_time(self.cell, unfolded(x, steps)))
        return unfolded(self.blocks(images) + self.mean(x), steps), unfolded(self.log_variance(x), steps)


class MapDecoder(Composite, keras.Model):
    """Latent maps [B, S, h, w, latents] -> frames [B, S, 8 h, 8 w, channels], about in 0..1.

    A ConvGRU reads them in the order of time, and three enlargements paint the frames, beside the linear way from a latent to
    its block of 16 x 16 pixels. There is no other way from a frame to its picture, and no weight of a place: what a latent does
    not say cannot be painted.

    Args:
        channels: of a frame.
        units: channels at the size of the latents; 2/3 of them at twice the size, 1/3 at four times.
    """

    def __init__(self, *, channels: int, units: int, name: str = "decoder"):
        super().__init__(name=name, autocast=False)
        self.first = conv(units, "first")
        self.cell = ConvGruCell(units, 3, name="gru")
        self.enlarging = [conv(max(1, units * parts // 3), f"enlarged{2 ** (4 - parts)}") for parts in (3, 2, 1)]
        self.last = conv(channels, "last", kernel_initializer="zeros")
        how = {"padding": "same", "kernel_initializer": painting_kernel, "dtype": "float32"}
        self.blocks = keras.layers.Conv2DTranspose(channels, 2 * REDUCTION, REDUCTION, name="blocks", **how)

    def call(self, latents):
        steps, latents = latents.shape[1], folded(latents)
        x = leaky(self.first(latents))
        x = x + folded(run_over_time(self.cell, unfolded(x, steps)))
        for layer in self.enlarging:
            x = leaky(layer(x))
            x = tf.image.resize(x, [2 * side for side in x.shape[1:3]])
        return unfolded(self.blocks(latents) + self.last(x), steps) + 0.5


def block_waves(channels: int, latents: int) -> tuple[np.ndarray, np.ndarray]:
    """The waves of a block of 8 x 8 pixels that matter most in natural pictures, as in JPEG: the discrete cosine transform
    (Ahmed, Natarajan & Rao 1974) of its brightness and of two colours, sorted by size.

    Args:
        channels: 1 or 3. latents: the number of waves.

    Returns:
        The waves [8, 8, channels, latents], orthonormal, and how large each is in natural pictures, about [latents]. Beyond the
        64 waves of each channel: zeros.
    """
    place, rate = np.arange(REDUCTION) + 0.5, np.arange(REDUCTION)
    cosines = np.cos(np.pi * rate[:, None] * place / REDUCTION) * np.sqrt(2 / REDUCTION)
    cosines[0] /= np.sqrt(2)
    colours, colour_sizes = (COLOURS, COLOUR_SIZES) if channels == 3 else (np.eye(channels), np.ones(channels))
    waves = np.einsum("uy,vx,kc->kuvyxc", cosines, cosines, colours)
    speed = np.hypot(*np.meshgrid(rate, rate))
    sizes = np.where(speed, WAVE_SIZE / np.maximum(speed, 1), MEAN_SIZE) * np.reshape(colour_sizes, [-1, 1, 1])
    order = np.argsort(-sizes, axis=None, kind="stable")[:latents]
    waves, sizes = waves.reshape(-1, REDUCTION, REDUCTION, channels)[order], sizes.ravel()[order]
    lacking = latents - len(order)
    return np.pad(waves.transpose(1, 2, 3, 0), [(0, 0)] * 3 + [(0, lacking)]), np.pad(sizes, (0, lacking), constant_values=1.0)


def reading_kernel(shape, dtype=None):
    """The kernel [16, 16, channels, latents] that the encoder's linear way begins with: each answer has a size near 1."""
    waves, sizes = block_waves(*shape[2:])
    return _amid_neighbours(waves / sizes)


def painting_kernel(shape, dtype=None):
    """The kernel of the decoder's, which undoes it."""
    waves, sizes = block_waves(*shape[2:])
    return _amid_neighbours(waves * sizes)


def _amid_neighbours(kernel: np.ndarray) -> np.ndarray:
    """A kernel of 8 x 8 pixels with zeros around it, [16, 16, ...]."""
    border = (REDUCTION // 2, REDUCTION // 2)
    return np.pad(kernel, [border, border, (0, 0), (0, 0)]).astype(np.float32)


def run_over_time(cell: ConvGruCell, sequences):
    """Maps [B, S, h, w, C] -> the states after every step [B, S, h, w, units]."""
    return tf.cast(time_first(read([cell], time_first(sequences))[0]), sequences.dtype)


def folded(sequences):
    """[B, S, h, w, C] -> [B S, h, w, C]."""
    return tf.reshape(sequences, [-1, *sequences.shape[2:]])


def unfolded(maps, steps: int):
    """[B S, h, w, C] -> [B, S, h, w, C]."""
    return tf.reshape(maps, [-1, steps, *maps.shape[1:]])

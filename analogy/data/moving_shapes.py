"""moving_shapes: movies of discs and squares that move straight and bounce off the walls, all drawn from the seed."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from analogy.data.batches import pick, step_uniform
from analogy.random_streams import StepStream

MOST = 3  # shapes in a movie
HEIGHT = 64  # of a frame; at other heights, the lengths in pixels below are scaled
SMALLEST, LARGEST = 4.0, 12.0  # radius of a disc, or half the side of a square
SLOWEST, FASTEST = 0.5, 8.0  # pixels a frame
CONTRAST = 0.25  # least difference between a shape and the plain background in each channel, values in 0..1
TEXTURE, PATCHES = 0.2, (5, 7)  # range of the texture's values; its soft patches, down and across


def draw_shapes(seed: int, step, count: int, length: int, size: tuple[int, int]) -> tf.Tensor:
    """Movies of 1 to 3 discs or squares on a plain or softly textured background: float32 [count, length, H, W, 3] in 0..1.

    Sizes, places, directions and colours are uniform, speeds log-uniform. A shape is reflected where it touches a wall. Shapes
    do not meet each other: the later one covers the earlier one.

    Args:
        seed, step: the movies are a function of them. step: int64 scalar.
        count: the number of movies. length: the number of frames of each.
        size: (height, width) of the frames.
    """
    u_movie, u_shape, u_texture = _uniform(seed, step, [[count, 5], [count, MOST, 9], [count, *PATCHES, 1]])
    scale = size[0] / HEIGHT
    background, colours, present = _looks(u_movie, u_shape, u_texture, size)
    radius = scale * (SMALLEST + (LARGEST - SMALLEST) * u_shape[..., 3])  # [count, MOST]
    speed = scale * SLOWEST * (FASTEST / SLOWEST) ** u_shape[..., 4]
    angle = 2 * np.pi * u_shape[..., 5]
    round_shape = u_shape[..., 6] < 0.5
    frames = []
    for t in range(length):
        x = reflected(u_shape[..., 7], speed * tf.cos(angle) * t, radius, size[1])
        y = reflected(u_shape[..., 8], speed * tf.sin(angle) * t, radius, size[0])
        covered = coverage(x, y, radius, round_shape, size) * present[:, :, None, None]
        frame = background
        for shape in range(MOST):
            share = covered[:, shape, :, :, None]
            frame = frame * (1.0 - share) + colours[:, shape, None, None] * share
        frames.append(frame)
    return tf.stack(frames, 1)


def _uniform(seed: int, step, shapes: list[list[int]]) -> list[tf.Tensor]:
    """Uniform random numbers of these shapes, out of one draw."""
    sizes = [int(np.prod(shape)) for shape in shapes]
    parts = tf.split(step_uniform(seed, step, StepStream.EXAMPLES, [sum(sizes)]), sizes)
    return [tf.reshape(part, shape) for part, shape in zip(parts, shapes, strict=True)]


def _looks(u_movie, u_shape, u_texture, size) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The background [count, H, W, 3], the shapes' colours [count, MOST, 3], and which are present [count, MOST], 1 or 0."""
    plain = u_movie[:, None, :3]
    colours = (plain + CONTRAST + (1.0 - 2.0 * CONTRAST) * u_shape[..., :3]) % 1.0
    present = tf.range(MOST) <= pick(tf.cast(u_movie[:, 3:4], tf.float64), MOST)
    texture = tf.image.resize(TEXTURE * (u_texture - 0.5), size, "bicubic")
    texture = tf.where(u_movie[:, 4, None, None, None] < 0.5, texture, 0.0)
    return tf.clip_by_value(plain[:, None] + texture, 0.0, 1.0), colours, tf.cast(present, tf.float32)


def reflected(start, way, radius, side: int) -> tf.Tensor:
    """Where a shape is on one axis, in pixels, after it has gone `way` pixels from `start` (0..1 of its room), with bounces."""
    room = side - 2.0 * radius
    return radius - 0.5 + room - tf.abs((start * room + way) % (2.0 * room) - room)


def coverage(x, y, radius, round_shape, size) -> tf.Tensor:
    """The share of each pixel that a shape covers, which antialiases its border: [count, MOST, H, W] in 0..1."""
    x, y, radius = (value[..., None, None] for value in (x, y, radius))
    across, down = tf.abs(tf.range(size[1], dtype=tf.float32) - x), tf.abs(tf.range(size[0], dtype=tf.float32)[:, None] - y)
    disc = radius + 0.5 - tf.sqrt(across**2 + down**2)
    square = tf.clip_by_value(radius + 0.5 - across, 0.0, 1.0) * tf.clip_by_value(radius + 0.5 - down, 0.0, 1.0)
    return tf.where(round_shape[..., None, None], tf.clip_by_value(disc, 0.0, 1.0), square)

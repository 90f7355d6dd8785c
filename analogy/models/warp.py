"""Moved images: each pixel of the result is read from another place, or each pixel of a flow is carried to another place."""

from __future__ import annotations

import math

import tensorflow as tf


def backward_warp(images, flow):
    """Read each pixel of the result from images at its own place plus its flow, bilinearly; differentiable by both.

    Places outside the image are moved to its nearest border pixel. There the gradient by the flow is zero.

    Args:
        images: [B, H, W, C], any float type.
        flow: [B, H, W, 2] in pixels: first to the right (x), then down (y).

    Returns:
        [B, H, W, C] of the type of the images. With zero flow exactly the images.
    """
    dynamic = tf.shape(images)
    batch, height, width, channels = (size or dynamic[axis] for axis, size in enumerate(images.shape))
    last = tf.stack([width, height]) - 1  # columns before rows, as in the flow
    flow = tf.cast(flow, tf.float32)  # bfloat16 cannot tell neighbouring columns beyond 256 apart
    here = tf.stack(tf.meshgrid(tf.range(width), tf.range(height)), -1)  # [H, W, 2]
    places = tf.clip_by_value(tf.cast(here, tf.float32) + flow, 0.0, tf.cast(last, tf.float32))
    whole = tf.floor(places)
    to_right, down = tf.split(tf.cast(places - whole, images.dtype), 2, -1)  # [B, H, W, 1]
    whole = tf.cast(whole, tf.int32)
    (left, top), (right, bottom) = (tf.unstack(place, axis=-1) for place in (whole, tf.minimum(whole + 1, last)))

    pixels = tf.reshape(images, [-1, channels])
    first_pixel = tf.range(batch)[:, None, None] * (height * width)
    top, bottom = first_pixel + top * width, first_pixel + bottom * width

    def read(row, column):
        return tf.gather(pixels, row + column)

    above = read(top, left) * (1 - to_right) + read(top, right) * to_right
    below = read(bottom, left) * (1 - to_right) + read(bottom, right) * to_right
    return above * (1 - down) + below * down


def read_places(images, columns, rows):
    """Read images at places between their pixels, bilinearly; differentiable by all. Places outside are moved to the border.

    Differences of neighbouring pixels are computed once for each image, so that many places of it are read quickly.

    Args:
        images: [B, H, W, C]. columns, rows: [B, ...], in pixels, from 0.

    Returns:
        [B, ..., C].
    """
    height, width, channels = images.shape[1:]
    wider = tf.concat([images, images[:, :, -1:]], 2)
    larger = tf.concat([wider, wider[:, -1:]], 1)  # the last column and row once more: the neighbours of the last pixels
    # For each pixel: itself, and what is added one pixel to the right; and of both, what is added one pixel further down.
    to_right = larger[:, :, 1:] - larger[:, :, :-1]
    pixels, to_right = (tf.concat([part[:, :-1], part[:, 1:] - part[:, :-1]], -1) for part in (larger[:, :, :-1], to_right))
    pixels, to_right = (tf.reshape(part, [-1, 2 * channels]) for part in (pixels, to_right))
    columns, rows = tf.clip_by_value(columns, 0.0, width - 1.0), tf.clip_by_value(rows, 0.0, height - 1.0)
    left, top = tf.floor(columns), tf.floor(rows)
    first_pixel = tf.reshape(tf.range(tf.shape(images)[0]) * (height * width), [-1] + [1] * (len(columns.shape) - 1))
    place = first_pixel + tf.cast(top, tf.int32) * width + tf.cast(left, tf.int32)
    above = tf.gather(pixels, place) + tf.gather(to_right, place) * (columns - left)[..., None]
    value, slope = tf.split(above, 2, -1)
    return value + slope * (rows - top)[..., None]


ENLARGED = 5  # `sharp_warp` reads images that are so many times as high and wide; odd, so that pixels stay in their places
LOBES = 5  # of the sinc on each side of a pixel, in Lanczos' window


def sharp_warp(images, flow):
    """As `backward_warp`, but what is finest stays: between pixels a bilinear warp takes it away.

    The images are enlarged by Lanczos' interpolation, and then read bilinearly. As any sharp interpolation it swings beyond
    the values around an edge.

    Args:
        images: [B, H, W, C], float32, of static sizes.
        flow: [B, H, W, 2] in pixels: first to the right (x), then down (y).

    Returns:
        [B, H, W, C]. With zero flow the images.
    """
    height, width = images.shape[1:3]
    down, right = (_enlargement(side) for side in (height, width))
    large = tf.einsum("jw,biwc->bijc", right, tf.einsum("ih,bhwc->biwc", down, images))
    columns = tf.clip_by_value(tf.range(width, dtype=tf.float32)[None, None, :] + flow[..., 0], 0.0, width - 1.0)
    rows = tf.clip_by_value(tf.range(height, dtype=tf.float32)[None, :, None] + flow[..., 1], 0.0, height - 1.0)
    first = ENLARGED // 2  # where the first pixel lies
    return read_places(large, ENLARGED * columns + first, ENLARGED * rows + first)


def _enlargement(size: int):
    """The matrix [ENLARGED * size, size] that enlarges a row of pixels; the weights of each place have the sum 1."""
    places = (tf.range(ENLARGED * size, dtype=tf.float32) + 0.5) / ENLARGED - 0.5
    distance = places[:, None] - tf.range(size, dtype=tf.float32)
    weights = _sinc(distance) * _sinc(distance / LOBES) * tf.cast(tf.abs(distance) < LOBES, tf.float32)
    return weights / tf.reduce_sum(weights, 1, keepdims=True)


def _sinc(x):
    return tf.math.divide_no_nan(tf.sin(math.pi * x), math.pi * x) + tf.cast(x == 0, x.dtype)


FOREMOST = 8.0  # where pixels meet, one that is a pixel a step faster counts exp(8) times as much: what moves is in front
FASTEST = 4.0  # pixels a step, beyond which faster pixels do not count more
WEAKEST = 1e-2  # the weight of the mean flow


def carried_on(motion, steps):
    """The flow that carries each pixel of a frame on with its own constant motion. No gradient flows through it.

    Reading `motion` where a pixel goes to would not do: there the background stands still. Each pixel is written to where it
    goes instead, to the four nearest places.

    Args:
        motion: where the pixels were one step before, relative to their place: [B, H, W, 2] in pixels, right then down.
        steps: how many steps they go on; a scalar, which need not be whole.

    Returns:
        [B, H, W, 2]: `backward_warp(frame, flow)` is the frame after these steps. Where no pixel arrives: the mean flow,
        which is the camera's.
    """
    motion = tf.stop_gradient(tf.cast(motion, tf.float32))
    shape = tf.shape(motion)
    batch, height, width = shape[0], shape[1], shape[2]
    flow = motion * steps
    speed = tf.minimum(tf.norm(motion, axis=-1), FASTEST)
    columns = tf.range(tf.cast(width, tf.float32))[None, None, :] - flow[..., 0]
    rows = tf.range(tf.cast(height, tf.float32))[None, :, None] - flow[..., 1]
    image = tf.range(batch)[:, None, None] * (height * width)
    arrived = tf.zeros([batch * height * width, 3])
    for down, along in ((0, 0), (0, 1), (1, 0), (1, 1)):
        row, column = tf.floor(rows) + down, tf.floor(columns) + along
        share = (1 - tf.abs(rows - row)) * (1 - tf.abs(columns - column)) * tf.exp(FOREMOST * speed)
        row, column = tf.cast(row, tf.int32), tf.cast(column, tf.int32)
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        place = tf.where(inside, image + row * width + column, -1)  # a negative place is left out
        values = tf.concat([flow * share[..., None], share[..., None]], -1)
        arrived += tf.math.unsorted_segment_sum(values, place, batch * height * width)
    total, weights = tf.split(tf.reshape(arrived, [batch, height, width, 3]), [2, 1], -1)
    mean = tf.reduce_mean(flow, [1, 2], keepdims=True)
    return (total + WEAKEST * mean) / (weights + WEAKEST)

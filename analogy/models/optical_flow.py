"""Optical flow as a TensorFlow graph, so that a SavedModel can see motion: Lucas and Kanade (1981) from coarse to fine."""

from __future__ import annotations

import tensorflow as tf

from analogy.models.mixing import blurring
from analogy.models.warp import backward_warp

COARSEST = 8  # the smaller side of the coarsest level is at least this, in pixels
ITERATIONS = 3  # of a level
WINDOW = 2.0  # the standard deviation of the Gaussian window, in pixels of the level
SMOOTHING = 0.7  # the standard deviation of the Gaussian that smooths the flow after each iteration
# How much texture a window needs, as a sum of squared slopes: in flat regions the flow of the coarser level remains.
STIFFNESS = 2e-3


def optical_flows(frames, before) -> list[tf.Tensor]:
    """Where each pixel of `frames` is in the frames before them.

    On each level of a pyramid, from coarse to fine, the frames before are warped by the flow so far. Then, in a Gaussian window
    around each pixel, the least squares shift that explains what still differs, over all channels, is added to the flow.

    Args:
        frames, before: [B, H, W, C] in 0..1, float32, of static sizes.

    Returns:
        The flow of each level at full size, the finest first: float32 [B, H, W, 2] in pixels, right then down; frames(x) is
        about before(x + flow). The coarser the level, the smoother, and the less misled by detail that changes. No gradient
        flows through them.
    """
    frames, before = (tf.stop_gradient(tf.cast(images, tf.float32)) for images in (frames, before))
    levels = [(frames, before, blurring(frames, SMOOTHING))]
    while min(levels[-1][0].shape[1:3]) >= 2 * COARSEST:
        *pair, smoothed = levels[-1]
        smaller = [tf.nn.avg_pool2d(smoothed(images), 2, 2, "VALID") for images in pair]
        levels.append((*smaller, blurring(smaller[0], SMOOTHING)))
    size, flow, flows = frames.shape[1:3], None, []
    for frames, before, smoothed in reversed(levels):
        flow = tf.zeros([tf.shape(frames)[0], *frames.shape[1:3], 2]) if flow is None else _resized(flow, frames.shape[1:3])
        summed = blurring(frames, WINDOW)
        for _ in range(ITERATIONS):
            flow = smoothed(flow + _shift(frames, backward_warp(before, flow), summed))
        flows.insert(0, _resized(flow, size))
    return flows


def _resized(flow, size):
    """The flow of frames of another size (height, width), in their pixels."""
    height, width = flow.shape[1:3]
    if (height, width) == tuple(size):
        return flow
    return tf.image.resize(flow, size) * tf.constant([size[1] / width, size[0] / height], flow.dtype)


def _shift(frames, warped, summed):
    """The least squares shift [B, H, W, 2] between the frames and the warped frames before, at most a pixel a side.
    summed: sums up the window around each pixel."""
    difference = warped - frames
    right, down = _slopes((warped + frames) / 2)
    products = [right * right, right * down, down * down, right * difference, down * difference]
    sums = summed(tf.stack([tf.reduce_sum(product, -1) for product in products], -1))
    xx, xy, yy, xd, yd = tf.unstack(sums, axis=-1)
    xx, yy = xx + STIFFNESS, yy + STIFFNESS
    determinant = xx * yy - xy * xy
    shift = tf.stack([(xy * yd - yy * xd) / determinant, (xy * xd - xx * yd) / determinant], -1)
    return tf.clip_by_value(shift, -1.0, 1.0)


def _slopes(images):
    """Central differences to the right and down, [B, H, W, C] each."""
    padded = tf.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")
    return (padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]) / 2, (padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]) / 2

"""A picture that is mixed from others, pixel by pixel."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

SHARP = 3.0  # added to the logit of the sharp picture: before training, it outweighs the blurred ones
BLURS = (1.0, 2.5)  # standard deviations of the blurred pictures, in pixels of a picture that is BLUR_WIDTH wide
BLUR_WIDTH = 128.0


def blur(image, sigma):
    """Gaussian blur of an image [B, H, W, C], as two matrix products, which are faster on CPUs than depthwise convolutions.
    sigma: in pixels. At the border, the weights inside the image are normalised to sum 1."""
    return blurring(image, sigma)(image)


def blurring(image, sigma) -> Callable:
    """`blur` for all images as large as this one, which share the matrices."""
    rows, columns = (_blur_matrix(image.shape[axis] or tf.shape(image)[axis], sigma) for axis in (1, 2))
    return lambda image: tf.einsum("jw,biwc->bijc", columns, tf.einsum("ih,bhwc->biwc", rows, image))


def _blur_matrix(size, sigma):
    """A graph computes it: a constant for each of its many uses would be half of a SavedModel's graph."""
    pixel = tf.cast(tf.range(size), tf.float32)
    matrix = tf.exp(-0.5 * tf.square((pixel[:, None] - pixel) / sigma))  # [size, size]
    return matrix / tf.reduce_sum(matrix, 1, keepdims=True)


def mix(pictures, shares):
    """The sum of pictures [B, K, H, W, C] weighted by shares [B, H, W, K]: [B, H, W, C].

    It is computed as K products, because an einsum would compute one tiny matrix product per pixel, which is slow.
    """
    return tf.add_n([picture * shares[..., k : k + 1] for k, picture in enumerate(tf.unstack(pictures, axis=1))])


def soften(picture, gates):
    """Mix each pixel from the picture and its blurred copies: [B, H, W, C].

    Where the true pixel is uncertain, the mean of its possible values has the smaller error.

    Args:
        picture: [B, H, W, C]. gates: [B, H, W, 1 + len(BLURS)], logits of the picture and of each blurred copy.
    """
    scale = tf.cast(tf.shape(picture)[2], tf.float32) / BLUR_WIDTH
    levels = [picture, *(blur(picture, sigma * scale) for sigma in BLURS)]
    shares = tf.nn.softmax(gates + tf.constant([SHARP] + [0.0] * len(BLURS)))
    return tf.add_n([level * shares[..., i : i + 1] for i, level in enumerate(levels)])

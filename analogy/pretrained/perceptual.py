"""The perceptual distance of two images: how far apart a fixed VGG's activations are.

VGG-19: Simonyan & Zisserman (arXiv:1409.1556). As a loss of images: Johnson, Alahi & Fei-Fei (arXiv:1603.08155).
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from analogy.losses import mean_per_example
from analogy.models.vgg import VGG_19, caffe_range
from analogy.pretrained.names import weights_name
from analogy.pretrained.vgg16 import Weights, download_from_keras, load_vgg16, read_vgg, vgg16_name

MEND = "give imagenet (a download), hed (VGG-16, from `analogy fetch vgg16-hed`), or Keras' VGG-19 weights as .h5"


def load_vgg19(source: str) -> Weights:
    """The weights of VGG-19's 16 convolutions, in Caffe's BGR order: layer name, "conv1_1" to "conv5_4" -> (kernel, bias).

    source: "imagenet" (Keras' file, downloaded once into Keras' cache), or the path of that file. Raises UserError.
    """
    path = download_from_keras("vgg19") if source == "imagenet" else source
    return read_vgg(path, VGG_19, len(VGG_19), MEND)


def perceptual_distance(source: str) -> Callable:
    """The mean absolute difference of the last activation of each of VGG's five stages; the mean over the stages.

    The layers are relu1_2, relu2_2, relu3_4, relu4_4 and relu5_4 of VGG-19. It always computes in float32.

    Args:
        source: of VGG-19 as in `load_vgg19`; or "hed": of VGG-16 (HED) instead, whose last layers are relu3_3, relu4_3 and
            relu5_3.

    Returns:
        A function of true and generated images [B, H, W, 1 or 3] in -1..1, with sides of at least 16, to [B]. It is
        differentiable by both.

    Raises:
        UserError: as in `load_vgg19`, or `analogy.pretrained.vgg16.load_vgg16` for "hed".
    """
    weights = load_vgg16(source) if source == "hed" else load_vgg19(source)
    # Tensors, because a graph captures them once. It would get a new copy of arrays at every call.
    constants = {name: (tf.constant(kernel), tf.constant(bias)) for name, (kernel, bias) in weights.items()}

    def distance(truth, generated):
        true, ours = (last_activations(constants, image) for image in (truth, generated))
        return tf.add_n([mean_per_example(tf.abs(a - b)) for a, b in zip(true, ours, strict=True)]) / len(true)

    return distance


def perceptual_name(source: str) -> str:
    """How the network of `perceptual_distance` is called in a protocol."""
    return vgg16_name(source) if source == "hed" else weights_name("VGG-19", source)


def last_activations(weights: dict, images) -> list[tf.Tensor]:
    """Images [B, H, W, 1 or 3] in -1..1 -> the last activation of each stage of a VGG, before its pooling.

    weights: layer name, "conv1_1" and on in this order -> (kernel, bias).
    """
    images = tf.cast(images, tf.float32)
    x = caffe_range(tf.repeat(images, 3, -1) if images.shape[-1] == 1 else images)
    activations, stage = [], "1"
    for name, (kernel, bias) in weights.items():
        if (next_stage := name[len("conv")]) != stage:
            activations.append(x)
            x, stage = tf.nn.max_pool2d(x, 2, 2, "VALID"), next_stage
        x = tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME") + bias)
    return [*activations, x]

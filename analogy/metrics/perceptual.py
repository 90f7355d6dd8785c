"""Distances between frames in the feature space of a trained network."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from analogy.errors import UserError
from analogy.graphs import graph_function
from analogy.memory import in_parts
from analogy.metrics.image import check_frames

AT_ONCE = 16  # frames that go through the network together


class FeatureDistance:
    """Squared distance between the feature vectors of two frames, by a network that the user names.

    The vectors are scaled to length 1, and the distance is averaged over all positions of the feature map. This is LPIPS
    (Zhang et al. 2018, arXiv:1801.03924, equation 1) on one layer and without its learned weights, therefore it has another
    name. Figures of different networks cannot be compared.

    Args:
        features: images [B, H, W, C] in -1..1 -> feature maps [B, H', W', F], such as
            `analogy.pretrained.feature_networks.feature_network`.
    """

    def __init__(self, features: Callable):
        @graph_function(reduce_retracing=True)
        def distance(truth, prediction):
            a, b = (tf.math.l2_normalize(features(2.0 * tf.cast(x, tf.float32) / 255.0 - 1.0), -1) for x in (truth, prediction))
            return tf.reduce_mean(tf.reduce_sum(tf.square(a - b), -1), [1, 2])

        self._distance = distance

    def __call__(self, truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
        """The distance of each frame: uint8 [T, H, W, 1|3] twice, H and W at least 32 -> [T] float64."""
        check_frames(truth, prediction)
        return in_parts(lambda a, b: self._distance(a, b).numpy(), truth, prediction, most=AT_ONCE).astype(np.float64)


class Lpips:
    """LPIPS v0.1 with AlexNet, computed by its authors' package (`pip install "analogy-video[lpips]"`, which brings PyTorch).

    Raises:
        UserError: the package is not installed, or AlexNet's weights are not there and cannot be downloaded.
    """

    def __init__(self):
        try:
            import lpips
            import torch
        except ImportError as error:
            raise UserError(
                f'LPIPS needs PyTorch and the package lpips: pip install "analogy-video[lpips]" ({error})'
            ) from error
        try:
            with warnings.catch_warnings():  # the package uses outdated names of torchvision, which warns of them
                warnings.simplefilter("ignore", UserWarning)
                self._network = lpips.LPIPS(net="alex", verbose=False)
        except OSError as error:  # torchvision could not download the weights
            raise UserError(
                f"LPIPS: AlexNet's weights cannot be downloaded ({error}); put torchvision's alexnet-owt-7be5be79.pth into "
                "~/.cache/torch/hub/checkpoints"
            ) from error
        self._torch = torch

    def __call__(self, truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
        """LPIPS of each frame: uint8 [T, H, W, 1|3] twice -> [T] float64."""
        check_frames(truth, prediction)

        def distance(*frames: np.ndarray) -> np.ndarray:
            return self._network(*map(self._tensor, frames)).ravel().numpy()

        with self._torch.no_grad():
            return in_parts(distance, truth, prediction, most=AT_ONCE).astype(np.float64)

    def _tensor(self, frames: np.ndarray):
        """uint8 [T, H, W, 1|3] -> float32 tensor [T, 3, H, W] in -1..1."""
        frames = np.repeat(frames, 3 // frames.shape[-1], -1).transpose(0, 3, 1, 2)
        return self._torch.from_numpy(2.0 * frames.astype(np.float32) / 255.0 - 1.0)

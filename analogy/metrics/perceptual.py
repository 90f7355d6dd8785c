"""Distances in the feature space of a trained network. Weights are the user's: nothing is downloaded here."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from analogy.errors import UserError
from analogy.metrics.image import check_frames

AT_ONCE = 16  # frames


class FeatureDistance:
    """Per-frame squared distance of unit-length feature vectors, mean over places, by a network of the user's choice.

    What LPIPS is before its weights are learned (Zhang et al. 2018, arXiv:1801.03924, equation 1), and on one layer; hence the
    other name. Compare only figures of the same network.

    Args:
        features: images [B, H, W, C] in -1..1 -> feature maps, as of `analogy.pretrained.imagenet.feature_network`.
    """

    def __init__(self, features: Callable):
        @tf.function(reduce_retracing=True)
        def distance(truth, prediction):
            a, b = (tf.math.l2_normalize(features(2.0 * tf.cast(x, tf.float32) / 255.0 - 1.0), -1) for x in (truth, prediction))
            return tf.reduce_mean(tf.reduce_sum(tf.square(a - b), -1), [1, 2])

        self._distance = distance

    def __call__(self, truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
        """uint8 [T, H, W, 1|3], sides of at least 32 -> [T] float64."""
        check_frames(truth, prediction)
        parts = [slice(i, i + AT_ONCE) for i in range(0, len(truth), AT_ONCE)]
        return np.concatenate([self._distance(truth[p], prediction[p]).numpy() for p in parts]).astype(np.float64)


class Lpips:
    """LPIPS v0.1 with AlexNet, by its authors' own package (`pip install -e ".[lpips]"`, which brings PyTorch).

    Raises:
        UserError: the package is not installed, or AlexNet's weights are not there and cannot be downloaded.
    """

    def __init__(self):
        try:
            import lpips
            import torch
        except ImportError as error:
            raise UserError(f'LPIPS needs PyTorch and the package lpips: pip install -e ".[lpips]" ({error})') from error
        try:
            with warnings.catch_warnings():  # of torchvision's new names, which the package does not know yet
                warnings.simplefilter("ignore", UserWarning)
                self._network = lpips.LPIPS(net="alex", verbose=False)
        except OSError as error:  # torchvision downloads them
            raise UserError(
                f"LPIPS: AlexNet's weights cannot be downloaded ({error}); put torchvision's alexnet-owt-7be5be79.pth into "
                "~/.cache/torch/hub/checkpoints"
            ) from error
        self._torch = torch

    def __call__(self, truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
        """uint8 [T, H, W, 1|3] -> [T] float64."""
        check_frames(truth, prediction)
        parts = [slice(i, i + AT_ONCE) for i in range(0, len(truth), AT_ONCE)]
        with self._torch.no_grad():
            found = [self._network(self._tensor(truth[p]), self._tensor(prediction[p])).ravel().numpy() for p in parts]
        return np.concatenate(found).astype(np.float64)

    def _tensor(self, frames: np.ndarray):
        """-1..1, channels first, three of them."""
        frames = np.repeat(frames, 3 // frames.shape[-1], -1).transpose(0, 3, 1, 2)
        return self._torch.from_numpy(2.0 * frames.astype(np.float32) / 255.0 - 1.0)

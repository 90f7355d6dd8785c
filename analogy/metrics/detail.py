"""How much fine detail a prediction has, and of which kind: blur and checkerboards, each relative to the truth."""

from __future__ import annotations

import cv2
import numpy as np
from scipy import fft

from analogy.metrics.image import check_frames

CHECKER_RADIUS = 1 / 16  # cycles per pixel


def sharpness(frames: np.ndarray) -> np.ndarray:
    """Mean absolute Laplacian (4 neighbours) of each frame, in grey levels: small where a frame is blurred.

    Args: uint8 [T, H, W, C]. Returns: [T] float64.
    """
    return np.array([np.abs(cv2.Laplacian(frame, cv2.CV_16S)).mean() for frame in frames], np.float64)


def sharpness_ratio(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Sharpness over that of the truth: 1 is as sharp, below is blurred, above is noise or invented detail.

    Args: uint8 [T, H, W, C]. Returns: [T] float64; NaN where the truth has no detail at all.
    """
    check_frames(truth, prediction)
    return _ratio(sharpness(prediction), sharpness(truth))


def checkerboard(frames: np.ndarray) -> np.ndarray:
    """Share of a frame's energy that lies at and near period 2, where stride-2 transposed convolutions leave their mark.

    The artefact multiplies the picture by a pattern of period 2 (Odena et al. 2016, "Deconvolution and Checkerboard
    Artifacts"), which copies the picture's low frequencies to (1/2, 0), (0, 1/2) and (1/2, 1/2) cycles per pixel: the
    energy in discs of radius 1/16 about these three is measured. As a share of all energy but the mean's it does not
    depend on contrast, so that a pale prediction does not pass for a clean one.

    Args: uint8 [T, H, W, C]. Returns: [T] float64 in 0..1; NaN for a frame of one colour.
    """
    # Without a window the jump between opposite borders leaks energy along both axes, up to these very frequencies.
    window = np.outer(np.hanning(frames.shape[1]), np.hanning(frames.shape[2])).astype(np.float32)
    everywhere, near = _weights(*window.shape)
    shares = []
    for frame in frames:
        planes = np.moveaxis(frame, -1, 0).astype(np.float32)
        mean = (planes * window).sum(axis=(1, 2), keepdims=True) / window.sum()
        spectrum = fft.rfft2((planes - mean) * window)
        energy = (spectrum.real**2 + spectrum.imag**2).sum(axis=0, dtype=np.float64)
        flat = (frame == frame[0, 0]).all()  # its energy is nothing but rounding errors
        # Nothing either where only the border differs, which the window fades out.
        total = 0.0 if flat else (energy * everywhere).sum()
        shares.append((energy * near).sum() / total if total else np.nan)
    return np.array(shares)


def checkerboard_ratio(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """`checkerboard` over that of the truth: far above 1 means a pattern of period 2 that the truth has not.

    Args: uint8 [T, H, W, C]. Returns: [T] float64; NaN where either frame is of one colour.
    """
    check_frames(truth, prediction)
    return _ratio(checkerboard(prediction), checkerboard(truth))


def _weights(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """How often each coefficient of `rfft2` counts [H, W // 2 + 1]: of the whole spectrum, and of that near period 2."""
    y, x = np.abs(fft.fftfreq(height))[:, None], fft.rfftfreq(width)[None]
    stored_once = (x == 0) | (x == 0.5)  # the real transform leaves out the mirror images of all others
    everywhere = np.where(stored_once, 1, 2) * np.ones_like(y)
    corners = [(0, 0.5), (0.5, 0), (0.5, 0.5)]
    near = np.any([np.hypot(y - cy, x - cx) <= CHECKER_RADIUS for cy, cx in corners], axis=0)
    return everywhere, everywhere * near


def _ratio(of: np.ndarray, to: np.ndarray) -> np.ndarray:
    return np.divide(of, to, out=np.full_like(of, np.nan), where=to > 0)

"""Metrics of fine detail: sharpness and checkerboard artefacts of a prediction, each relative to the truth."""

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
    """Sharpness of the prediction divided by that of the truth: below 1 is blur, above 1 is noise or invented detail.

    Args: uint8 [T, H, W, C]. Returns: [T] float64; NaN where the truth has no detail at all.
    """
    check_frames(truth, prediction)
    return _ratio(sharpness(prediction), sharpness(truth))


def gradient_energy(frames: np.ndarray) -> np.ndarray:
    """Mean squared difference of neighbouring pixels, across and down, of each frame, in grey levels squared.

    Args: uint8 [T, H, W, C]. Returns: [T] float64.
    """
    energies = [sum(np.square(np.diff(frame.astype(np.float64), axis=axis)).mean() for axis in (0, 1)) for frame in frames]
    return np.array(energies)


def gradient_energy_ratio(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Gradient energy of the prediction divided by that of the truth. Edges count more than in `sharpness_ratio`.

    Args: uint8 [T, H, W, C]. Returns: [T] float64; NaN where the truth is of one colour.
    """
    check_frames(truth, prediction)
    return _ratio(gradient_energy(prediction), gradient_energy(truth))


def checkerboard(frames: np.ndarray) -> np.ndarray:
    """Share of each frame's spectral energy at patterns that repeat every 2 pixels or nearly so.

    Transposed convolutions with stride 2 leave such checkerboards (Odena et al. 2016, "Deconvolution and Checkerboard
    Artifacts"): they multiply the picture by a pattern of period 2, which copies the picture's low frequencies to (1/2, 0),
    (0, 1/2) and (1/2, 1/2) cycles per pixel. The energy in discs of radius 1/16 around these three points is measured. It is
    divided by all energy except the mean's, so that contrast does not matter: a pale prediction does not pass for a clean one.

    Args: uint8 [T, H, W, C]. Returns: [T] float64 in 0..1; NaN for a frame of one colour.
    """
    # Without a window, the jump between opposite borders would leak energy along both axes, up to these frequencies.
    window = np.outer(np.hanning(frames.shape[1]), np.hanning(frames.shape[2])).astype(np.float32)
    everywhere, near = _weights(*window.shape)
    shares = []
    for frame in frames:
        planes = np.moveaxis(frame, -1, 0).astype(np.float32)
        mean = (planes * window).sum(axis=(1, 2), keepdims=True) / window.sum()
        spectrum = fft.rfft2((planes - mean) * window)
        energy = (spectrum.real**2 + spectrum.imag**2).sum(axis=0, dtype=np.float64)
        flat = (frame == frame[0, 0]).all()  # its energy is only rounding errors
        # The energy is 0 also where only the border differs, because the window is 0 there.
        total = 0.0 if flat else (energy * everywhere).sum()
        shares.append((energy * near).sum() / total if total else np.nan)
    return np.array(shares)


def checkerboard_ratio(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """`checkerboard` of the prediction divided by that of the truth: far above 1 is a pattern that the truth does not have.

    Args: uint8 [T, H, W, C]. Returns: [T] float64; NaN where either frame is of one colour.
    """
    check_frames(truth, prediction)
    return _ratio(checkerboard(prediction), checkerboard(truth))


def _weights(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """How often each coefficient of `rfft2` counts, [H, W // 2 + 1] each: in all energy, and in the energy near period 2.

    A coefficient counts twice where `rfft2` leaves out its mirror image, and 0 times where it lies outside the measured discs.
    """
    y, x = np.abs(fft.fftfreq(height))[:, None], fft.rfftfreq(width)[None]
    stored_once = (x == 0) | (x == 0.5)  # all other coefficients have a mirror image
    everywhere = np.where(stored_once, 1, 2) * np.ones_like(y)
    corners = [(0, 0.5), (0.5, 0), (0.5, 0.5)]
    near = np.any([np.hypot(y - cy, x - cx) <= CHECKER_RADIUS for cy, cx in corners], axis=0)
    return everywhere, everywhere * near


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """NaN where the denominator is 0."""
    return np.divide(numerator, denominator, out=np.full_like(numerator, np.nan), where=denominator > 0)

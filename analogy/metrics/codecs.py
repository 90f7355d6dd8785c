"""How many bits a frame JPEG and H.264 need for frames of a given PSNR."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

import av
import cv2
import numpy as np

QUALITIES = range(1, 101)  # of JPEG
RATE_FACTORS = range(51, -1, -1)  # CRF of x264, from the worst to the best
H264_ENCODER = "libx264"
NOT_PICTURES = (6, 7, 8)  # kinds of H.264's units: notes of the encoder, and parameters of the stream


class Coded(NamedTuple):
    """whole: bits a frame of everything that a decoder is given. pictures: of those that say what the pictures are, without
    headers and tables. psnr: of all frames together, in dB. setting: the JPEG quality, or x264's CRF."""

    whole: float
    pictures: float
    psnr: float
    setting: int


def psnr_of_all(truth: np.ndarray, frames: np.ndarray) -> float:
    """The PSNR in dB of the mean squared error over all frames; uint8 of the same shape."""
    error = np.square(truth.astype(np.float64) - frames).mean()
    return float(10 * np.log10(255.0**2 / max(error, 1e-10)))


def knows_h264() -> bool:
    """Whether this PyAV has x264, which `h264_at` needs: one that was built on another FFmpeg may lack it."""
    return H264_ENCODER in av.codecs_available


def jpeg_at(frames: np.ndarray, psnr: float) -> Coded:
    """OpenCV's JPEG with optimised tables, frame by frame, at the lowest quality that reaches a PSNR; the best where none does.

    frames: uint8 [T, H, W, 3].
    """
    return _cheapest(frames, psnr, QUALITIES, _jpeg)


def h264_at(frames: np.ndarray, psnr: float) -> Coded:
    """x264 (preset veryslow, 4:2:0), all frames as one video, at the highest CRF that reaches a PSNR; the best where none does.

    frames: uint8 [T, H, W, 3], H and W even.
    """
    return _cheapest(frames, psnr, RATE_FACTORS, _h264)


def _cheapest(frames: np.ndarray, psnr: float, settings: range, code: Callable) -> Coded:
    """Bisect the settings, of which later ones are better and larger."""
    worst, best = 0, len(settings) - 1
    while worst < best:
        middle = (worst + best) // 2
        if code(frames, settings[middle]).psnr >= psnr:
            best = middle
        else:
            worst = middle + 1
    return code(frames, settings[worst])


def _jpeg(frames: np.ndarray, quality: int) -> Coded:
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    files = [cv2.imencode(".jpg", frame[..., ::-1], options)[1] for frame in frames]
    decoded = np.stack([cv2.imdecode(file, cv2.IMREAD_COLOR)[..., ::-1] for file in files])
    whole = sum(file.size for file in files)
    return _coded(frames, decoded, whole, sum(_scan_size(file.tobytes()) for file in files), quality)


def _scan_size(file: bytes) -> int:
    """The bytes of a JPEG after the header of its scan, which begins with FF DA and says its own length."""
    scan = file.index(b"\xff\xda") + 2
    return len(file) - scan - int.from_bytes(file[scan : scan + 2], "big") - 2  # and the mark of the end


def _h264(frames: np.ndarray, rate_factor: int) -> Coded:
    encoder = av.CodecContext.create(H264_ENCODER, "w")
    encoder.height, encoder.width = frames.shape[1:3]
    encoder.pix_fmt, encoder.framerate, encoder.time_base = "yuv420p", 5, Fraction(1, 5)
    encoder.options = {"crf": str(rate_factor), "preset": "veryslow"}
    encoder.thread_count = 1
    packets = []
    for time, frame in enumerate(frames):
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
        picture.pts = time
        packets += encoder.encode(picture)
    packets += encoder.encode(None)
    decoder, decoded = av.CodecContext.create("h264", "r"), []
    for packet in (*packets, None):
        decoded += decoder.decode(packet)
    stream = b"".join(map(bytes, packets))
    units = re.split(b"\x00\x00\x00?\x01", stream)[1:]
    pictures = sum(len(unit) for unit in units if unit[0] & 31 not in NOT_PICTURES)
    notes = sum(len(unit) for unit in units if unit[0] & 31 == 6)  # x264's own name and settings, which no decoder needs
    arrays = np.stack([picture.to_ndarray(format="rgb24") for picture in decoded])
    return _coded(frames, arrays, len(stream) - notes, pictures, rate_factor)


def _coded(frames: np.ndarray, decoded: np.ndarray, whole: int, pictures: int, setting: int) -> Coded:
    count = len(frames)
    return Coded(8 * whole / count, 8 * pictures / count, psnr_of_all(frames, decoded), setting)

"""What an auto-encoder's latents are like: samples, an interpolation, which of their numbers are used, and how many bits they
take beside JPEG and H.264."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from analogy.data.batches import normal, step_uniform
from analogy.metrics.codecs import h264_at, jpeg_at, knows_h264, psnr_of_all
from analogy.random_streams import StepStream
from analogy.systems.base import Study
from analogy.systems.vgg_lstm.networks.vae import divergence_by_number
from analogy.visualise.canvas import to_rgb
from analogy.visualise.panels import picture_grid
from analogy.visualise.plots import bars

if TYPE_CHECKING:
    from analogy.systems.vgg_lstm.latents import LatentSystem

SEGMENTS = 8  # test segments that are looked at
SAMPLES = 3
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)  # of the second segment in an interpolation
ACTIVE = 0.01  # variance of a number's mean above which it is active (Burda, Grosse & Salakhutdinov, arXiv:1509.00519)
log = logging.getLogger("analogy")


def study_latents(system: LatentSystem, windows: Sequence) -> Study:
    """Look at the latents of up to 8 of these segments, spread over them."""
    windows = windows[:: max(1, len(windows) // SEGMENTS)][:SEGMENTS]
    segments = [np.asarray(movie.frames[: system.length]) for movie in windows]
    encoded = [system.encode(segment) for segment in segments]
    means, log_variances = (np.concatenate(parts) for parts in zip(*encoded, strict=True))
    used, used_plot = _used_numbers(means, log_variances, system.length)
    bits, bits_plot = _bits(system, segments, encoded)
    plots = {
        "latents_samples": _samples(system),
        "latents_interpolation": _interpolation(system, segments, means),
        "latents_divergence": used_plot,
        "latents_bits": bits_plot,
    }
    return Study({**used, **bits}, plots)


def _samples(system: LatentSystem) -> np.ndarray:
    """Segments painted from latents of N(0, 1), one in each row."""
    answer = system.endpoint("sample")(count=tf.constant(SAMPLES), seed=tf.constant(system.settings.seed))
    rows = {f"sample {index + 1}": frames for index, frames in enumerate(answer["frames"].numpy())}
    return picture_grid(rows, [f"frame {time + 1}" for time in range(system.length)])


def _interpolation(system: LatentSystem, segments: list, means: np.ndarray) -> np.ndarray:
    """From the first segment's latents to the last one's, which is of another clip where there is one."""
    first, last = means[:1], means[-1:]
    painted = [system.decode((1 - share) * first + share * last) for share in SHARES]
    columns = [segments[0], *painted, segments[-1]]
    times = sorted({0, (system.length - 1) // 2, system.length - 1})
    titles = ["first clip", *(f"{share:.0%}" for share in SHARES), "last clip"]
    return picture_grid({f"frame {time + 1}": [frames[time] for frames in columns] for time in times}, titles)


def _used_numbers(means: np.ndarray, log_variances: np.ndarray, length: int) -> tuple[dict, np.ndarray]:
    """Which numbers of a latent are used: of maps, which channels. means, log_variances: [N, ..., size]."""
    bits = divergence_by_number(means, log_variances).numpy() / np.log(2.0)
    of_number = bits.reshape(-1, bits.shape[-1]).sum(0) / (len(means) * length)
    active = int((means.reshape(-1, means.shape[-1]).var(0) > ACTIVE).sum())
    figures = {"numbers": len(of_number), "active_numbers": active, "bits_of_each_number": of_number.round(3).tolist()}
    title = f"{active} of {len(of_number)} numbers are active; together {of_number.sum():,.0f} bits a frame"
    return figures, bars(dict(enumerate(sorted(of_number, reverse=True), 1)), title, "number, sorted", "bits a frame")


def _bits(system: LatentSystem, segments: list, encoded: list) -> tuple[dict, np.ndarray]:
    """The size of the latents beside JPEG and H.264 at the same PSNR of each segment: means over the segments."""
    codecs = {"JPEG": (jpeg_at, "files"), "H.264": (h264_at, "stream")}
    if not knows_h264():
        log.warning("latents are not compared with H.264: the installed PyAV has no libx264; its wheel of PyPI has it")
        del codecs["H.264"]
    bits, psnrs = [], []
    for index, (frames, (mean, log_variance)) in enumerate(zip(segments, encoded, strict=True)):
        # The divergence is the price of a sample of the latents, so that the PSNR is a sample's too.
        noise = normal(step_uniform(system.settings.seed, index + 1, StepStream.LATENT, mean.shape))
        psnr = psnr_of_all(frames, system.decode(mean + tf.exp(0.5 * log_variance) * noise))
        price = float(tf.reduce_sum(divergence_by_number(mean, log_variance))) / np.log(2.0) / system.length
        bits.append({"latents, divergence": price, "latents, float32": 32.0 * np.prod(mean.shape) / system.length})
        psnrs.append({"latents": psnr})
        for name, (code, all_of_it) in codecs.items():
            coded = code(to_rgb(frames), psnr)
            bits[-1] |= {f"{name}, pictures": coded.pictures, f"{name}, {all_of_it}": coded.whole}
            psnrs[-1][name] = coded.psnr
    figures, psnr = ({name: float(np.mean([row[name] for row in rows])) for name in rows[0]} for rows in (bits, psnrs))
    title = "Bits a frame at " + ", ".join(f"{name} {value:.1f} dB" for name, value in psnr.items())
    return {"bits_a_frame": figures, "psnr_of_bits": psnr}, bars(figures, title, "", "bits a frame", logarithmic=True)

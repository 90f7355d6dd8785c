"""Numbers as a reader wants them: scores with units, times, counts, and who wins against the baseline."""

from dataclasses import dataclass, replace
from math import inf, isnan


@dataclass(frozen=True)
class Metric:
    """How a metric is printed; `higher_is_better` is None where neither direction is; `meaning` is for the pages."""

    label: str
    digits: int
    unit: str = ""
    higher_is_better: bool | None = True
    meaning: str = ""


METRICS = {
    "psnr": Metric("PSNR", 2, " dB", meaning="peak signal-to-noise ratio; higher is better"),
    "ssim": Metric("SSIM", 4, meaning="structural similarity, 11 x 11 Gaussian window; higher is better"),
    "sharpness_ratio": Metric(
        "Sharpness ratio",
        3,
        higher_is_better=None,
        meaning="mean absolute Laplacian over the truth's: below 1 is blur, above is noise or invented detail",
    ),
    "checkerboard_ratio": Metric(
        "Checkerboard ratio",
        2,
        higher_is_better=None,
        meaning="share of the energy at and near period 2 over the truth's: far above 1 is a checkerboard, below is blur",
    ),
    "ghosting": Metric(
        "Ghosting",
        1,
        " levels",
        higher_is_better=False,
        meaning="RMS error in grey levels where the body was in the reference frame and is no longer; lower is better",
    ),
    "pose_following": Metric(
        "Error at the pose",
        1,
        " levels",
        higher_is_better=False,
        meaning="RMS error in grey levels where the body is in the true frame; lower is better",
    ),
    "background": Metric(
        "Error in the background",
        1,
        " levels",
        higher_is_better=False,
        meaning="RMS error in grey levels where the body neither was nor is; lower is better",
    ),
    "pose_mse": Metric(
        "Pose error (MSE)",
        5,
        higher_is_better=False,
        meaning="mean squared error of joint coordinates in units of the clip's box, joints ever hidden counting as 0",
    ),
    "joint_error": Metric(
        "Joint error",
        2,
        " %",
        higher_is_better=False,
        meaning="mean distance of a joint from its true place, in percent of the box's longer side; joints always visible",
    ),
    "pck_10": Metric(
        "PCK@0.1",
        3,
        meaning="share of joints within 0.1 of the longer side of the box that the protocol names; higher is better",
    ),
    "pck_20": Metric("PCK@0.2", 3, meaning="share of joints within 0.2 of the box's longer side; higher is better"),
    "pck_05": Metric("PCK@0.05", 3, meaning="share of joints within 0.05 of the box's longer side; higher is better"),
    "accuracy": Metric("Accuracy", 3, meaning="share whose action is recognised; higher is better"),
    "mse": Metric("MSE", 6, higher_is_better=False, meaning="mean squared error, values in 0..1"),
    "mae": Metric("MAE", 5, higher_is_better=False, meaning="mean absolute error, values in 0..1"),
    "mse_sum": Metric("MSE, summed", 2, higher_is_better=False, meaning="squared error summed over a frame, values in 0..1"),
    "mae_sum": Metric("MAE, summed", 2, higher_is_better=False, meaning="absolute error summed over a frame, values in 0..1"),
    "lpips": Metric("LPIPS", 4, higher_is_better=False, meaning="LPIPS v0.1 with AlexNet; lower is better"),
    "feature_distance": Metric(
        "Feature distance",
        4,
        higher_is_better=False,
        meaning="squared distance of unit-length features of the network that the protocol names; lower is better",
    ),
    "fvd": Metric("FVD", 1, higher_is_better=False, meaning="Frechet video distance, logits of I3D; lower is better"),
}


# The same of the windows that begin with their clip, alone.
METRICS |= {
    f"{name}_start0": replace(METRICS[name], label=f"{METRICS[name].label}, first windows", meaning="")
    for name in ("pose_mse", "joint_error", "pck_10", "pck_05")
}

# The same of the best of several samples.
METRICS |= {
    f"{name}_best": replace(METRICS[name], label=f"{METRICS[name].label}, best sample", meaning="")
    for name in ("psnr", "ssim", "mse", "mae", "mse_sum", "mae_sum", "lpips", "feature_distance")
}

# What tables of many runs show, where a run has it.
HEADLINES = ("psnr", "ssim", "mse", "pose_mse", "pck_10", "accuracy")


@dataclass(frozen=True)
class Comparison:
    """A score beside its baseline's, ready to print. `gain` is positive where the score is better."""

    label: str
    value: float | None
    score: str
    baseline: str
    difference: str = ""
    verdict: str = ""
    gain: float | None = None


def compare(name: str, score: float | None, baseline: float | None) -> Comparison:
    """Say whether `score` wins, LOSES or ties against `baseline`, judged by the digits that are printed.

    There is no verdict where a number is missing, or where nobody knows which direction of this metric is better.

    Example:
        >>> compare("psnr", 21.5, 22.0).difference, compare("psnr", 21.5, 22.0).verdict
        ('−0.50 dB', 'LOSES')
    """
    metric = METRICS.get(name, Metric(name.replace("_", " "), 4))
    texts = [decimal(value, metric.digits, metric.unit) for value in (score, baseline)]
    if score is None or baseline is None or name not in METRICS or metric.higher_is_better is None:
        return Comparison(metric.label, score, *texts)
    difference = 0.0 if score == baseline else round(score - baseline, metric.digits)
    gain = difference if metric.higher_is_better else -difference
    verdict = "wins" if gain > 0 else "LOSES" if gain < 0 else "ties"
    return Comparison(metric.label, score, *texts, signed(difference, metric), verdict, gain)


def signed(difference: float, metric: Metric) -> str:
    """+0.50 dB, −0.50 dB (with a true minus sign), ±0.00 dB."""
    sign = "+" if difference > 0 else "−" if difference < 0 else "±"
    return sign + decimal(abs(difference), metric.digits, metric.unit)


def decimal(value: float | None, digits: int, unit: str = "") -> str:
    """A number with so many digits and its unit; "∞" for infinity (two equal pictures have that PSNR); "" for None."""
    if value is None or isnan(value):
        return ""
    if abs(value) == inf:
        return ("−" if value < 0 else "") + "∞" + unit
    return f"{value:.{digits}f}".replace("-", "−") + unit


def whole(value: float | None) -> str:
    """12,345; "" for None."""
    return "" if value is None or abs(value) == inf else f"{value:,.0f}"


def short_count(value: float) -> str:
    """950, 1.2 thousand, 14.7 million, 1.38 billion: three figures are enough for parameters."""
    for size, word in [(1e9, "billion"), (1e6, "million"), (1e3, "thousand")]:
        if value >= size:
            return f"{value / size:.3g} {word}"
    return f"{value:.0f}"


def duration(seconds: float | None) -> str:
    """0.4 s, 45 s, 3 min 07 s, 2 h 05 min, 3 d 04 h; "" for None."""
    if seconds is None or not 0 <= seconds < inf:
        return ""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole_seconds = round(seconds)
    for size, word, part, part_word in [(86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")]:
        if whole_seconds >= size:
            return f"{whole_seconds // size} {word} {whole_seconds % size // part:02d} {part_word}"
    return f"{whole_seconds} s"

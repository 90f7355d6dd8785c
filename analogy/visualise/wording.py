"""Texts for numbers: scores with units, times, counts, and whether a score is better than the baseline."""

from dataclasses import dataclass
from math import inf, isnan

from analogy.metrics.table import Metric, metric_of


@dataclass(frozen=True)
class Comparison:
    """A score and its baseline's, as texts to print.

    label: of the metric. value: the score as a number, or None.
    score, baseline: as texts with unit, empty where missing.
    gain: how much better the score is than the baseline, positive where it is better, whatever the metric's direction; None
        where there is no verdict. gain_text: the gain with its sign and unit.
    verdict: "wins", "LOSES" or "ties", or empty where there is none.
    """

    label: str
    value: float | None
    score: str
    baseline: str
    gain_text: str = ""
    verdict: str = ""
    gain: float | None = None


def compare(name: str, score: float | None, baseline: float | None) -> Comparison:
    """Say whether `score` wins, LOSES or ties against `baseline`, after rounding to the printed digits.

    There is no verdict where a number is missing, or where neither direction of the metric is better.

    Example:
        >>> compare("psnr", 21.5, 22.0).gain_text, compare("psnr", 21.5, 22.0).verdict
        ('−0.50 dB', 'LOSES')
    """
    metric = metric_of(name)
    texts = [decimal(value, metric.digits, metric.unit) for value in (score, baseline)]
    if score is None or baseline is None or metric.better == "neither":
        return Comparison(metric.label, score, *texts)
    better = score - baseline if metric.better == "higher" else baseline - score
    gain = 0.0 if score == baseline else round(better, metric.digits)
    verdict = "wins" if gain > 0 else "LOSES" if gain < 0 else "ties"
    return Comparison(metric.label, score, *texts, signed(gain, metric), verdict, gain)


def signed(gain: float, metric: Metric) -> str:
    """+0.50 dB, −0.50 dB (with a true minus sign), ±0.00 dB."""
    sign = "+" if gain > 0 else "−" if gain < 0 else "±"
    return sign + decimal(abs(gain), metric.digits, metric.unit)


def decimal(value: float | None, digits: int, unit: str = "") -> str:
    """A number with `digits` decimal places, and its unit after a space. Infinity is "∞"; None and NaN are ""."""
    if value is None or isnan(value):
        return ""
    number = f"{value:.{digits}f}".replace("-", "−").replace("inf", "∞")
    return f"{number} {unit}" if unit else number


def whole(value: float | None) -> str:
    """A whole number such as 12,345; "" for None and infinity."""
    return "" if value is None or abs(value) == inf else f"{value:,.0f}"


def short_count(value: float) -> str:
    """A count in at most three digits: 950, 1.2 thousand, 14.7 million, 1.38 billion."""
    for size, word in [(1e9, "billion"), (1e6, "million"), (1e3, "thousand")]:
        if value >= size:
            return f"{value / size:.3g} {word}"
    return f"{value:.0f}"


def duration(seconds: float | None) -> str:
    """A time in words: 0.4 s, 45 s, 3 min 07 s, 2 h 05 min, 3 d 04 h; "" for None."""
    if seconds is None or not 0 <= seconds < inf:
        return ""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole_seconds = round(seconds)
    for size, word, part, part_word in [(86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")]:
        if whole_seconds >= size:
            return f"{whole_seconds // size} {word} {whole_seconds % size // part:02d} {part_word}"
    return f"{whole_seconds} s"

"""Is a claim about trained runs true? Paired differences over test clips and seeds, and a verdict."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from analogy.errors import UserError

Rows = Mapping[str, Mapping[int, Sequence[Mapping]]]  # arm -> seed -> the summary's rows of test clips
SIDE = re.compile(r"(?P<metric>[a-z_]+)\((?P<arms>[^)]+)\)(?:\s*\+\s*(?P<plus>[\d.]+))?$")
OVER_COPY, COPY, BASELINE = "_over_copy", "copy", "baseline_"
DECIBELS = ("psnr",)


@dataclass(frozen=True)
class Side:
    """One side of a claim: the mean of a metric over arms, plus a number. Without arms it is the number."""

    metric: str = ""
    arms: tuple[str, ...] = ()
    plus: float = 0.0

    @classmethod
    def parse(cls, text: str, arms: Sequence[str]) -> Side:
        """ "metric(arm, ...)", "metric(arm, ...) + 0.25" or "0.8". Raises UserError."""
        text = text.strip()
        if re.fullmatch(r"[\d.]+", text):
            return cls(plus=float(text))
        match = SIDE.match(text)
        if not match:
            raise UserError(f"claim side {text!r}: expected METRIC(ARM, ...), METRIC(ARM, ...) + NUMBER, or NUMBER")
        chosen = tuple(name.strip() for name in match["arms"].split(","))
        for name in chosen:
            if name not in (*arms, COPY):
                raise UserError(f"claim side {text!r}: there is no arm {name}; there are {', '.join(arms)}")
        return cls(match["metric"], chosen, float(match["plus"] or 0))

    def value(self, rows: Rows, seed: int, clip: str) -> float:
        """On one clip after training from one seed; NaN where an arm lacks it."""
        if not self.arms:
            return self.plus
        return float(np.mean([_value(rows, arm, seed, clip, self.metric) for arm in self.arms])) + self.plus


@dataclass(frozen=True)
class Verdict:
    """A claim "left < right" on the clips and seeds at hand.

    left, right: means over seeds and clips. difference: of right - left, with `interval`, its 95 % half width (Student's t
    over clips, each averaged over the seeds). seeds: how many there are; agreeing: in how many the mean difference has the
    overall sign.
    """

    left: float
    right: float
    difference: float
    interval: float
    seeds: int
    agreeing: int

    @property
    def word(self) -> str:
        """Confirmed or refuted where the interval excludes zero and every seed agrees; else not decided."""
        if not abs(self.difference) > self.interval or self.agreeing < self.seeds:
            return "not decided"
        return "confirmed" if self.difference > 0 else "refuted"


def judge(claim: str, rows: Rows) -> Verdict | None:
    """Decide a claim such as "pose_following(adam) < pose_following(copy)".

    Args:
        rows: arm -> seed -> rows of test clips, as summary.json has them. `copy` is the baseline of the first arm.

    Returns:
        The verdict; None while an arm of the claim has no run, or fewer than two clips are measured.

    Raises:
        UserError: the claim cannot be read or names an unknown arm.
    """
    texts = claim.split("<")
    if len(texts) != 2:
        raise UserError(f"claim {claim!r}: expected LEFT < RIGHT")
    left, right = (Side.parse(text, list(rows)) for text in texts)
    arms = [next(iter(rows)) if arm == COPY else arm for arm in (*left.arms, *right.arms)]
    seeds = sorted(set.intersection(*(set(rows[arm]) for arm in arms)))
    if not seeds:
        return None
    clips = sorted({row["clip"] for row in rows[arms[0]][seeds[0]]})
    pairs = np.array([[[side.value(rows, seed, clip) for side in (left, right)] for clip in clips] for seed in seeds])
    pairs = pairs[:, np.isfinite(pairs).all(axis=(0, 2))]  # [seeds, clips, 2]
    if pairs.shape[1] < 2:
        return None
    differences = pairs[..., 1] - pairs[..., 0]
    by_clip, mean = differences.mean(axis=0), float(differences.mean())
    half = float(stats.t.ppf(0.975, len(by_clip) - 1) * by_clip.std(ddof=1) / np.sqrt(len(by_clip)))
    agreeing = int((np.sign(differences.mean(axis=1)) == np.sign(mean)).sum())
    return Verdict(float(pairs[..., 0].mean()), float(pairs[..., 1].mean()), mean, half, len(seeds), agreeing)


def _value(rows: Rows, arm: str, seed: int, clip: str, metric: str) -> float:
    prefix = ""
    if arm == COPY:
        arm, prefix = next(iter(rows)), BASELINE
    row = next((row for row in rows[arm][seed] if row["clip"] == clip), {})
    if not metric.endswith(OVER_COPY):
        return row.get(prefix + metric, np.nan)
    metric = metric.removesuffix(OVER_COPY)
    value, copied = row.get(metric, np.nan), row.get(BASELINE + metric, np.nan)
    return value - copied if metric in DECIBELS else value / copied

"""Decides whether a claim about trained runs is true, from paired differences over test clips and seeds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from analogy.errors import UserError
from analogy.metrics.table import metric_of

Rows = Mapping[str, Mapping[int, Sequence[Mapping]]]  # arm -> seed -> the summary's rows of test clips
SIDE = re.compile(r"(?P<metric>[a-z0-9_]+)\((?P<arms>[a-z0-9_., ]+)\)(\s*\+\s*(?P<plus>\d+(\.\d+)?))?")
NUMBER = re.compile(r"\d+(\.\d+)?")
OVER_COPY, COPY, BASELINE = "_over_copy", "copy", "baseline_"


@dataclass(frozen=True)
class Side:
    """One side of a claim: the mean of a metric over arms, plus a number. Without arms it is the number alone.

    An arm is a set of runs of one experiment that differ in their seeds only.

    copied: the side stands for the arms' first baseline, such as the copied reference frame, measured on their test clips.
    """

    metric: str = ""
    arms: tuple[str, ...] = ()
    plus: float = 0.0
    copied: bool = False

    @property
    def measured(self) -> str:
        """The metric's name without `_over_copy`; empty for a number."""
        return self.metric.removesuffix(OVER_COPY)

    def value(self, rows: Rows, seed: int, clip: str) -> float:
        """The side's value on one clip, after training from one seed; NaN where an arm has no value for it."""
        if not self.arms:
            return self.plus
        return float(np.mean([self._arm_value(rows, arm, seed, clip) for arm in self.arms])) + self.plus

    def _arm_value(self, rows: Rows, arm: str, seed: int, clip: str) -> float:
        row = next((row for row in rows[arm][seed] if row["clip"] == clip), {})
        value, copied = row.get(self.measured, np.nan), row.get(BASELINE + self.measured, np.nan)
        if not self.metric.endswith(OVER_COPY):
            return copied if self.copied else value
        if metric_of(self.measured).unit == "dB":
            return value - copied
        return value / copied if copied else np.nan


def parse(claim: str, arms: Iterable[str]) -> tuple[Side, Side]:
    """Read a claim of the form "LEFT < RIGHT".

    Each side is "metric(arm, ...)", "metric(arm, ...) + 0.25", or a number; at least one side names arms. `metric(copy)` is the
    metric of the first baseline of the other side's arms, such as the copied reference frame, on their test clips.
    `metric_over_copy(arm)` is the arm's value relative to its first baseline: the difference for metrics in dB, the ratio for
    others.

    Args:
        claim: its text.
        arms: the names of all arms.

    Returns:
        The left and the right side.

    Raises:
        UserError: the claim has another form, or names an unknown arm.
    """
    texts = claim.split("<")
    if len(texts) != 2:
        raise UserError(f"claim {claim!r}: expected LEFT < RIGHT")
    left, right = (_parse_side(claim, text.strip(), list(arms)) for text in texts)
    if left.copied:
        left = replace(left, arms=right.arms)
    if right.copied:
        right = replace(right, arms=left.arms)
    if not (left.arms or right.arms) or (left.copied and right.copied):
        raise UserError(f"claim {claim!r}: one side must name an arm")
    return left, right


def _parse_side(claim: str, text: str, all_arms: list[str]) -> Side:
    if NUMBER.fullmatch(text):
        return Side(plus=float(text))
    match = SIDE.fullmatch(text)
    if not match:
        raise UserError(f"claim {claim!r}: expected METRIC(ARM, ...), METRIC(ARM, ...) + NUMBER, or NUMBER, not {text!r}")
    arms = tuple(name.strip() for name in match["arms"].split(","))
    metric, plus = match["metric"], float(match["plus"] or 0)
    if arms == (COPY,) and not metric.endswith(OVER_COPY):
        return Side(metric, (), plus, copied=True)
    for name in arms:
        if name not in all_arms:
            raise UserError(f"claim {claim!r}: there is no arm {name}; there are {', '.join(all_arms)}")
    return Side(metric, arms, plus)


@dataclass(frozen=True)
class Verdict:
    """What the test clips and seeds say about a claim "left < right".

    left, right: each side's mean over seeds and clips.
    difference: the mean of right - left.
    interval: half the width of the difference's 95 % confidence interval, by Student's t. It is computed over clips (each
        averaged over the seeds) and over seeds (each averaged over the clips), and the wider one counts; infinite for one seed.
        Where each seed has drawn clips of its own, it is computed over seeds alone.
    seeds: number of seeds.
    """

    left: float
    right: float
    difference: float
    interval: float
    seeds: int

    @property
    def word(self) -> str:
        """Confirmed or refuted where the confidence interval excludes zero; otherwise not decided."""
        if not abs(self.difference) > self.interval:
            return "not decided"
        return "confirmed" if self.difference > 0 else "refuted"


def judge(claim: str, rows: Rows, *, clips_are_a_sample: bool = True) -> Verdict | None:
    """Decide a claim such as "pose_following(adam) < pose_following(copy)".

    Args:
        claim: see `parse`.
        rows: arm -> seed -> rows of test clips, as summary.json has them.
        clips_are_a_sample: whether other clips might have been measured. Of all clips that trained there are no others: then
            only the seeds vary.

    Returns:
        The verdict; None while an arm of the claim has no run, or fewer than two clips of a sample are measured.

    Raises:
        UserError: the claim cannot be read or names an unknown arm.
    """
    left, right = parse(claim, rows)
    arms = (*left.arms, *right.arms)
    seeds = sorted(set.intersection(*(set(rows[arm]) for arm in arms)))
    if not seeds:
        return None
    clips = [sorted({row["clip"] for row in rows[arms[0]][seed]}) for seed in seeds]
    pairs = [
        np.array([[side.value(rows, seed, clip) for side in (left, right)] for clip in names])
        for seed, names in zip(seeds, clips, strict=True)
    ]
    if any(names != clips[0] for names in clips):  # each seed has drawn clips of its own: their mean is one figure
        pairs = [part[np.isfinite(part).all(1)].mean(0, keepdims=True) for part in pairs]
        clips_are_a_sample = False
    pairs = np.array(pairs)
    pairs = pairs[:, np.isfinite(pairs).all(axis=(0, 2))]  # [seeds, clips, 2]
    if pairs.shape[1] < (2 if clips_are_a_sample else 1):
        return None
    differences = pairs[..., 1] - pairs[..., 0]
    interval = _half_width(differences.mean(axis=1))
    if clips_are_a_sample:
        interval = max(interval, _half_width(differences.mean(axis=0)))
    return Verdict(float(pairs[..., 0].mean()), float(pairs[..., 1].mean()), float(differences.mean()), interval, len(seeds))


def _half_width(values: np.ndarray) -> float:
    """Half the width of the 95 % confidence interval of the mean; infinite for fewer than two values."""
    if len(values) < 2:
        return np.inf
    return float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))

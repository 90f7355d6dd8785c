"""Verdicts on claims, with answers worked out by hand."""

import numpy as np
import pytest
from scipy import stats

from analogy.errors import UserError
from analogy.metrics.claims import judge, parse
from analogy.metrics.table import METRICS


def rows(**arms):
    """arm=[[value of clip 0, clip 1, ...] of seed 0, ...] -> rows whose copied frame scores 10."""
    return {
        arm: {
            seed: [
                {"clip": str(i), "psnr": v, "ghosting": v, "baseline_psnr": 10.0, "baseline_ghosting": 10.0}
                for i, v in enumerate(s)
            ]
            for seed, s in enumerate(values)
        }
        for arm, values in arms.items()
    }


def test_a_clear_difference_is_confirmed_one_way_and_refuted_the_other():
    measured = rows(a=[[1, 2, 3], [1, 2, 3]], b=[[2, 3.1, 4.2], [2, 3.1, 4.2]])
    verdict = judge("psnr(a) < psnr(b)", measured)
    assert (verdict.left, verdict.right) == (2, pytest.approx(3.1))
    assert verdict.difference == pytest.approx(1.1)
    assert verdict.interval == pytest.approx(stats.t.ppf(0.975, 2) * 0.1 / np.sqrt(3))  # the seeds agree exactly
    assert (verdict.seeds, verdict.word) == (2, "confirmed")
    assert judge("psnr(b) < psnr(a)", measured).word == "refuted"


@pytest.mark.parametrize(
    "values",
    [
        [[1, 2, 3], [1, 2, 3]],  # no difference at all
        [[4, -1, 3.5], [4, -1, 3.5]],  # clips that disagree
        [[3, 4.1, 5], [0.9, 1.9, 2.9]],  # seeds that disagree
        [[2, 3, 4.1], [3, 4, 5.2]],  # seeds that agree, but are two
        [[9, 9.9, 11]],  # one seed
    ],
)
def test_what_clips_or_seeds_contradict_is_not_decided(values):
    assert judge("psnr(a) < psnr(b)", rows(a=[[1, 2, 3]] * len(values), b=values)).word == "not decided"


def test_the_interval_is_that_of_the_seeds_where_they_differ_more_than_the_clips():
    verdict = judge("psnr(a) < psnr(b)", rows(a=[[0, 0]] * 3, b=[[1, 1.1], [2, 2.1], [3, 3.1]]))
    assert verdict.interval == pytest.approx(stats.t.ppf(0.975, 2) / np.sqrt(3))


@pytest.mark.parametrize("metric", [metric.name for metric in METRICS.values()])
def test_every_metric_can_be_claimed(metric):
    assert [side.measured for side in parse(f"{metric}(a) < {metric}(b) + 0.5", "ab")] == [metric, metric]


def test_of_all_clips_there_are_only_the_seeds_vary():
    measured = rows(**{"a": [[1], [1.2], [1.1]], "a.teacher_forced": [[2], [2.4], [2.2]]})
    claim = "psnr(a) < psnr(a.teacher_forced)"
    assert judge(claim, measured) is None
    verdict = judge(claim, measured, clips_are_a_sample=False)
    assert (verdict.word, verdict.difference) == ("confirmed", pytest.approx(1.1))
    assert verdict.interval == pytest.approx(stats.t.ppf(0.975, 2) * 0.1 / np.sqrt(3))


def test_where_each_seed_has_drawn_its_own_clips_only_the_seeds_vary():
    a, b = ({seed: [{"clip": f"{seed}_{i}", "psnr": value + i} for i in range(2)] for seed in range(3)} for value in (0.0, 1.0))
    b[2][0]["psnr"] += 0.2
    verdict = judge("psnr(a) < psnr(b)", {"a": a, "b": b})
    assert verdict.difference == pytest.approx(1 + 0.1 / 3) and verdict.word == "confirmed"
    assert verdict.interval == pytest.approx(4.3027 * np.std([1, 1, 1.1], ddof=1) / 3**0.5, rel=1e-3)


def test_a_true_difference_of_zero_is_seldom_decided():
    rng, decided = np.random.default_rng(0), 0
    for _ in range(300):
        noise = rng.normal(size=(3, 1)) + rng.normal(size=(1, 11)) + 0.3 * rng.normal(size=(3, 11))
        decided += judge("psnr(a) < psnr(b)", rows(a=[[0] * 11] * 3, b=noise.tolist())).word != "not decided"
    assert decided <= 0.07 * 300


def test_means_over_arms_numbers_and_margins():
    measured = rows(a=[[1, 2]], b=[[3, 4.2]], c=[[1, 1]])
    assert judge("psnr(a, b) < psnr(c)", measured).left == pytest.approx(2.55)
    assert judge("0.5 < psnr(a)", measured).difference == 1.0
    assert judge("psnr(a) < psnr(b) + 0.25", measured).right == pytest.approx(3.85)


def test_relative_to_the_copied_frame():
    measured = rows(a=[[12, 14]], b=[[5, 6]])
    assert judge("psnr_over_copy(b) < psnr_over_copy(a)", measured).difference == 3 - -4.5
    assert judge("ghosting_over_copy(b) < 1", measured).left == 0.55
    assert judge("psnr(copy) < psnr(a)", measured).left == 10
    measured["a"][0][1]["baseline_psnr"] = 20.0  # the arm's own copy, not another's
    assert judge("psnr(copy) < psnr(b)", measured).left == 10
    assert judge("psnr(a) < psnr(copy) + 1", measured).right == 16
    measured["b"][0][0]["baseline_ghosting"] = 0.0
    assert judge("ghosting_over_copy(b) < 1", measured) is None


def test_a_clip_without_the_metric_is_left_out():
    measured = rows(a=[[1, 2, 3]], b=[[2, 3, 9]])
    del measured["b"][0][2]["ghosting"]
    assert judge("ghosting(a) < ghosting(b)", measured).difference == 1
    del measured["b"][0][1]["ghosting"]
    assert judge("ghosting(a) < ghosting(b)", measured) is None


def test_only_seeds_that_all_arms_have_count():
    assert judge("psnr(a) < psnr(b)", rows(a=[[1, 2], [7, 9]], b=[[2, 3]])).seeds == 1
    assert judge("psnr(a) < psnr(b)", {**rows(a=[[1, 2]]), "b": {}}) is None


@pytest.mark.parametrize(
    "claim",
    [
        "psnr(a)",
        "psnr(a) < psnr(z)",
        "psnr(a) > 3",
        "psnr a < 3",
        "psnr(a) < three",
        "psnr(a) < 1.2.3",
        "0.5 < 0.8",
        "psnr(copy) < 3",
        "psnr_over_copy(copy) < psnr(a)",
    ],
)
def test_a_claim_that_cannot_be_read_is_an_error(claim):
    with pytest.raises(UserError, match="claim"):
        judge(claim, rows(a=[[1, 2]]))

"""Verdicts on claims, with answers worked out by hand."""

import numpy as np
import pytest
from scipy import stats

from analogy.errors import UserError
from analogy.metrics.claims import judge


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
    assert verdict.interval == pytest.approx(stats.t.ppf(0.975, 2) * 0.1 / np.sqrt(3))
    assert (verdict.seeds, verdict.agreeing, verdict.word) == (2, 2, "confirmed")
    assert judge("psnr(b) < psnr(a)", measured).word == "refuted"


@pytest.mark.parametrize(
    "values",
    [
        [[1, 2, 3], [1, 2, 3]],  # no difference at all
        [[4, -1, 3.5]],  # clips that disagree
        [[3, 4.1, 5], [0.9, 1.9, 2.9]],  # seeds that disagree
    ],
)
def test_what_clips_or_seeds_contradict_is_not_decided(values):
    assert judge("psnr(a) < psnr(b)", rows(a=[[1, 2, 3]] * len(values), b=values)).word == "not decided"


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


def test_a_clip_without_the_metric_is_left_out():
    measured = rows(a=[[1, 2, 3]], b=[[2, 3, 9]])
    del measured["b"][0][2]["ghosting"]
    assert judge("ghosting(a) < ghosting(b)", measured).difference == 1
    del measured["b"][0][1]["ghosting"]
    assert judge("ghosting(a) < ghosting(b)", measured) is None


def test_only_seeds_that_all_arms_have_count():
    assert judge("psnr(a) < psnr(b)", rows(a=[[1, 2], [7, 9]], b=[[2, 3]])).seeds == 1
    assert judge("psnr(a) < psnr(b)", {**rows(a=[[1, 2]]), "b": {}}) is None


@pytest.mark.parametrize("claim", ["psnr(a)", "psnr(a) < psnr(z)", "psnr(a) > 3", "psnr a < 3", "psnr(a) < three"])
def test_a_claim_that_cannot_be_read_is_an_error(claim):
    with pytest.raises(UserError, match="claim"):
        judge(claim, rows(a=[[1, 2]]))

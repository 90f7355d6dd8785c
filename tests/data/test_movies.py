"""Which movies train, which windows test: shares without replacement, windows spread over movies."""

from dataclasses import replace

import numpy as np
import pytest

from analogy.data.movies import drawn_share, long_enough, spread_windows
from analogy.data.prepared import Clip
from analogy.data.windows import StoredMovie, WindowPlan


def movie(name, length, fps=10.0):
    return StoredMovie(name, None, Clip(name, "moving", length, 4, 6, fps=fps), range(length))


@pytest.mark.parametrize(("share", "count"), [(1.0, 10), (0.5, 5), (0.01, 1)])
def test_a_share_is_drawn_without_replacement(share, count):
    movies = [movie(f"{i}", 9) for i in range(10)]
    drawn = drawn_share(movies, share, 3)
    assert len(drawn) == count == len({m.id for m in drawn}) and drawn == [m for m in movies if m in drawn]
    assert drawn == drawn_share(movies, share, 3)
    assert share != 0.5 or any(drawn != drawn_share(movies, share, seed) for seed in range(4))


def test_parts_of_one_clip_stay_together():
    parts = [replace(movie(f"{i}", 9), id=f"{i}_{part}") for i in range(4) for part in "ab"]
    drawn = drawn_share(parts, 0.5, 0)
    assert len(drawn) == 4 and len({m.clip.id for m in drawn}) == 2


def test_what_is_too_short_or_too_slow_is_left_out_and_said():
    movies = [movie("long", 10), movie("short", 5), movie("slow", 12, fps=4.0), movie("silent", 12, fps=0.0)]
    kept, said = long_enough(movies, WindowPlan(6, fps=5))
    assert not kept and len(said) == 2 and "slow, silent" in said[0] and "window of 6 frames" in said[1] and "long" in said[1]
    assert [m.id for m in long_enough(movies, WindowPlan(6))[0]] == ["long", "slow", "silent"]


def test_test_windows_are_spread_and_none_comes_twice():
    movies, plan = [movie("a", 8), movie("b", 5), movie("c", 20)], WindowPlan(4, stride=2)
    everything = spread_windows(movies, plan, 100, 0)
    assert [w.id for w in everything] == ["a_0", "a_2", "a_4", "b_0", *(f"c_{i}" for i in range(0, 17, 2))]
    assert list(everything[1].numbers) == [2, 3, 4, 5]
    for seed in range(3):
        few = spread_windows(movies, plan, 5, seed)
        count = np.unique([w.id[0] for w in few], return_counts=True)[1]
        assert len({w.id for w in few}) == 5 and count.tolist() == [2, 1, 2] and few == few
    names = {tuple(w.id for w in spread_windows(movies, plan, 5, seed)) for seed in range(5)}
    assert len(names) > 1

"""Which movies train, which windows test: shares without replacement, windows spread over movies."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from analogy.data.movies import (
    MovieDataset,
    chosen_movies,
    drawn_share,
    following_curriculum,
    long_enough,
    spread_windows,
    windows_that_train,
)
from analogy.data.prepared import Clip
from analogy.data.windows import StoredMovie, WindowPlan
from analogy.errors import UserError
from analogy.settings import find_experiment, load_settings
from analogy.settings.sections import MovieDataSettings
from analogy.systems import SYSTEMS
from data_prep.datasets import check_dataset


def movie(name, length, fps=10.0):
    return StoredMovie(name, None, Clip(name, "moving", length, 4, 6, fps=fps), range(length))


@pytest.mark.parametrize(("share", "count"), [(1.0, 10), (0.5, 5), (0.01, 1)])
def test_a_share_is_drawn_without_replacement(share, count):
    movies = [movie(f"{i}", 9) for i in range(10)]
    drawn = drawn_share(movies, share, 3)
    assert len(drawn) == count == len({m.id for m in drawn}) and drawn == [m for m in movies if m in drawn]
    assert drawn == drawn_share(movies, share, 3)
    assert share != 0.5 or any(drawn != drawn_share(movies, share, seed) for seed in range(4))


def test_a_number_of_movies_takes_the_first_ones_by_name():
    movies = [movie(f"{i}", 9) for i in (3, 1, 2)]

    def chosen(**keys):
        values = {"dataset": "kth", "folder": None, "cache": None, "context": 1, "horizon": 1, "image_size": 16}
        data = MovieDataSettings(**values, test_count=1, split="published", **keys)
        return [m.id for m in chosen_movies(movies, data, 0)]

    assert chosen() == ["3", "1", "2"] and chosen(train_count=2) == ["1", "2"] and len(chosen(train_count=9)) == 3


def test_movies_are_chosen_by_their_names():
    movies = [movie(f"{i}", 9) for i in (3, 1, 2)]
    options = ["data.train_clips=[v_2, '3']"]
    data = load_settings(find_experiment("convlstm_kth_l1"), SYSTEMS, scale="paper", overrides=options).data

    def chosen(movies):
        return [m.id for m in chosen_movies(movies, data, 0)]

    assert chosen([*movies, movie("v_2", 9)]) == ["3", "v_2"]
    with pytest.raises(UserError, match=r"data.train_clips: v_2: no such training video.*there are 3: 1, 2, 3"):
        chosen(movies)


def test_windows_of_the_clips_that_train_are_cut_as_in_training():
    movies, plan = [movie("a", 8), movie("b", 5)], WindowPlan(4, stride=1000, skip=1)
    dataset = MovieDataset("moving", movies, [], plan=plan, seed=0, doubts=[])
    windows = windows_that_train(dataset, 5)
    assert [list(window.numbers) for window in windows] == [[0, 1, 2, 3]] * 2
    assert len(windows_that_train(dataset, 1)) == 1 and windows_that_train(dataset, 0) == []
    drawn = SimpleNamespace(train=movies)  # movies that are drawn at every step
    assert windows_that_train(drawn, 1) == movies[:1]


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


def test_what_a_curriculum_makes_of_the_videos_is_noted():
    movies = [movie("long", 30, fps=25.0), movie("slow", 30, fps=12.0), movie("short", 8, fps=25.0)]
    plan = WindowPlan(5, curriculum=((100, 25.0), (50, 10.0)))
    kept, said = following_curriculum(movies, plan)
    assert [m.id for m in kept] == ["long", "slow"]  # at 10 of 25 frames per second, 5 frames span 11
    assert said == [
        "training begins with 100 steps at 25 frames per second, 50 steps at 10 frames per second",
        "at 25, 1 of 3 training videos have fewer and use every frame",
        "1 training videos too short for a stage are left out",
    ]
    assert following_curriculum(movies, WindowPlan(5)) == (movies, [])


def test_a_curriculum_needs_frame_rates_and_videos_of_some_length():
    silent = [movie("known", 30), movie("silent", 30, fps=0.0)]
    with pytest.raises(UserError, match=r"curriculum: 1 of 2 training videos do not say .* \(silent\); leave") as caught:
        following_curriculum(silent, WindowPlan(5, curriculum=((9, 5.0),)))
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="no training video has a window of 5 frames"):
        following_curriculum([movie("short", 6)], WindowPlan(5, curriculum=((9, 5.0),)))


def test_settings_say_the_curriculum_and_datasets_without_rates_refuse_it():
    options = [
        "data.curriculum=[{steps: 4, fps: 25}, {steps: 2, fps: 15.5}]",
        "data.fps=10",
        "data.context=3",
        "data.horizon=3",
    ]
    settings = load_settings(find_experiment("convlstm_kth_l1"), SYSTEMS, scale="paper", overrides=options)
    plan = WindowPlan.from_settings(settings.data)
    assert (plan.curriculum, plan.fps, plan.length) == (((4, 25.0), (2, 15.5)), 10.0, 6)
    shapes = load_settings(find_experiment("convlstm_mmnist_l1"), SYSTEMS, scale="demo", overrides=options[:1])
    with pytest.raises(UserError, match=r"data\.curriculum"):
        check_dataset(shapes)

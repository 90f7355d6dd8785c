"""Which videos of two folders are measured against each other."""

import tracemalloc
from itertools import product

import numpy as np
import pytest

from analogy.data.video import write_pictures
from analogy.errors import UserError
from analogy.evaluation.videos import Videos, find_videos, pair_videos
from analogy.measure import check_evaluation
from analogy.metrics.frames import FRAME_METRICS
from analogy.visualise.video import mp4_writer


def pairs_of(*arguments):
    return pair_videos(*arguments)[0]


def test_videos_are_named_by_their_place(tmp_path):
    write_pictures(tmp_path / "a" / "b_c", np.zeros((2, 16, 16, 3), np.uint8))
    for name in ("a_b/c.GIF", "d.m4v", ".d.mp4", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert set(find_videos(tmp_path)) == {"a/b_c", "a_b/c", "d"}
    pairs, further = pair_videos([tmp_path], tmp_path)
    assert [(pair.name, pair.truth.name) for pair in pairs] == [("a_b_c", "b_c"), ("a_b_c~2", "c.GIF"), ("d", "d.m4v")]
    assert not further and pair_videos([tmp_path], tmp_path, ["d"])[1] == 2


def test_a_video_that_is_named_twice_counts_once(tmp_path):
    for folder, name in product(("true", "predicted"), "ab"):
        write_pictures(tmp_path / folder / name, np.zeros((2, 16, 16, 3), np.uint8))
    folders = {"predictions": [tmp_path / "predicted"], "truth": tmp_path / "true", "results_dir": tmp_path / "results"}
    assert [video.name for video in check_evaluation(clips=["b", "a", "b"], **folders).subject.videos] == ["b", "a"]


@pytest.mark.parametrize(
    ("count", "side", "said"),
    [(3, 16, "cut both to the same frames"), (7, 16, "cut both to the same frames"), (6, 20, "bring both to one size")],
)
def test_predictions_of_another_shape_are_said_with_the_mend(tmp_path, count, side, said):
    write_pictures(tmp_path / "true" / "a", np.zeros((6, 16, 16, 3), np.uint8))
    write_pictures(tmp_path / "predicted" / "a", np.zeros((count, side, side, 3), np.uint8))
    with pytest.raises(UserError, match=said) as caught:
        list(Videos(2).predict_clips(pairs_of([tmp_path / "predicted"], tmp_path / "true")))
    assert f"has {count} frames of {side} x {side}, but" in str(caught.value)


def test_two_videos_of_one_name_and_loose_pictures_are_one_line(tmp_path):
    for name in ("two/a.mp4", "two/a.avi"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    write_pictures(tmp_path / "flat", np.zeros((2, 16, 16, 3), np.uint8))
    write_pictures(tmp_path / "deep" / "a", np.zeros((2, 16, 16, 3), np.uint8))
    with pytest.raises(UserError, match=r"a\.avi and .*a\.mp4 have the same name"):
        find_videos(tmp_path / "two")
    for predictions, truth in (("flat", "deep"), ("deep", "flat")):
        with pytest.raises(UserError, match="flat: its pictures are one video; put them into a folder"):
            pairs_of([tmp_path / predictions], tmp_path / truth)
    (pair,) = pairs_of([tmp_path / "flat"], tmp_path / "flat")
    assert (pair.name, pair.truth, pair.samples) == ("flat", tmp_path / "flat", [tmp_path / "flat"])
    (tmp_path / "arrays").mkdir()
    (tmp_path / "arrays" / "predictions.npy").touch()
    with pytest.raises(UserError, match=r"nor a folder of pictures in it, but predictions\.npy"):
        find_videos(tmp_path / "arrays")


def test_a_copy_of_the_truth_is_said(tmp_path, capsys):
    """Also one by links."""
    frames = np.arange(4 * 16 * 16 * 3, dtype=np.uint8).reshape(4, 16, 16, 3) // 2
    write_pictures(tmp_path / "true" / "a", frames)
    write_pictures(tmp_path / "one" / "a", frames // 2)
    (tmp_path / "two" / "a").mkdir(parents=True)
    for picture in (tmp_path / "true" / "a").iterdir():
        (tmp_path / "two" / "a" / picture.name).symlink_to(picture)
    for folders, copies in ((["one"], 0), (["two"], 1), (["one", "two"], 1)):
        judge, videos = Videos(1), pairs_of([tmp_path / folder for folder in folders], tmp_path / "true")
        list(judge.predict_clips(videos))
        assert judge.equal == ["a"] * copies and ("EQUAL to the truth in every pixel" in judge.protocol(videos)) == copies
        assert capsys.readouterr().out.count("two/a: its future frames equal those of") == copies


def test_future_frames_alone_and_grey_ones_are_measured_and_said(tmp_path):
    colours = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)
    write_pictures(tmp_path / "true" / "a", colours)
    write_pictures(tmp_path / "future" / "a", colours[2:] // 2)
    write_pictures(tmp_path / "gray" / "a", np.repeat(colours[..., :1], 3, -1))
    videos = {name: pairs_of([tmp_path / name], tmp_path / "true") for name in ("future", "gray")}
    judges = {name: Videos(2) for name in videos}
    (future,), (gray,) = (list(judges[name].predict_clips(videos[name])) for name in videos)
    np.testing.assert_array_equal(future.prediction, colours[2:] // 2)
    assert "the future frames alone are predicted in a" in judges["future"].protocol(videos["future"])
    np.testing.assert_array_equal(gray.prediction[..., 1], colours[2:, ..., 0])
    assert "GREY predictions of coloured videos: a" in judges["gray"].protocol(videos["gray"])
    assert "GREY" not in judges["future"].protocol(videos["future"])
    with pytest.raises(UserError, match="if it holds the future frames alone, say how many were given: --context 2"):
        list(Videos(1).predict_clips(videos["future"]))


def test_a_long_video_comes_in_parts(tmp_path, monkeypatch):
    frames = np.random.default_rng(0).integers(0, 256, (9, 16, 16, 3), dtype=np.uint8)
    write_pictures(tmp_path / "a", frames)
    monkeypatch.setattr("analogy.predictions.base.PART", 3)
    parts = list(Videos(2).predict_clips(pairs_of([tmp_path], tmp_path)))
    assert [part.length for part in parts] == [3, 3, 1] and [len(part.observed_frames) for part in parts] == [2, 0, 0]
    np.testing.assert_array_equal(np.concatenate([part.prediction for part in parts]), frames[2:])
    assert np.concatenate([part.distance for part in parts]).tolist() == list(range(1, 8))


def test_the_best_of_several_samples_is_the_best_of_the_whole_video(tmp_path, monkeypatch):
    """Sample 1 is better in the first part, sample 2 in the whole."""
    truth = np.full((7, 16, 16, 3), 100, np.uint8)
    write_pictures(tmp_path / "true" / "a", truth)
    for name, errors in {"one": (1, 1, 1, 9, 9, 9), "two": (2, 2, 2, 2, 2, 2)}.items():
        write_pictures(tmp_path / name / "a", truth + np.array([0, *errors], np.uint8)[:, None, None, None])
    videos = pairs_of([tmp_path / "one", tmp_path / "two"], tmp_path / "true")
    figures = {}
    for size in (256, 3):
        monkeypatch.setattr("analogy.predictions.base.PART", size)
        parts = list(Videos(1).predict_clips(videos))
        figures[size] = parts[0].joined([part.measure({"psnr": FRAME_METRICS["psnr"]}) for part in parts])
    assert len(parts) == 2
    np.testing.assert_allclose(figures[3]["prediction"]["psnr_best"], 20 * np.log10(255 / 2))
    for name, values in figures[256]["prediction"].items():
        np.testing.assert_array_equal(figures[3]["prediction"][name], values)


@pytest.mark.parametrize("count", [300, 1200])
def test_a_long_video_takes_the_memory_of_two_parts(tmp_path, monkeypatch, count):
    monkeypatch.setattr("analogy.predictions.base.PART", 16)
    for name in ("true", "predicted"):
        (tmp_path / name).mkdir()
        with mp4_writer(tmp_path / name / "a.mp4", 25) as append:
            append(np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), dtype=np.uint8).repeat(count, 0))
    tracemalloc.start()
    lengths = [part.length for part in Videos(4).predict_clips(pairs_of([tmp_path / "predicted"], tmp_path / "true"))]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(lengths) == count - 4 and max(lengths) == 16
    assert peak < 2_000_000 + 1000 * count  # whole, it would be 24 kB a frame


def test_a_video_that_becomes_shorter_while_it_is_measured_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr("analogy.predictions.base.PART", 2)
    write_pictures(tmp_path / "a", np.zeros((8, 16, 16, 3), np.uint8))
    parts = Videos(1).predict_clips(pairs_of([tmp_path], tmp_path))
    next(parts)
    monkeypatch.setattr("analogy.evaluation.videos.islice", lambda frames, count: iter(()))
    with pytest.raises(UserError, match="a: it has changed while it was measured"):
        next(parts)

"""Long clips are predicted, measured and drawn in parts: the figures are those of the whole, in constant memory."""

import tracemalloc
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from analogy.data.video import read_video
from analogy.evaluation.evaluate import evaluate
from analogy.metrics.frames import FRAME_METRICS, measure_frames
from analogy.metrics.fvd import LONGEST
from analogy.predictions.base import PART, parts_of
from analogy.predictions.frames import PredictedFrames

SIDE = 16


def frames(numbers):
    """Frame n of a video is a ramp that moves by a pixel a frame: uint8 [T, SIDE, SIDE, 1]."""
    ramp = (np.add.outer(np.asarray(numbers), np.arange(SIDE)) * 7 % 256).astype(np.uint8)
    return np.repeat(ramp[:, None, :, None], SIDE, 1)


def part(numbers):
    truth = frames(numbers)
    return PredictedFrames(
        clip="long", action="moves", distance=numbers, observed_frames=frames([0])[: int(numbers[0] == 1)], truth=truth,
        prediction=truth // 2, baseline=np.broadcast_to(frames([0]), truth.shape), baseline_name="copy",
    )  # fmt: skip


def evaluated(tmp_path, parts, metrics=FRAME_METRICS, observers=()):
    predictor = SimpleNamespace(pooled=False, paints=True, published=(), predict_clips=lambda dataset: parts)
    return evaluate(predictor, None, SimpleNamespace(path=tmp_path), 10, metrics, observers)


def test_parts_give_the_figures_and_the_film_of_the_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("analogy.predictions.base.PART", 6)
    count, seen = 10, []
    numbers = [indices + 1 for indices in parts_of(count)]
    assert [len(indices) for indices in numbers] == [6, 4]
    metrics = {name: FRAME_METRICS[name] for name in ("psnr", "ssim")}
    whole = evaluated(tmp_path / "whole", iter([part(np.arange(1, count + 1))]), metrics)
    in_parts = evaluated(tmp_path / "parts", map(part, numbers), metrics, [seen.append])
    assert in_parts == whole and whole["clips"][0]["frames"] == count
    assert len(seen) == 1 and seen[0].length == 6
    films = [read_video(tmp_path / name / "test/moves/long.mp4").frames for name in ("whole", "parts")]
    assert len(films[0]) == count + 1 == whole["clips"][0]["video"]["frames"]
    np.testing.assert_array_equal(*films)
    assert (tmp_path / "whole/test/horizon.json").read_text() == (tmp_path / "parts/test/horizon.json").read_text()


def test_the_first_part_is_enough_for_fvd():
    assert LONGEST <= PART


def test_another_clip_of_the_same_name_is_no_part(tmp_path):
    with pytest.raises(ValueError, match="two clips of moves are called long"):
        evaluated(tmp_path, (part(np.arange(1, 5)) for _ in range(2)), {"psnr": FRAME_METRICS["psnr"]})


def test_frames_are_measured_alike_however_many_there_are():
    truth = np.random.default_rng(0).integers(0, 256, (70, 12, 12, 3), dtype=np.uint8)
    whole = measure_frames(truth, truth // 2, {})
    for name, values in whole.items():
        alone = np.concatenate([measure_frames(truth[t : t + 1], truth[t : t + 1] // 2, {})[name] for t in range(70)])
        np.testing.assert_allclose(values, alone)


def test_many_observed_frames_are_drawn_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr("analogy.predictions.base.PART", 8)
    peaks = []
    for count in (24, 72):
        clip = replace(part(np.arange(1, 9)), observed_frames=frames(np.arange(count)))
        tracemalloc.start()
        row = evaluated(tmp_path / str(count), iter([clip]), {"psnr": FRAME_METRICS["psnr"]})["clips"][0]
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert row["video"]["frames"] == len(read_video(tmp_path / str(count) / "test/moves/long.mp4").frames) == count + 8
    assert peaks[1] < 1.2 * peaks[0]


@pytest.mark.slow
def test_a_clip_of_many_parts_takes_the_memory_of_two(tmp_path):
    peaks = []
    for count in (2 * PART, 3_000):
        tracemalloc.start()
        evaluated(tmp_path / str(count), (part(numbers + 1) for numbers in parts_of(count)), {"psnr": FRAME_METRICS["psnr"]})
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0] + 3_000 * 1000  # the figures alone are kept, below 1 kB a frame

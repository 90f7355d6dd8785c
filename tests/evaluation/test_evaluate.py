"""What evaluation records about predicted clips: figures, their means, and the boxes of the columns in the videos."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from analogy.evaluation.evaluate import evaluate
from analogy.predictions.frames import PredictedFrames
from analogy.runs.folder import RunFolder
from analogy.runs.reading import read_table
from analogy.settings.published import Published
from analogy.visualise.video import read_mp4

ALWAYS = {"psnr", "ssim", "sharpness_ratio", "gradient_energy_ratio", "checkerboard_ratio"}
WITH_POSES = {"ghosting", "pose_following", "background"}


def clip(name, poses):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 256, [4, 32, 32, 3], dtype=np.uint8)
    old, new = np.zeros([2, 4, 32, 32], bool)
    old[:, 2:10], new[:, 6:14] = True, True
    return PredictedFrames(
        clip=name, action="squat", observed_frames=truth[:1], truth=truth, prediction=255 - truth, baseline=truth // 2,
        distance=np.arange(1, 5), extra_columns={"pose": rng.random([4, 32, 32, 13])},
        regions={"old": old, "new": new} if poses else {}, baseline_name="half",
    )  # fmt: skip


@pytest.mark.parametrize("poses", [(True, True), (True, False), (False, False)])
def test_a_clip_without_poses_lacks_the_metrics_of_regions(tmp_path, poses):
    predicted = [clip(f"000{i}", has) for i, has in enumerate(poses)]
    system = SimpleNamespace(pooled=False, published=(), predict_clips=lambda clips: iter(predicted))
    folder = RunFolder(tmp_path)
    figures = evaluate(system, None, folder, 5)
    folder.close()

    expected = ALWAYS | (WITH_POSES if any(poses) else set())
    assert set(figures["test"]) == expected | {"clips", "frames"} and set(figures["baseline"]["half"]) == expected
    for row, has in zip(figures["clips"], poses, strict=True):
        own = ALWAYS | (WITH_POSES if has else set())
        assert set(row) == own | {f"baseline_{name}" for name in own} | {"clip", "action", "frames", "columns", "video"}
    assert set(read_table(tmp_path / "test" / "horizon.json")["methods"]["prediction"]) == expected
    assert {file.stem for file in (tmp_path / "plots").iterdir()} == {f"{name}_horizon" for name in expected}


def test_the_columns_are_where_the_summary_says(tmp_path):
    predicted = clip("0000", False)
    predicted.observed_frames[:], predicted.truth[:], predicted.prediction[:] = 200, 200, 80
    system = SimpleNamespace(pooled=False, published=(), predict_clips=lambda clips: iter([predicted]))
    folder = RunFolder(tmp_path)
    columns = evaluate(system, None, folder, 5)["clips"][0]["columns"]
    folder.close()
    frames, _ = read_mp4(tmp_path / "test/squat/0000.mp4")
    assert list(columns) == ["truth", "pose", "prediction", "|difference|"] and len(frames) == 5
    for title, gray in (("truth", 200), ("prediction", 80), ("|difference|", 120)):
        left, top, width, height = columns[title]
        assert frames[-1, top : top + height, left : left + width].mean() == pytest.approx(gray, abs=3)


def test_a_clip_that_is_not_drawn_is_only_measured(tmp_path):
    predicted = replace(clip("0000", False), with_pictures=False)
    system = SimpleNamespace(pooled=False, published=(), predict_clips=lambda clips: iter([predicted]))
    folder = RunFolder(tmp_path)
    (row,) = evaluate(system, None, folder, 5)["clips"]
    folder.close()
    assert "psnr" in row and "columns" not in row and not (tmp_path / "test" / "squat").exists()


def test_published_figures_stand_beside_those_that_were_measured(tmp_path):
    steps = [Published(metric=name, horizon=[9.0, 8.0, 7.0, 6.0], protocol="x") for name in ("psnr", "mse")]
    number = Published(metric="ssim", figure=0.5, protocol="x")
    predicted = clip("0000", False)
    system = SimpleNamespace(pooled=False, published=[*steps, number], predict_clips=lambda clips: iter([predicted]))
    folder = RunFolder(tmp_path)
    evaluate(system, None, folder, 5)
    folder.close()
    assert read_table(tmp_path / "test" / "horizon.json")["methods"]["published"] == {"psnr": [9.0, 8.0, 7.0, 6.0]}

"""The tables of recognised actions and of published animations."""

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from analogy.runs.reading import read_runs
from analogy.systems.keypoints.recognition import Recognition
from experiments import keypoints_actions, published_animations

OUTCOME = Recognition(["bend", "wave"], {"truth": [True] * 4}, np.array([[3, 1], [2, 2]]))


def test_the_table_is_no_run(tmp_path):
    for _ in range(2):  # the second replaces the first
        keypoints_actions.write_outcome(tmp_path / "recognised_actions" / "toy", OUTCOME, ["toy"])
    written = {path.name for path in (tmp_path / "recognised_actions" / "toy").iterdir()}
    assert written == {".analogy", "table.md", "figures.json", "confusion.png"}
    assert read_runs(tmp_path) == []


def test_the_table_of_recognised_actions():
    right = {"truth": [True] * 4, "generated": [True, True, True, False], "still": [True, False, False, False]}
    outcome = Recognition(["bend", "wave"], right, np.array([[3, 1], [2, 2]]))
    lines = keypoints_actions.table(outcome, 2).splitlines()
    assert lines[2] == "| true videos | 4 | 100.0% |"
    assert lines[3] == "| generated videos, asked for their clip's action | 4 | 75.0% |"
    assert lines[5] == "| generated videos, every action asked for | 8 | 62.5% |"
    assert lines[6] == "| chance |  | 50.0% |"
    assert "2 run(s)" in lines[-1]


def test_a_run_that_is_not_there_is_one_line(tmp_path):
    result = CliRunner().invoke(keypoints_actions.app, ["--run", "nothing", "--results-dir", str(tmp_path)])
    assert result.exit_code == 2 and "nothing: neither a run folder nor an experiment" in result.output


def test_published_animations_are_measured_beside_their_start(tmp_path):
    start = np.full((16, 16, 3), 100, np.uint8)
    start[::2] = 90  # an edge, so that sharpness has a meaning
    truth = [start + np.uint8(10 * step) for step in range(1, 5)]
    Image.fromarray(start).save(tmp_path / "toy_start.png")
    for name, frames in (("real", truth), ("ours", [frame + np.uint8(1) for frame in truth]), ("li", truth[:2])):
        first, *others = (Image.fromarray(frame) for frame in frames)
        first.save(tmp_path / f"toy_{name}.gif", save_all=True, append_images=others, duration=200)
    result = CliRunner().invoke(published_animations.app, [str(tmp_path)])
    assert result.exit_code == 0, result.output
    psnr = 20 * np.log10(255 / 1)
    copy = np.mean([20 * np.log10(255 / (10 * step)) for step in range(1, 5)])
    rows = result.output.splitlines()
    assert rows[2].startswith(f"| toy | Kim | 4 | {psnr:.2f} dB") and rows[3].startswith(
        f"| toy | start copied | 4 | {copy:.2f} dB"
    )
    assert "| toy | Li | 2 |" in rows[4]
    result = CliRunner().invoke(published_animations.app, [str(tmp_path / "none")])
    assert result.exit_code == 2 and "there is no NAME_real.gif" in result.output


@pytest.mark.parametrize("longer", ["truth", "prediction"])
def test_the_longer_video_is_cut_and_the_truth_made_as_small(longer):
    frames = np.full((4, 32, 32, 3), 50, np.uint8)
    truth, prediction = (frames, frames[:2, :16, :16]) if longer == "truth" else (frames[:2], frames[:, :16, :16])
    figures = published_animations.measured(frames[0], truth, prediction)
    assert len(figures["prediction"]["psnr"]) == 2 and (figures["prediction"]["ssim"] > 0.999).all()

"""Comparisons of runs: the same clips in step, figures and settings side by side, one line for each mistake."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from analogy.errors import UserError
from analogy.runs.find import find_run
from analogy.systems import SYSTEMS
from analogy.visualise.canvas import TITLE_HEIGHT
from analogy.visualise.comparison import comparison_name, write_comparison
from analogy.visualise.tables import latex_table
from analogy.visualise.video import column_boxes, read_mp4, side_by_side, write_mp4

ROOT = Path(__file__).parent.parent.parent


def write_run(folder, clips, *, colour=0, size=32, steps=100, status="finished", baseline=20.0, frames=3):
    """Write a run folder with all files that a comparison reads. clips: {(action, clip): psnr}."""
    rows = []
    for (action, clip), psnr in clips.items():
        grays = {"truth": 250, "pose": 128, "prediction": colour, "|difference|": 60}
        columns = [(title, np.full([frames, size, size, 3], gray, np.uint8)) for title, gray in grays.items()]
        write_mp4(folder / "test" / action / f"{clip}.mp4", side_by_side(columns), fps=5)
        boxes = {title: box for (title, _), box in zip(columns, column_boxes(columns), strict=True)}
        figures = {"psnr": psnr, "baseline_psnr": baseline, "sharpness_ratio": 0.5, "ghosting": 100 - psnr}
        rows.append({"clip": clip, "action": action, "frames": frames, **figures, "columns": boxes})
    summary = {
        "experiment": folder.parent.name,
        "status": status,
        "protocol": f"{folder.parent.name}: a | b",
        "test": {"psnr": 99.0},
        "baseline": {"copy_reference": {"psnr": baseline}},
        "clips": rows,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "summary.json").write_text(json.dumps(summary))
    settings = f"experiment: {folder.parent.name}\ndata: {{image_size: [{size}, {size}]}}\ntraining: {{steps: {steps}}}\n"
    (folder / "settings.yaml").write_text(settings)
    return folder


BOTH = {("squat", "0001"): 22.0, ("bowl", "0002"): 18.0}


@pytest.fixture
def results(tmp_path):
    write_run(tmp_path / "pool3" / "2026-11-21_100000", {**BOTH, ("squat", "only here"): 50.0}, colour=20)
    write_run(tmp_path / "pool4" / "2026-11-21_110000", {key: psnr + 1 for key, psnr in BOTH.items()}, colour=90, steps=200)
    return tmp_path


def runs_of(results):
    return sorted(folder for folder in results.glob("*/*") if (folder / "summary.json").exists())


def test_a_column_cut_out_of_a_video_is_the_one_that_was_put_in(tmp_path):
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 256, [4, 8, 5, 3], dtype=np.uint8).repeat(8, 1).repeat(8, 2)  # [4, 64, 40, 3]
    columns = [("a", blocks), ("b", 255 - blocks), ("c", blocks[..., :1])]
    write_mp4(tmp_path / "clip.mp4", side_by_side(columns), fps=7)
    frames, fps = read_mp4(tmp_path / "clip.mp4")
    assert len(frames) == 4 and fps == 7
    boxes = column_boxes(columns)
    assert boxes == [(0, TITLE_HEIGHT, 120, 192), (124, TITLE_HEIGHT, 120, 192), (248, TITLE_HEIGHT, 120, 192)]
    for (_, clip), (left, top, width, height) in zip(columns, boxes, strict=True):
        middles = frames[:, top + 12 : top + height : 24, left + 12 : left + width : 24].astype(int)
        assert np.abs(middles - clip[:, 4::8, 4::8]).max() < 30  # the codec halves the resolution of colour


def test_the_page_has_the_common_clips_of_both_runs_and_the_truth_once(results):
    out = results / "out"
    write_comparison(runs_of(results), out, SYSTEMS)
    html = (out / "index.html").read_text()
    assert html.count("<article") == 2 and "only here" not in html
    assert 'href="../pool3' not in html  # that run has no page of its own
    frames, fps = read_mp4(out / "clips/squat/0001.mp4")
    assert fps == 5 and frames.shape == (3, TITLE_HEIGHT + 160, 4 * 160 + 3 * 4, 3)
    grays = frames[0, TITLE_HEIGHT + 80, 80::164].mean(axis=-1)
    np.testing.assert_allclose(grays, [250, 128, 20, 90], atol=4)
    assert html.count("data-left=") == 8 and 'data-left="328"' in html


def test_means_are_over_the_common_clips_and_the_best_of_a_row_is_marked(results):
    _, markdown = write_comparison(runs_of(results), results / "out", SYSTEMS)
    assert (results / "out" / "comparison.md").read_text() == markdown
    lines = markdown.splitlines()
    assert "| mean of 2 common clips | copy reference | pool3 | pool4 |" in lines
    assert "| PSNR (dB) | 20.00 | 20.00 | **21.00** |" in lines
    assert "| squat / 0001 | PSNR (dB) | 20.00 | 22.00 | **23.00** |" in lines
    assert "| bowl / 0002 | PSNR (dB) | **20.00** | 18.00 | 19.00 |" in lines
    assert "| Ghosting (levels) | – | 80.0 | **79.0** |" in lines
    assert "| Sharpness ratio | – | 0.500 | 0.500 |" in lines
    assert "| training.steps | 100 | 200 |" in lines and "experiment |" not in markdown
    assert "- pool3: pool3: a | b" in lines
    html = (results / "out" / "index.html").read_text()
    assert html.count("★</span>") == 6 and "training.steps" in html


def test_runs_on_other_pictures_keep_their_own_truth_and_baseline(results):
    write_run(results / "large" / "2026-11-21_120000", BOTH, colour=160, size=200, baseline=25.0, frames=5)
    folders = [results / "pool3" / "2026-11-21_100000", results / "large" / "2026-11-21_120000"]
    _, markdown = write_comparison(folders, results / "out", SYSTEMS)
    assert "| PSNR (dB) | 20.00 | 20.00 | **25.00** | 20.00 |" in markdown
    assert "not all tested on the same pictures" in markdown and "copy reference for large" in markdown
    frames, _ = read_mp4(results / "out" / "clips/squat/0001.mp4")
    # Truth, pose, prediction of each, at the height of the larger; the shorter clip waits at its end.
    assert frames.shape == (5, TITLE_HEIGHT + 200, 6 * 200 + 5 * 4, 3)
    np.testing.assert_allclose(frames[4, 124, 100::204].mean(axis=-1), [250, 128, 20, 250, 128, 160], atol=4)


def test_two_runs_of_one_experiment_are_told_apart(results):
    write_run(results / "pool3" / "2026-11-21_130000", BOTH)
    folders = [folder for folder in runs_of(results) if folder.parent.name == "pool3"]
    _, markdown = write_comparison(folders, results / "out", SYSTEMS)
    assert "| pool3 2026-11-21_100000 | pool3 2026-11-21_130000 |" in markdown
    assert comparison_name(folders) == "2_runs_of_pool3"
    assert comparison_name(runs_of(results)[1:]) == "pool3_and_pool4"


def test_names_are_escaped(tmp_path):
    for run in ("a", "b"):
        write_run(tmp_path / f"<b>{run}|" / "run", {("sit & up", "#1 50%"): 20.0})
    _, markdown = write_comparison(runs_of(tmp_path), tmp_path / "out", SYSTEMS)
    html = (tmp_path / "out" / "index.html").read_text()
    assert "<b>" not in html and 'src="clips/sit%20%26%20up/%231%2050%25.mp4"' in html
    assert "| sit & up / #1 50% | PSNR (dB) |" in markdown and "| <b>a\\| |" in markdown


def compare(results, *runs, options=()):
    command = [sys.executable, str(ROOT / "experiments" / "compare.py"), "--results-dir", str(results), *options]
    return subprocess.run([*command, *(part for run in runs for part in ("--run", str(run)))], capture_output=True, text=True)


def test_the_command_writes_the_page_prints_the_tables_and_adds_it_to_the_list(results):
    process = compare(results, "pool3", "pool4")
    assert process.returncode == 0, process.stderr
    page = results / "comparisons" / "pool3_and_pool4" / "index.html"
    assert process.stdout.splitlines()[-1] == f"open {page}" and "| PSNR (dB) | 20.00 |" in process.stdout
    listing = (results / "index.html").read_text()
    assert 'href="comparisons/pool3_and_pool4/index.html"' in listing
    assert ">unreadable<" not in listing and listing.count('class="name"') == 2  # a comparison is not taken for a run


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        ((), "at least two different runs"),
        (("pool3",), "at least two different runs"),
        (("pool3", "pool3"), "at least two different runs"),
        (("pool3", "pool4", "pool4"), "given more than once"),
        (("pool3", "pool5"), "--run pool5: neither a run folder nor an experiment"),
        (("pool3", "stopped"), "--run stopped: no finished run in"),
        (("pool3", "stopped/run"), "this run is interrupted"),
        (("pool3", "broken/run"), "summary.json is broken"),
        (("pool3", "other"), "no test clip in common"),
        (("pool3", "damaged"), "this video cannot be read"),
    ],
)
def test_a_mistake_is_one_clear_line(results, runs, message):
    write_run(results / "stopped" / "run", BOTH, status="interrupted")
    write_run(results / "other" / "run", {("situp", "0003"): 20.0})
    write_run(results / "damaged" / "run", BOTH)
    (results / "damaged/run/test/squat/0001.mp4").write_bytes(b"no video")
    (results / "broken" / "run").mkdir(parents=True)
    (results / "broken" / "run" / "summary.json").write_text("{")
    with pytest.raises(UserError, match=message) as error:
        folders = [find_run(run, results, "--run") for run in runs]
        write_comparison(folders, results / "out", SYSTEMS)
    assert "\n" not in str(error.value)


def test_a_comparison_of_nothing_is_refused(results, invoke):
    for runs in ((), ("--run", "pool3")):
        done = invoke("compare", *runs, "--results-dir", results)
        assert done.exit_code == 2
        assert done.stderr == "error: a comparison needs at least two different runs: give --run twice or more\n"


def test_the_command_prints_a_mistake_as_one_line(results):
    process = compare(results, "pool3", "pool5")
    assert process.returncode == 2 and process.stderr.startswith("error: --run pool5") and process.stderr.count("\n") == 1
    (results / "file").write_text("")
    process = compare(results, "pool3", "pool4", options=("--out", str(results / "file")))
    assert process.returncode == 2 and process.stderr.startswith("error: ") and process.stderr.count("\n") == 1
    done = compare(results, "pool3", "pool5", options=("--out", str(results / "file")))
    assert done.returncode == 2 and done.stderr.count("\nerror: ") == 1 and "is a file" in done.stderr


def test_signs_of_latex_in_names_are_printed():
    head, line = latex_table(["a_b", r"\~^"], [["50 %", "−1"]])[2:5:2]
    assert head == r"a\_b & \textbackslash{}\~{}\^{} \\" and line == r"50 \% & $-$1 \\"

"""The leaderboard, made again from small runs and animations that are drawn here."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from analogy.data.frames import in_channels
from analogy.errors import UserError
from analogy.leaderboard.boards import Board, beside_the_start, found_runs, predicted_by
from analogy.leaderboard.parts import KeptParts, Row, definitions, part_of
from analogy.leaderboard.plan import BoardPlan, RunRow, read_plan
from analogy.leaderboard.report import cells_of, head_of
from analogy.metrics.table import metric_of
from analogy.settings.loading import read_mapping
from experiments import leaderboard

SIDE = 16
COPY = {"psnr": 20.0, "ssim": 0.7, "sharpness_ratio": 1.0}
PLAN = """
title: Toys
introduction: Each table has its own protocol.
boards:
  - title: Walkers
    protocol: 2 folds.
    runs:
      - {title: ladder, kind: ours, runs: folds/fold_*/ladder}
      - {title: points, kind: faithful, runs: folds/fold_*/points, note: one frame}
      - {title: forgotten, kind: ours, runs: folds/fold_*/forgotten}
  - title: Tiles
    protocol: Grey.
    animations: {pattern: tiles/*.gif, tiles: [truth, dim, best], context: 1, chosen: [best]}
  - title: Smile
    protocol: One start.
    samples: {start: start.png, truth: real.gif, predictions: {Long: long.gif, Small: small.gif}}
  - title: Old
    protocol: Measured earlier.
    figures:
      - {title: first frame, kind: baseline, psnr: 17.1, ssim: 0.573}
      - {title: network, kind: others, psnr: 18.19, ssim: 0.523}
"""


def write_run(folder, psnr, clips, copied=COPY, **more):
    folder.mkdir(parents=True)
    test = {"psnr": psnr, "ssim": 0.8, "sharpness_ratio": 0.9, "clips": clips, **more}
    motion = {"motion_continued": {"psnr": 20.5, "ssim": 0.71, "sharpness_ratio": 0.9}}
    summary = {"status": "finished", "experiment": folder.parent.name, "steps": 50, "seconds": {"train": 90.0}, "test": test}
    (folder / "summary.json").write_text(json.dumps({**summary, "baseline": {"copy_last_frame": copied, **motion}}))
    (folder / "index.html").touch()


def save_gif(path, frames):
    path.parent.mkdir(parents=True, exist_ok=True)
    first, *others = (Image.fromarray(frame).convert("L") for frame in frames)
    first.save(path, save_all=True, append_images=others, duration=100)


@pytest.fixture
def stored(tmp_path):
    """Runs of two folds, a tiled animation of brightening frames, and a start picture with two predictions."""
    results, animations = tmp_path / "results", tmp_path / "animations"
    for fold, (psnr, clips) in enumerate([(22.0, 1), (24.0, 3)]):
        copied = {**COPY, "psnr": 20.0 + fold}
        write_run(results / "folds" / f"fold_{fold}" / "ladder" / "2026-01-01_000000", psnr, clips, copied)
        write_run(
            results / "folds" / f"fold_{fold}" / "points" / "2026-01-01_000000",
            19.0,
            clips,
            copied,
            psnr_best=23.0,
            ssim_best=0.9,
        )
    ramp = np.repeat(np.arange(SIDE, dtype=np.uint8)[None, :, None] * 8, SIDE, 0).repeat(3, 2)
    truth = np.stack([ramp + np.uint8(20 * t) for t in range(3)])
    dim = np.stack([ramp, *(truth[1:] - 10)])
    save_gif(animations / "tiles" / "a.gif", np.concatenate([truth, dim, truth], 2))
    Image.fromarray(ramp).save(animations / "start.png")
    save_gif(animations / "real.gif", truth[1:])
    save_gif(animations / "long.gif", truth[1:] + np.uint8(5))
    save_gif(animations / "small.gif", np.stack([np.full((12, 12, 3), 50 + t, np.uint8) for t in range(3)]))
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN)
    return plan, results, animations, tmp_path / "docs" / "leaderboard.md"


def make(plan, results, animations, out):
    options = ["--plan", plan, "--results-dir", results, "--out", out]
    return CliRunner().invoke(
        leaderboard.app, list(map(str, [*options, *(["--animations", animations] if animations else [])]))
    )


def test_the_tables_are_made_again(stored):
    done = make(*stored)
    assert done.exit_code == 0, (done.output, done.exception)
    text = stored[-1].read_text()
    lines = text.splitlines()
    assert lines[1] == "# Toys" and "2 folds. 4 test windows." in lines
    assert "| system | whose | PSNR (dB) | gain (dB) | SSIM | gain | Sharpness ratio | trained |" in lines
    assert "| the last observed frame, copied | trivial | 20.75 |  | 0.7000 |  | 1.000 |  |" in lines
    assert "| its motion continued, at half speed | trivial | 20.50 | −0.25 | 0.7100 | +0.0100 | 0.900 |  |" in lines
    # (22 + 3 x 24) / 4, the mean over windows
    assert "| ladder | ours | **23.50** | +2.75 | **0.8000** | +0.1000 | 0.900 | 50 steps, 1 min 30 s |" in lines
    mean = (
        "| points, mean of its samples (one frame) | published, rebuilt here | 19.00 | −1.75 | **0.8000** | +0.1000 | 0.900 |"
    )
    assert f"{mean} 50 steps, 1 min 30 s |" in lines
    best = (
        "| points, best of its samples (chosen by the truth) | published, rebuilt here | 23.00 | +2.25 | 0.9000 | +0.2000 |  |"
    )
    assert f"{best} 50 steps, 1 min 30 s |" in lines
    dim = 20 * np.log10(255 / 10)
    (row,) = [line for line in lines if line.startswith("| dim | published by others")]
    assert row.startswith(f"| dim | published by others | **{dim:.2f}** |")
    assert "stored as gif (lossy)" in text and "motion continued" not in text.split("## Tiles")[1]
    assert "| network | published by others | **18.19** | +1.09 | 0.5230 | −0.0500 |  |" in lines
    assert lines[-1] == "- Walkers: forgotten: there is no finished run in folds/fold_*/forgotten, below the folder of runs"
    page = (stored[1] / "leaderboard.html").read_text()
    assert page.count("<table") == 5 and "folds/fold_1/ladder/2026-01-01_000000/index.html" in page and "Not measured" in page
    assert make(*stored).exit_code == 0  # again, over its own files


def test_predictions_of_other_sizes_and_lengths_have_tables_of_their_own(stored):
    make(*stored)
    headings = [line for line in stored[-1].read_text().splitlines() if line.startswith("## Smile")]
    assert headings == ["## Smile: 2 frames of 16 x 16", "## Smile: 2 frames of 12 x 12"]


@pytest.mark.parametrize("longer", ["truth", "prediction"])
def test_the_longer_video_is_cut_and_the_truth_made_as_small(longer):
    frames = np.full((4, 32, 32, 3), 50, np.uint8)
    truth, prediction = (frames, frames[:2, :16, :16]) if longer == "truth" else (frames[:2], frames[:, :16, :16])
    figures = beside_the_start(frames[0], truth, prediction).measure()
    assert len(figures["prediction"]["psnr"]) == 2 and (figures["prediction"]["ssim"] > 0.999).all()


def test_rows_of_other_frames_are_refused(stored):
    results = stored[1]
    write_run(results / "folds" / "fold_0" / "forgotten" / "2026-01-01_000000", 30.0, 4, {**COPY, "psnr": 26.0})
    done = make(*stored)
    assert done.exit_code == 2 and not stored[-1].exists()
    assert (
        "ladder and forgotten are not measured on the same frames: the psnr of the copied frame is 20.75 and 26" in done.output
    )


def test_a_model_of_larger_frames_is_given_repeated_borders_which_are_cut_off():
    frames = np.random.default_rng(0).integers(0, 256, (5, 12, 14, 3), dtype=np.uint8)
    clip = beside_the_start(frames[0], frames[2:], frames[2:])
    given = []

    def call(observed, inputs, endpoint):
        given.append(inputs["frames"])
        return {"future": np.repeat(inputs["frames"][-1:], inputs["count"], 0), "flow": None}

    inputs = {"frames": np.zeros((1, 1, 16, 17, 3)), "count": np.int32(0)}
    model = SimpleNamespace(inputs=lambda endpoint: inputs, call=call, folder="runs/x")
    np.testing.assert_array_equal(predicted_by(model, clip), clip.baseline)
    assert given[0].shape == (1, 16, 17, 3) and (given[0][0, :2, 1:15] == frames[0, :1]).all()
    inputs["frames"] = np.zeros((1, 1, 8, 96, 3))
    with pytest.raises(UserError, match="runs/x: it predicts frames of 96 x 8, smaller than 14 x 12"):
        predicted_by(model, clip)
    del inputs["frames"]
    with pytest.raises(UserError, match="runs/x: it predicts no frames from frames"):
        predicted_by(model, clip)


def test_a_model_of_grey_frames_that_reads_more_than_were_observed_is_given_the_first_again():
    frames = np.random.default_rng(0).integers(0, 256, (9, 12, 14, 3), dtype=np.uint8)
    clip = replace(beside_the_start(frames[0], frames[2:], frames[2:]), observed_frames=frames[:2])
    given = []

    def call(observed, inputs, endpoint):  # answers with as many frames as it reads, each one level brighter
        given.append(inputs["values"])
        return inputs["values"][-1] // 2 + np.arange(1, 6, dtype=np.uint8)[:, None, None, None]

    model = SimpleNamespace(inputs=lambda endpoint: {"values": np.zeros((1, 5, 12, 14, 1))}, call=call, folder="runs/x")
    predicted = predicted_by(model, clip)
    grey = [in_channels(frame, 1) for frame in frames[:2]]
    np.testing.assert_array_equal(given[0], [grey[0]] * 4 + [grey[1]])
    np.testing.assert_array_equal(given[1][:, :, :, 0], predicted[:5, :, :, 0])  # rolled on from its own answers
    assert predicted.shape == (7, 12, 14, 3) and (predicted[..., 0] == predicted[..., 2]).all()
    np.testing.assert_array_equal(predicted[0], np.repeat(grey[1] // 2 + 1, 3, -1))


def test_a_ready_model_is_found_by_its_name():
    named = {"title": "ours", "kind": "ours", "ready": "lvln_plus"}
    tiles = {"pattern": "*.gif", "tiles": ["truth", "a"], "context": 2}
    board = BoardPlan(title="t", protocol="p", runs=[named], animations=tiles)
    found, lacking = found_runs(board, Path("nowhere"))
    ((run,),) = found.values()
    assert run.experiment == "lvln_plus" and not lacking
    with pytest.raises(UserError, match=r"no model lvln comes along; there are .*lvln_plus"):
        found_runs(BoardPlan(title="t", protocol="p", runs=[{**named, "ready": "lvln"}], animations=tiles), Path("nowhere"))
    with pytest.raises(ValueError, match="predicts the frames of animations, and there are none"):
        BoardPlan(title="t", protocol="p", runs=[named])
    with pytest.raises(ValueError, match="give either runs, or the name of a ready model"):
        RunRow(title="a", kind="ours")


def test_what_is_missing_or_not_ours_is_one_line(stored):
    plan, results, _, out = stored
    done = make(plan, results, None, out)
    assert done.exit_code == 0 and "not measured: Tiles: there is no folder of published animations" in done.output
    assert "## Old" in out.read_text() and "## Tiles" not in out.read_text()
    out.write_text("# My notes")
    done = make(*stored)
    assert done.exit_code == 2 and "this file is no leaderboard, and is not replaced" in done.output
    assert out.read_text() == "# My notes"
    done = make(plan, out / "results", None, out)
    assert f"results: cannot be made: {out} is a file; choose another --results-dir" in done.output
    done = make(plan, results, stored[2] / "nowhere", out)
    assert "nowhere: there is no such folder" in done.output


def row_in(text, title):
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {title}")]
    return line.split(" | ")[2].strip("*")


def test_what_was_measured_is_kept_and_what_has_its_runs_is_measured_again(stored):
    plan, results, _, out = stored
    first = make(*stored)
    assert "kept as" not in first.output
    text, kept = out.read_text(), out.with_suffix(".json").read_text()
    for fold in (0, 1):
        shutil.rmtree(results / "folds" / f"fold_{fold}" / "ladder")
    again = make(plan, results, None, out)
    assert again.exit_code == 0 and out.read_text() == text and out.with_suffix(".json").read_text() == kept
    said = [line for line in again.output.splitlines() if line.startswith("kept")]
    assert said == [f"kept as measured before: {name}" for name in ("Walkers: ladder", "Tiles", "Smile")]
    page = (results / "leaderboard.html").read_text()
    assert page.count("<table") == 5 and "fold_1/points" in page and "fold_1/ladder" not in page
    for path in results.glob("folds/*/points/*/summary.json"):
        summary = json.loads(path.read_text())
        path.write_text(json.dumps({**summary, "test": {**summary["test"], "psnr": 21.0}}))
    assert make(plan, results, None, out).exit_code == 0
    assert row_in(out.read_text(), "ladder") == "23.50" and row_in(out.read_text(), "points, mean") == "21.00"
    assert row_in(out.read_text(), "its motion continued") == "20.50"


@pytest.mark.parametrize("changed", ["protocol: 2 folds.", "title: ladder", "note: one frame"])
def test_a_changed_definition_drops_what_was_kept_of_it_alone(stored, changed):
    plan, results, animations, out = stored
    make(*stored)
    shutil.rmtree(results)
    plan.write_text(PLAN.replace(changed, f"{changed.rstrip('.')} more"))
    done = make(plan, results, animations, out)
    dropped = {"protocol: 2 folds.": {"ladder", "points"}, "title: ladder": {"ladder more"}, "note: one frame": {"points"}}
    said = {line.split(": ")[2] for line in done.output.splitlines() if line.startswith("not measured: Walkers")}
    assert done.exit_code == 0 and said == dropped[changed] | {"forgotten"}
    kept = {line.split(": ")[2] for line in done.output.splitlines() if line.startswith("kept as measured before: Walkers")}
    assert kept == {"ladder", "points"} - {title.removesuffix(" more") for title in dropped[changed]}
    keys = json.loads(out.with_suffix(".json").read_text())["parts"]
    assert len(keys) == 2 + len(kept)  # of the two tables from files; nothing is kept of a definition that is gone


def test_a_row_that_was_kept_of_other_frames_is_refused_beside_new_ones(stored):
    _, results, _, out = stored
    make(*stored)
    shutil.rmtree(results)
    write_run(results / "folds" / "fold_0" / "forgotten" / "2026-01-01_000000", 30.0, 8)
    text = out.read_text()
    done = make(*stored)
    assert done.exit_code == 2 and "ladder (kept) and forgotten are not measured on the same frames" in done.output
    assert out.read_text() == text


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ("{", "Expecting property name"),
        ('{"mine": 1}', "validation error"),
        ('{"parts": {"a": [{"trivial": [], "rows": []}]}}', "validation error"),
        ('{"parts": {"a": [{"trivial": [{"title": "c", "kind": "baseline", "figures": {"psnr": 1}}], "rows": []}]}}', "error"),
    ],
)
def test_a_file_of_kept_rows_that_is_none_is_refused_before_anything_is_measured(stored, monkeypatch, there, said):
    monkeypatch.setattr("analogy.leaderboard.boards.measure", None)
    out = stored[-1]
    out.parent.mkdir()
    out.with_suffix(".json").write_text(there)
    done = make(*stored)
    assert done.exit_code == 2 and done.output.count("\n") == 1
    assert f"{out.with_suffix('.json')}: it does not hold rows of a leaderboard" in done.output and said in done.output
    assert out.with_suffix(".json").read_text() == there and not out.exists()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ("kind: ours", r"plan\.yaml: boards\[0\]\.runs\[0\]\.kind"),
        ("protocol: Grey.", "Tiles: give one of runs, animations, samples, figures"),
        ("title: Toys", r"plan\.yaml: title is missing"),
        ("tiles: [truth, dim, best]", "Tiles: tiles, and titles of runs: name each tile"),
        ("chosen: [best]", "Tiles: chosen: there is no tile bst"),
    ],
)
def test_a_wrong_plan_is_one_line_a_mistake(tmp_path, changed, said):
    wrong = {
        "kind: ours": "kind: best",
        "tiles: [truth, dim, best]": "tiles: [dim, best]",
        "chosen: [best]": "chosen: [bst]",
        "protocol: Grey.": "protocol: Grey.\n    samples: {start: a, truth: b, predictions: {c: d}}",
    }
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN.replace(changed, wrong.get(changed, ""), 1))
    with pytest.raises(UserError, match=said):
        read_plan(path)


def test_a_title_of_ours_that_is_a_tile_too_is_refused():
    """Its frames would be measured instead of the tile's."""
    tiles = {"pattern": "*.gif", "tiles": ["truth", "a", "b"], "context": 2}
    with pytest.raises(ValueError, match="two tiles have one name"):
        BoardPlan(title="t", protocol="p", animations=tiles, runs=[{"title": "b", "kind": "ours", "ready": "lvln_plus"}])


def test_what_is_no_pattern_below_the_results_is_one_line(stored):
    stored[0].write_text(PLAN.replace("folds/fold_*/ladder", "/folds/ladder"))
    done = make(*stored)
    assert done.exit_code == 2 and "error: /folds/ladder: this names nothing below" in done.output


def test_a_run_that_predicts_no_frames_is_one_line(stored):
    for path in stored[1].glob("folds/*/ladder/*/summary.json"):
        path.write_text(json.dumps({**json.loads(path.read_text()), "test": {"mse": 0.1, "clips": 2}}))
    done = make(*stored)
    assert done.exit_code == 2 and "Walkers: ladder has not measured psnr" in done.output


def test_a_gain_is_positive_where_ours_is_better():
    ours = Row("ours", "ours", {"psnr": 19.496, "ssim": 0.75, "sharpness_ratio": 0.4})
    part = part_of([Row("copied", "baseline", COPY)], [ours])
    board = Board("", "", [*part.trivial, *part.rows])
    cells = dict(zip(head_of(board), cells_of(board, board.rows[1]), strict=False))
    assert (cells["PSNR (dB)"], cells["gain (dB)"], cells["gain"]) == ("19.50", "−0.50", "+0.0500")
    assert cells_of(board, board.rows[0])[2:] == ["20.00", "", "0.7000", "", "1.000"]


def test_our_own_leaderboard_looks_where_the_claims_write_their_runs():
    plan = read_plan(leaderboard.HERE / "leaderboard.yaml")
    rows = [row.runs.split("/") for board in plan.boards for row in board.runs if row.runs.startswith("claims")]
    written = {name: read_mapping(leaderboard.HERE / f"{name}.yaml")["arms"] for name, _, _ in rows}
    assert len(rows) == 2 and all(written[name][arm.removesuffix("-0")]["exp"] == experiment for name, arm, experiment in rows)


def test_what_our_own_leaderboard_keeps_belongs_to_its_plan():
    out = leaderboard.HERE.parent / "docs" / "leaderboard.md"
    plan = read_plan(leaderboard.HERE / "leaderboard.yaml")
    known = {key: row for board in plan.boards if not board.figures for row, key in definitions(board).items()}
    lines, kept = out.read_text().splitlines(), KeptParts.read(out, "rows").parts
    assert len(plan.boards) > 4 and kept and kept.keys() <= known.keys()
    for row in (row for parts in kept.values() for part in parts for row in [*part.trivial, *part.rows]):
        figures = {f"{value:.{metric_of(name).digits}f}" for name, value in row.figures.items()}
        of_row = [line.replace("*", "").strip(" |").split(" | ") for line in lines if line.startswith(f"| {row.title} ")]
        assert any(figures <= {*cells} for cells in of_row), row

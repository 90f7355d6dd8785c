"""A run that is killed, stopped, spoilt or doubled: in processes of their own, as a user would meet it."""

import json
import os
import re
import shutil
import signal
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from analogy.files.marks import MARK, RUN, mark_folder
from analogy.training.checkpoint import saved_checkpoints
from tests.conftest import run_options
from tests.run_folders import assert_equal_runs, rows, start_slurm_step, start_workers, the_run, wait_for, weights

QUICK = "seq2seq_sins_l1"
ENDLESS = ("--set", "training.steps=1000000")
KEYS = [
    "experiment", "dataset", "scale", "status", "steps", "seconds", "test", "baseline", "protocol", "parameters",
]  # fmt: skip


def test_a_run_leaves_the_complete_folder(finished):
    run, said = finished
    summary = json.loads((run / "summary.json").read_text())
    assert all(key in summary for key in KEYS)
    assert summary["status"] == "finished" and summary["steps"] == 8 and summary["scale"] == "demo"
    assert summary["seconds"]["total"] > 0
    for figures in (summary["test"], summary["baseline"]["copy_reference"]):
        assert 0 < figures["psnr"] < 100 and -1 <= figures["ssim"] <= 1
    for name in (
        "settings.yaml", "environment.json", "log.txt", "metrics.jsonl", "metrics.csv", "index.html",
        "saved_model/saved_model.pb", "plots/losses.png", "plots/psnr_horizon.png", "plots/ssim_horizon.png",
    ):  # fmt: skip
        assert (run / name).stat().st_size > 0, name
    assert list((run / "tensorboard").glob("events*")) and list((run / "samples").glob("step-*/train/*/*.png"))
    clips = list((run / "test").glob("*/*.mp4"))
    assert len(clips) == summary["test"]["clips"] > 0 and len(list((run / "test").glob("*/*.gif"))) == len(clips)
    assert (run.parent.parent / "index.html").exists()
    assert [row["step"] for row in rows(run)] == [2, 4, 6, 8]
    assert not list(run.rglob("*.partial"))
    lines = said.splitlines()[:3]
    assert "scale demo, dataset penn_action in" in "\n".join(lines)


def test_healthy_training_on_good_data_is_not_doubted(finished):
    run, _ = finished
    assert json.loads((run / "summary.json").read_text())["doubts"] == [] and "look at the" not in (run / "log.txt").read_text()


@pytest.mark.slow
def test_wrong_looking_data_and_training_are_said_in_the_log_and_on_the_page(run_here, actors, tmp_path):
    spoilt = shutil.copytree(actors, tmp_path / "actors")
    first, second = sorted((spoilt / "frames").iterdir())[:2]
    for frame in first.iterdir():
        cv2.imwrite(str(frame), np.zeros([64, 64, 3], np.uint8))
    shutil.copy(second / "000001.jpg", second / "000099.jpg")
    still = (
        "training.sample_every=4",
        "generator_optimizer.learning_rate=1e-30",
        "discriminator_optimizer.learning_rate=1e-30",
    )
    how = [part for setting in still for part in ("--set", setting)]
    process = run_here("--results-dir", tmp_path / "results", "--data-dir", spoilt, "--scale", "demo", *how)
    assert process.returncode == 0, process.stderr
    run = the_run(tmp_path / "results")
    page, log = ((run / name).read_text() for name in ("index.html", "log.txt"))
    black, more = (
        f"1 of 9 clips have black frames: {first.name}",
        f"more frames than labels (the rest is not used): {second.name}",
    )
    for said in (black, more, "every predicted picture is one flat colour, as at the samples before"):
        assert log.count(said) == 1 and said in page, said
    assert log.index(black) < log.index("training from step")


@pytest.fixture(scope="module")
def undisturbed(invoke, tmp_path_factory) -> Path:
    """The folder of a quick run that nothing disturbed."""
    results = tmp_path_factory.mktemp("undisturbed")
    done = invoke("run", *run_options(QUICK, tiny=True), "--results-dir", results, "--scale", "demo")
    assert done.exit_code == 0, done.stderr
    return the_run(results)


@pytest.mark.slow
def test_killed_and_resumed_equals_undisturbed_bit_for_bit(undisturbed, run_experiment, run_here, tmp_path):
    process = run_experiment("--results-dir", tmp_path, "--scale", "demo", exp=QUICK, wait=False)
    runs = tmp_path / QUICK
    wait_for(lambda: any(runs.glob("*/checkpoints/step-4.index")), process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    run = the_run(tmp_path)
    with open(run / "metrics.jsonl", "a") as file:
        file.write('{"step": 6, "seco')  # what a kill in the middle of a write leaves
    resumed = run_here("--resume", run, exp=None, tiny=False)
    assert resumed.returncode == 0, resumed.stderr
    assert "from step" in resumed.stdout
    assert_equal_runs(run, undisturbed)


def assert_stopped(run: Path, code: int, error: str, number: signal.Signals) -> None:
    last = error.strip().splitlines()[-1]
    assert code == 128 + number
    assert last.startswith("stopped at step") and f"--resume {run}" in last and "Traceback" not in error
    summary = json.loads((run / "summary.json").read_text())
    assert summary["status"] == "interrupted"
    assert saved_checkpoints(run / "checkpoints")[0].endswith(f"step-{summary['steps']}")


@pytest.mark.slow
def test_ctrl_c_leaves_a_checkpoint_and_a_clear_last_line(run_experiment, tmp_path):
    process = run_experiment("--results-dir", tmp_path, "--scale", "demo", *ENDLESS, exp=QUICK, wait=False)
    wait_for(lambda: any((tmp_path / QUICK).glob("*/checkpoints/step-4.index")), process)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert_stopped(the_run(tmp_path), process.returncode, error, signal.SIGINT)


def test_sigterm_leaves_a_checkpoint_and_a_clear_last_line(run_here, tmp_path, monkeypatch):
    """Within this process; tests/training/test_stop.py and tests/torture send it to others."""
    monkeypatch.setattr("analogy.training.stop.SECONDS_OF_GRACE", 600)
    ended = threading.Event()

    def send_signal():
        while not ended.wait(0.02):
            if any((tmp_path / QUICK).glob("*/checkpoints/step-4.index")):
                os.kill(os.getpid(), signal.SIGTERM)
                return

    thread = threading.Thread(target=send_signal)
    thread.start()
    done = run_here("--results-dir", tmp_path, "--scale", "demo", *ENDLESS, exp=QUICK)
    ended.set()
    thread.join()
    assert_stopped(the_run(tmp_path), done.returncode, done.stderr, signal.SIGTERM)


def test_a_loss_that_is_not_finite_stops_with_the_step_range(run_here, actors, tmp_path):
    options = ("--results-dir", tmp_path, "--data-dir", actors, "--scale", "demo", "--steps", 40)
    explode = ("--set", "generator_optimizer.learning_rate=1e30", "--set", "generator_optimizer.name=sgd")
    process = run_here(*options, *explode)
    assert process.returncode == 2
    last = process.stderr.strip().splitlines()[-1]
    assert "became" in last and "between steps" in last and "last good checkpoint" in last
    assert "Traceback" not in process.stderr
    assert json.loads((the_run(tmp_path) / "summary.json").read_text())["status"] == "failed"


@pytest.mark.slow
def test_a_resumed_run_counts_the_seconds_of_all_its_parts(finished, run_here, tmp_path):
    run = tmp_path / "results" / "analogy_pool3" / "copy"
    shutil.copytree(finished[0], run)
    before = json.loads((run / "summary.json").read_text())["seconds"]
    process = run_here("--resume", run, exp=None, tiny=False)  # nothing is left to train
    assert process.returncode == 0, process.stderr
    after = json.loads((run / "summary.json").read_text())["seconds"]
    assert after["train"] >= before["train"] and after["total"] > before["total"]


def test_a_run_stays_with_its_dataset_and_can_be_looked_at(finished, invoke, tmp_path, monkeypatch):
    """`finished` was given a folder of actors; one without a folder was generated from the seed."""
    run, elsewhere = finished[0], tmp_path / "elsewhere"
    actors = re.search("folder: (/.*)", (run / "settings.yaml").read_text())[1]  # those of the process that trained it
    monkeypatch.setenv("ANALOGY_DATA_DIR", str(elsewhere))
    shown = invoke("run", "--resume", run, "--dry-run")
    assert shown.exit_code == 0 and f"folder: {actors}" in shown.output and "parameters:" in shown.output
    (generated := tmp_path / "generated").mkdir()
    settings = (run / "settings.yaml").read_text().replace(f"folder: {actors}", "folder: null")
    settings = settings.replace("dataset: penn_action", "dataset: synthetic_actors")
    (generated / "settings.yaml").write_text(settings)
    mark_folder(generated, RUN)
    shown = invoke("run", "--resume", generated, "--dry-run")
    assert shown.exit_code == 0 and "folder: null" in shown.output
    refused = invoke("run", "--resume", generated, "--data-dir", actors, "--dry-run")
    assert refused.exit_code == 2 and "leave --data-dir out" in refused.output


def test_a_second_run_on_the_same_folder_is_refused_and_a_dead_lock_is_not_in_the_way(finished, run_here):
    from analogy.runs.folder import RunFolder

    run, _ = finished
    held = RunFolder(run)
    try:
        process = run_here("--resume", run, exp=None, tiny=False)
    finally:
        held.close()
    assert process.returncode == 2
    assert "another run is using this folder" in process.stderr and "Traceback" not in process.stderr
    RunFolder(run).close()


@pytest.mark.parametrize(
    ("size", "message"), [("300k", "the checkpoint cannot be written"), pytest.param("2m", "cannot be", marks=pytest.mark.slow)]
)
def test_a_full_disk_is_one_clear_line_and_leaves_no_half_file(small_disk, run_here, actors, size, message):
    disk = small_disk(size)
    process = run_here("--results-dir", disk, "--data-dir", actors, "--scale", "demo")
    assert process.returncode == 2
    last = process.stderr.strip().splitlines()[-1]
    assert str(disk) in last and message in last and "Traceback" not in process.stderr
    summary = json.loads((the_run(disk) / "summary.json").read_text())
    assert summary["status"] == "failed"
    files = [path for path in disk.rglob("*") if path.is_file() and path.name not in (".lock", MARK)]
    assert not [path for path in files if path.name.startswith(".") or path.suffix == ".partial"]


def test_a_run_that_would_go_on_with_another_network_is_one_clear_line(finished, run_here, tmp_path):
    copy = tmp_path / "results" / "analogy_pool3" / "copy"
    shutil.copytree(finished[0], copy)
    kept = [(copy / name).read_bytes() for name in ("settings.yaml", "summary.json", "metrics.jsonl")]
    process = run_here("--resume", copy, "--set", "generator.width=0.25", "--steps", 10, exp=None, tiny=False)
    assert process.returncode == 2
    assert kept == [(copy / name).read_bytes() for name in ("settings.yaml", "summary.json", "metrics.jsonl")]
    assert "generator.width was 0.125 and would be 0.25" in process.stderr and "Traceback" not in process.stderr


def evaluated(run: Path) -> dict:
    """What the evaluation at the end of a run has found, and the pictures that it has drawn."""
    summary = json.loads((run / "summary.json").read_text())
    figures = {name: summary[name] for name in ("test", "baseline", "actions", "clips")}
    horizon = {path.name: path.read_text() for path in (run / "test").glob("*.json")}
    return {**figures, "horizon": horizon, "pictures": {path: path.read_bytes() for path in (run / "test").rglob("*.png")}}


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 4])
def test_workers_end_with_equal_weights_and_one_run_folder(count, undisturbed, run_experiment, run_here, tmp_path):
    """Two by TF_CONFIG; four as a step of Slurm."""
    said, options = [], ("--results-dir", tmp_path, "--scale", "demo", "--set", "data.groups_of=1")  # six test clips
    if count == 2:
        workers = start_workers(run_experiment, *options, exp=QUICK)
    else:
        workers = start_slurm_step(run_experiment, count, *options, exp=QUICK)
    for process in workers:
        out, err = process.communicate(timeout=240)
        assert process.returncode == 0, out[-2000:] + err[-3000:]
        said += [line for line in out.splitlines() if "weights" in line]
    run = the_run(tmp_path)
    assert len(said) == count and set(said) == {said[0]}  # all workers print the same fingerprint of their weights
    # Each worker trained on its part of every batch; the sums agree with the run on one replica.
    # Adam blows the rounding of single weights up to a whole step; the mean stays well below one.
    one, many = weights(undisturbed), weights(run)
    compared = [name for name in one if name.startswith("model_")]
    assert len(compared) >= 4
    for name in compared:
        difference = np.abs(many[name] - one[name])
        assert difference.max() < 2e-3 and difference.mean() < 2e-4, (name, difference.max(), difference.mean())
    assert [row["step"] for row in rows(run)] == [2, 4, 6, 8]
    # Each measured its share of the test clips. One process that measures all of them ends with the same bits.
    assert not list(run.glob(".*.partial")), "the folder of shares is left"
    together = evaluated(run)
    assert len(together["clips"]) == 6 and together["pictures"]
    shutil.rmtree(run / "test")
    assert run_here("--resume", run, exp=None, tiny=False).returncode == 0
    assert evaluated(run) == together


@pytest.mark.slow
def test_a_run_can_start_from_the_networks_of_another(finished, run_here, actors, tmp_path):
    options = ("--data-dir", actors, "--scale", "demo", "--results-dir", tmp_path, "--steps", 1)
    source = finished[0].parent  # the experiment's folder: its newest run
    start = ("--set", f"training.start_from={source}", "--set", "generator_optimizer.learning_rate=1e-30")
    process = run_here(*options, *start)
    assert process.returncode == 0 and f"networks from {finished[0]}" in process.stdout
    (run,) = (tmp_path / "analogy_pool3").iterdir()
    ours, theirs = (json.loads((folder / "summary.json").read_text())["test"]["psnr"] for folder in (run, finished[0]))
    assert ours == pytest.approx(theirs, abs=1e-4)

    misfit = run_here(*options, "--set", f"training.start_from={source}", "--set", "generator.width=0.25")
    nowhere = run_here(*options, "--set", f"training.start_from={tmp_path / 'nowhere'}")
    for process, message in ((misfit, "do not fit"), (nowhere, "there is no such folder")):
        assert process.returncode == 2 and message in process.stderr and "Traceback" not in process.stderr
    assert len(list((tmp_path / "analogy_pool3").iterdir())) == 1  # a fault leaves no run folder behind

"""Runs that are killed again and again, stopped by the cluster, or left alone by the other worker."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from analogy.files.marks import SHARES, kind_of
from analogy.files.writing import remove_leftovers
from analogy.training.checkpoint import saved_checkpoints
from tests.conftest import ROOT
from tests.run_folders import assert_equal_runs, at_demo_scale, start_workers, the_run, wait_for

pytestmark = pytest.mark.slow
EXPERIMENT = "seq2seq_sins_l1"
SMALL = (
    "network.units=8", "data.train_count=400", "data.test_count=40", "data.groups_of=10", "training.batch_size=8",
    "training.steps=700", "training.log_every=3", "training.sample_every=50", "training.checkpoint_every=5",
    "training.precision=float32", "training.steps_per_call=5",
)  # fmt: skip
KILLS = 20
# What lies in a run's folder only while it is being written.
MOMENTS = {
    "a checkpoint": "checkpoints/*_temp*",
    "a sample": "samples/**/.*.partial.*",
    "a plot": "plots/.*.partial.*",
    "the export": ".analogy-*.partial/saved_model.pb",
}


def options(results: Path, *settings: str) -> list:
    return at_demo_scale(results, *SMALL, *settings)


def wait_for_training(process: subprocess.Popen, run: Path, times: int) -> None:
    """Wait until the run's log shows that training has begun this many times, or until the process ends."""

    def begun() -> int:
        log = (run / "log.txt").read_text()
        return log.count("training from step") + log.count("nothing left to train")

    wait_for(lambda: process.poll() is not None or begun() >= times, process)


def kill(process: subprocess.Popen, run: Path, pattern: str | None, seconds: float) -> bool:
    """Kill a process when a file matches the pattern, or after some seconds. Returns whether the process was still running."""
    end = time.monotonic() + (300 if pattern else seconds)
    while time.monotonic() < end and process.poll() is None and not (pattern and any(run.glob(pattern))):
        time.sleep(0.0005 if pattern else 0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return process.returncode == -signal.SIGKILL


def test_a_run_killed_twenty_times_ends_as_an_undisturbed_one(run_experiment, tmp_path, record_property):
    whole = run_experiment(*options(tmp_path / "whole"), exp=EXPERIMENT, tiny=False)
    assert whole.returncode == 0, whole.stderr
    random, killed, inside = np.random.default_rng(0), 0, dict.fromkeys(MOMENTS, 0)
    results = tmp_path / "killed"
    process = run_experiment(*options(results), exp=EXPERIMENT, tiny=False, wait=False)
    wait_for(lambda: any(results.glob("*/*/settings.yaml")), process)
    run = the_run(results)
    # The export comes last: it is killed while it writes, after all the others.
    moments = ["a checkpoint", "a sample", "a plot", None, None] * 3 + [None] * 4 + ["the export"]
    assert len(moments) == KILLS
    for begun, moment in enumerate(moments, start=1):
        pattern = MOMENTS.get(moment)
        wait_for_training(process, run, begun)  # what the kill before left behind is gone by then
        at_work = kill(process, run, pattern, random.uniform(0, 4))
        killed += at_work
        if moment and at_work:
            inside[moment] += bool(any(run.glob(pattern)))
        process = run_experiment("--resume", run, exp=None, tiny=False, wait=False)
    _, said = process.communicate(timeout=600)
    assert process.returncode == 0, said
    assert_equal_runs(run, the_run(tmp_path / "whole"))
    assert killed >= KILLS - 2 and all(inside.values()), (killed, inside)
    assert len(list(run.glob("checkpoints/step-*.index"))) <= 3
    record_property("kills survived", f"{killed} of {KILLS}")
    record_property("killed while it wrote", ", ".join(f"{moment} {times}" for moment, times in inside.items()))


def test_a_preparation_killed_again_and_again_ends_as_an_undisturbed_one(tmp_path, record_property):
    from analogy.data.prepared import PreparedClips
    from data_prep.synthetic_actors import write_synthetic_actors

    actors = write_synthetic_actors(tmp_path / "actors", seed=2, train_clips=44, test_clips=11, frames=16, size=64)

    def prepare(cache: Path) -> subprocess.Popen:
        options = ["--data-dir", str(actors), "--cache", str(cache)]
        command = [sys.executable, "-m", "analogy.cli", "prepare", "penn_action", *options]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def wait_until_at_work(process: subprocess.Popen, cache: Path) -> None:
        def newest() -> float:
            return max((path.stat().st_mtime for path in cache.glob("prepared/*.partial/*")), default=0.0)

        before = newest()
        wait_for(lambda: newest() > before or process.poll() is not None, process)

    def content(cache: Path) -> list:
        (folder,) = (path.parent for path in cache.glob("prepared/*/metadata.json"))
        prepared = PreparedClips.open(folder)
        records = prepared.read(range(sum(clip.length for clip in prepared.clips)))
        parsed = [{name: np.asarray(value).tolist() for name, value in prepared.parse(record).items()} for record in records]
        return [prepared.clips, parsed, (folder / "problems.json").read_bytes()]

    whole = prepare(tmp_path / "whole")
    wait_until_at_work(whole, tmp_path / "whole")
    began = time.monotonic()
    assert whole.wait(timeout=120) == 0
    seconds, random, killed = time.monotonic() - began, np.random.default_rng(1), 0
    for _ in range(6):
        process = prepare(tmp_path / "killed")
        wait_until_at_work(process, tmp_path / "killed")
        killed += kill(process, tmp_path, None, random.uniform(0, seconds / 40))
    process = prepare(tmp_path / "killed")
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert content(tmp_path / "killed") == content(tmp_path / "whole")
    assert killed >= 3
    record_property("preparations killed while they wrote", f"{killed}, then completed")


@pytest.mark.parametrize("devices", ["cpu", "cpu:2"])
def test_sigterm_ends_a_run_in_time(run_experiment, tmp_path, record_property, devices):
    how = options(tmp_path, "training.steps=1000000", f"training.devices={devices}")
    process = run_experiment(*how, exp=EXPERIMENT, tiny=False, wait=False)
    wait_for(lambda: any(tmp_path.glob("*/*/checkpoints/step-10.index")), process)
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM and "stopped at step" in said and "Traceback" not in said
    seconds = time.monotonic() - began
    assert seconds < 30
    record_property(f"seconds from SIGTERM to the end, {devices}", round(seconds, 1))


# The experiment's command, with steps that take an hour inside one call of the device.
LONG_STEPS = """
import sys
import tensorflow as tf
from analogy.training import loop

step = loop.Trainer._step_on_devices

def long_step(self, batch):
    losses = step(self, batch)
    begin = tf.cond(self.step > 2, lambda: 0, lambda: -1)
    (end,) = tf.while_loop(lambda i: i >= 0, lambda i: [(i + 1) % 1000], [begin])
    with tf.control_dependencies([end]):
        return tf.nest.map_structure(tf.identity, losses)

loop.Trainer._step_on_devices = long_step
sys.path.insert(0, "experiments")
import run
run.app()
"""


def test_sigterm_ends_a_step_of_an_hour_in_time(tmp_path, record_property):
    how = ["--exp", EXPERIMENT, *map(str, options(tmp_path, "training.steps_per_call=1", "training.checkpoint_every=1"))]
    process = subprocess.Popen(
        [sys.executable, "-c", LONG_STEPS, *how], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_for(lambda: any(tmp_path.glob("*/*/checkpoints/step-2.index")), process)
    time.sleep(5)
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    _, said = process.communicate(timeout=60)
    seconds = time.monotonic() - began
    assert process.returncode == 128 + signal.SIGTERM and "in the middle of its work" in said
    summary = json.loads((the_run(tmp_path) / "summary.json").read_text())
    assert summary["status"] == "interrupted" and summary["steps"] == 2
    assert 20 < seconds < 30
    record_property("seconds from SIGTERM to the end, within a step of an hour", round(seconds, 1))


def assert_one_death_ends_both(alive: subprocess.Popen, dies: subprocess.Popen, who: str, record_property) -> None:
    dies.send_signal(signal.SIGKILL)
    dies.communicate()
    began = time.monotonic()
    _, said = alive.communicate(timeout=120)
    seconds = time.monotonic() - began
    assert alive.returncode == 2 and "another worker is gone" in said and "Traceback" not in said, said
    assert seconds < 60
    record_property(f"seconds from one worker's death to the end of {who}", round(seconds, 1))


def test_two_workers_stop_together_and_when_one_dies_and_go_on(run_experiment, tmp_path, record_property):
    undisturbed = start_workers(run_experiment, *options(tmp_path / "whole", "training.steps=200"), exp=EXPERIMENT, tiny=False)
    for process in undisturbed:
        _, said = process.communicate(timeout=300)
        assert process.returncode == 0, said

    both = start_workers(run_experiment, *options(tmp_path / "cut", "training.steps=200"), exp=EXPERIMENT, tiny=False)
    wait_for(lambda: any((tmp_path / "cut").glob("*/*/checkpoints/step-20.index")), both[0])
    run = the_run(tmp_path / "cut")
    assert_one_death_ends_both(*both, "the chief", record_property)

    both = start_workers(run_experiment, "--resume", run, exp=None, tiny=False)
    wait_for(lambda: any(run.glob("checkpoints/step-40.index")), both[0])
    assert_one_death_ends_both(*reversed(both), "the other worker", record_property)

    both = start_workers(run_experiment, "--resume", run, exp=None, tiny=False)
    wait_for(lambda: any(run.glob("checkpoints/step-60.index")), both[0])
    for process in both:
        process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    for process in both:
        _, said = process.communicate(timeout=60)
        assert process.returncode == 128 + signal.SIGTERM and "stopped at step" in said and "Traceback" not in said, said
    record_property("seconds from SIGTERM to the end, two workers", round(time.monotonic() - began, 1))
    assert time.monotonic() - began < 30

    late = tmp_path / "late" / "copy"  # of the run folder, as a slow network disk would show it
    shutil.copytree(run, late)
    newest = saved_checkpoints(late / "checkpoints")[0]
    for file in late.glob(f"checkpoints/{Path(newest).name}.*"):
        file.unlink()
    for process in start_workers(run_experiment, "--resume", run, exp=None, tiny=False, second=("--resume", late)):
        _, said = process.communicate(timeout=120)
        assert process.returncode == 2 and "this worker would go on from step" in said and "Traceback" not in said, said

    for process in start_workers(run_experiment, "--resume", run, exp=None, tiny=False):
        _, said = process.communicate(timeout=300)
        assert process.returncode == 0, said
    assert_equal_runs(run, the_run(tmp_path / "whole"))


# Two workers that measure their shares of the test clips, as `Trainer.finish` has them do it; one is killed within its share.
SHARES_OF_TWO = """
import os, signal, sys
from pathlib import Path

import tensorflow as tf

from analogy.errors import UserError
from analogy.evaluation.shares import write_share
from analogy.training.workers import Workers

run, dies = Path(sys.argv[1]), int(sys.argv[2])
workers = Workers(tf.distribute.MultiWorkerMirroredStrategy(), lambda: "step-8")

def clips():
    if workers.number == dies:
        os.kill(os.getpid(), signal.SIGKILL)
    yield from ()

try:
    with workers.shared_folder(run if workers.number == 0 else None) as shares:
        write_share(shares / str(workers.number), clips())
        workers.wait()
except UserError as error:
    print(f"error: {error}", file=sys.stderr)
    sys.exit(2)
"""


@pytest.mark.parametrize("dies", [0, 1], ids=["the chief", "another"])
def test_a_death_in_a_shared_evaluation_ends_the_other_worker(dies, tmp_path, record_property):
    def start(*arguments, wait: bool, env: dict) -> subprocess.Popen:
        command = [sys.executable, "-c", SHARES_OF_TWO, *map(str, arguments)]
        return subprocess.Popen(command, cwd=ROOT, env={**os.environ, **env}, stderr=subprocess.PIPE, text=True)

    both = start_workers(start, tmp_path, dies)
    both[dies].communicate(timeout=120)
    began = time.monotonic()
    _, said = both[1 - dies].communicate(timeout=60)
    assert both[dies].returncode == -signal.SIGKILL and both[1 - dies].returncode == 2, said
    last = said.strip().splitlines()[-1]
    assert last.startswith("error: another worker is gone") and "newest checkpoint: step-8" in last and "Traceback" not in said
    if dies == 0:  # nobody else removes the chief's folder, until the run is continued
        (shares,) = tmp_path.iterdir()
        assert kind_of(shares) == SHARES
        remove_leftovers(tmp_path)
    assert not list(tmp_path.iterdir())
    record_property(
        f"seconds from worker {dies}'s death in the evaluation to the other's end", round(time.monotonic() - began, 1)
    )

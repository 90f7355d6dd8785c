"""A full disk, too few open files, and memory that must not grow with the length of a run or the size of a dataset."""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from benchmarks.repeated import repeat_clips
from data_prep.synthetic_actors import write_synthetic_actors
from tests.conftest import ROOT
from tests.run_folders import at_demo_scale, rows, the_run

pytestmark = pytest.mark.slow
# Every kind of file: movies are shown as pictures, videos and animations.
MOVIES = (
    "data.context=2", "data.horizon=2", "data.test_count=2", "network.units=4", "training.batch_size=2", "training.steps=4",
    "training.log_every=1", "training.sample_every=2", "training.checkpoint_every=2", "training.precision=float32",
)  # fmt: skip
SEQUENCES = (
    "network.units=8", "data.train_count=400", "data.test_count=40", "data.groups_of=10", "training.batch_size=8",
    "training.precision=float32",
)  # fmt: skip
DRIFT = 1.05


# ---------------------------------------------------------------- disk and files


def sizes_that_end_in_each_kind(run: Path) -> dict[str, int]:
    """kind of file -> the size of a disk, in bytes, on which a file of this kind does not fit; in the order of writing."""
    sizes, used = {}, 0
    files = sorted((path for path in run.rglob("*") if path.is_file()), key=lambda path: path.stat().st_mtime)
    for path in files:
        pages = -(-path.stat().st_size // 4096)
        # A disk of a few kilobytes does not hold its own folders.
        sizes.setdefault(path.suffix, 4096 * (max(used, 8) + pages // 2))
        used += pages
    return sizes


def test_a_disk_that_is_full_at_any_moment_is_one_clear_line(run_experiment, small_disk, tmp_path, record_property):
    whole = run_experiment(*at_demo_scale(tmp_path / "whole", *MOVIES), exp="convlstm_plus_mmnist", tiny=False)
    assert whole.returncode == 0, whole.stderr
    met, sizes = [], sizes_that_end_in_each_kind(the_run(tmp_path / "whole"))
    for kind, size in sizes.items():
        folder = small_disk(size)
        process = run_experiment(*at_demo_scale(folder, *MOVIES), exp="convlstm_plus_mmnist", tiny=False)
        said = process.stderr.strip().splitlines()[-1]
        assert process.returncode == 2 and "Traceback" not in process.stderr, (kind, process.stderr)
        named = re.search(re.escape(str(folder)) + r"/(\S+?):? .*cannot be .*make room there", said)
        assert named, (kind, said)
        leftovers = [path for path in folder.rglob("*") if ".partial" in path.name]
        assert not leftovers, (kind, leftovers)
        # RUN/checkpoints, RUN/samples, RUN/plots, RUN/test, or the file itself.
        met.append((named[1].split("/") + [""] * 2)[2] or named[1])
        # With room again, the run goes on and ends.
        if kind in (".png", ".mp4"):
            shutil.copytree(the_run(folder), copy := tmp_path / "roomy" / "convlstm_plus_mmnist" / kind)
            resumed = run_experiment("--resume", copy, exp=None, tiny=False)
            assert resumed.returncode == 0, resumed.stderr
            assert rows(copy) == rows(the_run(tmp_path / "whole"))
    assert len(set(met)) >= 4, met
    record_property("disks full, each one clear line", f"{len(met)} of {len(sizes)}, at {', '.join(sorted(set(met)))}")


def test_few_open_files_are_enough_and_too_few_are_one_clear_line(tmp_path, record_property):
    script = [sys.executable, str(ROOT / "experiments" / "run.py"), "--exp", "seq2seq_sins_l1"]
    how = at_demo_scale(tmp_path, *SEQUENCES, "training.steps=20", "training.sample_every=5", "training.checkpoint_every=5")
    for limit in (64, 12, 10):
        process = subprocess.run(
            [*script, *map(str, how)],
            capture_output=True,
            text=True,
            preexec_fn=lambda limit=limit: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)),
        )
        if limit == 64:
            assert process.returncode == 0, process.stderr
        else:
            said = process.stderr.strip().splitlines()[-1]
            assert process.returncode == 2 and "ulimit -n" in said and "Traceback" not in process.stderr, process.stderr
    record_property("open files that are enough", 64)


# ---------------------------------------------------------------- memory


def resident(process: psutil.Process) -> float:
    """Resident memory in megabytes."""
    return process.memory_info().rss / 2**20


def test_memory_stays_over_5000_steps(run_experiment, tmp_path, record_property):
    often = ("training.steps=5000", "training.sample_every=250", "training.checkpoint_every=250", "training.log_every=10")
    process = run_experiment(*at_demo_scale(tmp_path, *SEQUENCES, *often), exp="seq2seq_sins_l1", tiny=False, wait=False)
    watched, sizes, files = psutil.Process(process.pid), {}, {}
    while process.poll() is None:
        time.sleep(0.05)
        for run in tmp_path.glob("*/*/metrics.jsonl"):
            step = max((row["step"] for row in rows(run.parent)), default=0)
            with suppress(psutil.NoSuchProcess):
                if process.poll() is None and step >= 200:
                    sizes[step], files[step] = resident(watched), watched.num_fds()
    _, said = process.communicate()
    assert process.returncode == 0, said
    # The first samples come at step 250: what drawing them loads is counted as the start.
    begin, end = min(step for step in sizes if step >= 260), max(step for step in sizes if step < 5000)
    first, last = sizes[begin], sizes[end]
    record_property("MB after 260 and after 4,990 steps", f"{first:.0f}, {last:.0f} ({100 * (last / first - 1):+.1f} %)")
    assert last <= DRIFT * first
    assert files[end] <= files[begin] + 4
    assert len(list(the_run(tmp_path).glob("checkpoints/step-*.index"))) <= 3


EVALUATE = """
import sys
from pathlib import Path
import psutil
from analogy.memory import keep_freed_memory
keep_freed_memory()
from analogy.settings import find_experiment, load_settings
from analogy.systems import SYSTEMS
from analogy.evaluation.evaluate import evaluate
from analogy.runs.folder import RunFolder
from data_prep.datasets import open_dataset

actors, cache, results = sys.argv[1:]
tiny = ["data.image_size=32", "generator.width=0.125", "discriminator.width=0.125", "discriminator.units=16",
        "evaluation.clips_per_action=1000", f"data.folder={actors}", "data.dataset=penn_action", f"data.cache={cache}"]
settings = load_settings(find_experiment("analogy_pool3"), SYSTEMS, scale="demo", overrides=tiny)
clips = open_dataset(settings)
system = SYSTEMS[settings.system].build(settings)
count = 0

def observe(clip):
    global count
    count += 1
    if count in (20, 200, 500):
        print(count, psutil.Process().memory_info().rss / 2**20, flush=True)

evaluate(system, clips, RunFolder.create(Path(results), "evaluated"), 8, observers=[observe])
"""


def test_memory_stays_over_500_evaluated_clips(actors, tmp_path, record_property):
    actors = repeat_clips(actors, tmp_path / "actors", 1600)  # a third of them tests
    process = subprocess.run(
        [sys.executable, "-c", EVALUATE, str(actors), str(tmp_path / "cache"), str(tmp_path / "results")],
        cwd=ROOT, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    sizes = {int(count): float(size) for count, size in re.findall(r"^(\d+) ([\d.]+)$", process.stdout, re.MULTILINE)}
    first, last = sizes[20], sizes[500]
    record_property("MB after 20 and after 500 evaluated clips", f"{first:.0f}, {last:.0f} ({100 * (last / first - 1):+.1f} %)")
    assert last <= DRIFT * first


def test_ten_thousand_clips_take_the_memory_of_one_thousand(run_experiment, tmp_path, record_property):
    few = write_synthetic_actors(tmp_path / "few", seed=3, train_clips=22, test_clips=11, frames=4, size=256)
    size = sum(path.stat().st_size for path in few.rglob("*.jpg")) / 33 * 10000 / 2**20
    peaks = {}
    for count in (1000, 10000):
        many = repeat_clips(few, tmp_path / f"actors{count}", count)
        how = at_demo_scale(tmp_path / f"results{count}", "training.steps=40", f"data.cache={tmp_path / 'cache'}")
        process = run_experiment("--data-dir", many, *how, wait=False)
        watched, peak = psutil.Process(process.pid), 0.0
        while process.poll() is None:
            with suppress(psutil.NoSuchProcess):
                peak = max(peak, resident(watched))
            time.sleep(0.05)
        _, said = process.communicate()
        assert process.returncode == 0, said
        peaks[count] = peak
    record_property("MB at most, of 1,000 and of 10,000 clips", ", ".join(f"{peak:.0f}" for peak in peaks.values()))
    record_property("MB that 10,000 clips are", f"{size:.0f}")
    assert size > 400 and peaks[10000] - peaks[1000] < 0.15 * size

"""Steps per second, bytes of gradients and efficiency of 1, 2 and 4 workers on this machine (as a step of Slurm).

The batch of each worker stays the same, so that 4 workers do four times the work. With `--pinned` each worker has one core,
as far as there are cores; the single worker too.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parent.parent
FIRST_STEPS = 10  # left out: tracing, and the first call of each operation


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    options.add_argument("--experiment", default="seq2seq_sins_l1", help=" ")
    options.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of it")
    options.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4], help="how many, one measurement each")
    options.add_argument("--steps", type=int, default=60, help=" ")
    options.add_argument("--batch", type=int, default=16, help="of each worker")
    options.add_argument("--port", type=int, default=23_000, help="first of the workers")
    options.add_argument("--pinned", action="store_true", help="one core a worker")
    o = options.parse_args()
    alone = None
    print(f"{'workers':>8}{'batch':>7}{'steps/s':>9}{'examples/s':>12}{'efficiency':>12}{'gradients':>12}{'sent/step':>12}")
    for count in o.workers:
        rate, parameters, sent = measure(o, count)
        alone = alone or rate * o.batch
        each = rate * o.batch  # examples per second and worker
        print(
            f"{count:8}{o.batch * count:7}{rate:9.2f}{each * count:12.1f}{each / alone:12.2f}{4 * parameters / 1e6:10.2f} MB"
            f"{sent / 1e6:9.2f} MB",
            flush=True,
        )


def measure(o: argparse.Namespace, count: int) -> tuple[float, int, float]:
    """Train with so many workers. Returns steps per second (median), the number of parameters, and the bytes on the loopback
    interface per step."""
    step = {
        "SLURM_STEP_NUM_TASKS": str(count), "SLURM_STEP_NODELIST": "localhost", "SLURM_STEP_TASKS_PER_NODE": str(count),
        "SLURMD_NODENAME": "localhost", "ANALOGY_WORKERS_PORT": str(o.port), "PYTHONPATH": str(ROOT),
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }  # fmt: skip
    cores = sorted(os.sched_getaffinity(0))
    settings = [
        *(f"training.{name}={o.steps}" for name in ("steps", "sample_every", "checkpoint_every")),
        f"training.batch_size={o.batch * count}", "training.log_every=1", "training.steps_per_call=1", *o.set,
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as results:
        command = [
            sys.executable, "-m", "analogy.cli", "run", o.experiment, "--scale", "demo", "--results-dir", results,
            "--cluster", "slurm", *(part for setting in settings for part in ("--set", setting)),
        ]  # fmt: skip
        processes = []
        for task in range(count):
            pin = ["taskset", "-c", str(cores[task % len(cores)])] if o.pinned else []
            environment = {**os.environ, **step, "SLURM_PROCID": str(task), "SLURM_LOCALID": str(task)}
            with said(results, task).open("w") as stream:
                started = subprocess.Popen([*pin, *command], env=environment, stdout=subprocess.DEVNULL, stderr=stream)
            processes.append(started)
        rows = Path(results) / o.experiment
        begun = ended = None  # (step, bytes): the traffic is that of the steps between
        while any(process.poll() is None for process in processes):
            if lines := sum(len(file.read_text().splitlines()) for file in rows.glob("*/metrics.jsonl")):
                if lines < o.steps:
                    ended = (lines, loopback_bytes())
                begun = begun or ended
            time.sleep(0.01)
        for task, process in enumerate(processes):
            if process.returncode:
                sys.exit(said(results, task).read_text()[-2000:])
        (run,) = rows.iterdir()
        table = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        seconds = [after["seconds"] - before["seconds"] for before, after in pairwise(table)]
        parameters = sum(json.loads((run / "summary.json").read_text())["parameters"].values())
    sent = (ended[1] - begun[1]) / max(1, ended[0] - begun[0]) if begun else float("nan")
    return 1 / statistics.median(seconds[FIRST_STEPS:]), parameters, sent


def said(results: str, task: int) -> Path:
    """The file of what a worker writes to its standard error stream."""
    return Path(results) / f"worker_{task}.txt"


def loopback_bytes() -> int:
    """How many bytes the loopback interface has sent since the machine started."""
    return int(Path("/sys/class/net/lo/statistics/tx_bytes").read_text())


if __name__ == "__main__":
    main()

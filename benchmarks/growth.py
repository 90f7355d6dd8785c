"""How preparation and training grow with the number of clips, and training and the list of runs with the number of runs.

Writes growth.json and growth.png (about 15 minutes).
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import psutil
from common import parser
from pages import browse, make_runs, seconds
from repeated import repeat_clips

from analogy.visualise.results_page import write_results_page
from data_prep.synthetic_actors import write_synthetic_actors

ROOT = Path(__file__).parent.parent
FRAMES, SIDE = 8, 64  # of a clip; the side is in pixels
# Networks so small that most of a training step is reading data.
SMALL = (
    "data.image_size=32", "generator.width=0.125", "discriminator.width=0.125", "discriminator.units=16",
    "training.batch_size=4", "training.log_every=50", "training.precision=float32", "evaluation.clips_per_action=1",
    "training.sample_every=100000",
)  # fmt: skip


def watch(command: list) -> tuple[float, float]:
    """Run a command. Returns its seconds and its peak resident memory in megabytes."""
    began, most = time.perf_counter(), 0.0
    process = subprocess.Popen([sys.executable, *map(str, command)], cwd=ROOT, stdout=subprocess.DEVNULL)
    watched = psutil.Process(process.pid)
    while process.poll() is None:
        most = max(most, watched.memory_info().rss / 2**20)
        time.sleep(0.05)
    if process.returncode:
        sys.exit(f"{command}: ended with {process.returncode}")
    return time.perf_counter() - began, most


def train(actors: Path, cache: Path, results: Path, steps: int) -> dict[str, float]:
    """Train a run. Returns steps per second after the first 50 steps, peak megabytes, and the seconds of the whole command."""
    settings = [part for setting in (*SMALL, f"data.cache={json.dumps(str(cache))}") for part in ("--set", setting)]
    where = ["--data-dir", actors, "--results-dir", results, "--scale", "demo", "--steps", steps]
    duration, most = watch(["experiments/run.py", "--exp", "analogy_pool3", *where, *settings])
    newest = max(results.glob("analogy_pool3/*/metrics.jsonl"), key=lambda path: path.stat().st_mtime)
    at = {row["step"]: row["seconds"] for row in map(json.loads, newest.read_text().splitlines())}
    return {"steps_per_second": (steps - 50) / (at[steps] - at[50]), "megabytes": most, "seconds": duration}


def measure_clips(counts: list[int], steps: int, folder: Path) -> list[dict]:
    few = write_synthetic_actors(folder / "few", train_clips=22, test_clips=11, frames=FRAMES, size=SIDE)
    rows = []
    for count in counts:
        actors, cache = repeat_clips(few, folder / f"actors{count}", count), folder / f"cache{count}"
        prepare = ["-m", "analogy.cli", "prepare", "penn_action", "--data-dir", actors, "--cache", cache]
        duration, most = watch(prepare)
        row = {"clips": count, "prepare_seconds": duration, "prepare_megabytes": most}
        trained = train(actors, cache, folder / f"results{count}", steps)
        rows.append(row | {f"train_{name}": value for name, value in trained.items()})
        print(rows[-1], flush=True)
    return rows


def measure_runs(counts: list[int], steps: int, folder: Path) -> list[dict]:
    actors, rows = folder / "few", []
    for count in counts:
        results = folder / f"runs{count}"
        results.mkdir()
        make_runs(results, count)
        row = {"runs": count, "list_write_seconds": seconds(lambda results=results: write_results_page(results))}
        if chromium := shutil.which("chromium") or shutil.which("chromium-browser"):
            row["list_load_seconds"] = browse(results / "index.html", chromium)["load"]
        trained = train(actors, folder / "cache", results, steps)
        rows.append(row | {f"train_{name}": value for name, value in trained.items()})
        print(rows[-1], flush=True)
    return rows


def plot(of_clips: list[dict], of_runs: list[dict], path: Path) -> None:
    charts = (
        (of_clips, "clips", "prepare_seconds", "preparation, seconds"),
        (of_clips, "clips", "prepare_megabytes", "preparation, MB at most"),
        (of_clips, "clips", "train_steps_per_second", "training, steps/s"),
        (of_clips, "clips", "train_megabytes", "training, MB at most"),
        (of_runs, "runs", "train_steps_per_second", "training, steps/s"),
        (of_runs, "runs", "list_load_seconds", "list of runs, seconds to load"),
    )
    figure, axes = plt.subplots(2, 3, figsize=(11, 6), layout="constrained")
    for axis, (rows, x, y, title) in zip(axes.flat, charts, strict=True):
        rows = [row for row in rows if y in row]
        axis.plot([row[x] for row in rows], [row[y] for row in rows], "o-", color="#2563eb")
        # With two logarithmic axes, proportional growth is a straight line.
        axis.set_xscale("log")
        if y == "prepare_seconds":
            axis.set_yscale("log")
        else:
            axis.set_ylim(0, 1.25 * max((row[y] for row in rows), default=1.0))
        axis.set_title(title, fontsize=10)
        axis.set_xlabel(x)
        axis.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


def main() -> None:
    options = parser(__doc__, steps=400, out=".")
    options.add_argument("--clips", type=int, nargs="+", default=[100, 1000, 10000], help=" ")
    options.add_argument("--runs", type=int, nargs="+", default=[1, 100, 1000], help=" ")
    o = options.parse_args()
    out = Path(o.out)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        measured = {"clips": measure_clips(o.clips, o.steps, Path(folder)), "runs": measure_runs(o.runs, o.steps, Path(folder))}
    (out / "growth.json").write_text(json.dumps(measured, indent=1) + "\n")
    plot(measured["clips"], measured["runs"], out / "growth.png")


if __name__ == "__main__":
    main()

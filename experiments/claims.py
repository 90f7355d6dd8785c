"""Train the matched runs behind the published claims, and write which claims hold. Run it again to go on.

python experiments/claims.py
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from analogy.errors import UserError
from analogy.files import replacing
from analogy.metrics.claims import Verdict, judge
from analogy.settings.loading import parse_yaml

HERE = Path(__file__).parent
COLUMNS = ("psnr", "ssim", "sharpness_ratio", "checkerboard_ratio", "ghosting", "pose_following", "background")
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(help=__doc__)
def main(
    plan: Annotated[Path, typer.Option(help="Arms and claims.")] = HERE / "claims.yaml",
    results_dir: Annotated[Path, typer.Option(help="Where runs and the tables go.")] = HERE.parent / "results" / "claims",
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each arm, seed 0 of all arms first.")] = 3,
    minutes: Annotated[float, typer.Option(help="Start no further run after so many minutes.")] = 90.0,
    jobs: Annotated[int, typer.Option(min=1, help="Runs at a time, each on its share of the cores.")] = os.cpu_count() or 1,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a setting of all runs.")
    ] = None,
) -> None:
    try:
        content = parse_yaml(plan.read_text(encoding="utf-8"), str(plan))
        for _, _, claim in content["claims"]:  # a slip shows before hours of training
            judge(claim, {arm: {} for arm in content["arms"]})
        results_dir.mkdir(parents=True, exist_ok=True)
        _train(content, results_dir, seeds, minutes, jobs, set_ or [])
        print(_report(content, results_dir, seeds))
        print(f"written to {results_dir / 'claims.md'}")
    except (UserError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(2) from error


# ---------------------------------------------------------------- training


def _train(content: dict, results: Path, seeds: int, minutes: float, jobs: int, overrides: list[str]) -> None:
    """Every arm from every seed, as long as the time allows; what has finished is not run again."""
    deadline = time.monotonic() + 60 * minutes
    todo = [(arm, seed) for seed in range(seeds) for arm in content["arms"] if not _finished(results, arm, seed)]
    columns = (
        TextColumn("runs"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
    )
    failed = []
    with Progress(*columns, disable=not sys.stdout.isatty()) as bar, ThreadPoolExecutor(jobs) as pool:
        task = bar.add_task("", total=len(todo))

        def run(arm: str, seed: int, cores: set[int] | None) -> None:
            if time.monotonic() > deadline or failed:
                return
            began = time.monotonic()
            if not _run(content, results, arm, seed, overrides, cores):
                failed.append(results / f"{arm}-{seed}.log")
            bar.update(task, advance=1)
            print(f"{arm}, seed {seed}: {time.monotonic() - began:.0f} s", flush=True)

        # The first run prepares the dataset, which the others share.
        if todo:
            run(*todo[0], None)
        shares = _shares(jobs)
        list(pool.map(lambda job: shares(lambda cores: run(*job, cores)), todo[1:]))
    if failed:
        raise UserError(
            f"{failed[0]}: this run failed; its last lines say why. Mend it and start again: finished runs are kept"
        )


def _shares(jobs: int) -> Callable[[Callable[[set[int] | None], None]], None]:
    """Lends each of `jobs` threads its own cores: small networks train faster side by side than on all cores in turn."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    free = [set(cores[i::jobs]) or None for i in range(jobs)]

    def lend(use: Callable[[set[int] | None], None]) -> None:
        mine = free.pop()
        try:
            use(mine)
        finally:
            free.append(mine)

    return lend


def _run(content: dict, results: Path, arm: str, seed: int, overrides: list[str], cores: set[int] | None) -> bool:
    """One run, started or gone on with; its output goes to ARM-SEED.log."""
    runs = _runs(results, arm, seed)
    command = [sys.executable, str(HERE / "run.py")]
    if runs:
        command += ["--resume", str(runs[-1])]
    else:
        chosen = content["arms"][arm]
        settings = [*content.get("overrides", []), *chosen.get("set", []), *overrides]
        command += ["--exp", chosen["exp"], "--scale", content["scale"], "--steps", str(content["steps"]), "--seed", str(seed)]
        command += ["--results-dir", str(results / f"{arm}-{seed}")] + [part for one in settings for part in ("--set", one)]
    pin = (lambda: os.sched_setaffinity(0, cores)) if cores else None
    with open(results / f"{arm}-{seed}.log", "a", encoding="utf-8") as log:
        return subprocess.run(command, stdout=log, stderr=log, preexec_fn=pin).returncode == 0


def _runs(results: Path, arm: str, seed: int) -> list[Path]:
    """The run folders that can be gone on with, the oldest first."""
    return sorted(path.parent for path in (results / f"{arm}-{seed}").glob("*/*/settings.yaml"))


def _finished(results: Path, arm: str, seed: int) -> dict | None:
    """The summary of a finished run."""
    for folder in reversed(_runs(results, arm, seed)):
        if (folder / "summary.json").is_file():
            summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
            if summary.get("status") == "finished":
                return summary
    return None


# ---------------------------------------------------------------- the tables


def _report(content: dict, results: Path, seeds: int) -> str:
    """claims.md: what each arm measured, and what that says of each claim."""
    summaries = {
        arm: {seed: summary for seed in range(seeds) if (summary := _finished(results, arm, seed))} for arm in content["arms"]
    }
    first = next(iter(summaries[next(iter(summaries))].values()), None)
    if first is None:
        raise UserError(f"{results}: no run of the first arm has finished; give it more --minutes")
    rows = {arm: {seed: summary["clips"] for seed, summary in runs.items()} for arm, runs in summaries.items()}
    parts = [
        "# Claims of the image-analogy GAN, measured\n",
        f"Scale {first['scale']}, {first['steps']} steps. First arm: {first['protocol']}.\n",
        _arm_table(summaries),
        _claim_table(content["claims"], rows),
        "Interval: 95 %, Student's t over test clips, each averaged over the seeds. Confirmed or refuted: the interval "
        "excludes zero and every seed agrees.\n",
    ]
    text = "\n".join(parts)
    with replacing(results / "claims.md") as partial:
        partial.write_text(text, encoding="utf-8")
    return text


def _arm_table(summaries: dict[str, dict[int, dict]]) -> str:
    """Mean over seeds, and their spread, beside the copied reference frame of that arm."""
    lines = ["| arm | seeds | " + " | ".join(COLUMNS) + " |", "|---|---|" + "---|" * len(COLUMNS)]
    for arm, runs in summaries.items():
        for title, of in ((arm, lambda s: s["test"]), (f"{arm}: copied frame", lambda s: next(iter(s["baseline"].values())))):
            cells = [_spread([of(summary).get(name) for summary in runs.values()]) for name in COLUMNS]
            lines.append(f"| {title} | {len(runs)} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _spread(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return ""
    mean, spread = sum(known) / len(known), max(known) - min(known)
    return f"{mean:.3f}" + (f" ± {spread / 2:.3f}" if spread else "")


def _claim_table(claims: list, rows: dict) -> str:
    lines = ["| | claim | measured | left | right | right − left | seeds | verdict |", "|---|---|---|---|---|---|---|---|"]
    for source, says, claim in claims:
        lines.append(f"| {source} | {says} | `{claim}` | {_verdict_cells(judge(claim, rows))} |")
    return "\n".join(lines) + "\n"


def _verdict_cells(verdict: Verdict | None) -> str:
    if verdict is None:
        return " |  |  | 0 | not measured"
    difference = f"{verdict.difference:+.3f} ± {verdict.interval:.3f}"
    seeds = f"{verdict.agreeing} of {verdict.seeds} agree"
    return f"{verdict.left:.3f} | {verdict.right:.3f} | {difference} | {seeds} | **{verdict.word}**"


if __name__ == "__main__":
    app()

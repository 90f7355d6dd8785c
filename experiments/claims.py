"""Train the runs that the published claims need, and write which claims hold. Run it again to continue.

python experiments/claims.py
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer
from pydantic import Field, field_validator

from analogy.cli.console import RESULTS, app_of, clear_errors
from analogy.cli.continuing import differences
from analogy.errors import Mistakes, UserError, about
from analogy.metrics.claims import Verdict, judge, parse
from analogy.metrics.table import METRICS
from analogy.one_line import say
from analogy.ownership import check_text_output, write_our_text
from analogy.resolve import resolve_settings
from analogy.runs.reading import read_run
from analogy.settings import Settings
from analogy.settings.loading import read_mapping, validated
from analogy.settings.section import Section
from analogy.training.progress import Progress
from analogy.training.stop import Stopped
from analogy.visualise.tables import markdown_table

HERE = Path(__file__).parent
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
# What a plan's `measured_on` may say (clips: the test clips), and over what its figures vary.
INTERVALS = {
    "clips": "test clips (each averaged over the seeds) or over seeds (each averaged over the clips), whichever is wider;\n"
    "over seeds alone where each seed has drawn test windows of its own",
    "training_clips": "seeds. Figures are means over the clips that trained, as the paper's are",
}
METHOD_OF_AN_ARM = r"[a-z0-9_]+\.[a-z0-9_]+"  # such as long.teacher_forced


class Arm(Section):
    """An experiment with some settings of its own, which is trained from several seeds. set: KEY=VALUE settings."""

    exp: str
    set: list[str] = []


class PlanFile(Section):
    """What the YAML file of a plan says.

    claims_of: what the claims are about. columns: the metrics of the table. scale, steps, overrides: of all arms' runs.
    measured_on: which figures count. arms: name -> arm. claims: the source of each, its words, and its formula (`parse`).
    """

    claims_of: str
    columns: list[str]
    scale: Literal["paper", "demo"]
    steps: Annotated[int, Field(ge=1)]
    arms: Annotated[dict[str, Arm], Field(min_length=1)]
    claims: list[tuple[str, str, str]]
    overrides: list[str] = []
    measured_on: Literal["clips", "training_clips"] = "clips"

    @field_validator("columns")
    @classmethod
    def _are_metrics(cls, columns: list[str]) -> list[str]:
        if unknown := [column for column in columns if column not in METRICS]:
            raise ValueError(f"there is no metric {unknown[0]}; there are {', '.join(METRICS)}")
        return columns


@dataclass(frozen=True)
class Plan:
    """The arms and claims of a YAML file.

    file: what it says. results: the folder of the arms' runs. overrides: KEY=VALUE settings of all runs, of the command line.
    """

    file: PlanFile
    results: Path
    overrides: tuple[str, ...]

    @classmethod
    def read(cls, path: Path, results: Path, overrides: list[str]) -> Plan:
        """Read and check a plan, so that no mistake in it shows only after hours of training. Raises UserError."""
        plan = cls(validated(PlanFile, read_mapping(path), str(path)), results, tuple(overrides))
        with about(str(path)), Mistakes() as mistakes:
            for arm in plan.arms:
                with mistakes.noted(), about(f"arms.{arm}"):
                    plan.settings(arm, 0)
            for _, _, claim in plan.file.claims:
                with mistakes.noted():
                    plan.check_claim(claim)
        return plan

    def check_claim(self, claim: str) -> None:
        """Raise a UserError for a claim that is no formula of this plan's arms and of known metrics."""
        methods = [name for name in re.findall(METHOD_OF_AN_ARM, claim) if name.split(".")[0] in self.arms]
        for side in parse(claim, [*self.arms, *methods]):
            if side.measured and side.measured not in METRICS:
                raise UserError(f"claim {claim!r}: there is no metric {side.metric}; there are {', '.join(METRICS)}")

    @property
    def title(self) -> str:
        """The first line of the table."""
        return f"# Published claims of {self.file.claims_of}, measured"

    @property
    def arms(self) -> list[str]:
        return list(self.file.arms)

    def options(self, arm: str) -> list[str]:
        """The KEY=VALUE settings of an arm's runs, from the plan and from the command line."""
        return [*self.file.overrides, *self.file.arms[arm].set, *self.overrides]

    def settings(self, arm: str, seed: int) -> Settings:
        """The settings with which an arm's run from this seed starts. Raises UserError where it cannot."""
        return resolve_settings(
            self.file.arms[arm].exp,
            results_dir=self.results / f"{arm}-{seed}",
            writes=False,
            scale=self.file.scale,
            values={"training.steps": self.file.steps, "seed": seed},
            overrides=self.options(arm),
            stages_follow=True,
        )

    def runs(self, arm: str, seed: int) -> list[Path]:
        """The folders of an arm's runs from this seed with exactly the plan's settings, the oldest first."""
        folders = []
        for stored in sorted((self.results / f"{arm}-{seed}").glob("*/*/settings.yaml")):
            with suppress(UserError, OSError, RuntimeError):  # a run of another version, unreadable, or of a run that is gone
                if not differences(stored.parent, self.settings(arm, seed)):
                    folders.append(stored.parent)
        return folders

    def finished(self, arm: str, seed: int) -> dict | None:
        """The summary of the newest finished run; None where none has finished."""
        for folder in reversed(self.runs(arm, seed)):
            if (run := read_run(folder)).status == "finished":
                return run.table
        return None


def main(
    plan: Annotated[Path, typer.Option(help="Arms and claims.")] = HERE / "claims.yaml",
    results_dir: Annotated[
        Path | None, typer.Option(help="Where runs and the tables go. Default: results/NAME, as the plan is called.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each arm, seed 0 of all arms first.")] = 3,
    minutes: Annotated[float, typer.Option(help="Start no further run after so many minutes.")] = 90.0,
    jobs: Annotated[int, typer.Option(min=1, help="Runs at a time, each on its share of the cores.")] = len(CORES) or 1,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a setting of all runs.")
    ] = None,
) -> None:
    results_dir = results_dir or RESULTS / plan.stem
    with clear_errors(results_dir):
        arms_and_claims, table = Plan.read(plan, results_dir, set_ or []), results_dir / "claims.md"
        check_text_output(table, arms_and_claims.title, "table of these claims", "choose another --results-dir")
        results_dir.mkdir(parents=True, exist_ok=True)
        failed = _train(arms_and_claims, seeds, minutes, jobs)
        text = _report(arms_and_claims, seeds, failed)
        write_our_text(table, text)
        say(*text.splitlines(), f"written to {table}")
        _complain(failed)


# ---------------------------------------------------------------- training


def _train(plan: Plan, seeds: int, minutes: float, jobs: int) -> list[Path]:
    """Train every arm from every seed, while time allows; finished runs are not repeated. Returns the logs of failed runs."""
    deadline = time.monotonic() + 60 * minutes
    todo = [(arm, seed) for seed in range(seeds) for arm in plan.arms if not plan.finished(arm, seed)]
    # Small networks train faster side by side, each on its own cores, than one after the other on all of them.
    free = [set(CORES[i::jobs]) for i in range(jobs)]
    done, failed = [], []

    def run(job: tuple[str, int]) -> None:
        if time.monotonic() > deadline:
            return
        began, cores, log = time.monotonic(), free.pop(), plan.results / f"{job[0]}-{job[1]}.log"
        try:
            fine = _run(plan, *job, log, cores)
        finally:
            free.append(cores)
        if not fine:
            failed.append(log)
        done.append(job)
        bar.update(len(done))
        say(f"{job[0]}, seed {job[1]}: {time.monotonic() - began:.0f} s{'' if fine else ', FAILED'}")

    with Progress("runs", 0, len(todo)) as bar, ThreadPoolExecutor(jobs) as pool:
        try:
            # The first run prepares the dataset, which the others share.
            list(pool.map(run, todo[:1]))
            list(pool.map(run, todo[1:]))
        except KeyboardInterrupt as interrupt:
            deadline = 0.0  # the runs received the signal too, and save checkpoints
            raise Stopped("stopped; start again to go on", signal.SIGINT) from interrupt
    return failed


def _run(plan: Plan, arm: str, seed: int, log: Path, cores: set[int]) -> bool:
    """Start or resume a run, and write its output to the log. Returns whether it succeeded."""
    runs = plan.runs(arm, seed)
    command = [sys.executable, str(HERE / "run.py")]
    if runs:
        command += ["--resume", str(runs[-1])]
    else:
        command += ["--exp", plan.file.arms[arm].exp, "--scale", plan.file.scale]
        command += ["--results-dir", str(plan.results / f"{arm}-{seed}")]
        command += ["--steps", str(plan.file.steps), "--seed", str(seed)]
        command += [part for option in plan.options(arm) for part in ("--set", option)]
    with open(log, "a", encoding="utf-8") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
        if cores:
            os.sched_setaffinity(process.pid, cores)
        return process.wait() == 0


# ---------------------------------------------------------------- the tables


def _complain(failed: list[Path]) -> None:
    if failed:
        raise UserError(f"runs failed: {', '.join(map(str, failed))}; mend what their last lines say and start again")


def _report(plan: Plan, seeds: int, failed: list[Path]) -> str:
    """Write claims.md: the figures of each arm, and a verdict on each claim. Returns its text."""
    summaries = {arm: {seed: summary for seed in range(seeds) if (summary := plan.finished(arm, seed))} for arm in plan.arms}
    first = next((summary for runs in summaries.values() for summary in runs.values()), None)
    if first is None:
        _complain(failed)
        raise UserError(f"{plan.results}: no run has finished; give it more --minutes")
    measured_on = plan.file.measured_on
    if measured_on == "training_clips":
        rows = _training_rows(summaries)
    else:
        rows = {arm: {seed: summary["clips"] for seed, summary in runs.items()} for arm, runs in summaries.items()}
    done = sum(map(len, summaries.values()))
    heading = f"{done} of {seeds * len(plan.arms)} runs; scale {first['scale']}, {first['steps']} steps. {first['protocol']}."
    parts = [
        f"{plan.title}\n",
        heading + " Other arms differ where the plan says so.\n",
        _arm_table(summaries, plan.file.columns, measured_on),
        "Mean over seeds, ± half their range.\n",
        _claim_table(plan.file.claims, rows, measured_on == "clips"),
        f"± is the 95 % interval of the mean difference: Student's t over {INTERVALS[measured_on]}. Confirmed or refuted: it\n"
        "excludes zero. The claims are not corrected for their number.\n",
    ]
    return "\n".join(parts)


def _training_rows(summaries: dict[str, dict[int, dict]]) -> dict[str, dict[int, list[dict]]]:
    """Arm, or ARM.METHOD -> seed -> a list of one row: the means over the clips that trained."""
    rows: dict[str, dict[int, list[dict]]] = {}
    for arm, runs in summaries.items():
        rows[arm] = {}
        for seed, summary in runs.items():
            methods = summary["training_clips"]
            baseline = {f"baseline_{name}": value for name, value in methods[_baseline(summary)].items()}
            for method, figures in methods.items():
                name = arm if method == "prediction" else f"{arm}.{method}"
                rows.setdefault(name, {})[seed] = [{"clip": "all", **figures, **baseline}]
    return rows


def _baseline(summary: dict) -> str:
    """The name of a run's first baseline, such as copy_last_frame."""
    return next(iter(summary["baseline"]))


def _arm_table(summaries: dict[str, dict[int, dict]], columns: list[str], measured_on: str) -> str:
    """A table of each arm's figures, and below them those of its first baseline; means over seeds. On the clips that trained,
    all methods have a line."""
    lines = []
    for arm, runs in summaries.items():
        for title, figures in _methods(arm, list(runs.values()), measured_on):
            lines.append([title, str(len(runs)), *(_spread([row.get(name) for row in figures]) for name in columns)])
    return "\n".join(markdown_table(["arm", "seeds", *columns], lines)) + "\n"


def _methods(arm: str, summaries: list[dict], measured_on: str) -> Iterator[tuple[str, list[dict]]]:
    """The lines of an arm: title, and the figures of each seed."""
    if measured_on == "training_clips":
        for method in summaries[0]["training_clips"] if summaries else ["prediction"]:
            title = arm if method == "prediction" else f"{arm}: {method.replace('_', ' ')}"
            yield title, [summary["training_clips"][method] for summary in summaries]
        return
    yield arm, [summary["test"] for summary in summaries]
    if summaries:
        name = _baseline(summaries[0])
        yield f"{arm}: {name.replace('_', ' ')}", [summary["baseline"][name] for summary in summaries]


def _spread(values: list[float | None]) -> str:
    """The mean, ± half the range of the values; empty where there is none."""
    numbers = [value for value in values if value is not None]
    if not numbers:
        return ""
    mean, spread = sum(numbers) / len(numbers), max(numbers) - min(numbers)
    return f"{mean:.3f}" + (f" ± {spread / 2:.3f}" if spread else "")


def _claim_table(claims: list, rows: dict, clips_are_a_sample: bool) -> str:
    head = ["", "claim", "measured", "left", "right", "right − left", "seeds", "verdict"]
    lines = [
        [source, says, f"`{claim}`", *_verdict_cells(judge(claim, rows, clips_are_a_sample=clips_are_a_sample))]
        for source, says, claim in claims
    ]
    return "\n".join(markdown_table(head, lines)) + "\n"


def _verdict_cells(verdict: Verdict | None) -> list[str]:
    if verdict is None:
        return ["", "", "", "0", "not measured"]
    interval = f" ± {verdict.interval:.3f}" if verdict.seeds > 1 else ""
    numbers = [f"{verdict.left:.3f}", f"{verdict.right:.3f}", f"{verdict.difference:+.3f}{interval}", str(verdict.seeds)]
    return [*numbers, f"**{verdict.word}**"]


app = app_of(main)

if __name__ == "__main__":
    app()

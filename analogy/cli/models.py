"""List the trained models in the package: their training data, their figures beside trivial baselines, and their limits."""

from __future__ import annotations

from analogy.cli.console import clear_errors
from analogy.one_line import say


def main() -> None:
    with clear_errors():
        from analogy.metrics.table import HEADLINES
        from analogy.runs.ready import ready_models
        from analogy.visualise.wording import compare

        for name, (_, about, summary, size) in ready_models().items():
            say(
                f"{name}  ({size / 2**20:.1f} MB)",
                f"  {about['does']}",
                f"  trained on: {about['data']}; seed {summary['seed']}",
            )
            for metric in HEADLINES:
                for method, figures in summary["baseline"].items():
                    if metric in summary["test"] and metric in figures:
                        row = compare(metric, summary["test"][metric], figures[metric])
                        beside = f"{method.replace('_', ' ')} {row.baseline}: {row.gain_text}, {row.verdict}"
                        say(f"  {row.label} {row.score}; {beside}")
            say(
                f"  on real videos: {about['real']}",
                f"  not good for: {about['limits']}",
                f"  made by: {about['command']}",
                f"  use it: {about['use']}",
                f"  train it further: {about['command']} --set training.start_from={name}",
                "",
            )

"""List all experiments by paper: what each is, and where it was published."""

from __future__ import annotations

from analogy.cli.console import clear_errors
from analogy.one_line import say
from analogy.settings import list_experiments


def main() -> None:
    with clear_errors():
        print_experiments()


def print_experiments() -> None:
    """Print the list of experiments to standard output."""
    experiments = list_experiments()
    width = max(map(len, experiments))
    paper = None
    for name, experiment in experiments.items():
        if experiment.paper != paper:
            say(f"{experiment.paper}:")
        paper = experiment.paper
        say(f"  {name:{width}}  {experiment.summary}", f"  {'':{width}}  source: {experiment.source}")

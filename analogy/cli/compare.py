"""Compare finished runs on the test clips that they share: a page with synchronised videos, and Markdown tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from analogy.cli.console import RESULTS, clear_errors
from analogy.cli.opening import Open, show
from analogy.cli.options import ResultsDir
from analogy.errors import Mistakes
from analogy.files.marks import COMPARISON
from analogy.files.names import COMPARISONS
from analogy.one_line import say
from analogy.ownership import check_output, check_results_dir, unused_folder
from analogy.runs.find import find_run
from analogy.systems import SYSTEMS


def main(
    run: Annotated[
        list[str] | None,
        typer.Option(help="A run folder, or an experiment (then its newest finished run). Give the option twice or more."),
    ] = None,
    results_dir: ResultsDir = RESULTS,
    out: Annotated[
        Path | None, typer.Option(help="The comparison's folder. Default: a new one in RESULTS_DIR/comparisons.")
    ] = None,
    open_: Open = None,
) -> None:
    with clear_errors(results_dir):
        folders: list[Path] = []
        with Mistakes() as mistakes:
            if len(run or []) < 2:
                mistakes.add("a comparison needs at least two different runs: give --run twice or more")
            for name in run or []:
                with mistakes.noted():
                    folders.append(find_run(name, results_dir, "--run"))
            with mistakes.noted():
                check_output(out, COMPARISON, folders) if out else check_results_dir(results_dir)

        from analogy.visualise.comparison import comparison_name, write_comparison
        from analogy.visualise.results_page import write_results_page

        folder = out or unused_folder(results_dir / COMPARISONS / comparison_name(folders))
        check_output(folder, COMPARISON, folders)
        folder, tables = write_comparison(folders, folder, SYSTEMS, new=out is None)
        say(*tables.splitlines())
        if out is None:
            write_results_page(results_dir)
        say(f"open {folder / 'index.html'}")
        show(folder / "index.html", open_)

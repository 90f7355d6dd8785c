"""Compare finished runs on the test clips that they share: a page with players in step, and tables as Markdown.

python experiments/compare.py --run analogy_pool3 --run analogy_pool4
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from analogy.errors import UserError
from analogy.runs.find import find_run
from analogy.runs.reading import COMPARISONS
from analogy.visualise.comparison import comparison_name, write_comparison
from analogy.visualise.pages import write_results_page

RESULTS = Path(__file__).parent.parent / "results"
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(help=__doc__)
def main(
    run: Annotated[
        list[str] | None,
        typer.Option(help="A run folder, or an experiment's name for its latest finished run; give it twice or more."),
    ] = None,
    results_dir: Annotated[Path, typer.Option(help="Where run folders are.")] = RESULTS,
    out: Annotated[Path | None, typer.Option(help="The comparison's folder. Default: RESULTS_DIR/comparisons/NAME.")] = None,
) -> None:
    try:
        folders = [find_run(name, results_dir, "--run") for name in run or []]
        folder = out or results_dir / COMPARISONS / comparison_name(folders)
        print(write_comparison(folders, folder))
        if out is None:
            write_results_page(results_dir)
        print(f"open {folder / 'index.html'}")
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(2) from error
    except OSError as error:
        if not error.filename:  # not a file's fault: a closed pipe, say
            raise
        print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
        raise typer.Exit(2) from error


if __name__ == "__main__":
    app()

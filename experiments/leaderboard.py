"""Measure the leaderboard again: docs/leaderboard.md and a page, from runs and from published animations.

python experiments/leaderboard.py --results-dir results --animations FOLDER
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from analogy.cli.console import RESULTS, app_of, clear_errors
from analogy.errors import Mistakes, UserError
from analogy.files.names import LEADERBOARD
from analogy.files.paths import check_present
from analogy.one_line import say
from analogy.ownership import check_results_dir

HERE = Path(__file__).parent


def main(
    plan: Annotated[Path, typer.Option(help="Its tables, and from what each is measured.")] = HERE / "leaderboard.yaml",
    results_dir: Annotated[Path, typer.Option(help="The folder of the runs; leaderboard.html is written to it.")] = RESULTS,
    animations: Annotated[Path | None, typer.Option(help="The folder of animations that other people published.")] = None,
    out: Annotated[
        Path, typer.Option(help="The Markdown file to write; beside it a .json keeps what was measured.")
    ] = HERE.parent / "docs" / "leaderboard.md",
) -> None:
    """Measure all tables of the plan. Rows whose runs are gone, and tables whose files are, stay as they were measured before;
    those that never were are named at the end of the leaderboard."""
    with clear_errors(results_dir):
        from analogy.leaderboard.boards import measure
        from analogy.leaderboard.parts import KeptParts
        from analogy.leaderboard.plan import read_plan
        from analogy.leaderboard.report import check_output, write_leaderboard_page, write_markdown
        from analogy.training.progress import Progress

        with Mistakes() as mistakes:
            with mistakes.noted():
                check_present(animations, "--animations")
            with mistakes.noted():
                check_results_dir(results_dir)
            with mistakes.noted():
                check_output(out)
            with mistakes.noted():
                asked = read_plan(plan)
            with mistakes.noted():
                before = KeptParts.read(out, "rows of a leaderboard")
        boards, parts, kept, missing = [], {}, [], []
        with Progress("tables", 0, len(asked.boards)) as bar:
            for number, board in enumerate(asked.boards, 1):
                measured = measure(board, results_dir, animations, before.parts)
                boards += measured.boards
                parts |= measured.parts
                kept += measured.kept
                missing += measured.missing
                bar.update(number)
        if not boards:
            raise UserError(f"nothing to measure: {missing[0]}")
        write_markdown(out, asked, boards, missing)
        KeptParts(parts=parts).write(out)
        write_leaderboard_page(page := results_dir / LEADERBOARD, asked, boards, missing)
        say(*(f"kept as measured before: {name}" for name in kept), *(f"not measured: {line}" for line in missing))
        say(f"written to {out}; open {page}")


app = app_of(main)

if __name__ == "__main__":
    app()

"""A leaderboard as Markdown and as a page. Gains are counted over the table's own copied frame; positive is better."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from analogy.leaderboard.boards import Board
from analogy.leaderboard.parts import METRICS, Row
from analogy.leaderboard.plan import Plan
from analogy.metrics.table import metric_of
from analogy.ownership import check_text_output, write_our_text
from analogy.visualise.html import write_page
from analogy.visualise.tables import markdown_table
from analogy.visualise.wording import decimal, signed

WHOSE = {
    "baseline": "trivial",
    "faithful": "published, rebuilt here",
    "ours": "ours",
    "others": "published by others",
}
MADE = "<!-- made by experiments/leaderboard.py: change experiments/leaderboard.yaml, not this file -->"


def head_of(board: Board) -> list[str]:
    """The names of a table's columns. A metric has a column of gains where one of its directions is better."""
    columns = ["system", "whose"]
    for name in METRICS:
        metric = metric_of(name)
        gain = f"gain ({metric.unit})" if metric.unit else "gain"
        columns += [metric.label_with_unit] + ([gain] if metric.better != "neither" else [])
    return columns + (["trained"] if any(row.training for row in board.rows) else [])


def cells_of(board: Board, row: Row) -> list[str]:
    """The cells of a row, under `head_of`. The copied frame has no gain over itself."""
    cells = [f"{row.title} ({row.note})" if row.note else row.title, WHOSE[row.kind]]
    for metric in map(metric_of, METRICS):
        cells.append(decimal(row.figures.get(metric.name), metric.digits))
        if metric.better != "neither":
            gain = row.gains.get(metric.name)
            cells.append("" if gain is None else signed(gain, metric).removesuffix(f" {metric.unit}"))
    return cells + ([row.training] if any(other.training for other in board.rows) else [])


def bold(board: Board) -> set[tuple[int, int]]:
    """(row, column) of the best figure of each metric; rows that the truth chose are left out."""
    best: set[tuple[int, int]] = set()
    columns = head_of(board)
    for metric in map(metric_of, METRICS):
        values = {
            number: row.figures[metric.name]
            for number, row in enumerate(board.rows)
            if metric.name in row.figures and not row.chosen
        }
        if metric.better != "neither" and values:
            first = max(values.values()) if metric.better == "higher" else min(values.values())
            best |= {(number, columns.index(metric.label_with_unit)) for number, value in values.items() if value == first}
    return best


def markdown(plan: Plan, boards: Sequence[Board], missing: Sequence[str]) -> str:
    """The whole file."""
    lines = [MADE, f"# {plan.title}", "", plan.introduction.strip(), ""]
    for board in boards:
        best = bold(board)
        table = [
            [f"**{cell}**" if (number, column) in best else cell for column, cell in enumerate(cells_of(board, row))]
            for number, row in enumerate(board.rows)
        ]
        lines += [f"## {board.title}", "", board.protocol.strip(), "", *markdown_table(head_of(board), table), ""]
    if missing:
        lines += ["## Not measured", "", *(f"- {line}" for line in missing), ""]
    return "\n".join(lines)


def check_output(path: Path) -> None:
    """Raise a UserError where the Markdown file is another one, and would be lost, or cannot be written."""
    check_text_output(path, MADE, "leaderboard")


def write_markdown(path: Path, plan: Plan, boards: Sequence[Board], missing: Sequence[str]) -> None:
    write_our_text(path, markdown(plan, boards, missing))


def write_leaderboard_page(path: Path, plan: Plan, boards: Sequence[Board], missing: Sequence[str]) -> None:
    """Write the page. Rows of runs link to the runs' pages."""
    tables = [_table(board, path.parent) for board in boards]
    page = {"title": plan.title, "introduction": plan.introduction.strip(), "tables": tables, "missing": list(missing)}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_page(path, "leaderboard.html", page)


def _table(board: Board, folder: Path) -> dict[str, Any]:
    """What the page shows of a board: each row's cells, its links, and its gain in PSNR as a share of the table's largest."""
    gains = [row.gains.get("psnr", 0.0) for row in board.rows]
    largest = max(*map(abs, gains), 1e-9)
    best, rows = bold(board), []
    for number, (row, gain) in enumerate(zip(board.rows, gains, strict=True)):
        pages = [Path(os.path.relpath(page, folder)) for page in row.pages if page.is_file()]
        cells = [(cell, (number, column) in best) for column, cell in enumerate(cells_of(board, row))]
        rows.append({"row": row, "cells": cells, "pages": pages, "gain": gain, "share": abs(gain) / largest})
    return {"title": board.title, "protocol": board.protocol.strip(), "head": head_of(board), "rows": rows}

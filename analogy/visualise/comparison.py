"""The page that compares several runs on the same test clips: videos that play in step, and figures side by side."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from analogy.errors import UserError
from analogy.files.marks import COMPARISON
from analogy.one_line import counted
from analogy.ownership import replacing_folder
from analogy.settings.loading import HasSettings
from analogy.visualise.html import write_page
from analogy.visualise.tables import (
    Key,
    Row,
    Tested,
    columns_of,
    common_clips,
    differing_settings,
    markdown_table,
    read_tested,
    same_pictures,
    table,
)
from analogy.visualise.video import column_boxes, read_mp4, side_by_side, write_mp4

NOT_SHARED = ("prediction", "|difference|")  # columns that differ between runs; all other columns are shown once


def comparison_name(folders: Sequence[Path]) -> str:
    """A folder name for the comparison of these runs, such as analogy_pool3_and_analogy_pool4."""
    experiments = dict.fromkeys(folder.resolve().parent.name for folder in folders)
    several = f"{len(folders)}_runs_of_" if len(experiments) < len(folders) else ""
    return (several + "_and_".join(experiments))[:100]


def write_comparison(
    folders: Sequence[Path], out: Path, systems: Mapping[str, HasSettings], *, new: bool = False
) -> tuple[Path, str]:
    """Write OUT/index.html with its videos, and OUT/comparison.md.

    Args:
        folders: two or more folders of finished runs.
        out: the comparison's folder, made if it is missing. An older comparison in it is replaced if this program made it.
        systems: system name -> the class of its settings, whose defaults the runs of earlier versions get.
        new: see `replacing_folder`.

    Returns:
        The folder where all lies, and the text of comparison.md.

    Raises:
        UserError: fewer than two runs, an unfinished one, no common clip, a video that cannot be read, or the folder holds
            something else.
    """
    runs = read_tested(folders)
    common = common_clips(runs)
    groups = same_pictures(runs, common)
    columns = columns_of(groups)
    page = {
        "title": ", ".join(tested.label for tested in runs),
        "runs": [(tested, _link(tested, out)) for tested in runs],
        "groups": groups,
        "columns": columns,
        "means": table(columns, common),
        "settings": differing_settings([tested.run for tested in runs], systems),
    }
    page["meanings"] = [row for row in page["means"] if row.meaning]
    with replacing_folder(out, COMPARISON, new=new) as replacement:
        partial = replacement.partial
        page["clips"] = [{**_write_clip(groups, key, partial), "table": table(columns, [key])} for key in common]
        markdown = _markdown(page)
        (partial / "comparison.md").write_text(markdown, encoding="utf-8", errors="replace")
        write_page(partial / "index.html", "comparison.html", page)
    return replacement.folder, markdown


def _link(tested: Tested, out: Path) -> Path | None:
    """The path of the run's page, relative to the comparison's folder; None where the run has no page."""
    page = tested.run.folder / "index.html"
    return Path(os.path.relpath(page, out.resolve())) if page.is_file() else None


def _write_clip(groups: Sequence[Sequence[Tested]], key: Key, out: Path) -> dict[str, Any]:
    """Write one video with the columns of all runs, so that they cannot get out of step.

    Returns:
        The clip's entry for the page; "views" are the titles and boxes of the video's columns.
    """
    clips: list[tuple[str, np.ndarray]] = []
    for group in groups:
        for tested in group:
            columns, fps = _read_columns(tested, key)
            if tested is group[0]:
                suffix = f" for {tested.label}" if len(groups) > 1 else ""
                clips += [(title + suffix, frames) for title, frames in columns.items() if title not in NOT_SHARED]
            clips.append((tested.label, columns["prediction"]))
    length = max(len(frames) for _, frames in clips)
    clips = [(title, frames[np.minimum(np.arange(length), len(frames) - 1)]) for title, frames in clips]
    file = Path("clips", key[0], f"{key[1]}.mp4")
    write_mp4(out / file, side_by_side(clips), fps)
    views = [(title, box) for (title, _), box in zip(clips, column_boxes(clips), strict=True)]
    return {"action": key[0], "name": key[1], "file": file, "frames": length, "fps": fps, "views": views}


def _read_columns(tested: Tested, key: Key) -> tuple[dict[str, np.ndarray], float]:
    """Read a test clip's video: title -> the column's frames, uint8 [T, H, W, 3]; and its frames per second."""
    clip = tested.clips[key]
    file = tested.run.folder / clip.file
    try:
        frames, fps = read_mp4(file)
    except OSError as error:
        raise UserError(f"{file}: this video cannot be read") from error
    try:
        boxes = {title: [int(value) for value in box] for title, box in clip.row["columns"].items()}
        columns = {title: frames[:, y : y + h, x : x + w] for title, (x, y, w, h) in boxes.items()}
    except (ValueError, TypeError) as error:
        raise UserError(f"{tested.run.folder / 'summary.json'}: the columns of {'/'.join(key)} are no boxes") from error
    if "prediction" not in columns or not all(column.size for column in columns.values()):
        raise UserError(f"{file}: this video has not the columns that summary.json says")
    return columns, fps


# ---------------------------------------------------------------- Markdown


def _markdown(page: dict[str, Any]) -> str:
    """The page's tables as Markdown, to be copied; the best value of a row is bold."""
    heads = [column.title for group in page["columns"] for column in group]
    count = len(page["clips"])
    text = [f"# {page['title']}", ""]
    text += [f"- {tested.label}: {tested.run.summary.protocol}" for tested, _ in page["runs"] if tested.run.summary.protocol]
    if len(page["groups"]) > 1:
        text += ["", "The runs were not all tested on the same pictures: compare each with its own baseline."]
    text += ["", *markdown_table([f"mean of {counted(count, 'common clip')}", *heads], _lines(page["means"]))]
    clips = [[f"{clip['action']} / {clip['name']}", *line] for clip in page["clips"] for line in _lines(clip["table"])]
    text += ["", *markdown_table(["clip", "metric", *heads], clips)]
    if page["settings"]:
        labels = [tested.label for tested, _ in page["runs"]]
        text += ["", *markdown_table(["setting", *labels], [[key, *values] for key, values in page["settings"]])]
    return "\n".join(text) + "\n"


def _lines(rows: Sequence[Row]) -> list[list[str]]:
    """The cells of Markdown tables: the metric's label, then its values."""
    cells = [[cell for group in row.groups for cell in group] for row in rows]
    texts = [[f"**{cell.text}**" if cell.best else cell.text for cell in line] for line in cells]
    return [[row.label, *line] for row, line in zip(rows, texts, strict=True)]

"""Train experiments in folds: each video is tested by runs that saw neither its class nor, of a dataset of persons, its person.

python experiments/folds.py --exp lvln_plus --data-dir UCF-101 --also KTH
python experiments/folds.py --exp lvln_plus_weizmann --data-dir WEIZMANN --persons "0, 2, 4, 6" --persons "1, 3, 5"
"""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from analogy.cli.console import app_of, clear_errors
from analogy.cli.continuing import finished_run, persons_of_folds
from analogy.errors import Mistakes, UserError
from analogy.files.listing import files_below
from analogy.files.names import VIDEOS, distinct_name
from analogy.one_line import say
from analogy.ownership import check_text_output, write_our_text
from analogy.resolve import resolve_settings
from analogy.settings.loading import parse_override
from analogy.visualise.tables import markdown_table

METRICS = ("psnr", "ssim", "sharpness_ratio", "gradient_energy_ratio")
WHERE_MEASURED = ("collapse_index",)  # metrics that only some papers' systems have


def main(
    exp: Annotated[list[str], typer.Option(help="The experiment. Repeat the option for more of them, in the same folds.")],
    data_dir: Annotated[
        Path, typer.Option(help="A folder of videos, CLASS/VIDEO, whose classes make the folds; or with --persons a dataset.")
    ],
    also: Annotated[list[Path] | None, typer.Option(help="A further folder of videos, which trains in every fold.")] = None,
    folds: Annotated[int, typer.Option(min=2, help="The number of folds.")] = 4,
    persons: Annotated[list[str] | None, typer.Option(help="Instead: the persons that test in a fold; once for each.")] = None,
    scale: Annotated[str, typer.Option(help="paper or demo.")] = "paper",
    set_: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE: other settings of all runs.")] = None,
    results_dir: Annotated[
        Path | None, typer.Option(help="Where the folds and runs are written. Default: results/folds/NAME_OF_THE_DATA.")
    ] = None,
) -> None:
    """Class number c in alphabetical order tests in fold c modulo `folds`. Start it again to go on with what was stopped."""
    with clear_errors(results_dir or data_dir):
        results_dir = results_dir or usual_results_dir(data_dir, also or [], len(persons or []) or folds)
        check_tables(exp, results_dir)
        values = dict(map(parse_override, set_ or []))
        if persons:
            if also:
                raise UserError("--also: further videos train with folds of classes; leave it out with --persons")
            plan = [(data_dir, {**values, **tested}) for tested in persons_of_folds(persons)]
        else:
            folders = fold_folders(data_dir, also or [], folds, results_dir)
            plan = [(folder, {"data.dataset": "videos", **values}) for folder in folders]
        check(exp, plan, results_dir, scale)
        for name in exp:
            figures: dict[str, dict] = {}
            for fold, (folder, settings) in enumerate(plan):
                run = finished_run(name, results_dir / f"fold_{fold}", scale=scale, data_dir=folder, set=settings)
                of_fold = json.loads((run.folder / "test" / "horizon_by_action.json").read_text(encoding="utf-8"))
                figures |= {f"{video}, fold {fold}" if persons else video: curves for video, curves in of_fold.items()}
            text = f"{title(name)}\n\n{table(figures)}"
            write_our_text(table_path(name, results_dir), text)
            say(*text.splitlines())


def usual_results_dir(data_dir: Path, also: list[Path], folds: int) -> Path:
    """One for each choice of data, so that folds of other data are not in the way."""
    names = [os.path.basename(os.path.realpath(folder)) for folder in (data_dir, *also)]  # links in a circle are no error here
    return Path("results", "folds", "_".join([*names, str(folds)]))


def table_path(experiment: str, results: Path) -> Path:
    """The table of an experiment, which may be given as a file."""
    return results / f"{Path(experiment).stem}.md"


def title(experiment: str) -> str:
    """The first line of an experiment's table."""
    return f"# {Path(experiment).stem} in folds"


def check_tables(experiments: list[str], results: Path) -> None:
    """Raise a UserError where a table cannot be written, or is that of two, before links are made and runs are trained."""
    mend, before = "move it away, or choose another --results-dir", set()
    with Mistakes() as mistakes:
        for name in experiments:
            if (path := table_path(name, results)) in before:
                mistakes.add(f"--exp {name}: {path} is the table of another --exp; leave one out, or rename its file")
                continue
            before.add(path)
            with mistakes.noted():
                check_text_output(path, title(name), f"table of {title(name).removeprefix('# ')}", mend)


def check(experiments: list[str], plan: list[tuple[Path, dict]], results: Path, scale: str) -> None:
    """Check the settings of all runs before the first is trained. Raises UserError. plan: (folder, settings) of each fold."""
    options = {"results_dir": results, "writes": False, "scale": scale, "stages_follow": True}
    called: dict[str, str] = {}  # the name of an experiment, which its runs lie below -> the --exp that has it
    with Mistakes() as mistakes:
        for exp in experiments:
            with mistakes.noted():
                for folder, values in plan:
                    name = resolve_settings(exp, data_dir=folder, values=values, **options).experiment
                if (other := called.setdefault(name, exp)) != exp:
                    mistakes.add(f"--exp {exp}: its experiment is called {name}, as that of {other}: give it another name")


def fold_folders(data_dir: Path, also: list[Path], folds: int, results: Path) -> list[Path]:
    """Make the folder of links of each fold, and return them. Raises UserError where there are fewer classes than folds."""
    videos = videos_below(data_dir)
    further = [path for folder in also for path in videos_below(folder)]
    if len({path.parent.name for path in videos}) < folds:
        raise UserError(f"{data_dir}: {folds} folds need as many classes; choose fewer --folds")
    folders = []
    for fold in range(folds):
        made = results / f"fold_{fold}"
        trained = made.is_dir() and any(path.is_dir() and path.name != "videos" for path in made.iterdir())  # also another one
        link_fold(folder := made / "videos", videos, further, fold, folds, trained=trained)
        folders.append(folder)
    return folders


def videos_below(folder: Path) -> list[Path]:
    """All videos in the folder and its sub-folders, sorted. Raises UserError where there is none."""
    paths = sorted(path for path in files_below(folder) if path.suffix.lower() in VIDEOS)
    if not paths:
        raise UserError(f"{folder}: there is no video in this folder")
    return paths


def link_fold(folder: Path, videos: list[Path], further: list[Path], fold: int, folds: int, *, trained: bool = False) -> None:
    """Make train/ and test/ of links to the videos. In test/, each video is a class of its own, so that it has its own
    figures. Raises UserError where the folder has links to others, or where it has `trained` and would get more."""
    links = fold_links(folder, videos, further, fold, folds)
    there = {path: path.resolve() for path in files_below(folder)} if folder.exists() else {}
    if there.items() - links.items() or (trained and there != links):
        raise UserError(f"{folder}: it was made of other videos or another number of folds; name another --results-dir")
    for link, video in links.items():
        link.parent.mkdir(parents=True, exist_ok=True)
        if link.is_symlink():  # a file that is there is not ours
            link.unlink()
        link.symlink_to(video)


def fold_links(folder: Path, videos: list[Path], further: list[Path], fold: int, folds: int) -> dict[Path, Path]:
    """The links of `link_fold` -> the videos. No two are alike, so that no video takes the place of another."""
    classes, names, links = sorted({path.parent.name for path in videos}), tested_as(videos), {}
    known, stems = {path.resolve() for path in videos}, defaultdict(set)
    others = {path.resolve(): path for path in further if path.resolve() not in known}  # what tests does not train as well
    for path in (*videos, *others.values()):
        tests = path in names and classes.index(path.parent.name) % folds == fold
        link = folder / ("test" if tests else "train") / (names[path] if tests else path.parent.name) / path.name
        if link in links:
            link = link.with_stem(distinct_name(path.stem, stems[link.parent]))
        stems[link.parent].add(link.stem)
        links[link] = path.resolve()
    return links


def tested_as(videos: list[Path]) -> dict[Path, str]:
    """The class that each video is in test/, which names its figures in all folds: its stem; where several have that stem, its
    own class before it."""
    stems = Counter(path.stem for path in videos)
    names = {path: path.stem for path in videos if stems[path.stem] == 1}
    for path in videos:
        if path not in names:
            names[path] = distinct_name(f"{path.parent.name}_{path.stem}", names.values())
    return names


def table(figures: dict[str, dict]) -> str:
    """A Markdown table: for each video and each method, the figures of every future frame, and their mean.

    Args:
        figures: video -> what `HorizonMetrics.curves` returns for it.
    """
    lines = []
    totals: dict[str, list] = {}
    further = [name for name in WHERE_MEASURED if any(name in m for c in figures.values() for m in c["methods"].values())]
    for video, curves in sorted(figures.items()):
        windows = curves["frames"][0]
        for method, measured in curves["methods"].items():
            if "psnr" not in measured:  # a baseline of keypoints alone, which has no frames
                continue
            unknown = np.full(len(measured["psnr"]), np.nan)
            values = np.array([measured.get(metric, unknown) for metric in (*METRICS, *further)], float)  # [metrics, T]
            totals.setdefault(method, []).append((windows, values))
            lines.append([video, str(windows), method.replace("_", " "), *cells(values)])
    for method, entries in totals.items():
        windows, videos = zip(*entries, strict=True)
        lines.append(["**all windows**", str(sum(windows)), method.replace("_", " "), *cells(pooled(windows, videos))])
    head = ["video", "windows", "method", "PSNR of each frame", "mean", "SSIM of each frame", "mean"]
    head += ["sharpness ratio", "gradient energy ratio", *(name.replace("_", " ") for name in further)]
    return "\n".join(markdown_table(head, lines)) + "\n"


def pooled(windows: Sequence[int], videos: Sequence[np.ndarray]) -> np.ndarray:
    """The figures of several videos [metrics, T], weighted by their windows: [metrics, T]. Of videos that are not equally long,
    the means over their frames: [metrics, 1]."""
    if len({values.shape[1] for values in videos}) > 1:
        videos = [values.mean(1, keepdims=True) for values in videos]
    return np.average(np.array(videos), 0, windows)


def cells(values: np.ndarray) -> list[str]:
    """The figures of METRICS and further ones [metrics, T] -> the cells of a row."""
    psnr, ssim, *others = values
    frames = [" / ".join(f"{value:.{digits}f}" for value in row) for row, digits in ((psnr, 2), (ssim, 3))]
    return [
        frames[0],
        f"{psnr.mean():.2f}",
        frames[1],
        f"{ssim.mean():.4f}",
        *("" if np.isnan(row).all() else f"{np.nanmean(row):.3f}" for row in others),
    ]


app = app_of(main)

if __name__ == "__main__":
    app()

"""The tables of a leaderboard, measured from runs and from files. Figures of different protocols never share a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isclose
from pathlib import Path

import numpy as np

from analogy.data.pictures import read_picture
from analogy.data.video import read_video
from analogy.errors import UserError, first_line
from analogy.evaluation.tiles import Layout, TiledVideos
from analogy.leaderboard.plan import Animations, BoardPlan, RunRow, Samples
from analogy.metrics.horizon import HorizonMetrics
from analogy.predictions.frames import PredictedFrames
from analogy.runs.calling import SavedModel
from analogy.runs.reading import Run, read_experiment_runs, read_run
from analogy.runs.ready import ready_models
from analogy.systems.movie_prediction import predicted_frames
from analogy.visualise.wording import duration, whole
from data_prep.video_source import fit_frame

METRICS = ("psnr", "ssim", "sharpness_ratio")
COPIED = ("copy_last_frame", "copy_first_frame", "copy_reference")
TITLES = {
    **dict.fromkeys(COPIED, "the first frame, copied"),
    "copy_last_frame": "the last observed frame, copied",
    "motion_continued": "its motion continued, at half speed",
}
# Rows of one table are measured on the same frames: these figures of the copied frame differ by no more than this share.
COMPARED, SAME_FIGURE = ("psnr", "ssim"), 1e-3


@dataclass(frozen=True)
class Row:
    """figures: metric -> mean over the clips. training: how long it was trained, in words. pages: of its runs. chosen: whether
    the truth chose it among several samples, so that it is no prediction."""

    title: str
    kind: str
    figures: Mapping[str, float]
    training: str = ""
    note: str = ""
    pages: tuple[Path, ...] = ()
    chosen: bool = False


@dataclass(frozen=True)
class Board:
    """A table. Its first row is the copied frame, over which the gains of all others are counted."""

    title: str
    protocol: str
    rows: list[Row]

    @property
    def copied(self) -> Row:
        return self.rows[0]


def measure(plan: BoardPlan, results: Path, animations: Path | None) -> tuple[list[Board], list[str]]:
    """The tables of a plan's board, and one line for each row or table for which there is nothing to measure.

    results: the folder of the runs. animations: the folder of published animations; None where there is none.

    Raises:
        UserError: a file is damaged or missing, or rows of one table are measured on other frames.
    """
    if plan.figures:
        rows = [Row(row.title, row.kind, row.model_dump(include=set(METRICS), exclude_none=True)) for row in plan.figures]
        return [Board(plan.title, plan.protocol, rows)], []
    if plan.animations or plan.samples:
        if animations is None:
            return [], [f"{plan.title}: there is no folder of published animations; name it with --animations"]
        if plan.samples:
            return measure_samples(plan, plan.samples, animations), []
    runs, missing = found_runs(plan, results)
    if plan.animations:
        return [measure_animations(plan, plan.animations, animations, runs)], missing
    return ([measure_runs(plan, runs)] if runs else []), missing


def found_runs(plan: BoardPlan, results: Path) -> tuple[list[tuple[RunRow, list[Run]]], list[str]]:
    """The newest finished run in each folder of each row, or its ready model; and one line for each row without a run. Raises
    UserError where no model of that name comes along."""
    rows, missing, models = [], [], ready_models()
    for row in plan.runs:
        if row.ready:
            if row.ready not in models:
                raise UserError(f"{plan.title}: {row.title}: no model {row.ready} comes along; there are {', '.join(models)}")
            rows.append((row, [read_run(models[row.ready].run)]))
            continue
        folders = [folder for folder in below(results, row.runs) if folder.is_dir()]
        finished = [[run for run in read_experiment_runs(folder) if run.status == "finished"] for folder in folders]
        if finished and all(finished):
            rows.append((row, [runs[0] for runs in finished]))
        else:
            missing.append(f"{plan.title}: {row.title}: there is no finished run in {row.runs}, below the folder of runs")
    return rows, missing


def below(folder: Path, pattern: str) -> list[Path]:
    """What is called so below a folder, sorted. Raises UserError where this is no pattern of names below a folder."""
    try:
        return sorted(folder.glob(pattern))
    except (NotImplementedError, ValueError) as error:  # of an absolute one, and of what is no pattern
        raise UserError(f"{pattern}: this names nothing below {folder} ({first_line(error)}); mend it in the plan") from error


# ---------------------------------------------------------------- runs


def measure_runs(plan: BoardPlan, found: Sequence[tuple[RunRow, list[Run]]]) -> Board:
    """One row for each entry, beside the baselines, which all runs have measured on the same frames. Raises UserError."""
    methods = [mean_over_runs(runs) for _, runs in found]
    for (row, _), figures in zip(found, methods, strict=True):
        if lacking := [name for name in COMPARED if name not in figures["prediction"]]:
            raise UserError(f"{plan.title}: {row.title} has not measured {lacking[0]}; name runs that predict frames")
    (first, _), *others = found
    copied = next((name for name in COPIED if name in methods[0]), None)
    if copied is None:
        raise UserError(f"{plan.title}: {first.title} has not measured the copied frame, over which gains are counted")
    for (row, _), figures in zip(others, methods[1:], strict=True):
        check_same_frames(methods[0], figures, copied, first.title, row.title)
    trivial = []
    for name in (copied, "motion_continued"):
        trivial += [Row(TITLES[name], "baseline", figures[name]) for figures in methods if name in figures][:1]
    rows = [
        row
        for (entry, runs), figures in zip(found, methods, strict=True)
        for row in rows_of(entry, runs, figures["prediction"])
    ]
    tested = f"{whole(methods[0]['prediction']['clips'])} test {'windows' if copied == 'copy_last_frame' else 'clips'}"
    return Board(plan.title, f"{plan.protocol.strip()} {tested}.", [*trivial, *ranked(rows)])


def mean_over_runs(runs: Sequence[Run]) -> dict[str, dict[str, float]]:
    """method -> metric -> mean over the test windows of all runs, such as those of all folds. "clips" of "prediction" is the
    number of these windows."""
    sums: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for run in runs:
        clips = run.summary.test.get("clips", 1)
        for method, figures in {"prediction": run.summary.test, **run.summary.baseline}.items():
            for name, value in figures.items():
                sums.setdefault(method, {}).setdefault(name, []).append((value, clips))
    means = {method: {name: weighted(pairs) for name, pairs in metrics.items()} for method, metrics in sums.items()}
    means.setdefault("prediction", {})["clips"] = sum(run.summary.test.get("clips", 1) for run in runs)
    return means


def weighted(pairs: Sequence[tuple[float, float]]) -> float:
    """The mean of (value, weight)."""
    return sum(value * weight for value, weight in pairs) / sum(weight for _, weight in pairs)


def check_same_frames(first: Mapping, other: Mapping, copied: str, title: str, other_title: str) -> None:
    """Raise a UserError where copying has other figures, so that the rows are of different protocols. first, other: method ->
    metric -> figure. copied: the method that copies."""
    if copied not in other:
        raise UserError(f"{other_title} has not measured the baseline {copied} of {title}; give it a table of its own")
    compared = {name: (first[copied][name], other[copied][name]) for name in COMPARED}
    compared["clips"] = first["prediction"]["clips"], other["prediction"]["clips"]
    for name, (value, another) in compared.items():
        if not isclose(value, another, rel_tol=SAME_FIGURE):
            what = "number of test clips" if name == "clips" else f"{name} of the copied frame"
            raise UserError(
                f"{title} and {other_title} are not measured on the same frames: the {what} is {value:.6g} and {another:.6g}; "
                "give them tables of their own, or train one of them again"
            )


def rows_of(row: RunRow, runs: Sequence[Run], figures: Mapping[str, float]) -> list[Row]:
    """The row of runs, and a second one of the best samples where they draw several."""
    steps = {run.summary.steps for run in runs if run.summary.steps}
    seconds = [run.summary.seconds["train"] for run in runs if "train" in run.summary.seconds]
    words = [f"{whole(max(steps))} steps"] if steps else []
    words += [duration(sum(seconds) / len(seconds))] if seconds else []
    about = {"training": ", ".join(words), "pages": tuple(run.folder / "index.html" for run in runs)}
    rows = [Row(row.title, row.kind, {name: figures[name] for name in METRICS if name in figures}, note=row.note, **about)]
    best = {name: figures[f"{name}_best"] for name in METRICS if f"{name}_best" in figures}
    if best:
        rows[0] = Row(f"{row.title}, mean of its samples", row.kind, rows[0].figures, note=row.note, **about)
        rows.append(Row(f"{row.title}, best of its samples", row.kind, best, note="chosen by the truth", chosen=True, **about))
    return rows


def ranked(rows: Sequence[Row]) -> list[Row]:
    """The rows, the highest PSNR first."""
    return sorted(rows, key=lambda row: -row.figures["psnr"])


# ---------------------------------------------------------------- published animations


def measure_animations(plan: BoardPlan, source: Animations, folder: Path, found: Sequence[tuple[RunRow, list[Run]]]) -> Board:
    """The tiles of animations beside the baselines, and beside runs that predict from the same observed frames."""
    files = below(folder, source.pattern)
    if not files:
        raise UserError(f"{folder}: there is no {source.pattern} in this folder")
    reader = TiledVideos(Layout(tuple(source.tiles)), source.context)
    predictors = [(row, runs, SavedModel(runs[0].folder)) for row, runs in found]
    means = HorizonMetrics()
    for clip in reader.predict_clips(files):
        ours = {row.title: predicted_by(model, clip) for row, _, model in predictors}
        means.add(clip.distance, replace(clip, other_methods={**clip.other_methods, **ours}).measure())
    trivial = [Row(TITLES[name], "baseline", means.mean(name)) for name in ("copy_last_frame", "motion_continued")]
    figures = {name: means.mean(name) for name in ("prediction", *reader.predicted[1:])}
    rows = [
        Row(name, "others", measured, chosen=name in source.chosen)
        for name, measured in zip(reader.predicted, figures.values(), strict=True)
    ]
    rows += [rows_of(row, runs[:1], means.mean(row.title))[0] for row, runs, _ in predictors]
    trivial = [row for row in trivial if row.figures]  # of one observed frame no motion is known
    return Board(plan.title, f"{plan.protocol.strip()} {said(reader, files)}", [*trivial, *ranked(rows)])


def said(reader: TiledVideos, files: Sequence[Path]) -> str:
    """The reader's protocol as a sentence, without what the table itself says."""
    clauses = [clause for clause in reader.protocol(files).split("; ") if not clause.startswith(("prediction:", "baselines:"))]
    return f"Read from {'; '.join(clauses)}."


def predicted_by(model: SavedModel, clip: PredictedFrames) -> np.ndarray:
    """The frames uint8 [T, H, W, 3] that a run's SavedModel predicts from the observed frames of a clip. For a model of larger
    frames their borders are repeated outwards, and cut off again. Raises UserError."""
    height, width = clip.truth.shape[1:3]
    rows, columns = model.inputs("predict")["frames"].shape[2:4]
    if rows < height or columns < width:
        raise UserError(f"{model.folder}: it predicts frames of {columns} x {rows}, smaller than {width} x {height}")
    top, left = (rows - height) // 2, (columns - width) // 2
    borders = (0, 0), (top, rows - height - top), (left, columns - width - left), (0, 0)
    frames = np.pad(clip.observed_frames, borders, mode="edge")
    return predicted_frames(model, frames, clip.length)[:, top : top + height, left : left + width]


# ---------------------------------------------------------------- one start picture


def measure_samples(plan: BoardPlan, source: Samples, folder: Path) -> list[Board]:
    """A table for each size and length of the predictions: truth and start picture are brought to the prediction's size, and
    the longer video is cut."""
    start, truth = read_picture(folder / source.start), np.stack(read_video(folder / source.truth).frames)
    tables: dict[tuple[int, int, int], list[Row]] = {}
    for title, file in source.predictions.items():
        prediction = np.stack(read_video(folder / file).frames)
        clip = beside_the_start(start, truth, prediction)
        figures = clip.measure()
        means = {method: {name: float(np.nanmean(values[name])) for name in METRICS} for method, values in figures.items()}
        key = clip.length, *prediction.shape[1:3]
        tables.setdefault(key, [Row("the start picture, copied", "baseline", means["copy"])])
        tables[key].append(Row(title, "others", means["prediction"]))
    boards = []
    for (length, height, width), (copied, *rows) in sorted(tables.items(), reverse=True):
        title = f"{plan.title}: {length} frames of {width} x {height}"
        boards.append(Board(title, "As above." if boards else plan.protocol, [copied, *ranked(rows)]))
    return boards


def beside_the_start(start: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> PredictedFrames:
    """start: uint8 [H, W, 3]. truth, prediction: uint8 [T, H, W, 3], of any size and length."""
    length, size = min(len(truth), len(prediction)), prediction.shape[1:3]
    start, *truth = (fit_frame(frame, size, "squeeze") for frame in (start, *truth[:length]))
    return PredictedFrames(
        clip="", action="", distance=np.arange(1, length + 1), observed_frames=start[None], truth=np.stack(truth),
        prediction=prediction[:length], baseline=np.repeat(start[None], length, 0), baseline_name="copy",
    )  # fmt: skip

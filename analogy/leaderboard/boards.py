"""The tables of a leaderboard, measured from runs and from files. Figures of different protocols never share a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from analogy.data.frames import in_channels
from analogy.data.pictures import read_picture
from analogy.data.video import read_video
from analogy.errors import UserError, first_line
from analogy.evaluation.tiles import Layout, TiledVideos
from analogy.leaderboard.parts import COMPARED, METRICS, Part, Row, check_same_frames, definitions, part_of
from analogy.leaderboard.plan import Animations, BoardPlan, RunRow, Samples
from analogy.metrics.horizon import HorizonMetrics
from analogy.predictions.frames import PredictedFrames
from analogy.runs.calling import SavedModel
from analogy.runs.reading import Run, read_experiment_runs, read_run
from analogy.runs.ready import ready_models
from analogy.systems.movie_prediction import predicted_frames
from analogy.visualise.wording import duration, whole
from data_prep.video_source import fit_frame

COPIED = ("copy_last_frame", "copy_first_frame", "copy_reference")
TITLES = {
    **dict.fromkeys(COPIED, "the first frame, copied"),
    "copy_last_frame": "the last observed frame, copied",
    "motion_continued": "its motion continued, at half speed",
}


@dataclass(frozen=True)
class Board:
    """A table. Its first row is the copied frame, over which the gains of all others are counted."""

    title: str
    protocol: str
    rows: list[Row]


class Measured(NamedTuple):
    """What there is of a plan's board.

    boards: its tables. parts: what is to be kept of them (`KeptParts`). kept: names of the rows that were not measured now but
    before. missing: one line for each row or table that was never measured.
    """

    boards: list[Board]
    parts: dict[str, list[Part]]
    kept: list[str]
    missing: list[str]


def measure(plan: BoardPlan, results: Path, animations: Path | None, kept: Mapping[str, list[Part]]) -> Measured:
    """Measure a plan's board, as far as what it is measured from is there; the other rows are those that were kept.

    results: the folder of the runs. animations: the folder of published animations; None where there is none. kept: see
    `KeptParts`.

    Raises:
        UserError: a file is damaged or missing, or rows of one table are measured on other frames.
    """
    if plan.figures:
        given = [Row(row.title, row.kind, row.model_dump(include=set(METRICS), exclude_none=True)) for row in plan.figures]
        part = part_of(given[:1], given[1:])
        return Measured([Board(plan.title, plan.protocol, [*part.trivial, *part.rows])], {}, [], [])
    measured, lacking = measured_parts(plan, results, animations)
    hashes = definitions(plan)
    there = {row: parts for row, key in hashes.items() if (parts := measured.get(row) or kept.get(key))}
    names = {row: f"{plan.title}: {row.title}" if row else plan.title for row in hashes}
    before = [row for row in there if row not in measured]
    absent = [row for row in hashes if row not in there]
    titled = [
        (f"{row.title if row else plan.title}{' (kept)' if row in before else ''}", part)
        for row, parts in there.items()
        for part in parts
    ]
    return Measured(
        boards_of(plan, titled),
        {hashes[row]: parts for row, parts in there.items()},
        [names[row] for row in before],
        [f"{names[row]}: {lacking[row]}" for row in ([None] if None in absent else absent)],
    )


def measured_parts(
    plan: BoardPlan, results: Path, animations: Path | None
) -> tuple[dict[RunRow | None, list[Part]], dict[RunRow | None, str]]:
    """What can be measured now, of each row of runs, and of None what is read from files; and of the others why not."""
    found, lacking = found_runs(plan, results)
    if not (plan.animations or plan.samples):
        return {row: [measure_runs(plan, row, runs)] for row, runs in found.items()}, lacking
    if animations is None:
        why = "there is no folder of published animations; name it with --animations"
        return {}, {**dict.fromkeys([None, *found], why), **lacking}
    if plan.samples:
        return {None: measure_samples(plan.samples, animations)}, lacking
    return measure_animations(plan.animations, animations, found), lacking


def boards_of(plan: BoardPlan, parts: Sequence[tuple[str, Part]]) -> list[Board]:
    """One table of all parts; of samples, one for each size and length. parts: title and part. Raises UserError."""
    boards: list[Board] = []
    for of in dict.fromkeys(part.of for _, part in parts):
        (title, first), *others = ((title, part) for title, part in parts if part.of == of)
        trivial = {row.title: row for row in first.trivial}
        for other_title, other in others:
            check_same_frames(title, first, other_title, other)
            trivial |= {row.title: row for row in other.trivial if row.title not in trivial}
        rows = ranked(row for _, part in [(title, first), *others] for row in part.rows)
        protocol = "As above." if boards else plan.protocol.strip()
        boards.append(Board(plan.title + of, f"{protocol} {first.said}".strip(), [*trivial.values(), *rows]))
    return boards


def ranked(rows: Iterable[Row]) -> list[Row]:
    """The rows, the highest PSNR first."""
    return sorted(rows, key=lambda row: -row.figures["psnr"])


# ---------------------------------------------------------------- runs


def found_runs(plan: BoardPlan, results: Path) -> tuple[dict[RunRow, list[Run]], dict[RunRow, str]]:
    """The newest finished run in each folder of each row, or its ready model; and of each row without a run why. Raises
    UserError where no model of that name comes along."""
    rows, lacking, models = {}, {}, ready_models()
    for row in plan.runs:
        if row.ready:
            if row.ready not in models:
                raise UserError(f"{plan.title}: {row.title}: no model {row.ready} comes along; there are {', '.join(models)}")
            rows[row] = [read_run(models[row.ready].run)]
            continue
        folders = [folder for folder in below(results, row.runs) if folder.is_dir()]
        finished = [[run for run in read_experiment_runs(folder) if run.status == "finished"] for folder in folders]
        if finished and all(finished):
            rows[row] = [runs[0] for runs in finished]
        else:
            lacking[row] = f"there is no finished run in {row.runs}, below the folder of runs"
    return rows, lacking


def below(folder: Path, pattern: str) -> list[Path]:
    """What is called so below a folder, sorted. Raises UserError where this is no pattern of names below a folder."""
    try:
        return sorted(folder.glob(pattern))
    except (NotImplementedError, ValueError) as error:  # of an absolute one, and of what is no pattern
        raise UserError(f"{pattern}: this names nothing below {folder} ({first_line(error)}); mend it in the plan") from error


def measure_runs(plan: BoardPlan, row: RunRow, runs: Sequence[Run]) -> Part:
    """A row's figures beside the baselines that its runs have measured on the same frames. Raises UserError."""
    figures = mean_over_runs(runs)
    if lacking := [name for name in COMPARED if name not in figures["prediction"]]:
        raise UserError(f"{plan.title}: {row.title} has not measured {lacking[0]}; name runs that predict frames")
    copied = next((name for name in COPIED if name in figures), None)
    if copied is None:
        raise UserError(f"{plan.title}: {row.title} has not measured the copied frame, over which gains are counted")
    trivial = [Row(TITLES[name], "baseline", figures[name]) for name in (copied, "motion_continued") if name in figures]
    tested = f"{whole(figures['prediction']['clips'])} test {'windows' if copied == 'copy_last_frame' else 'clips'}."
    return part_of(trivial, rows_of(row, runs, figures["prediction"]), tested)


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


# ---------------------------------------------------------------- published animations


def measure_animations(
    source: Animations, folder: Path, found: Mapping[RunRow, Sequence[Run]]
) -> dict[RunRow | None, list[Part]]:
    """Of None the tiles of animations, and of each row a run that predicts from the same observed frames. Raises UserError."""
    files = below(folder, source.pattern)
    if not files:
        raise UserError(f"{folder}: there is no {source.pattern} in this folder")
    reader = TiledVideos(Layout(tuple(source.tiles)), source.context)
    models = {row: SavedModel(runs[0].folder) for row, runs in found.items()}
    means = HorizonMetrics()
    for clip in reader.predict_clips(files):
        ours = {row.title: predicted_by(model, clip) for row, model in models.items()}
        means.add(clip.distance, replace(clip, other_methods={**clip.other_methods, **ours}).measure())
    trivial = [Row(TITLES[name], "baseline", means.mean(name)) for name in ("copy_last_frame", "motion_continued")]
    trivial = [row for row in trivial if row.figures]  # of one observed frame no motion is known
    figures = {name: means.mean(name) for name in ("prediction", *reader.predicted[1:])}
    tiles = [
        Row(name, "others", measured, chosen=name in source.chosen)
        for name, measured in zip(reader.predicted, figures.values(), strict=True)
    ]
    ours = {row: rows_of(row, runs[:1], means.mean(row.title))[:1] for row, runs in found.items()}
    return {row: [part_of(trivial, rows, said(reader, files))] for row, rows in {None: tiles, **ours}.items()}


def said(reader: TiledVideos, files: Sequence[Path]) -> str:
    """The reader's protocol as a sentence, without what the table itself says."""
    clauses = [clause for clause in reader.protocol(files).split("; ") if not clause.startswith(("prediction:", "baselines:"))]
    return f"Read from {'; '.join(clauses)}."


def predicted_by(model: SavedModel, clip: PredictedFrames) -> np.ndarray:
    """The frames uint8 [T, H, W, 3] that a run's SavedModel predicts from the observed frames of a clip. For a model of larger
    frames their borders are repeated outwards, and cut off again; for one of more observed frames the first one is repeated
    before them; for one of grey frames their luma is taken. Raises UserError."""
    shapes = [spec.shape for spec in model.inputs("predict").values() if len(spec.shape) == 5]
    if not shapes:
        raise UserError(f"{model.folder}: it predicts no frames from frames; leave it out of the plan")
    height, width = clip.truth.shape[1:3]
    _, length, rows, columns, channels = shapes[0]
    if rows < height or columns < width:
        raise UserError(f"{model.folder}: it predicts frames of {columns} x {rows}, smaller than {width} x {height}")
    top, left = (rows - height) // 2, (columns - width) // 2
    before = max(0, (length or 0) - len(clip.observed_frames))  # None: any length
    borders = (before, 0), (top, rows - height - top), (left, columns - width - left), (0, 0)
    observed = np.stack([in_channels(frame, channels) for frame in np.pad(clip.observed_frames, borders, mode="edge")])
    predicted = predicted_frames(model, observed, clip.length)[:, top : top + height, left : left + width]
    return np.broadcast_to(predicted, (*predicted.shape[:3], 3))


# ---------------------------------------------------------------- one start picture


def measure_samples(source: Samples, folder: Path) -> list[Part]:
    """A part for each size and length of the predictions: truth and start picture are brought to the prediction's size, and the
    longer video is cut."""
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
    return [
        part_of([copied], rows, of=f": {length} frames of {width} x {height}")
        for (length, height, width), (copied, *rows) in sorted(tables.items(), reverse=True)
    ]


def beside_the_start(start: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> PredictedFrames:
    """start: uint8 [H, W, 3]. truth, prediction: uint8 [T, H, W, 3], of any size and length."""
    length, size = min(len(truth), len(prediction)), prediction.shape[1:3]
    start, *truth = (fit_frame(frame, size, "squeeze") for frame in (start, *truth[:length]))
    return PredictedFrames(
        clip="", action="", distance=np.arange(1, length + 1), observed_frames=start[None], truth=np.stack(truth),
        prediction=prediction[:length], baseline=np.repeat(start[None], length, 0), baseline_name="copy",
    )  # fmt: skip

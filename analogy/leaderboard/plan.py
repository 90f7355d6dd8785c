"""The plan of a leaderboard: a YAML file that says which tables it has, and from which runs and files each is measured."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from analogy.evaluation.tiles import wrong_names
from analogy.settings.loading import read_mapping, validated
from analogy.settings.section import Section
from analogy.settings.values import FrameCount

# Whose a row is: a trivial prediction; a published system as we rebuilt it; our own variant; what other people published.
Kind = Literal["baseline", "faithful", "ours", "others"]
SOURCES = ("runs", "animations", "samples", "figures")


class RunRow(Section):
    """A row that is measured from runs.

    runs: folders of an experiment below the results, a glob pattern: the newest finished run of each is taken, such as one a
    fold, whose figures are averaged over their test windows. ready: instead, the name of a model that comes along, to predict
    the frames of animations. note: what a reader must know of this row.
    """

    title: str
    kind: Kind
    runs: str = ""
    ready: str = ""
    note: str = ""

    @model_validator(mode="after")
    def _has_runs(self) -> RunRow:
        if bool(self.runs) == bool(self.ready):
            raise ValueError(f"{self.title}: give either runs, or the name of a ready model")
        return self


class Animations(Section):
    """Animations with truth and predictions in tiles. pattern: of the files, below the folder of animations. tiles: their names
    (`analogy.evaluation.tiles.Layout`). context: number of observed frames. chosen: tiles of samples that were chosen by the
    truth."""

    pattern: str
    tiles: list[str]
    context: FrameCount
    chosen: list[str] = []


class Samples(Section):
    """One start picture, the true frames after it, and predictions in files of their own: title -> file. All lie below the
    folder of animations."""

    start: str
    truth: str
    predictions: Annotated[dict[str, str], Field(min_length=1)]


class FigureRow(Section):
    """A row that cannot be measured again from what is at hand: figures of this package's metrics, taken earlier."""

    title: str
    kind: Kind
    psnr: float
    ssim: float
    sharpness_ratio: float | None = None


class BoardPlan(Section):
    """One table, or with `samples` one for each size and length of the predictions.

    protocol: what is measured, in words. It has exactly one source: `runs`, `animations` (with `runs`: models that predict from
    the same observed frames), `samples`, or `figures`, of which the first row is the copied frame.
    """

    title: str
    protocol: str
    runs: list[RunRow] = []
    animations: Animations | None = None
    samples: Samples | None = None
    figures: list[FigureRow] = []

    @model_validator(mode="after")
    def _has_one_source(self) -> BoardPlan:
        given = [name for name in SOURCES if getattr(self, name)]
        if len(given) != 1 and given != ["runs", "animations"]:
            raise ValueError(f"{self.title}: give one of {', '.join(SOURCES)}, or animations and runs; there are {given}")
        if self.animations:
            if why := wrong_names([*self.animations.tiles, *(row.title for row in self.runs)]):
                raise ValueError(f"{self.title}: tiles, and titles of runs: {why}")
            if unknown := [name for name in self.animations.chosen if name not in self.animations.tiles]:
                raise ValueError(f"{self.title}: chosen: there is no tile {unknown[0]}")
        if ready := [row.ready for row in self.runs if row.ready and not self.animations]:
            raise ValueError(f"{self.title}: ready: {ready[0]} predicts the frames of animations, and there are none")
        return self


class Plan(Section):
    """title and introduction of the leaderboard, and its tables."""

    title: str
    introduction: str
    boards: Annotated[list[BoardPlan], Field(min_length=1)]


def read_plan(path: Path) -> Plan:
    """Read a plan. Raises UserError with one line for each mistake."""
    return validated(Plan, read_mapping(path), str(path))

"""The parts of a leaderboard's tables. Each is measured or, where what it was measured from is gone, kept from before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from itertools import chain
from math import isclose
from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field, field_validator
from pydantic.dataclasses import dataclass

from analogy.data.doubts import fingerprint
from analogy.errors import UserError
from analogy.leaderboard.plan import BoardPlan, Kind, RunRow
from analogy.metrics.table import metric_of
from analogy.runs.kept import Kept
from analogy.visualise.wording import compare

METRICS = ("psnr", "ssim", "sharpness_ratio")
# Rows of one table are measured on the same frames: these figures of the copied frame differ by no more than this share.
COMPARED, SAME_FIGURE = ("psnr", "ssim"), 1e-3
STRICT = ConfigDict(extra="forbid")  # of what is read from a file


@dataclass(frozen=True, config=STRICT)
class Row:
    """figures: metric -> mean over the clips. gains: metric -> how much better than the copied frame of the same table. Both
    are rounded as they are printed. training: how long it was trained, in words. pages: of its runs. chosen: whether the truth
    chose it among several samples, so that it is no prediction."""

    title: str
    kind: Kind
    figures: dict[str, float]
    gains: dict[str, float] = field(default_factory=dict)
    training: str = ""
    note: str = ""
    pages: Annotated[tuple[Path, ...], Field(exclude=True)] = ()
    chosen: bool = False


@dataclass(frozen=True, config=STRICT)
class Part:
    """What is measured together: a row of runs, or the rows that are read from files.

    trivial: the copied frame, and its motion continued where that was measured. rows: the others, such as the mean and the best
    of a run's samples. said: a sentence of the protocol that the data told. of: the end of its table's title.
    """

    trivial: list[Row]
    rows: list[Row]
    said: str = ""
    of: str = ""


class KeptParts(Kept):
    """parts: a hash of a part's definition (see `definitions`) -> what was measured."""

    parts: dict[str, list[Part]] = {}

    @field_validator("parts")
    @classmethod
    def _have_figures(cls, parts: dict[str, list[Part]]) -> dict[str, list[Part]]:
        for part in chain.from_iterable(parts.values()):
            if not part.trivial or not part.trivial[0].figures.keys() >= set(COMPARED):
                raise ValueError(f"a table lacks {' or '.join(COMPARED)} of its copied frame")
            if lacking := [row.title for row in [*part.trivial, *part.rows] if "psnr" not in row.figures]:
                raise ValueError(f"{lacking[0]} lacks psnr, by which rows are sorted")
        return parts


def part_of(trivial: Sequence[Row], rows: Iterable[Row], said: str = "", of: str = "") -> Part:
    """A part of rows that have no gains yet. The first of `trivial` is the copied frame."""
    copied, *others = trivial
    trivial = [_rounded(copied), *(_rounded(row, copied.figures) for row in others)]
    return Part(trivial, [_rounded(row, copied.figures) for row in rows], said, of)


def _rounded(row: Row, copied: Mapping[str, float] | None = None) -> Row:
    """The row with its gains over these figures of the copied frame."""
    figures = {name: row.figures[name] for name in METRICS if name in row.figures}
    gains = {name: compare(name, value, (copied or {}).get(name)).gain for name, value in figures.items()}
    return replace(
        row,
        figures={name: round(value, metric_of(name).digits) for name, value in figures.items()},
        gains={name: gain for name, gain in gains.items() if gain is not None},
    )


def definitions(plan: BoardPlan) -> dict[RunRow | None, str]:
    """A hash of what defines each part of a board: all that its plan says but of the rows of other runs.

    Returns:
        row of runs -> its hash; and first None -> that of what is read from files, where there are some.
    """
    board = plan.model_dump_json(exclude={"runs"}, exclude_defaults=True).encode()
    rows = [*([None] if plan.animations or plan.samples else []), *plan.runs]
    return {row: fingerprint([board, row.model_dump_json(exclude_defaults=True).encode() if row else b""]) for row in rows}


def check_same_frames(title: str, first: Part, other_title: str, other: Part) -> None:
    """Raise a UserError where copying has other figures, so that the parts are of different protocols."""
    copied, another = first.trivial[0], other.trivial[0]
    if copied.title != another.title:
        raise UserError(f"{other_title} has not measured {copied.title}, as {title} has; give it a table of its own")
    compared = {f"{name} of the copied frame": (copied.figures[name], another.figures[name]) for name in COMPARED}
    for what, (value, other_value) in compared.items():
        if not isclose(value, other_value, rel_tol=SAME_FIGURE):
            raise UserError(_other_frames(title, other_title, f"the {what} is {value:.6g} and {other_value:.6g}"))
    if first.said != other.said:
        raise UserError(_other_frames(title, other_title, f"{first.said} {other.said}"))


def _other_frames(title: str, other_title: str, difference: str) -> str:
    return (
        f"{title} and {other_title} are not measured on the same frames: {difference.rstrip('.')}; "
        "give them tables of their own, or train one of them again"
    )

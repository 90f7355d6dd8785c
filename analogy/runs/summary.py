"""What summary.json and metrics.jsonl of a run hold, those of older versions included.

Both are read leniently: other keys are allowed, and a value of a wrong type is missing. What is wrong with it is collected in
the list that pydantic is given as its context.
"""

from __future__ import annotations

import json
import reprlib
from collections.abc import Callable, Iterator
from math import isnan
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, StrictFloat, StrictInt, StrictStr, ValidationError, WrapValidator


def _lenient(kind: Any, words: str, missing: Callable[[], Any]) -> Any:
    """The type `kind`, in `words`, of which a value of another type becomes `missing()`."""

    def read(value: Any, validate: Callable[[Any], Any], info) -> Any:
        if value is None:
            return missing()
        try:
            return validate(value)
        except ValidationError:
            if info.context is not None:
                info.context.append(f"{info.field_name}: expected {words}, found {reprlib.repr(value)}")
            return missing()

    return Annotated[kind, WrapValidator(read)]


def _no_number_is_missing(value: float) -> float | None:
    """JSON of Python holds NaN, too."""
    try:
        return None if isnan(value) else value
    except OverflowError as error:
        raise ValueError("too large") from error


def _without_missing(figures: dict) -> dict:
    return {name: value for name, value in figures.items() if value is not None}


def nothing() -> None:
    """The missing number."""


Text = _lenient(StrictStr, "text", str)
Number = _lenient(Annotated[StrictInt | StrictFloat | None, AfterValidator(_no_number_is_missing)], "a number", nothing)
Mean = _lenient(StrictInt | StrictFloat | None, "a number", nothing)  # of a row: it may be NaN, and says so
Figures = _lenient(Annotated[dict[str, Number], AfterValidator(_without_missing)], "numbers by name", dict)
FiguresByName = _lenient(dict[str, Figures], "tables of numbers by name", dict)
FiguresByAction = _lenient(dict[str, FiguresByName], "tables of figures by action", dict)
Texts = _lenient(list[Text], "a list of texts", list)
Tables = _lenient(list[_lenient(dict[str, Any], "a table", dict)], "a list of tables", list)


class UsedModel(BaseModel):
    """The SavedModel of a run that this one builds on."""

    model_config = ConfigDict(frozen=True)

    run: Text = ""
    checksum: Text = ""

    def __str__(self) -> str:
        return f"{self.run}, checksum {self.checksum}"


UsedModels = _lenient(dict[str, _lenient(list[UsedModel], "a list of runs", list)], "lists of runs by role", dict)


class Summary(BaseModel):
    """summary.json.

    seconds: by part of the run. parameters: trainable weights by network. test: metric -> figure. baseline: the same of each.
    actions: action -> method -> metric -> figure. clips: rows of figures, as they are. uses: role -> models, the newest last.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    experiment: Text = ""
    summary: Text = ""
    source: Text = ""
    system: Text = ""
    dataset: Text = ""
    scale: Text = ""
    status: Text = ""
    precision: Text = ""
    protocol: Text = ""
    steps: Number = None
    seed: Number = None
    replicas: Number = None
    doubts: Texts = []
    seconds: Figures = {}
    parameters: Figures = {}
    test: Figures = {}
    baseline: FiguresByName = {}
    actions: FiguresByAction = {}
    clips: Tables = []
    uses: UsedModels = {}


class MetricsRow(BaseModel):
    """A row of metrics.jsonl: the means of the steps since the row before, by name, such as "generator/l2"."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, Mean]

    step: StrictInt
    seconds: Mean = None


def read_summary(table: dict[str, Any]) -> tuple[Summary, list[str]]:
    """The content of summary.json, and a line for each value that is left out because it is of a wrong type."""
    faults: list[str] = []
    summary = Summary.model_validate(table, context=faults)
    return summary, [f"summary.json: {fault}" for fault in faults]


def read_rows(text: str) -> Iterator[dict[str, float]]:
    """The rows of metrics.jsonl that have a step, without values that are no numbers. The last line of a run in training, or
    of one that was killed, may be cut."""
    for line in text.splitlines():
        try:
            row = MetricsRow.model_validate(json.loads(line))
        except (ValueError, RecursionError):  # pydantic's own error is a ValueError
            continue
        yield _without_missing(row.model_dump())

"""The contents of a run's summary.json and metrics.jsonl, also of runs by older versions.

Both are read leniently: unknown keys are allowed, and a value of a wrong type is treated as missing. A line about each such
value is added to the list that pydantic gets as its validation context.
"""

from __future__ import annotations

import json
import reprlib
from collections.abc import Callable, Iterator
from math import isnan
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, StrictFloat, StrictInt, StrictStr, ValidationError, WrapValidator


def _lenient(kind: Any, words: str, missing: Callable[[], Any]) -> Any:
    """A pydantic type like `kind` (in words: `words`), for which a value of another type becomes `missing()`."""

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


def _nan_is_missing(value: float) -> float | None:
    """NaN -> None. Python writes NaN to JSON files. Raises ValueError for an integer that is too large for a float."""
    try:
        return None if isnan(value) else value
    except OverflowError as error:
        raise ValueError("too large") from error


def _without_missing(figures: dict) -> dict:
    return {name: value for name, value in figures.items() if value is not None}


def nothing() -> None:
    """The value of a missing number: None."""


Text = _lenient(StrictStr, "text", str)
Number = _lenient(Annotated[StrictInt | StrictFloat | None, AfterValidator(_nan_is_missing)], "a number", nothing)
# In a row of metrics.jsonl. NaN is kept there, because it tells that training failed.
Mean = _lenient(StrictInt | StrictFloat | None, "a number", nothing)
Figures = _lenient(Annotated[dict[str, Number], AfterValidator(_without_missing)], "numbers by name", dict)
FiguresByName = _lenient(dict[str, Figures], "tables of numbers by name", dict)
FiguresByAction = _lenient(dict[str, FiguresByName], "tables of figures by action", dict)
Texts = _lenient(list[Text], "a list of texts", list)
Tables = _lenient(list[_lenient(dict[str, Any], "a table", dict)], "a list of tables", list)


class UsedModel(BaseModel):
    """The SavedModel of another run, which this run uses."""

    model_config = ConfigDict(frozen=True)

    run: Text = ""
    checksum: Text = ""

    def __str__(self) -> str:
        return f"{self.run}, checksum {self.checksum}"


TextsByName = _lenient(dict[str, Text], "texts by name", dict)
UsedModels = _lenient(dict[str, _lenient(list[UsedModel], "a list of runs", list)], "lists of runs by role", dict)


class Summary(BaseModel):
    """The content of summary.json.

    seconds: part of the run -> its duration. parameters: network -> number of trainable weights. test: metric -> figure.
    baseline: baseline -> metric -> figure. actions: action -> method -> metric -> figure. clips: one row of unchecked values
    for each test clip. training_clips: method -> metric -> figure on clips that trained. uses: role -> the models that the run
    has used, the newest last. try_next: experiment -> what it reaches on the same data.
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
    training_clips: FiguresByName = {}
    actions: FiguresByAction = {}
    clips: Tables = []
    uses: UsedModels = {}
    try_next: TextsByName = {}


class MetricsRow(BaseModel):
    """A row of metrics.jsonl: name, such as "generator/l2" -> its mean over the steps since the last row."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, Mean]

    step: StrictInt
    seconds: Mean = None


def read_summary(table: dict[str, Any]) -> tuple[Summary, list[str]]:
    """(summary, one line for each value that was left out because it has a wrong type) from the content of summary.json."""
    faults: list[str] = []
    summary = Summary.model_validate(table, context=faults)
    return summary, [f"summary.json: {fault}" for fault in faults]


def read_rows(text: str) -> Iterator[dict[str, float]]:
    """The rows in the text of metrics.jsonl, without values that are not numbers.

    Lines that are no valid row are skipped: the last line may be incomplete while a run trains, or after it was killed.
    """
    for line in text.splitlines():
        try:
            row = MetricsRow.model_validate(json.loads(line))
        except (ValueError, RecursionError):  # pydantic's own error is a ValueError
            continue
        yield _without_missing(row.model_dump())

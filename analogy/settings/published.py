"""What a paper reports of an experiment, as the YAML says it: a number, a figure at each future step, or a training curve."""

from __future__ import annotations

import difflib
from typing import Annotated, Any

from pydantic import Field, NonNegativeInt, StringConstraints, model_serializer, model_validator

from analogy.metrics.table import METRICS
from analogy.settings.section import Section


class Published(Section):
    """One result of a paper. It has exactly one of figure, horizon and curve.

    metric: of `analogy.metrics.table`; of a curve the name of what training logs, such as network/loss.
    figure: over the test set. horizon: at the future steps 1, 2, ... curve: (step, value) while training.
    protocol: in words, what was measured on what.
    only_with: setting, such as data.split -> the value that the protocol has. A run with another value is not shown beside it.
    """

    metric: str
    protocol: Annotated[str, StringConstraints(min_length=1)]
    figure: float | None = None
    horizon: Annotated[list[float], Field(min_length=1)] | None = None
    curve: Annotated[list[tuple[NonNegativeInt, float]], Field(min_length=1)] | None = None
    only_with: dict[str, Any] = {}

    @property
    def form(self) -> str:
        """figure, horizon or curve."""
        return next(name for name in ("figure", "horizon", "curve") if getattr(self, name) is not None)

    @model_validator(mode="after")
    def _makes_sense(self) -> Published:
        if sum(value is not None for value in (self.figure, self.horizon, self.curve)) != 1:
            raise ValueError(f"{self.metric}: give one of figure (a number), horizon (at each future step) and curve")
        if self.curve is None and self.metric not in METRICS:
            near = difflib.get_close_matches(self.metric, METRICS, n=1, cutoff=0.0)[0]
            raise ValueError(f"there is no metric {self.metric}; the nearest one is {near}")
        steps = [step for step, _ in self.curve or ()]
        if steps != sorted(set(steps)):
            raise ValueError(f"{self.metric}: the steps of a curve must rise")
        return self

    @model_serializer(mode="wrap")
    def _without_empty(self, serialize) -> dict[str, Any]:
        return {key: value for key, value in serialize(self).items() if value is not None}

    def differences(self, settings: Section) -> list[str]:
        """What keeps a run of these settings from standing beside it, such as "data.split is standard, not published"; empty
        where the protocol is the same. A demo never has the protocol of a paper.

        Raises:
            ValueError: `only_with` names no setting.
        """
        wanted = {"scale": "paper", **self.only_with}
        found = {key: _setting(settings, key) for key in wanted}
        return [f"{key} is {_text(found[key])}, not {_text(value)}" for key, value in wanted.items() if found[key] != value]

    def check_length(self, settings: Section) -> None:
        """Raises ValueError where a horizon has not as many figures as the future steps that its protocol predicts."""
        if self.horizon is None or (self.differences(settings) and "data.horizon" not in self.only_with):
            return
        steps = self.only_with.get("data.horizon", _setting(settings, "data.horizon"))
        if len(self.horizon) != steps:
            count = len(self.horizon)
            raise ValueError(
                f"published: {self.metric} has {count} figures for {steps} future steps (data.horizon); give one for each"
            )


def read_older(figures: dict, only_with: dict[str, Any]) -> list[dict]:
    """Entries from the settings of an older run: metric -> its figure at each future step, with no word of the protocol."""
    words = "of the paper's own data and test set"
    return [
        {
            "metric": metric,
            "horizon": values,
            "protocol": words,
            "only_with": {"data.horizon": len(values) if isinstance(values, list) else None, **only_with},
        }
        for metric, values in figures.items()
    ]


def check_published(published: list[Published], settings: Section) -> None:
    """Raises ValueError where an entry does not fit these settings, or two of one metric and form would stand beside a run."""
    fitting = []
    for entry in published:
        entry.check_length(settings)
        if not entry.differences(settings):
            fitting.append((entry.metric, entry.form))
    if twice := [name for name in fitting if fitting.count(name) > 1]:
        raise ValueError(f"published: {' '.join(twice[0])} stands twice for one protocol; tell them apart by only_with")


def fitting_entries(published: list[Published], settings: Section) -> list[Published]:
    """The entries whose protocol a run of these settings has."""
    return [entry for entry in published if not entry.differences(settings)]


def summary_rows(published: list[Published], settings: Section) -> list[dict[str, Any]]:
    """The entries for a run's summary.json, each with `differs`: what keeps it from standing beside this run."""
    return [
        {**entry.model_dump(mode="json", exclude={"only_with"}), "differs": entry.differences(settings)} for entry in published
    ]


def _setting(settings: Section, key: str) -> object:
    """The value of a dotted key. Raises ValueError."""
    value: object = settings
    for part in key.split("."):
        if not isinstance(value, Section) or part not in type(value).model_fields:
            raise ValueError(f"published: only_with: there is no setting {key} here; name one of this experiment's settings")
        value = getattr(value, part)
    return list(value) if isinstance(value, tuple) else value


def _text(value: object) -> str:
    return "null" if value is None else str(value)

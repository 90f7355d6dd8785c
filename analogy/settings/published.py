"""Results that a paper reports for an experiment (the YAML key `published`): a number, a figure per future step, or a curve."""

from __future__ import annotations

import difflib
from typing import Annotated, Any

from pydantic import Field, NonNegativeInt, StringConstraints, model_serializer, model_validator

from analogy.metrics.table import METRICS
from analogy.settings.section import Section


class Published(Section):
    """One result of a paper. It has exactly one of figure, horizon and curve.

    metric: a metric of `analogy.metrics.table`; for a curve, a key of metrics.jsonl such as network/loss.
    figure: the mean over the test set. horizon: one figure for each future step 1, 2, ... curve: (step, value) in training.
    protocol: what was measured, and on which data, in words.
    only_with: setting, such as data.split -> its value in the paper's protocol. The result is shown only beside runs that have
    these values.
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
        """How the protocol of a run with these settings differs from the paper's; empty if it is the same.

        An example is "data.split is standard, not published". A run at demo scale always differs.

        Raises:
            ValueError: `only_with` names no setting.
        """
        protocol = {"scale": "paper", **self.only_with}
        ours = {key: _setting(settings, key) for key in protocol}
        return [f"{key} is {_text(ours[key])}, not {_text(value)}" for key, value in protocol.items() if ours[key] != value]

    def check_length(self, settings: Section) -> None:
        """Raises ValueError if the number of figures in `horizon` is not the number of future steps in the protocol."""
        if self.horizon is None or (self.differences(settings) and "data.horizon" not in self.only_with):
            return
        steps = self.only_with.get("data.horizon", _setting(settings, "data.horizon"))
        if len(self.horizon) != steps:
            count = len(self.horizon)
            raise ValueError(
                f"published: {self.metric} has {count} figures for {steps} future steps (data.horizon); give one for each"
            )


def read_older(figures: dict, only_with: dict[str, Any]) -> list[dict]:
    """Entries of `published` from the settings of an older run, which give no protocol.

    figures: metric -> its figure at each future step. only_with: as in `Published`.
    """
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
    """Raises ValueError if an entry does not fit these settings, or two entries have the same metric, form and protocol."""
    fitting = []
    for entry in published:
        entry.check_length(settings)
        if not entry.differences(settings):
            fitting.append((entry.metric, entry.form))
    if twice := [name for name in fitting if fitting.count(name) > 1]:
        raise ValueError(f"published: {' '.join(twice[0])} stands twice for one protocol; tell them apart by only_with")


def fitting_entries(published: list[Published], settings: Section) -> list[Published]:
    """The entries whose protocol is that of a run with these settings."""
    return [entry for entry in published if not entry.differences(settings)]


def summary_rows(published: list[Published], settings: Section) -> list[dict[str, Any]]:
    """The entries for a run's summary.json. `differs` of each lists how the run's protocol differs from the paper's."""
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

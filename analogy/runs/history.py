"""The parts of a run: the settings and the data with which its steps were trained.

A run that is resumed with `--resume` may continue with other settings. Its summary.json has a list `parts`; each change of
settings or data begins a new part.
"""

from __future__ import annotations

import logging
import reprlib
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import BaseModel, StrictInt, StrictStr, TypeAdapter

from analogy.data.fingerprint import PARTS, changed_parts
from analogy.errors import UserError
from analogy.files.writing import replacing
from analogy.runs.reading import number, read_table
from analogy.settings.loading import read_mapping
from analogy.settings.sections import Settings, is_heading

PLACES = ("data.folder", "data.cache")  # paths; the data may be the same at another path
# The selection of clips. Whether it has changed is seen in the fingerprint of the data, not in these settings.
SELECTIONS = ("data.train_clips", "data.test_clips", "data.actions")
FIXED = ("seed", "system", "scale", "data")  # and `Settings.networks`; with other values it would be another run
OF_STATE = ("name", "momentum", "average")  # of an optimiser: they decide what a checkpoint holds of it, and what it means
FIXED_DATA = ("name", "train", "test")  # parts of the data's fingerprint that must not change
log = logging.getLogger("analogy")


class Change(BaseModel):
    """A changed setting. key: its dotted key; or for changed data, "dataset." and the part of the data's fingerprint."""

    key: StrictStr
    before: Any
    now: Any

    def __str__(self) -> str:
        if (part := self.key.removeprefix("dataset.")) != self.key:
            return f"{PARTS.get(part, part)} differ from before"
        return f"{self.key} was {_text(self.before)} and is {_text(self.now)}"


class Part(BaseModel):
    """The steps from `from_step` on.

    settings: dotted key -> value. dataset: the fingerprint of the data; empty for a run of an earlier version, which has none.
    changes: the differences from the part before.
    """

    from_step: StrictInt
    settings: dict[str, Any]
    dataset: dict[str, str]
    changes: list[Change] = []


def check_settings(run: Path, settings: Settings) -> None:
    """Check that a run is resumed with the seed, the networks and the kind of data of its earlier steps.

    Args:
        run: the folder of the run to resume.
        settings: the settings for the further steps.

    Raises:
        UserError: one line for each setting that must not change, with both values; or all checkpoints of the run are gone.
    """
    step, summary = trained_steps(run), read_table(run / "summary.json")
    steps = number(summary, "steps") or 0
    # A run that has failed may have had none yet. Any other would be trained anew, over its results.
    if not step and steps > 0 and summary.get("status") != "failed":
        raise UserError(
            f"--resume {run}: it has trained {steps:g} steps, and its checkpoints are gone: put them back, or start a new run"
        )
    before = _settings_before(run)
    lines = [
        f"--resume {run}: {change.key} was {_text(change.before)} and would be {_text(change.now)}: leave it as it was in the "
        f"first {step} steps, or start a new run"
        for change in _changes(before, flat_settings(settings))
        if step and _is_fixed(change.key, settings)
    ]
    if lines:
        raise UserError(*lines)


def precision_before(run: Path) -> str | None:
    """In which precision a run has computed so far, if its summary.json says so."""
    return read_table(run / "summary.json").get("precision")


def check_precision(run: Path, precision: str) -> None:
    """Check that a run in float16, whose optimiser scales the loss, goes on in float16, and no other does.

    precision: the resolved one. Raises UserError.
    """
    before = precision_before(run) or precision
    if before != precision and "float16" in (before, precision) and (step := trained_steps(run)):
        raise UserError(
            f"--resume {run}: the precision was {before} and would be {precision}, whose optimiser holds other values: "
            f"leave it as it was in the first {step} steps (--precision {before}), or start a new run"
        )


def check_data(run: Path, settings: Settings, fingerprint: Mapping[str, str]) -> None:
    """Check that a run is resumed with the training and test clips of its earlier steps. Raises UserError.

    fingerprint: the fingerprint of the opened dataset.
    """
    before, step = _parts_before(run), trained_steps(run)
    if not before or not step:
        return
    differing = changed_parts(before[-1].dataset, fingerprint)
    if changed := [part for part in differing if part in FIXED_DATA]:
        changes = _changes(before[-1].settings, flat_settings(settings))
        named = [str(change) for change in changes if change.key in (*SELECTIONS, *PLACES)]
        differences = " and ".join(PARTS[part] for part in changed) + (f" ({'; '.join(named)})" if named else "")
        raise UserError(
            f"--resume {run}: the data are not those of the first {step} steps: {differences} differ; "
            "go on with the same --data-dir and selection, or start a new run"
        )
    if "content" in differing and before[-1].dataset.get("pool") == fingerprint.get("pool") is not None:
        raise UserError(
            f"--resume {run}: the data are not those of the first {step} steps: the same clips are there under one another's "
            "names, so that clips that trained may test; go on with the data as they were, or start a new run"
        )


def differences_of_data(run: Path, fingerprint: Mapping[str, str], *, selected: bool) -> str:
    """In what the data differ from those that a run trained on last, for the protocol of an evaluation; "" where they do not.

    fingerprint: the fingerprint of the opened dataset. selected: the user has named the test clips, which may be others.
    """
    before = _parts_before(run)
    changed = changed_parts(before[-1].dataset, fingerprint) if before else []
    if selected:  # a test clip more or less changes the parts about all clips too
        changed = [part for part in changed if part in ("name", "train")]
    return f"NOT the data of the training: {', '.join(PARTS[part] for part in changed)} differ" if changed else ""


def go_on(run: Path, settings: Settings, fingerprint: Mapping[str, str], step: int) -> list[dict]:
    """The list `parts` for summary.json of a run that begins (step 0) or is resumed after `step` steps.

    Each change is logged, and the settings before it are copied to settings-until-STEP.yaml. Call this before settings.yaml is
    overwritten.

    Args:
        fingerprint: the fingerprint of the opened dataset.
    """
    now = Part(from_step=step + 1, settings=flat_settings(settings), dataset=dict(fingerprint))
    if not step:
        return [now.model_dump()]
    parts = [part for part in _parts_before(run) if part.from_step <= step]
    if not parts:
        log.info("an earlier version began this run and kept no fingerprint of its data: see to it that they are the same")
        parts = [Part(from_step=1, settings=_settings_before(run), dataset={})]
    before = parts[-1]
    now.changes = _changes(before.settings, now.settings)
    for part in changed_parts(before.dataset, now.dataset):
        now.changes.append(Change(key=f"dataset.{part}", before=before.dataset[part], now=now.dataset[part]))
    if now.changes:
        with replacing(run / f"settings-until-{step:06d}.yaml") as partial:
            partial.write_bytes((run / "settings.yaml").read_bytes())
    for change in now.changes:
        log.warning("from step %d on: %s", step + 1, change)
    if now.changes or not before.dataset:
        parts.append(now)
    return [part.model_dump() for part in parts]


def describe(parts: object) -> str:
    """How the parts of a run differ, for its protocol: `; steps 1-12 with training.batch_size 4, from 13 with 8`.

    It is empty if they do not differ. parts: the value of `parts` in summary.json.
    """
    texts = []
    for before, part in pairwise(_read_parts(parts)):
        data = [PARTS[name] for change in part.changes if (name := change.key.removeprefix("dataset.")) in PARTS]
        changes = [change for change in part.changes if not change.key.startswith("dataset.") and change.key not in PLACES]
        if changes:
            earlier = ", ".join(f"{change.key} {_text(change.before)}" for change in changes)
            later = ", ".join(_text(change.now) for change in changes)
            texts.append(f"steps {before.from_step}-{part.from_step - 1} with {earlier}, from {part.from_step} with {later}")
        if data:
            texts.append(f"from step {part.from_step} on with other data: {', '.join(data)}")
    return "".join(f"; {text}" for text in texts)


def trained_steps(run: Path) -> int:
    """The step of a run's newest checkpoint, even if that is damaged; 0 if there is none."""
    steps = [file.stem.removeprefix("step-") for file in (run / "checkpoints").glob("step-*.index")]
    return max((int(step) for step in steps if step.isdecimal()), default=0)


def flat_settings(settings: Settings) -> dict[str, object]:
    """Dotted key -> value in its JSON form. A list is a single value."""
    return _flat(settings.model_dump(mode="json"))


def _flat(values: Mapping, prefix: str = "") -> dict[str, object]:
    flat = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) and value else {f"{prefix}{key}": value}
    return flat


def _is_fixed(key: str, settings: Settings) -> bool:
    """Whether a setting must not change when a run is resumed."""
    section, _, name = key.partition(".")
    if section.endswith("optimizer") and name in OF_STATE:
        return True
    return section in (*FIXED, *settings.networks) and key not in (*PLACES, *SELECTIONS)


def _changes(before: Mapping[str, object], now: Mapping[str, object]) -> list[Change]:
    """The changed settings, without `uses`, whose history summary.json keeps separately. Keys that only one of them has are
    ignored: another version of analogy may have other settings."""
    common = [key for key in now if key in before and not is_heading(key) and key.partition(".")[0] != "uses"]
    return [Change(key=key, before=before[key], now=now[key]) for key in common if before[key] != now[key]]


def _parts_before(run: Path) -> list[Part]:
    """The parts in a run's summary.json; empty if it is missing or damaged."""
    return _read_parts(read_table(run / "summary.json").get("parts"))


def _read_parts(parts: object) -> list[Part]:
    """The value of `parts` in summary.json as objects; empty if it is not valid."""
    try:
        return TypeAdapter(list[Part]).validate_python(parts)
    except ValueError:  # pydantic's ValidationError is one
        return []


def _settings_before(run: Path) -> dict[str, object]:
    """The settings of a run's last part. A run of an earlier version has no parts; then those in settings.yaml."""
    parts = _parts_before(run)
    return parts[-1].settings if parts else _flat(read_mapping(run / "settings.yaml"))


def _text(value: object) -> str:
    return value if isinstance(value, str) else reprlib.repr(value)

"""The parts of a run: with which settings and which data its steps were trained.

A run that goes on with `--resume` may go on differently. Its summary.json keeps a list `parts`, one for each change.
"""

from __future__ import annotations

import json
import logging
import reprlib
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import BaseModel, StrictInt, StrictStr, TypeAdapter

from analogy.data.fingerprint import PARTS, changed_parts
from analogy.errors import UserError
from analogy.files import replacing
from analogy.settings.loading import read_mapping
from analogy.settings.sections import Settings

HEADINGS = ("experiment", "summary", "source", "published", "uses")  # they change no step; `uses` has a history of its own
PLACES = ("data.folder", "data.cache")  # where the same data lie
# Which clips train and test: the data say whether these are others, whatever words select them.
SELECTIONS = ("data.train_clips", "data.test_clips", "data.actions")
FIXED = ("seed", "system", "scale", "data")  # and the networks: with others, it would be another run
FIXED_DATA = ("name", "train", "test")  # parts of the data's fingerprint
log = logging.getLogger("analogy")


class Change(BaseModel):
    """A setting, or "dataset." and a part of the data's fingerprint, that is not what it was."""

    key: StrictStr
    before: Any
    now: Any

    def __str__(self) -> str:
        if (part := self.key.removeprefix("dataset.")) != self.key:
            return f"{PARTS.get(part, part)} differ from before"
        return f"{self.key} was {_said(self.before)} and is {_said(self.now)}"


class Part(BaseModel):
    """The steps from `from_step` on: all settings by dotted key, the fingerprint of the data (empty where an earlier version
    kept none), and what changed against the part before."""

    from_step: StrictInt
    settings: dict[str, Any]
    dataset: dict[str, str]
    changes: list[Change] = []


def check_settings(run: Path, settings: Settings) -> None:
    """Refuse to go on with a run with another seed, network or kind of data than its steps were trained with.

    Args:
        run: the folder of a run that has begun.
        settings: those it is to go on with.

    Raises:
        UserError: a line for each such setting, with both values.
    """
    step = trained_steps(run)
    before = _settings_before(run)
    lines = [
        f"--resume {run}: {change.key} was {_said(change.before)} and would be {_said(change.now)}: leave it as it was in the "
        f"first {step} steps, or start a new run"
        for change in _changes(before, flat_settings(settings))
        if step and _is_fixed(change.key, settings)
    ]
    if lines:
        raise UserError("\n".join(lines))


def check_data(run: Path, settings: Settings, fingerprint: Mapping[str, str]) -> None:
    """Refuse to go on with other training or test clips. fingerprint: of the opened dataset. Raises UserError."""
    before, step = _parts_before(run), trained_steps(run)
    if not before or not step:
        return
    if changed := [part for part in changed_parts(before[-1].dataset, fingerprint) if part in FIXED_DATA]:
        changes = _changes(before[-1].settings, flat_settings(settings))
        named = [str(change) for change in changes if change.key in (*SELECTIONS, *PLACES)]
        said = " and ".join(PARTS[part] for part in changed) + (f" ({'; '.join(named)})" if named else "")
        raise UserError(
            f"--resume {run}: the data are not those of the first {step} steps: {said} differ; "
            "go on with the same --data-dir and selection, or start a new run"
        )


def go_on(run: Path, settings: Settings, fingerprint: Mapping[str, str], step: int) -> list[dict]:
    """The parts of a run that begins, or goes on after `step` steps; what differs is said in the log, and the settings until
    then are kept as settings-until-STEP.yaml. To be called before settings.yaml is written anew.

    Args:
        fingerprint: of the opened dataset.
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
    """For the protocol, how the parts of a run, as summary.json has them, differ: `; steps 1-12 with training.batch_size 4,
    from 13 with 8`. Empty where they do not."""
    texts = []
    for before, part in pairwise(_read_parts(parts)):
        data = [PARTS[name] for change in part.changes if (name := change.key.removeprefix("dataset.")) in PARTS]
        changes = [change for change in part.changes if not change.key.startswith("dataset.") and change.key not in PLACES]
        if changes:
            earlier = ", ".join(f"{change.key} {_said(change.before)}" for change in changes)
            later = ", ".join(_said(change.now) for change in changes)
            texts.append(f"steps {before.from_step}-{part.from_step - 1} with {earlier}, from {part.from_step} with {later}")
        if data:
            texts.append(f"from step {part.from_step} on with other data: {', '.join(data)}")
    return "".join(f"; {text}" for text in texts)


def trained_steps(run: Path) -> int:
    """The step of a run's newest checkpoint, damaged or not; 0 where there is none."""
    steps = [file.stem.removeprefix("step-") for file in (run / "checkpoints").glob("step-*.index")]
    return max((int(step) for step in steps if step.isdigit()), default=0)


def flat_settings(settings: Settings) -> dict[str, object]:
    """Dotted key -> value, as JSON has it; a list is one value."""
    return _flat(settings.model_dump(mode="json"))


def _flat(values: Mapping, prefix: str = "") -> dict[str, object]:
    flat = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) and value else {f"{prefix}{key}": value}
    return flat


def _is_fixed(key: str, settings: Settings) -> bool:
    section = key.partition(".")[0]
    return section in (*FIXED, *settings.networks) and key not in (*PLACES, *SELECTIONS)


def _changes(before: Mapping[str, object], now: Mapping[str, object]) -> list[Change]:
    """Of the settings that both know: another version may have more of them, or fewer."""
    common = [key for key in now if key in before and key.partition(".")[0] not in HEADINGS]
    return [Change(key=key, before=before[key], now=now[key]) for key in common if before[key] != now[key]]


def _parts_before(run: Path) -> list[Part]:
    """As summary.json has them; none where it is missing or damaged."""
    try:
        return _read_parts(json.loads((run / "summary.json").read_text(encoding="utf-8"))["parts"])
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _read_parts(parts: object) -> list[Part]:
    """The parts, if that is what they are."""
    try:
        return TypeAdapter(list[Part]).validate_python(parts)
    except ValueError:  # pydantic's own error is one
        return []


def _settings_before(run: Path) -> dict[str, object]:
    """Those with which the run was trained last: of its last part; of an earlier version's run, as settings.yaml says."""
    parts = _parts_before(run)
    return parts[-1].settings if parts else _flat(read_mapping(run / "settings.yaml"))


def _said(value: object) -> str:
    return value if isinstance(value, str) else reprlib.repr(value)

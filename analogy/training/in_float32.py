"""A run's network in float32, for runtimes that know no smaller numbers."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from analogy.one_line import say
from analogy.runs.export import export_saved_model
from analogy.runs.find import MODEL
from analogy.runs.reading import read_run
from analogy.runs.uses import open_used, retrained_models
from analogy.systems import SYSTEMS
from analogy.systems.base import System
from analogy.systems.run_settings import settings_of_run
from analogy.training.checkpoint import load_exported
from analogy.training.precision import use_precision


@contextmanager
def in_float32(run: Path) -> Iterator[Path]:
    """A context that gives the folder of a run; or, of one that computes in bfloat16 or float16, the folder of a SavedModel
    that lasts as long as the context, and computes in float32 with the same weights, which are always float32. Prints a line
    where that is so.

    Raises:
        UserError: the run has no settings, or networks that are no longer those of its settings.
    """
    record = read_run(run)
    precision = record.summary.precision
    if precision not in ("bfloat16", "float16"):
        yield run
        return
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / MODEL
        with use_precision("float32"):
            system = predicting_system(run)
            export_saved_model(system, model)
        taken = f"{run}: it computes in {precision}, which other runtimes lack; its weights are taken in float32"
        say(*retrained_models(system.settings, record.table), taken)
        yield model


def predicting_system(run: Path) -> System:
    """The system of a run with the networks that its SavedModel predicts with; they compute in the present precision.

    Raises:
        UserError: the run has no settings, or networks that are no longer those of its settings.
    """
    settings = settings_of_run(run)
    entry = SYSTEMS[settings.system]
    system = entry.build(settings, open_used(settings, entry.system.needs))
    load_exported(system, run, key=str(run))
    return system

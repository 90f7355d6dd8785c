"""The other runs that a run needs: those in `uses`, loaded as SavedModels, and the run in `training.start_from`."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from analogy.data.doubts import some
from analogy.errors import UserError, about
from analogy.runs.find import has_run, inputs_of, load_endpoint, saved_model_of
from analogy.runs.reading import read_table
from analogy.runs.ready import FOLDER, coming_along, run_or_ready
from analogy.runs.summary import UsedModel, read_summary
from analogy.settings.experiments import list_experiments
from analogy.settings.loading import read_mapping
from analogy.settings.sections import FrameDataSettings, Settings

FRAME_KEYS = ("crop", "padding", "gray")  # settings of `data` that change frames, and not their size
log = logging.getLogger("analogy")


def resolve_runs(settings: Settings, results: Path, *, resumes: bool = False, untrained: Collection[str] = ()) -> Settings:
    """A copy of the settings in which each name of a run is replaced by the run's absolute path.

    Args:
        results: the folder in which experiments are searched.
        untrained: experiments that are trained later; these names stay.
        resumes: whether these are the settings of a run to continue. The run in `training.start_from` may be missing then: its
            networks are needed only at the beginning.

    Raises:
        UserError: a run does not exist, or a run in `uses` is not finished, has no SavedModel, or learned from frames that are
            cut out in another way.
    """
    used = {role: name for role, name in settings.uses.items() if name not in untrained}
    found = {role: run_or_ready(name, results, f"uses.{role}") for role, name in used.items()}
    for role, run in found.items():
        with about(f"uses.{role}"):
            saved_model_of(run)
            _check_frames(run, settings)
        if run.is_relative_to(FOLDER):
            log.info(
                "uses.%s: there is no run of your own of %s in %s; the model that comes along is taken", role, run.name, results
            )
    uses = settings.uses | {role: str(run) for role, run in found.items()}
    settings = settings.model_copy(update={"uses": uses})
    if start := None if resumes else settings.training.start_from:
        settings = starting_from(str(run_or_ready(start.run, results, "training.start_from")), settings)
    return settings


def starting_from(run: str, settings: Settings) -> Settings:
    """A copy of settings that have a `training.start_from`, with the same networks of this run."""
    start = settings.training.start_from.model_copy(update={"run": run})
    return settings.model_copy(update={"training": settings.training.model_copy(update={"start_from": start})})


def untrained_experiments(settings: Settings, results: Path) -> list[str]:
    """The experiments in `uses` of which there is no run at all, where `train_used` says that they are trained first."""
    names = settings.uses.values() if settings.train_used else ()
    return [name for name in dict.fromkeys(names) if name in list_experiments() and not has_run(name, results)]


def _check_frames(run: Path, settings: Settings) -> None:
    """Check that a used run learned from frames as these settings make them. Raises UserError.

    A SavedModel outside of a run has no settings, and is not checked.
    """
    if not isinstance(settings.data, FrameDataSettings) or not (run / "settings.yaml").is_file():
        return
    used = read_mapping(run / "settings.yaml").get("data") or {}
    for key in FRAME_KEYS:
        if key in used and used[key] != (here := getattr(settings.data, key)):
            raise UserError(
                f"{run}: it was trained with data.{key} {used[key]}, which is {here} here: set data.{key}={used[key]}, or name "
                "another run"
            )


def doubts_about_used(settings: Settings, test: Sequence) -> list[str]:
    """A line for each used run of the same dataset that some of the test clips may have trained: they did not test it."""
    doubts = []
    for role, run in settings.uses.items() if isinstance(settings.data, FrameDataSettings) else ():
        summary = read_summary(read_table(Path(run) / "summary.json"))[0]
        tested = {str(row.get("clip")) for row in summary.clips}
        others = [clip.id for clip in test if clip.id not in tested]
        if tested and others and summary.dataset == settings.data.dataset:
            doubts.append(
                f"{len(others)} of {len(test)} test clips are no test clips of uses.{role} ({run}), so they may have "
                f"trained it, and the test figures may be too good: {some(others)}"
            )
    return doubts


def check_roles(settings: Settings, needs: Mapping[str, str]) -> None:
    """Check that `uses` has exactly the roles that the system needs.

    Args:
        needs: role -> endpoint that the SavedModel in this role must have.

    Raises:
        UserError: a role is missing or unknown.
    """
    for role, endpoint in needs.items():
        if role not in settings.uses:
            raise UserError(
                f"uses.{role} is missing: {settings.system} builds on a run with the endpoint {endpoint}; "
                f"name one, such as --set uses.{role}=EXPERIMENT"
            )
    for role in settings.uses:
        if role not in needs:
            roles = f"its roles are {', '.join(needs)}" if needs else "it builds on no other run: leave it out"
            raise UserError(f"uses.{role}: {settings.system} has no such role; {roles}")


def open_used(settings: Settings, needs: Mapping[str, str]) -> dict[str, object]:
    """Load the SavedModel of each run in `uses`: role -> SavedModel, which has the endpoint that `needs` gives for the role.

    Raises:
        UserError: a role is missing or unknown, or a run cannot be used.
    """
    check_roles(settings, needs)
    used = {}
    for role, endpoint in needs.items():
        with about(f"uses.{role}"):
            run = settings.uses[role]  # a path, but in the settings of a model that comes along the name of another
            used[role] = load_endpoint(coming_along(run) or Path(run), endpoint)
    return used


def check_inputs(
    loaded, endpoint: str, inputs: Mapping[str, Sequence[int | None]], mend: str = "here: name a run that fits"
) -> None:
    """Check that an endpoint of a loaded SavedModel takes these inputs and no others.

    inputs: name -> shape, with None for a size that varies. mend: the end of the message, which says where the inputs are from
    and what the user can do. Raises UserError, which says what the endpoint takes.
    """
    shapes = {name: spec.shape for name, spec in inputs_of(loaded, endpoint).items()}
    if shapes.keys() != inputs.keys() or not all(shape.is_compatible_with(inputs[name]) for name, shape in shapes.items()):
        takes, gets = (
            ", ".join(f"{name} {_sizes(shape)}" for name, shape in sorted(shapes_of.items())) for shapes_of in (shapes, inputs)
        )
        raise UserError(f"its endpoint {endpoint} takes {takes}, but gets {gets} {mend}")


def _sizes(shape: Iterable[int | None]) -> str:
    return "[" + ", ".join("any" if size is None else str(size) for size in shape) + "]"


def used_models(settings: Settings, summary: dict[str, object]) -> dict[str, list[dict[str, str]]]:
    """The entry `uses` of summary.json: role -> the SavedModels that this run has used, newest last; each has the keys run and
    checksum.

    summary: the present content of summary.json, if the run continues. A changed SavedModel is logged as a warning.
    """
    before, models = read_summary(summary)[0].uses, {}
    for role, run in settings.uses.items():
        models[role] = before.get(role, [])
        now = UsedModel(run=run, checksum=checksum(Path(run)))
        if models[role] and models[role][-1] != now:
            log.warning("uses.%s: this run began with another SavedModel (%s): now it is %s", role, models[role][-1], now)
        if now not in models[role][-1:]:
            models[role] = [*models[role], now]
    return {role: [model.model_dump() for model in models_of_role] for role, models_of_role in models.items()}


def retrained_models(settings: Settings, summary: dict[str, object]) -> list[str]:
    """A line for each model in `uses` that is not the one with which a run was trained: what is computed with it mixes both.

    summary: the content of the run's summary.json. One by an earlier version, which names no models, gives no line.
    """
    lines = []
    for role, models in read_summary(summary)[0].uses.items():
        run, before = settings.uses.get(role), models[-1].checksum if models else ""
        if run and before and before != (now := checksum(coming_along(run) or Path(run))):
            lines.append(
                f"NOT the uses.{role} of the training: {run} has the checksum {now} and had {before}, so it was trained again "
                "or is another one, and the networks that build on it were not"
            )
    return lines


def checksum(run: Path) -> str:
    """Twelve hexadecimal digits that identify the content of a run's SavedModel. Raises UserError."""
    folder, digest = saved_model_of(run), hashlib.sha256()
    # The index of the variables holds a checksum of each, so the large file with their values need not be read.
    for file in (folder / "saved_model.pb", *sorted(folder.glob("variables/*.index"))):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]

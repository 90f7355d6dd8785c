"""Of many experiments, those whose training steps differ in more than numbers and data."""

from __future__ import annotations

from collections.abc import Iterable

from analogy.settings import find_experiment, load_settings
from analogy.systems import SYSTEMS

# What changes neither networks nor losses. Datasets and optimisers have tests of their own.
APART = {"experiment", "summary", "source", "published", "training", "evaluation", "seed"}
DATA = {"context", "horizon", "image_size", "gray"}  # all of the data that a network is told


def first_of_each_kind(names: Iterable[str]) -> list[str]:
    """The experiments without those that have the same networks and the same terms of the loss as an earlier one."""
    kinds = {}
    for name in names:
        kinds.setdefault(_kind(load_settings(find_experiment(name), SYSTEMS, scale="demo")), name)
    return list(kinds.values())


def _kind(settings) -> str:
    """What of the settings decides which operations a training step has. Of a term's weight: whether it is zero."""
    said = settings.model_dump(mode="json", exclude=APART)
    said["data"] = {key: value for key, value in said["data"].items() if key in DATA}
    said["loss"] = {k: v if isinstance(v, bool | str) else bool(v) for k, v in said.get("loss", {}).items()}
    return repr({key: value for key, value in said.items() if not key.endswith("optimizer")})

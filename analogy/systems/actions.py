"""Actions that users name, and runs know by number."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import numpy as np

from analogy.errors import UserError
from analogy.runs.find import UNKNOWN_ACTION


def action_number(action: str, actions: Sequence[str]) -> int:
    """The number of an action in `actions`, those that a run knows. Raises UserError, which names the nearest ones."""
    if action not in actions:
        near = difflib.get_close_matches(action.lower().replace(" ", "_"), actions, n=3, cutoff=0.4)
        raise UserError(
            f"--action {action}: this run does not know it; "
            + (f"did you mean {', '.join(near)}?" if near else f"it knows {', '.join(actions)}")
        )
    return list(actions).index(action)


def told_actions(settings) -> Sequence[str]:
    """The actions that the networks of a run are told by number, in the order of these; empty where they are told none."""
    network = getattr(settings, "network", None)
    told = getattr(network, "action", False) or getattr(network, "conditioned", False)
    return settings.data.actions if told else ()


def check_numbers(numbers, actions: Sequence[str]) -> None:
    """Raises UserError where one is no number of an action of a run. Its networks would take it for an unknown one."""
    known = range(UNKNOWN_ACTION, len(actions))
    if wrong := [number for number in np.ravel(numbers).tolist() if number not in known]:
        names = ", ".join(f"{number} {name}" for number, name in enumerate(actions))
        raise UserError(f"action {wrong[0]}: this run knows {names}, and {UNKNOWN_ACTION} for an unknown one")

"""Actions that users name, and runs know by number."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from analogy.errors import UserError


def action_number(action: str, actions: Sequence[str]) -> int:
    """The number of an action in `actions`, those that a run knows. Raises UserError, which names the nearest ones."""
    if action not in actions:
        near = difflib.get_close_matches(action.lower().replace(" ", "_"), actions, n=3, cutoff=0.4)
        raise UserError(
            f"--action {action}: this run does not know it; "
            + (f"did you mean {', '.join(near)}?" if near else f"it knows {', '.join(actions)}")
        )
    return list(actions).index(action)

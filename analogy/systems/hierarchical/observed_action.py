"""Which action is seen in the observed poses, and what the pose predictor is told of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from analogy.errors import UserError
from analogy.runs.find import UNKNOWN_ACTION
from analogy.systems.actions import action_number
from analogy.systems.hierarchical.steps import Step

SURE = 0.5  # an action of a smaller probability is not told to the predictor


class Told(NamedTuple):
    """number: of the action that the predictor is told, or UNKNOWN_ACTION. lines: for the user, why."""

    number: int
    lines: list[str]


def check_action(action: str | None, predictor: Step) -> None:
    """Raises UserError where the predictor can make nothing of the value of `--action`."""
    if action is None:
        return
    if not predictor.told:
        raise UserError(
            f"--action {action}: {predictor.run} is not told actions (it was trained on {predictor.trained_on}): leave it out, "
            "or name with --pose-run a run that is, such as one of pose_lstm_residual_actions"
        )
    action_number(action, predictor.actions)


def told_action(action: str | None, predictor: Step, recogniser: Step | None, joints, visibility) -> Told:
    """What the predictor is told.

    Args:
        action: the value of `--action`, checked.
        recogniser: a run of pose_actions; None: there is none.
        joints: [n, 13, 2] and visibility [n, 13], the observed poses.
    """
    if action is not None:
        return Told(predictor.actions.index(action), [f"action: {action}, as --action says"])
    if recogniser is None:
        known = f"{predictor.run} was trained on {predictor.trained_on}"
        line = (
            f"no run of pose_actions of your own is there to recognise the action; {known}, and continues whatever is seen "
            "as one of these"
        )
        return Told(UNKNOWN_ACTION, [line])
    name, probability = recognised_action(recogniser, joints, visibility)
    by = f"{recogniser.run} ({recogniser.why})"
    seen = f"{name} (probability {probability:.2f}), read from {len(joints)} observed poses by {by}"
    if predictor.actions and name not in predictor.actions:
        line = f"the action looks like {seen}; {predictor.run} was trained on {predictor.trained_on} and continues it as that"
        return Told(UNKNOWN_ACTION, [f"{line}: name a pose predictor that knows it with --pose-run"])
    if not predictor.told:
        return Told(UNKNOWN_ACTION, [f"action: {seen}; {predictor.run} is not told it (trained on {predictor.trained_on})"])
    if probability < SURE:
        return Told(UNKNOWN_ACTION, [f"the action is not clear: {seen}; the predictor is told none: name it with --action"])
    return Told(predictor.actions.index(name), [f"action: {seen}"])


def recognised_action(recogniser: Step, joints: np.ndarray, visibility: np.ndarray) -> tuple[str, float]:
    """The likeliest action of the last of these poses, as many as the run of pose_actions reads, and its probability."""
    from analogy.runs.calling import SavedModel

    model = SavedModel(recogniser.run)
    frames = model.inputs("classify")["joints"].shape[1]
    joints, visibility = joints[-frames:], visibility[-frames:]
    missing = frames - len(joints)  # filled with the last pose, and marked as not valid
    inputs = {
        "joints": np.concatenate([joints, np.repeat(joints[-1:], missing, 0)]),
        "visibility": np.concatenate([visibility, np.repeat(visibility[-1:], missing, 0)]),
        "valid": np.repeat([1.0, 0.0], [len(joints), missing]),
    }
    probabilities = model.call(None, {name: value[None] for name, value in inputs.items()}, "classify")[0]
    best = int(probabilities.argmax())
    return recogniser.actions[best], float(probabilities[best])

"""What becomes of one picture, as in Fig. 6 of Kim et al. 2019: several futures of it, and futures of every action."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analogy.systems.base import Study
from analogy.visualise.panels import picture_grid

if TYPE_CHECKING:
    from analogy.systems.keypoints.motion import MotionSystem

SHOWN = 6  # steps of the future
SMALLEST_SIDE = 128  # pixels; smaller frames are enlarged


def study_futures(system: MotionSystem, dataset) -> Study:
    """Two pictures of the first test clip that is shown: true and sampled futures of its action; and the future of every
    action, with equal noise. A run that is not told actions has the first one alone."""
    clip = system.selected_clips(dataset.test)[0]
    first, truth = np.split(system.true_frames(dataset, clip), [1])
    steps = np.unique(np.linspace(0, len(truth) - 1, SHOWN).round().astype(int))
    titles = ["picture", *(f"+{step + 1}" for step in steps)]

    factor = -(-SMALLEST_SIDE // min(first.shape[1:3]))

    def row(frames: np.ndarray) -> list[np.ndarray]:
        return [frame.repeat(factor, 0).repeat(factor, 1) for frame in (first[0], *frames[steps])]

    samples = system.predict(first[0], clip.action, system.settings.evaluation.samples)["frames"]
    of_samples = {f"sample {number}": row(frames) for number, frames in enumerate(samples[:4], 1)}
    plots = {"futures_samples": picture_grid({"truth": row(truth), **of_samples}, titles)}
    if system.actions:
        futures = {action: system.predict(first[0], action, 1)["frames"][0] for action in system.actions}
        of_actions = {action.replace("_", " "): row(frames) for action, frames in futures.items()}
        plots["futures_actions"] = picture_grid(of_actions, titles)
    return Study({}, plots)

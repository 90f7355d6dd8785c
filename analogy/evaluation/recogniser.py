"""Accuracy of an action recogniser on predicted poses: is the right action recognised? (As Kim et al. 2019, table 2.)"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np

from analogy.predictions.base import Predicted
from analogy.runs.find import inputs_of, load_endpoint
from analogy.settings.loading import read_experiment


class Recogniser:
    """Recognises the actions of clips and counts how often it is right.

    A clip's action is the one with the highest probability, averaged over the clip's windows.

    Args:
        run: the folder of a finished run of pose_actions.

    Raises:
        UserError: the folder is not such a run.
    """

    def __init__(self, run: Path):
        self._loaded = load_endpoint(run, "classify")
        self._frames = inputs_of(self._loaded, "classify")["valid"].shape[1]
        self.actions, self.run = read_experiment(run / "settings.yaml")["data"]["actions"], run
        self._correct: dict[str, list[bool]] = defaultdict(list)
        self.left_out = 0

    def add(self, clip: Predicted) -> None:
        """Recognise the action in a clip's poses, for each method and for the true poses.

        A clip whose action the recogniser was not trained on is left out; `left_out` counts such clips.
        """
        if clip.action not in self.actions:
            self.left_out += 1
            return
        label = self.actions.index(clip.action)
        for method, motion in clip.motions().items():
            joints, visibility, valid = (self._fitted(np.nan_to_num(part).astype(np.float32)) for part in motion)
            answer = self._loaded.classify(joints=joints, visibility=visibility, valid=valid)
            self._correct[method].append(int(answer["probabilities"].numpy().mean(0).argmax()) == label)

    def _fitted(self, values: np.ndarray) -> np.ndarray:
        """Cut or pad [N, T, ...] along T to the number of frames that the recogniser reads. Padding is zeros, not valid."""
        values = values[:, : self._frames]
        return np.pad(values, [(0, 0), (0, self._frames - values.shape[1])] + [(0, 0)] * (values.ndim - 2))

    def result(self) -> dict[str, float]:
        """method -> share of clips whose action was recognised, 0..1; the method "truth" stands for the true poses."""
        return {method: float(np.mean(correct)) for method, correct in self._correct.items()}

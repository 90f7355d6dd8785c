"""How often predicted motion is recognised as the action that it should be (Kim et al. 2019, table 2, on poses)."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np

from analogy.predictions.base import Predicted
from analogy.runs.find import load_endpoint
from analogy.settings.loading import read_experiment


class Recogniser:
    """Accuracy over clips, of probabilities averaged over each clip's windows.

    Args:
        run: the folder of a finished run of pose_actions.

    Raises:
        UserError: it is none.
    """

    def __init__(self, run: Path):
        self._loaded = load_endpoint(run, "classify")
        self._frames = self._loaded.signatures["classify"].structured_input_signature[1]["valid"].shape[1]
        self.actions, self.run = read_experiment(run / "settings.yaml")["data"]["actions"], run
        self._correct: dict[str, list[bool]] = defaultdict(list)
        self.left_out = 0

    def add(self, clip: Predicted) -> None:
        """Take in a clip's predicted poses; a clip of an action that the recogniser does not know is left out, and counted."""
        if clip.action not in self.actions:
            self.left_out += 1
            return
        label = self.actions.index(clip.action)
        for method, motion in clip.motions().items():
            joints, visibility, valid = (self._fitted(np.nan_to_num(part).astype(np.float32)) for part in motion)
            answer = self._loaded.classify(joints=joints, visibility=visibility, valid=valid)
            self._correct[method].append(int(answer["probabilities"].numpy().mean(0).argmax()) == label)

    def _fitted(self, values: np.ndarray) -> np.ndarray:
        """[N, T, ...] -> as many frames as the recogniser reads: the first ones, or zeros (not valid) after the last."""
        values = values[:, : self._frames]
        return np.pad(values, [(0, 0), (0, self._frames - values.shape[1])] + [(0, 0)] * (values.ndim - 2))

    def result(self) -> dict[str, float]:
        """method -> share of clips recognised; "truth" is what the recogniser makes of the real motion."""
        return {method: float(np.mean(correct)) for method, correct in self._correct.items()}

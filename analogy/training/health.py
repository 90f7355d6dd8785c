"""Signs that training goes wrong, reported while the run can still be stopped and mended.

They are: networks whose weights do not change, losses that do not change, adversaries that have won or are stuck, and
predictions that do not depend on the input.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Mapping, Sequence

import keras
import numpy as np

LOG_2 = math.log(2.0)  # the cross-entropy of a logit of zero
ROWS = 20  # rows of metrics.jsonl over which a loss is judged
FLAT = 1e-4  # a loss is constant if its range, relative to its value, is smaller; the choice of batches alone varies it more
NOTHING = 1e-3  # share of its first loss below which an adversary makes no errors, so that its gradient vanishes
STUCK_ROWS = 5  # rows over which a logit that is exactly zero is judged: no choice of batches leaves it there
EXACT = 1e-5  # of a logit of zero, relative to log 2: single precision
STEPS_OF_GREY = 2  # out of 255: pixels that differ by no more count as equal


def weights_hash(variables: Sequence[keras.Variable]) -> str:
    """A short hash of weights. It is equal for weights that are equal bit for bit."""
    digest = hashlib.sha256()
    for variable in variables:
        digest.update(np.ascontiguousarray(variable.numpy()).data)
    return digest.hexdigest()[:16]


class Health:
    """Checks of a run that are repeated at each interval of samples.

    Args:
        trained: network -> its weights that an optimiser updates; a network without any is ignored.
        adversaries: names of the networks whose loss must not fall to zero.
    """

    def __init__(self, trained: Mapping[str, Sequence[keras.Variable]], adversaries: Collection[str] = ()):
        self._trained = {name: variables for name, variables in trained.items() if variables}
        self._adversaries = adversaries
        self._before = self._hashes()
        self._constant: list[str] = []

    def _hashes(self) -> dict[str, str]:
        return {name: weights_hash(variables) for name, variables in self._trained.items()}

    def doubts(self, rows: Sequence[dict], predictions: Sequence[np.ndarray]) -> list[str]:
        """One line for each sign that something is wrong.

        Args:
            rows: the rows of metrics.jsonl.
            predictions: pictures uint8 [H, W, C] of different clips.
        """
        return [*self._still_weights(), *_flat_losses(rows, self._adversaries), *self._still_constant(predictions)]

    def _still_constant(self, predictions: Sequence[np.ndarray]) -> list[str]:
        """Report only what was so at the last samples too, because the pictures of an untrained network are flat as well."""
        before, self._constant = self._constant, _constant(predictions)
        return [f"{doubt}, as at the samples before" for doubt in self._constant if doubt in before]

    def _still_weights(self) -> list[str]:
        before, self._before = self._before, self._hashes()
        still = [name for name in self._before if self._before[name] == before[name]]
        return [f"the weights of {name} have not changed since the samples before: its gradient is zero" for name in still]


def _flat_losses(rows: Sequence[dict], adversaries: Collection[str]) -> list[str]:
    """One line for each loss that is constant, and for each adversary whose loss is almost zero, over the last ROWS rows."""
    doubts = _stuck_logits(rows, adversaries)
    for name in (key for key in (rows[-1] if rows else {}) if key.endswith("/loss")):
        back = np.array([row.get(name, np.nan) for row in reversed(rows)])  # newest first
        span = np.maximum.accumulate(back) - np.minimum.accumulate(back)
        flat = _leading(span <= FLAT * abs(back[0]))
        nothing = NOTHING * abs(back[-1])
        won = _leading(back < nothing) if name.removesuffix("/loss") in adversaries else 0
        if flat >= ROWS:
            doubts.append(f"{name} has been {back[0]:.4g} since step {rows[-flat]['step']}: it no longer learns")
        elif won >= ROWS:
            since = f"since step {rows[-won]['step']}"
            doubts.append(f"{name} has been below {nothing:.1e} {since}: it has won, and teaches its opponent nothing")
    return doubts


def _stuck_logits(rows: Sequence[dict], adversaries: Collection[str]) -> list[str]:
    """One line for each adversary whose logit has been zero for all that is generated, over the last STUCK_ROWS rows."""
    doubts = []
    for name in (f"{adversary}/generated" for adversary in adversaries):
        back = np.array([row.get(name, np.nan) for row in reversed(rows)])  # newest first
        stuck = _leading(abs(back - LOG_2) <= EXACT * LOG_2) if len(back) else 0
        if stuck >= STUCK_ROWS:
            doubts.append(
                f"{name} has been log 2 = {LOG_2:.4f} since step {rows[-stuck]['step']}: its logit is zero for all that is "
                "generated; a ReLU has no gradient there, so that it is stuck, and a linear logit has one"
            )
    return doubts


def _leading(holds: np.ndarray) -> int:
    """The number of true values before the first false one."""
    return len(holds) if holds.all() else int(holds.argmin())


def _constant(predictions: Sequence[np.ndarray]) -> list[str]:
    """A line if every picture is one flat colour, or if all pictures are equal."""
    if not predictions:
        return []
    if all(np.ptp(picture.astype(int), axis=(0, 1)).max() <= STEPS_OF_GREY for picture in predictions):
        return ["every predicted picture is one flat colour"]
    first, *further = (picture.astype(int) for picture in predictions)
    if further and all(np.abs(picture - first).max() <= STEPS_OF_GREY for picture in further):
        return [f"the predictions of {len(predictions)} clips are the same picture: it no longer depends on what is shown"]
    return []

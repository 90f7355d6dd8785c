"""Networks that have stopped learning, or give the same whatever they are shown: said while the run can still be mended."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence

import keras
import numpy as np

ROWS = 20  # of metrics.jsonl, over which a loss is judged
FLAT = 1e-4  # a range of the loss, relative to its value; batches alone make it vary more
NOTHING = 1e-3  # of an adversary's first loss: it tells real from made without an error, and its gradient vanishes
STEPS_OF_GREY = 2  # of 255, within which a picture is one flat colour, or two are alike


def weights_hash(variables: Sequence[keras.Variable]) -> str:
    """A short hash of weights: equal where they are, bit for bit."""
    digest = hashlib.sha256()
    for variable in variables:
        digest.update(np.ascontiguousarray(variable.numpy()).data)
    return digest.hexdigest()[:16]


class Health:
    """Looks at a run from time to time.

    Args:
        trained: network -> its weights that an optimiser holds; a network without any is passed over.
        adversaries: those whose loss must not fall to nothing.
    """

    def __init__(self, trained: Mapping[str, Sequence[keras.Variable]], adversaries: Collection[str] = ()):
        self._trained = {name: variables for name, variables in trained.items() if variables}
        self._adversaries = adversaries
        self._before = self._hashes()
        self._constant: list[str] = []

    def _hashes(self) -> dict[str, str]:
        return {name: weights_hash(variables) for name, variables in self._trained.items()}

    def doubts(self, rows: Sequence[dict], predictions: Sequence[np.ndarray]) -> list[str]:
        """What looks wrong now, a line each. rows: of metrics.jsonl; predictions: uint8 [H, W, C], of different clips."""
        return [*self._still_weights(), *_flat_losses(rows, self._adversaries), *self._still_constant(predictions)]

    def _still_constant(self, predictions: Sequence[np.ndarray]) -> list[str]:
        """An untrained network's pictures are flat too: what is said is what lasts."""
        before, self._constant = self._constant, _constant(predictions)
        return [f"{said}, as at the samples before" for said in self._constant if said in before]

    def _still_weights(self) -> list[str]:
        before, self._before = self._before, self._hashes()
        still = [name for name in self._before if self._before[name] == before[name]]
        return [f"the weights of {name} have not changed since the samples before: its gradient is zero" for name in still]


def _flat_losses(rows: Sequence[dict], adversaries: Collection[str]) -> list[str]:
    said = []
    for name in (key for key in (rows[-1] if rows else {}) if key.endswith("/loss")):
        back = np.array([row.get(name, np.nan) for row in reversed(rows)])  # the newest first
        span = np.maximum.accumulate(back) - np.minimum.accumulate(back)
        flat = _leading(span <= FLAT * abs(back[0]))
        nothing = NOTHING * abs(back[-1])
        won = _leading(back < nothing) if name.removesuffix("/loss") in adversaries else 0
        if flat >= ROWS:
            said.append(f"{name} has been {back[0]:.4g} since step {rows[-flat]['step']}: it no longer learns")
        elif won >= ROWS:
            since = f"since step {rows[-won]['step']}"
            said.append(f"{name} has been below {nothing:.1e} {since}: it has won, and teaches its opponent nothing")
    return said


def _leading(holds: np.ndarray) -> int:
    """How many of the first values are true."""
    return len(holds) if holds.all() else int(holds.argmin())


def _constant(predictions: Sequence[np.ndarray]) -> list[str]:
    if not predictions:
        return []
    if all(np.ptp(picture.astype(int), axis=(0, 1)).max() <= STEPS_OF_GREY for picture in predictions):
        return ["every predicted picture is one flat colour"]
    first, *others = (picture.astype(int) for picture in predictions)
    if others and all(np.abs(other - first).max() <= STEPS_OF_GREY for other in others):
        return [f"the predictions of {len(predictions)} clips are the same picture: it no longer depends on what is shown"]
    return []

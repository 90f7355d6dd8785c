"""Building blocks of motions: smooth tracks through key poses, and the things that people hold or stand on."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.interpolate import PchipInterpolator

from data_prep.synthetic_actors.skeleton import Body, Figure

STEEL, RUBBER, WOOD, CORK = (172, 168, 165), (48, 44, 42), (70, 120, 175), (120, 165, 200)  # BGR


@dataclass(frozen=True)
class Prop:
    """A thing in the scene.

    kind: 'rod' (K = 2 ends), 'rope' (a line through K points), 'ball' (K = 1), 'plate' and 'hoop' (K = 2: the centre and a
        second point on the axis), or 'mat' (a polygon of K corners on the floor).
    points: [T, K, 3] in the person frame, in metres. In frames where it is NaN, the thing is not painted.
    radius: in metres.
    colour: BGR.
    """

    kind: str
    points: np.ndarray
    radius: float
    colour: tuple

    def mirrored(self):
        return replace(self, points=self.points * np.array([-1.0, 1.0, 1.0]))

    def turned(self, matrix):
        return replace(self, points=self.points @ matrix.T)


@dataclass(frozen=True)
class Act:
    """A performance of an action: the figure of the person, and the props."""

    figure: Figure
    props: tuple

    def mirrored(self):
        return Act(self.figure.mirrored(), tuple(prop.mirrored() for prop in self.props))

    def turned(self, matrix):
        return Act(self.figure.turned(matrix), tuple(prop.turned(matrix) for prop in self.props))


def track(phase, keys: dict, *, loop: bool = False):
    """Interpolate `keys` {phase: scalar or vector} at `phase` [T] by a monotone cubic that never overshoots.

    With `loop`, the track repeats with period 1 and its keys lie in [0, 1). Otherwise it stays constant before the first key
    and after the last one.
    """
    at = np.array(sorted(keys), float)
    values = np.array([keys[key] for key in sorted(keys)], float)
    if loop:
        phase = np.mod(phase, 1.0)
        at = np.concatenate([at - 1, at, at + 1])
        values = np.concatenate([values] * 3)
    return PchipInterpolator(at, values)(np.clip(phase, at[0], at[-1]))


def swing(phase, keys: dict, *, loop: bool = False):
    """Like `track` for vectors [3], but length and direction are interpolated separately, so that a limb swings on an arc."""
    keys = {at: np.asarray(vector, float) for at, vector in keys.items()}
    lengths = {at: np.linalg.norm(vector) for at, vector in keys.items()}
    direction = track(phase, {at: vector / lengths[at] for at, vector in keys.items()}, loop=loop)
    direction = direction / np.maximum(np.linalg.norm(direction, axis=-1, keepdims=True), 1e-9)
    return direction * track(phase, lengths, loop=loop)[..., None]


def left_right(left, right):
    """Stack a left and a right vector ([3] or [T, 3]) to [T, 2, 3] (or [2, 3])."""
    return np.stack(np.broadcast_arrays(np.asarray(left, float), np.asarray(right, float)), -2)


def still(points, time: int):
    """The same points [K, 3] in every frame: [T, K, 3]."""
    return np.broadcast_to(np.asarray(points, float), (time, *np.shape(points)))


def barbell(figure: Figure, body: Body, colour, *, length: float = 0.86):
    """The props of a loaded barbell through both wrists; `length` is a share of the body's height."""
    grip = figure.wrists
    middle = grip.mean(axis=1)
    axis = grip[:, 0] - grip[:, 1]
    axis = axis / np.linalg.norm(axis, axis=-1, keepdims=True)
    ends = [middle + sign * 0.5 * length * body.height * axis for sign in (1, -1)]
    loads = [middle + sign * 0.43 * length * body.height * axis for sign in (1, -1)]
    plates = [Prop("plate", np.stack([load, load + axis], 1), 0.115 * body.height, colour) for load in loads]
    return (Prop("rod", np.stack(ends, 1), 0.014, STEEL), *plates)

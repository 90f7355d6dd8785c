"""Is the action recognised in a generated video? A linear read-out of features of videos, fitted on true training clips."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from analogy.systems.keypoints.sequences import shuffled

if TYPE_CHECKING:
    from analogy.systems.keypoints.motion import MotionSystem

RIDGE = 10.0  # on features whose mean variance is 1: training clips are fewer than features


@dataclass(frozen=True)
class ReadOut:
    """mean: [F], of the features. scale: by which they are divided. weights: [F, A]. offset: [A]."""

    mean: np.ndarray
    scale: float
    weights: np.ndarray
    offset: np.ndarray

    def recognise(self, features: np.ndarray) -> np.ndarray:
        """Features of videos [N, F] -> the number of the action in each, int [N]."""
        return ((features - self.mean) / self.scale @ self.weights + self.offset).argmax(1)


def fit_read_out(features: np.ndarray, labels: np.ndarray, actions: int) -> ReadOut:
    """Fit a linear classifier by ridge regression on one-hot labels.

    Args:
        features: [N, F]. labels: int [N], numbers of actions, of which there are `actions`.
    """
    mean, scale = features.mean(0), float(np.sqrt(features.var(0).mean() + 1e-12))
    x, wanted = (features - mean) / scale, np.eye(actions)[labels]
    offset = wanted.mean(0)
    kernel = x @ x.T + RIDGE * np.eye(len(x))  # [N, N]: the same weights as by the larger [F, F]
    return ReadOut(mean, scale, x.T @ np.linalg.solve(kernel, wanted - offset), offset)


@dataclass
class Recognition:
    """Outcomes, of one run or of the folds of several.

    actions: their names. right: method -> for each video, whether the action of its clip was recognised: "truth", "generated"
    (asked for the clip's own action), "true_keypoints" (the first frame translated to the keypoints of the true frames),
    "still" (the first frame repeated), "shuffled" (the true frames in another order).
    counts: method -> int [A, A], the number of videos that were asked for the action in the row and recognised as that in the
    column: "asked_for", generated ones (controllability); "transferred", the picture moved as a true clip of that action, which
    a perfect generator of motion would reach. Empty where the run is not told actions.
    """

    actions: list[str]
    right: dict[str, list[bool]] = field(default_factory=lambda: defaultdict(list))
    counts: dict[str, np.ndarray] = field(default_factory=dict)

    def accuracies(self) -> dict[str, float]:
        """method -> the share of videos whose action was recognised, 0..1. Of the methods in `counts`: over all actions that
        were asked for, the share recognised as such."""
        shares = {method: float(np.mean(right)) for method, right in self.right.items()}
        return shares | {method: float(np.trace(counts) / counts.sum()) for method, counts in self.counts.items()}

    def __add__(self, other: Recognition) -> Recognition:
        """The outcomes of both. Their actions must be the same."""
        right = {method: [*self.right[method], *other.right[method]] for method in self.right}
        counts = {method: self.counts[method] + other.counts[method] for method in self.counts}
        return Recognition(self.actions, right, counts)


def recognise_futures(
    system: MotionSystem, dataset, features: Callable, progress: Callable = iter, samples: int = 1
) -> Recognition:
    """Fit a read-out on the true futures of the training clips, mirrored ones too, and recognise those of the test clips: true
    ones, generated ones, and trivial ones. For each test picture every action is asked for.

    Args:
        features: videos uint8 [B, T, H, W, C] -> [B, F], such as the logits of `analogy.pretrained.i3d.I3d`.
        samples: the number of generated videos of each picture and action.
        progress: wraps the list of all clips, to show how far it is.
    """
    actions = system.actions or sorted({clip.action for clip in dataset.train})
    points = dict(zip([clip.id for clip in dataset.test], system.true_keypoints(dataset, dataset.test), strict=True))
    clips = iter(progress([*dataset.train, *dataset.test]))
    read_out = _fitted(system, dataset, actions, features, islice(clips, len(dataset.train)))

    def recognised(video: np.ndarray) -> int:
        return int(read_out.recognise(np.asarray(features(video[None])))[0])

    outcome = Recognition(actions)
    outcome.counts = {method: np.zeros([len(actions)] * 2, int) for method in ("asked_for", "transferred") if system.actions}
    for clip in clips:
        first, truth = np.split(system.true_frames(dataset, clip), [1])
        wanted = actions.index(clip.action)
        videos = {"truth": truth, "still": np.repeat(first, len(truth), 0), "shuffled": shuffled(truth)}
        videos["true_keypoints"] = system.transferred(first[0], points[clip.id])
        for name, video in videos.items():
            outcome.right[name].append(recognised(video) == wanted)
        for action in system.actions or [clip.action]:
            for video in system.predict(first[0], action, samples)["frames"]:
                found = recognised(video)
                if action == clip.action:
                    outcome.right["generated"].append(found == wanted)
                if system.actions:
                    outcome.counts["asked_for"][actions.index(action), found] += 1
        for action in system.actions:
            driving = driving_clip(dataset.test, clip, action)
            if driving is not None:
                moved = system.transferred(first[0], points[driving.id])
                outcome.counts["transferred"][actions.index(action), recognised(moved)] += 1
    return outcome


def _fitted(system: MotionSystem, dataset, actions: list[str], features: Callable, clips: Iterable) -> ReadOut:
    """A read-out of the actions in the true futures of these clips, and where the data are flipped in their mirror images."""
    training, labels = [], []
    for clip in clips:
        future = system.true_frames(dataset, clip)[1:]
        views = [future, future[:, :, ::-1]] if system.settings.data.flip else [future]
        training += [np.asarray(features(view[None])) for view in views]
        labels += [actions.index(clip.action)] * len(views)
    return fit_read_out(np.concatenate(training), np.array(labels), len(actions))


def driving_clip(clips: Sequence, clip, action: str):
    """The next one of the clips after `clip` that shows the action; after the last clip comes the first, and `clip` itself is
    taken where no other shows it. None: there is none."""
    place = clips.index(clip) + 1
    return next((other for other in [*clips[place:], *clips[:place]] if other.action == action), None)

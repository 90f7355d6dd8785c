"""Cases of translation, as in Fig. 8 of Kim et al. 2019: a moved body, background that was hidden, and a removed body."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from analogy.metrics.regions import pose_region
from analogy.systems.base import Study
from analogy.systems.keypoints.pictures import with_keypoints
from analogy.systems.keypoints.predicted import keypoints_inside
from analogy.visualise.panels import picture_grid

if TYPE_CHECKING:
    from analogy.systems.keypoints.translation import TranslationSystem

FAR = 5.0  # in units of half a side: a keypoint there leaves no trace in the frame


class Case(NamedTuple):
    """frames: uint8 [2, H, W, C], reference and target. keypoints: [2, K, 2]. body: bool [2, H, W]; all False where unknown."""

    frames: np.ndarray
    keypoints: np.ndarray
    body: np.ndarray

    @property
    def motion(self) -> float:
        """The mean distance that keypoints move."""
        return float(np.linalg.norm(self.keypoints[1] - self.keypoints[0], axis=-1).mean())

    @property
    def uncovered(self) -> float:
        """The area that the body leaves, or where bodies are unknown, how much the frames differ."""
        if self.body.any():
            return float((self.body[0] & ~self.body[1]).sum())
        return float(np.abs(self.frames[1].astype(float) - self.frames[0]).mean())


def study_translation(system: TranslationSystem, dataset) -> Study:
    """A picture with a row for each case, found among the first and the other frames of the test clips that are shown:

    - translation: the pair whose keypoints move most;
    - in-painting: the pair whose body leaves the largest area, which the translator has to fill;
    - removal: that reference with the keypoints on its body moved out of the frame; where bodies are known.
    """
    cases = [case for clip in system.selected_clips(dataset.test) for case in _cases(system, dataset, clip)]
    if not cases:
        return Study({}, {})
    moved, uncovered = max(cases, key=lambda case: case.motion), max(cases, key=lambda case: case.uncovered)
    rows = {"translation": moved, "in-painting": uncovered}
    if uncovered.body.any():
        rows["removal"] = removed(uncovered)
    pictures = {name: _row(system, case) for name, case in rows.items()}
    titles = list(next(iter(pictures.values())))
    return Study({}, {"translation_cases": picture_grid({name: list(row.values()) for name, row in pictures.items()}, titles)})


def removed(case: Case) -> Case:
    """The reference alone, with the keypoints on and at its body moved out of the frame."""
    margin = np.ones([case.body.shape[1] // 8] * 2, np.uint8)
    near_body = cv2.dilate(case.body[0].astype(np.uint8), margin) > 0
    on_body = keypoints_inside(case.keypoints[:1], near_body[None])[0]
    keypoints = np.where(on_body[:, None], FAR, case.keypoints[0]).astype(np.float32)
    return case._replace(frames=case.frames[[0, 0]], keypoints=np.stack([case.keypoints[0], keypoints]))


def _cases(system: TranslationSystem, dataset, clip) -> list[Case]:
    """The first frame of a clip with each of a few later ones."""
    numbers = np.unique(np.linspace(0, clip.length - 1, 9).round().astype(int))
    loaded = dataset.load(clip, numbers)
    keypoints = system.detected(loaded.frames)
    body = pose_region(loaded.joints, loaded.visibility, system.image_size, loaded.crop)
    return [Case(*(part[[0, later]] for part in (loaded.frames, keypoints, body))) for later in range(1, len(numbers))]


def _row(system: TranslationSystem, case: Case) -> dict[str, np.ndarray]:
    """Title -> picture, all of one size: the columns of the paper's figure."""
    answer = system.translated(case.frames[0], case.keypoints[0], case.keypoints[1:])
    dots = with_keypoints(case.frames, case.keypoints)
    pictures = {
        "reference": case.frames[0], "target": case.frames[1], "reference keypoints": dots[0], "target keypoints": dots[1],
        **{title: frames[0] for title, frames in system.shown_parts(answer).items()}, "result": answer["frame"][0],
    }  # fmt: skip
    # Small frames with dots are enlarged, so that dots do not cover them.
    factors = {title: dots.shape[1] // len(picture) for title, picture in pictures.items()}
    return {title: picture.repeat(factors[title], 0).repeat(factors[title], 1) for title, picture in pictures.items()}

"""A trained pose_hourglass as an estimator of `analogy.systems.hierarchical.estimation.tracking`."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from analogy.runs.find import load_endpoint
from analogy.systems.hierarchical.estimation.tflite import Pose, Region, cut, whole_frame

ROOM = 1.4  # side of the next region, in extents of the visible joints


class Hourglass:
    """Args: run: the folder of a finished run of pose_hourglass. Raises UserError."""

    name, visible_from = "pose_hourglass", 0.3

    def __init__(self, run: Path):
        self.loaded = load_endpoint(run, "estimate")
        frames = self.loaded.signatures["estimate"].structured_input_signature[1]["frames"]
        _, self.height, self.width, self.channels = frames.shape.as_list()

    def detect(self, frame: np.ndarray) -> list[Region]:
        """It knows one person, and looks for it in the whole frame first."""
        return [whole_frame(frame)]

    def estimate(self, frame: np.ndarray, region: Region) -> Pose:
        picture, to_frame = cut(frame, region, max(self.height, self.width))
        picture = picture[: self.height, : self.width]
        if self.channels == 1:
            picture = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None]
        found = self.loaded.estimate(frames=picture[None])
        joints = found["joints"][0].numpy() @ to_frame[:, :2].T + to_frame[:, 2]
        scores = found["scores"][0].numpy()
        seen = joints[scores > self.visible_from]
        if len(seen) < 2:
            return Pose(joints.astype(np.float32), scores, whole_frame(frame))
        low, high = seen.min(0), seen.max(0)
        (x, y), side = (low + high) / 2, ROOM * float((high - low).max())
        return Pose(joints.astype(np.float32), scores, Region(float(x), float(y), max(side, 16.0)))

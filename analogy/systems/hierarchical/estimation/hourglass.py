"""A run of pose_hourglass as an estimator for `analogy.systems.hierarchical.estimation.tracking`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from analogy.data.frames import in_channels
from analogy.runs.find import inputs_of, load_endpoint
from analogy.systems.hierarchical.estimation.tflite import Pose, Region, cut, whole_frame

ROOM = 1.4  # side of the next region, as a multiple of the longer side of the box around the visible joints


class Hourglass:
    """A pose estimator for one person.

    Args:
        run: the folder of a finished run of pose_hourglass.

    Raises:
        UserError: the run has no SavedModel with the endpoint `estimate`.
    """

    name, visible_from = "pose_hourglass", 0.3

    def __init__(self, run: Path):
        self.loaded = load_endpoint(run, "estimate")
        frames = inputs_of(self.loaded, "estimate")["frames"]
        _, self.height, self.width, self.channels = frames.shape.as_list()

    def detect(self, frame: np.ndarray) -> list[Region]:
        """The whole frame: this network has no person detector, and assumes one person."""
        return [whole_frame(frame)]

    def estimate(self, frame: np.ndarray, region: Region) -> Pose:
        """The pose in a region of a frame uint8 [H, W, 3]."""
        picture, to_frame = cut(frame, region, max(self.height, self.width))
        picture = in_channels(picture[: self.height, : self.width], self.channels)
        outputs = self.loaded.estimate(frames=picture[None])
        joints = outputs["joints"][0].numpy() @ to_frame[:, :2].T + to_frame[:, 2]
        scores = outputs["scores"][0].numpy()
        visible_joints = joints[scores > self.visible_from]
        if len(visible_joints) < 2:
            return Pose(joints.astype(np.float32), scores, whole_frame(frame))
        low, high = visible_joints.min(0), visible_joints.max(0)
        (x, y), side = (low + high) / 2, ROOM * float((high - low).max())
        return Pose(joints.astype(np.float32), scores, Region(float(x), float(y), max(side, 16.0)))

"""MoveNet and BlazePose from their TensorFlow Lite files, mapped to the 13 joints.

Every estimator finds the person in a whole frame by itself (`detect`), and a pose in a region of a frame (`estimate`), which
`tracking` carries from frame to frame. Regions are squares: centre x, y, side, in pixels of the frame, and
an angle in radians by which the person is turned.
"""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import tensorflow as tf
from scipy.special import expit

from analogy.errors import UserError
from analogy.systems.hierarchical.estimation import find_models

# Where the 13 joints are found among a model's keypoints; the head is the mean of several.
COCO = ((0, 1, 2, 3, 4), (5,), (6,), (7,), (8,), (9,), (10,), (11,), (12,), (13,), (14,), (15,), (16,))
BLAZEPOSE = ((0, 2, 5, 7, 8), (11,), (12,), (13,), (14,), (15,), (16,), (23,), (24,), (25,), (26,), (27,), (28,))
TORSO = (1, 2, 7, 8)


class Region(NamedTuple):
    """A square of a frame: its centre and side in pixels, and by how many radians it is turned (clockwise)."""

    x: float
    y: float
    side: float
    angle: float = 0.0


class Pose(NamedTuple):
    """joints [13, 2] in pixels of the frame; scores [13] in 0..1; the region where the next frame will be looked at."""

    joints: np.ndarray
    scores: np.ndarray
    following: Region


def load_model(path: Path):
    """An interpreter of a .tflite file, ready to run. Raises UserError."""
    if not Path(path).is_file():
        raise UserError(f"{path}: there is no such file; an estimator is a .tflite file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its move to another package, which reads the same files
            interpreter = tf.lite.Interpreter(str(path))
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise UserError(f"{path}: not a TensorFlow Lite model ({str(error).splitlines()[0]})") from error
    return interpreter


def run_model(interpreter, picture: np.ndarray) -> list[np.ndarray]:
    """One picture [H, W, 3] of the model's size and type -> its outputs."""
    given = interpreter.get_input_details()[0]
    interpreter.set_tensor(given["index"], picture[None].astype(given["dtype"]))
    interpreter.invoke()
    return [interpreter.get_tensor(output["index"]) for output in interpreter.get_output_details()]


def cut(frame: np.ndarray, region: Region, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The region as a picture uint8 [size, size, 3], black outside the frame; and the affine map [2, 3] from its pixels to the
    frame's."""
    cos, sin = math.cos(region.angle), math.sin(region.angle)
    step = region.side / size
    turn = step * np.array([[cos, -sin], [sin, cos]])
    offset = np.array([region.x, region.y]) - turn @ np.full(2, (size - 1) / 2)
    to_frame = np.concatenate([turn, offset[:, None]], 1)
    given, to_given = frame, to_frame
    if step > 1:  # an affine warp does not average: a large region is made small before
        height, width = frame.shape[:2]
        given = cv2.resize(frame, (max(1, round(width / step)), max(1, round(height / step))), interpolation=cv2.INTER_AREA)
        shrink = np.array([given.shape[1] / width, given.shape[0] / height])
        to_given = shrink[:, None] * to_frame
        to_given[:, 2] += 0.5 * shrink - 0.5  # the centre of pixel 0 moves
    return cv2.warpAffine(given, to_given, (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP), to_frame


def whole_frame(frame: np.ndarray) -> Region:
    height, width = frame.shape[:2]
    return Region((width - 1) / 2, (height - 1) / 2, max(height, width))


def gather_joints(points: np.ndarray, scores: np.ndarray, mapping) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints [K, 2] and scores [K] of a model -> those of the 13 joints."""
    joints = np.stack([points[list(members)].mean(0) for members in mapping])
    return joints.astype(np.float32), np.array([scores[list(members)].max() for members in mapping], np.float32)


class MoveNet:
    """MoveNet SinglePose: one person, the most prominent. Args: path: its .tflite file."""

    name, visible_from = "movenet", 0.3
    few, most = 4, 7  # visible joints that make a person to follow; that make it sure that there is another one

    def __init__(self, path: Path):
        self.model = load_model(path)
        shape = self.model.get_input_details()[0]["shape"]
        outputs = self.model.get_output_details()
        if list(outputs[0]["shape"]) != [1, 1, 17, 3]:
            raise UserError(
                f"{path}: not MoveNet SinglePose, which gives 1 x 1 x 17 x 3 numbers, not {list(outputs[0]['shape'])}"
            )
        self.size = int(shape[1])

    def detect(self, frame: np.ndarray) -> list[Region]:
        """The most prominent person; and another one, if the model sees it once the first is painted over."""
        first = self.estimate(frame, whole_frame(frame))
        seen = first.scores > self.visible_from
        if seen.sum() < self.few:
            return []
        low, high = first.joints[seen].min(0), first.joints[seen].max(0)
        wider = 0.2 * (high - low).max()
        (x_min, y_min), (x_max, y_max) = np.maximum(low - wider, 0).astype(int), np.maximum(high + wider, 0).astype(int)
        rest = frame.copy()
        rest[y_min:y_max, x_min:x_max] = 128
        second = self.estimate(rest, self.estimate(rest, whole_frame(rest)).following)  # a second look is surer
        return [first.following] + ([second.following] if (second.scores > self.visible_from).sum() >= self.most else [])

    def estimate(self, frame: np.ndarray, region: Region) -> Pose:
        picture, to_frame = cut(frame, region, self.size)
        (keypoints,) = run_model(self.model, picture)
        y, x, scores = keypoints[0, 0].T
        points = np.stack([x, y], -1) * self.size - 0.5
        joints, scores = gather_joints(points @ to_frame[:, :2].T + to_frame[:, 2], scores, COCO)
        return Pose(joints, scores, self._around(joints, scores, frame))

    def _around(self, joints: np.ndarray, scores: np.ndarray, frame: np.ndarray) -> Region:
        """A square about the hips that holds the body with room to move; the whole frame where the body is not seen."""
        seen = scores > 0.2
        torso = [joint for joint in TORSO if seen[joint]]
        if not (seen[[1, 2]].any() and seen[[7, 8]].any()):
            return whole_frame(frame)
        centre = joints[[joint for joint in (7, 8) if seen[joint]]].mean(0)
        torso_reach = np.abs(joints[torso] - centre).max()
        reach = np.abs(joints[seen] - centre).max()
        limit = whole_frame(frame)
        half = min(
            max(1.9 * torso_reach, 1.2 * reach), max(abs(centre[0] - limit.x), abs(centre[1] - limit.y)) + limit.side / 2
        )
        return limit if half > limit.side / 2 else Region(float(centre[0]), float(centre[1]), 2.0 * float(half))


class BlazePose:
    """MediaPipe's BlazePose: a person detector, and landmarks in a turned square about the person.

    Args: landmarks, detector: the two .tflite files.
    """

    name, visible_from = "blazepose", 0.5
    enough = 0.5  # a detection's score
    overlap = 0.3  # two detections that overlap more are one person

    def __init__(self, landmarks: Path, detector: Path):
        self.model, self.detector = load_model(landmarks), load_model(detector)
        if len(self.model.get_output_details()) < 2 or list(self.model.get_output_details()[0]["shape"]) != [1, 195]:
            raise UserError(f"{landmarks}: not BlazePose's landmark model, which gives 195 numbers")
        if list(self.detector.get_output_details()[0]["shape"]) != [1, 2254, 12]:
            raise UserError(f"{detector}: not BlazePose's person detector, which has 2254 anchors")
        self.size = int(self.model.get_input_details()[0]["shape"][1])
        self.detector_size = int(self.detector.get_input_details()[0]["shape"][1])
        self.anchors = _anchors(self.detector_size)

    def detect(self, frame: np.ndarray) -> list[Region]:
        """Everybody, the surest first."""
        picture, to_frame = cut(frame, whole_frame(frame), self.detector_size)
        raw, scores = run_model(self.detector, picture / np.float32(127.5) - 1.0)
        scores = expit(scores[0, :, 0])
        order = [i for i in np.argsort(-scores) if scores[i] >= self.enough]
        size = self.detector_size
        values = raw[0].reshape(-1, 6, 2).astype(np.float64) / size  # centre, width and height, four keypoints
        centres = values[:, 0] + self.anchors
        boxes = np.concatenate([centres - values[:, 1] / 2, centres + values[:, 1] / 2], -1)
        kept: list[int] = []
        for i in order:
            if all(_overlap(boxes[i], boxes[j]) < self.overlap for j in kept):
                kept.append(i)
        points = (values[kept, 2:4] + self.anchors[kept, None]) * size - 0.5  # [n, 2, 2]: hips, and a point on the circle about
        points = points @ to_frame[:, :2].T + to_frame[:, 2]
        return [_circle(hips, top) for hips, top in points]

    def estimate(self, frame: np.ndarray, region: Region) -> Pose:
        picture, to_frame = cut(frame, region, self.size)
        outputs = run_model(self.model, picture / np.float32(255.0))
        marks = outputs[0].reshape(39, 5)
        present = float(outputs[1].ravel()[0])
        points = (marks[:, :2] - 0.5) @ to_frame[:, :2].T + to_frame[:, 2]
        seen = expit(marks[:, 3:5].min(1))  # visibility and presence, both as logits
        joints, scores = gather_joints(points, seen, BLAZEPOSE)
        return Pose(joints, scores * (present >= 0.5), _circle(points[33], points[34]))


def _anchors(size: int) -> np.ndarray:
    """Centres of the detector's anchors in 0..1, [2254, 2]: two at each place of strides 8 and 16, six of stride 32."""
    anchors = []
    for stride, repeats in ((8, 2), (16, 2), (32, 6)):
        side = math.ceil(size / stride)
        y, x = np.mgrid[:side, :side]
        centres = (np.stack([x, y], -1).reshape(-1, 2) + 0.5) / side
        anchors.append(np.repeat(centres, repeats, 0))
    return np.concatenate(anchors)


def _circle(hips: np.ndarray, top: np.ndarray) -> Region:
    """The square about a person, from the middle of the hips and a point above it on the circle around the body."""
    dx, dy = top - hips
    return Region(float(hips[0]), float(hips[1]), 2.5 * math.hypot(dx, dy), math.atan2(dx, -dy))


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    common = np.prod(np.maximum(high - low, 0.0))
    return float(common / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - common + 1e-9))


def open_estimator(name: str, models: Path | None):
    """The estimator of this name, from its files anywhere below the folder `models`. Raises UserError."""
    return {"movenet": MoveNet, "blazepose": BlazePose}[name](*find_models(name, models))

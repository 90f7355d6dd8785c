"""The pose estimators MoveNet and BlazePose, from their TensorFlow Lite files, with keypoints mapped to the 13 joints.

An estimator has two methods, which `tracking` calls. `detect` finds the regions of people in a whole frame. `estimate` finds
the pose in one region, and the region to use in the next frame. It also has a `name`, and `visible_from`: a joint is visible
if its score is higher.
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
from analogy.files.reading import not_there, read_regular
from analogy.systems.hierarchical.estimation import find_models

# For each of the 13 joints, the indices of a model's keypoints whose mean it is. The head is the mean of several.
COCO = ((0, 1, 2, 3, 4), (5,), (6,), (7,), (8,), (9,), (10,), (11,), (12,), (13,), (14,), (15,), (16,))
BLAZEPOSE = ((0, 2, 5, 7, 8), (11,), (12,), (13,), (14,), (15,), (16,), (23,), (24,), (25,), (26,), (27,), (28,))
TORSO = (1, 2, 7, 8)


class Region(NamedTuple):
    """A square in a frame: centre x, y and side in pixels, and the angle in radians by which it is turned clockwise."""

    x: float
    y: float
    side: float
    angle: float = 0.0


class Pose(NamedTuple):
    """joints [13, 2] in pixels of the frame; scores [13] in 0..1; next_region: where the person will be in the next frame."""

    joints: np.ndarray
    scores: np.ndarray
    next_region: Region


def load_model(path: Path):
    """A TensorFlow Lite interpreter of a .tflite file, ready to run. Raises UserError."""
    if why := not_there(path):
        raise UserError(f"{path}: {why}; an estimator is a .tflite file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the warning that the interpreter will move to another package
            # From its bytes, because the library looks at these first: a file that is cut off would end the process.
            interpreter = tf.lite.Interpreter(model_content=read_regular(path))
        interpreter.allocate_tensors()
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(f"{path}: not a TensorFlow Lite model ({reason}); fetch the file again") from error
    return interpreter


def run_model(interpreter, picture: np.ndarray) -> list[np.ndarray]:
    """The outputs of a model for one picture [H, W, 3] of the model's input size."""
    details = interpreter.get_input_details()[0]
    interpreter.set_tensor(details["index"], picture[None].astype(details["dtype"]))
    interpreter.invoke()
    return [interpreter.get_tensor(output["index"]) for output in interpreter.get_output_details()]


def cut(frame: np.ndarray, region: Region, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Cut a region out of a frame.

    Returns:
        the region as a picture uint8 [size, size, 3], black outside the frame; and the affine map [2, 3] from pixels of the
        picture to pixels of the frame.
    """
    cos, sin = math.cos(region.angle), math.sin(region.angle)
    step = region.side / size
    turn = step * np.array([[cos, -sin], [sin, cos]])
    offset = np.array([region.x, region.y]) - turn @ np.full(2, (size - 1) / 2)
    to_frame = np.concatenate([turn, offset[:, None]], 1)
    source, to_source = frame, to_frame
    if step > 1:  # an affine warp does not average pixels, so the frame is first made smaller
        height, width = frame.shape[:2]
        source = cv2.resize(frame, (max(1, round(width / step)), max(1, round(height / step))), interpolation=cv2.INTER_AREA)
        shrink = np.array([source.shape[1] / width, source.shape[0] / height])
        to_source = shrink[:, None] * to_frame
        to_source[:, 2] += 0.5 * shrink - 0.5  # pixel centres lie 0.5 away from pixel edges
    return cv2.warpAffine(source, to_source, (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP), to_frame


def whole_frame(frame: np.ndarray) -> Region:
    """The smallest square around the whole frame [H, W, 3]."""
    height, width = frame.shape[:2]
    return Region((width - 1) / 2, (height - 1) / 2, max(height, width))


def gather_joints(points: np.ndarray, scores: np.ndarray, mapping) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints [K, 2] and scores [K] of a model -> joints [13, 2] and their scores [13]. mapping: COCO or BLAZEPOSE."""
    joints = np.stack([points[list(members)].mean(0) for members in mapping])
    return joints.astype(np.float32), np.array([scores[list(members)].max() for members in mapping], np.float32)


class MoveNet:
    """MoveNet SinglePose, which estimates the pose of the most prominent person.

    Args:
        path: its .tflite file.
    """

    name, visible_from = "movenet", 0.3
    person_joints = 4  # with fewer visible joints, there is nobody
    second_person_joints = 7  # a second person is reported only with so many visible joints

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
        """The regions of the most prominent person, and of a second one, if the model finds it after the first is painted
        grey."""
        first = self.estimate(frame, whole_frame(frame))
        visible = first.scores > self.visible_from
        if visible.sum() < self.person_joints:
            return []
        low, high = first.joints[visible].min(0), first.joints[visible].max(0)
        margin = 0.2 * (high - low).max()
        (x_min, y_min), (x_max, y_max) = np.maximum(low - margin, 0).astype(int), np.maximum(high + margin, 0).astype(int)
        others_frame = frame.copy()
        others_frame[y_min:y_max, x_min:x_max] = 128
        # The second estimate, in the region that the first one suggests, is more reliable.
        second = self.estimate(others_frame, self.estimate(others_frame, whole_frame(others_frame)).next_region)
        has_second = (second.scores > self.visible_from).sum() >= self.second_person_joints
        return [first.next_region, second.next_region] if has_second else [first.next_region]

    def estimate(self, frame: np.ndarray, region: Region) -> Pose:
        """The pose in a region of a frame uint8 [H, W, 3]."""
        picture, to_frame = cut(frame, region, self.size)
        (keypoints,) = run_model(self.model, picture)
        y, x, scores = keypoints[0, 0].T
        points = np.stack([x, y], -1) * self.size - 0.5
        joints, scores = gather_joints(points @ to_frame[:, :2].T + to_frame[:, 2], scores, COCO)
        return Pose(joints, scores, self._body_region(joints, scores, frame))

    def _body_region(self, joints: np.ndarray, scores: np.ndarray, frame: np.ndarray) -> Region:
        """A square around the body, centred at the hips, with some room to move. The whole frame, if no shoulder or no hip is
        visible, or if the square would be larger."""
        visible = scores > 0.2
        torso = [joint for joint in TORSO if visible[joint]]
        if not (visible[[1, 2]].any() and visible[[7, 8]].any()):
            return whole_frame(frame)
        centre = joints[[joint for joint in (7, 8) if visible[joint]]].mean(0)
        torso_reach = np.abs(joints[torso] - centre).max()
        reach = np.abs(joints[visible] - centre).max()
        limit = whole_frame(frame)
        half_side = min(
            max(1.9 * torso_reach, 1.2 * reach), max(abs(centre[0] - limit.x), abs(centre[1] - limit.y)) + limit.side / 2
        )
        return limit if half_side > limit.side / 2 else Region(float(centre[0]), float(centre[1]), 2.0 * float(half_side))


class BlazePose:
    """MediaPipe's BlazePose: a person detector, and a landmark model that reads a turned square around the person.

    Args:
        landmarks, detector: the two .tflite files.
    """

    name, visible_from = "blazepose", 0.5
    detection_score = 0.5  # detections of a lower score are ignored
    overlap = 0.3  # two detections with a larger intersection over union are the same person

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
        """The regions of all people, the highest score first."""
        picture, to_frame = cut(frame, whole_frame(frame), self.detector_size)
        raw, scores = run_model(self.detector, picture / np.float32(127.5) - 1.0)
        scores = expit(scores[0, :, 0])
        order = [i for i in np.argsort(-scores) if scores[i] >= self.detection_score]
        size = self.detector_size
        values = raw[0].reshape(-1, 6, 2).astype(np.float64) / size  # centre, width and height, four keypoints
        centres = values[:, 0] + self.anchors
        boxes = np.concatenate([centres - values[:, 1] / 2, centres + values[:, 1] / 2], -1)
        people: list[int] = []  # indices of detections
        for i in order:
            if all(_overlap(boxes[i], boxes[j]) < self.overlap for j in people):
                people.append(i)
        # [n, 2, 2]: the middle of the hips, and a point on the circle around the body
        points = (values[people, 2:4] + self.anchors[people, None]) * size - 0.5
        points = points @ to_frame[:, :2].T + to_frame[:, 2]
        return [_body_square(hips, top) for hips, top in points]

    def estimate(self, frame: np.ndarray, region: Region) -> Pose:
        """The pose in a region of a frame uint8 [H, W, 3]. All scores are 0 if the model finds nobody there."""
        picture, to_frame = cut(frame, region, self.size)
        outputs = run_model(self.model, picture / np.float32(255.0))
        marks = outputs[0].reshape(39, 5)
        present = float(outputs[1].ravel()[0])
        points = (marks[:, :2] - 0.5) @ to_frame[:, :2].T + to_frame[:, 2]
        point_scores = expit(marks[:, 3:5].min(1))  # the smaller of the logits of visibility and presence
        joints, scores = gather_joints(points, point_scores, BLAZEPOSE)
        return Pose(joints, scores * (present >= 0.5), _body_square(points[33], points[34]))


def _anchors(size: int) -> np.ndarray:
    """Centres of the detector's anchors in 0..1, [2254, 2]: two at each place of the grids of stride 8 and 16, and six at each
    place of the grid of stride 32. size: side of the detector's input."""
    anchors = []
    for stride, repeats in ((8, 2), (16, 2), (32, 6)):
        side = math.ceil(size / stride)
        y, x = np.mgrid[:side, :side]
        centres = (np.stack([x, y], -1).reshape(-1, 2) + 0.5) / side
        anchors.append(np.repeat(centres, repeats, 0))
    return np.concatenate(anchors)


def _body_square(hips: np.ndarray, top: np.ndarray) -> Region:
    """The turned square around a person. hips [2]: the middle of the hips. top [2]: the point above it on the circle around the
    body."""
    dx, dy = top - hips
    return Region(float(hips[0]), float(hips[1]), 2.5 * math.hypot(dx, dy), math.atan2(dx, -dy))


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boxes (x_min, y_min, x_max, y_max)."""
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    common = np.prod(np.maximum(high - low, 0.0))
    return float(common / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - common + 1e-9))


def open_estimator(name: str, models: Path | None):
    """Open the estimator "movenet" or "blazepose". Its files lie anywhere below the folder `models`. Raises UserError."""
    return {"movenet": MoveNet, "blazepose": BlazePose}[name](*find_models(name, models))

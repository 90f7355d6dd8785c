"""Renders a clip: its frames as JPEG files and its labels as a .mat file of Penn Action."""

import io
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from scipy.io import savemat

from analogy.random_streams import generator
from data_prep.synthetic_actors.actor import FOREARM, HEAD, SHIN, THIGH, TORSO, UPPER_ARM, Actor, actor_parts
from data_prep.synthetic_actors.canvas import SUPERSAMPLING, Camera, Canvas
from data_prep.synthetic_actors.motions import MOTIONS, perform
from data_prep.synthetic_actors.props import prop_parts
from data_prep.synthetic_actors.scenes import draw_foreground, draw_scene
from data_prep.synthetic_actors.skeleton import Figure

JPEG_QUALITY = 92
SENSOR_NOISE = 3.0  # standard deviation in grey levels; frames of a real camera always differ a little
BOX_MARGIN = 1.5  # pixels around the body
# Share of the joints that are stored at the image's corner while they are hidden, as in the real labels. The others are stored
# where they were last visible.
CORNER_SHARE = 0.4
MAT_HEADER = b"MATLAB 5.0 MAT-file, synthetic actors in the layout of Penn Action".ljust(116)
# For each joint, in Penn Action's order, the parts that belong to it. If another part is on top there, the joint is hidden.
PARTS_AT_JOINT = (
    {HEAD},
    *({part, TORSO} for part in UPPER_ARM),
    *({upper, lower} for upper, lower in zip(UPPER_ARM, FOREARM, strict=True)),
    *({part} for part in FOREARM),
    *({part, TORSO} for part in THIGH),
    *({upper, lower} for upper, lower in zip(THIGH, SHIN, strict=True)),
    *({part} for part in SHIN),
)
TRUNK_PAIRS = ((1, 2), (7, 8))  # shoulders and hips: from the side, the trunk hides the farther joint of the pair
EDGE_ON = 0.8  # the farther joint is hidden when more than this share of the pair's distance is along the line of sight


@dataclass(frozen=True)
class ClipPlan:
    """Everything that a clip depends on, so that clips can be rendered in any process and order.

    number: of the clip, from 1. train: whether it belongs to the training set. length: number of frames. size: side in pixels.
    """

    number: int
    action: str
    train: bool
    seed: int
    length: int
    size: int


def write_clip(folder: Path, plan: ClipPlan):
    """Write FOLDER/frames/NNNN/*.jpg and FOLDER/labels/NNNN.mat. The same plan always gives the same bytes."""
    rng = generator(plan.seed, plan.number)
    actor = Actor.draw(rng)
    act, view = perform(plan.action, actor.body, plan.length, rng)
    figure = act.figure
    extent = np.concatenate([figure.joints, figure.fingertips, figure.heels, figure.toes], axis=1)  # [T, 19, 3]
    lying = MOTIONS[plan.action].lying
    camera = Camera.frame(extent, actor.body.height, plan.size, rng, lying=lying)
    background = draw_scene(camera, plan.size, rng)
    image_extent = camera.project(extent)[0].reshape(-1, 2)
    foreground = draw_foreground(plan.size, image_extent.min(axis=0), image_extent.max(axis=0), rng)

    joints, _ = camera.project(figure.joints)  # [T, 13, 2]
    visible = np.zeros(joints.shape[:2], bool)
    boxes = np.zeros((plan.length, 4))
    frames_folder = folder / "frames" / f"{plan.number:04d}"
    frames_folder.mkdir(parents=True)
    for t in range(plan.length):
        canvas = Canvas(background)
        paint_shadow(canvas, extent[t], camera)
        parts = actor_parts(actor, figure, t, camera)
        for prop in act.props:
            parts += prop_parts(prop, t, camera)
        for part in sorted(parts, key=lambda part: part.depth):
            part.paint(canvas)
        if foreground:
            foreground(canvas)
        visible[t] = visible_joints(canvas, figure, joints[t], t)
        boxes[t] = body_box(canvas, plan.size)
        picture = canvas.picture() + rng.normal(0, SENSOR_NOISE, (plan.size, plan.size, 3))
        picture = np.clip(np.round(picture), 0, 255).astype(np.uint8)
        (frames_folder / f"{t + 1:06d}.jpg").write_bytes(encode_jpeg(picture))
    stored = forget_hidden(joints, visible, rng)
    labels = encode_labels(plan, view, stored, visible, boxes)
    (folder / "labels" / f"{plan.number:04d}.mat").write_bytes(labels)


def paint_shadow(canvas: Canvas, points, camera: Camera):
    """Paint a soft shadow on the floor below world points [K, 3]. The higher a point, the fainter its shadow."""
    side = len(canvas.pixels)
    mask = np.zeros((side // SUPERSAMPLING, side // SUPERSAMPLING), np.uint8)
    image, scales = camera.project(points * [1, 0, 1])
    for k in np.argsort(-points[:, 1]):
        centre = tuple(int(v) for v in np.round(image[k]))
        axes = tuple(int(v) for v in np.round(scales[k] * np.array([0.11, 0.035])))
        cv2.ellipse(mask, centre, axes, 0, 0, 360, float(110 * np.exp(-points[k, 1] / 0.3)), -1)
    mask = 255 - cv2.resize(cv2.GaussianBlur(mask, (0, 0), 0.012 * side), (side, side))
    top = max(int(image[:, 1].min() * SUPERSAMPLING) - side // 12, 0)  # rows above have no shadow
    light = cv2.merge([mask[top:]] * 3)
    canvas.pixels[top:] = cv2.multiply(canvas.pixels[top:], light, scale=1 / 255)


def visible_joints(canvas: Canvas, figure: Figure, image_joints, t: int):
    """Which joints are visible, bool [13]: those where one of the joint's own parts is on top.

    image_joints: [13, 2] in pixels, x then y.
    """
    visible = np.array([canvas.owner_at(image_joints[j]) in PARTS_AT_JOINT[j] for j in range(len(PARTS_AT_JOINT))])
    for left, right in TRUNK_PAIRS:
        across = figure.joints[t, left] - figure.joints[t, right]
        if abs(across[2]) > EDGE_ON * np.linalg.norm(across):
            visible[right if across[2] > 0 else left] = False
    return visible


def body_box(canvas: Canvas, size: int):
    """The box around the painted body, float [4]: xmin, ymin, xmax, ymax in pixels, clipped to the frame.

    Parts of the body that other things hide are inside the box too.
    """
    low, high = (np.array([spans[k] for part, spans in canvas.spans.items() if part <= max(SHIN)]) for k in (0, 1))
    box = np.concatenate([low.min(axis=0) - BOX_MARGIN, high.max(axis=0) + BOX_MARGIN])
    return np.clip(box, 0, size - 1)


def forget_hidden(joints, visible, rng: np.random.Generator):
    """Joints [T, 13, 2] as they are stored: a hidden joint lies in the image's corner or where it was last visible."""
    stored = joints.copy()
    cornered = rng.random(joints.shape[1]) < CORNER_SHARE
    for t in range(len(joints)):
        last = stored[t - 1] if t else joints[0]
        elsewhere = np.where(cornered[:, None], rng.uniform(1, 2, (joints.shape[1], 2)), last)
        stored[t] = np.where(visible[t][:, None], joints[t], elsewhere)
    return stored


def encode_labels(plan: ClipPlan, view: str, joints, visible, boxes) -> bytes:
    """A .mat file with the fields, types and shapes of the official files. Coordinate 0 is the centre of the first pixel."""
    buffer = io.BytesIO()
    labels = {
        "action": plan.action,
        "pose": view,
        "x": joints[..., 0],
        "y": joints[..., 1],
        "visibility": visible.astype(np.uint8),
        "train": np.array([[1 if plan.train else -1]], np.int32),
        "bbox": boxes,
        "dimensions": np.array([[plan.size, plan.size, plan.length]], np.uint16),
        "nframes": np.array([[plan.length]], np.uint8 if plan.length < 256 else np.uint16),
    }
    savemat(buffer, labels)
    content = buffer.getvalue()
    return MAT_HEADER + content[len(MAT_HEADER) :]  # SciPy's header contains the time of day, so it is replaced


def encode_jpeg(picture) -> bytes:
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()

"""Crops: pixels and joints in one frame of reference."""

import cv2
import numpy as np
import pytest

from analogy.data.frames import padded_box
from analogy.data.prepared import PreparedClips
from data_prep.penn_action import prepare_penn_action


@pytest.fixture(scope="session")
def dotted(tmp_path_factory):
    """A clip of three 80 x 120 frames with a red dot at joint 0; the dot moves and the boxes with it."""
    from scipy.io import savemat

    root = tmp_path_factory.mktemp("dotted")
    (root / "frames" / "0001").mkdir(parents=True)
    (root / "labels").mkdir()
    centres = np.array([[50.0, 40.0], [54.0, 42.0], [60.0, 44.0]])
    for index, (x, y) in enumerate(centres):
        frame = np.full((80, 120, 3), 30, np.uint8)
        cv2.circle(frame, (int(x), int(y)), 4, (0, 0, 255), -1)
        cv2.imwrite(str(root / "frames" / "0001" / f"{index + 1:06d}.jpg"), frame, [cv2.IMWRITE_JPEG_QUALITY, 98])
    x = np.repeat(centres[:, :1], 13, 1)
    y = np.repeat(centres[:, 1:], 13, 1)
    boxes = np.concatenate([centres - 12, centres + 12], 1)
    label = {"action": "squat", "pose": "left", "x": x, "y": y, "visibility": np.ones((3, 13), np.uint8), "train": -1}
    label |= {"bbox": boxes, "dimensions": np.array([[80, 120, 3]]), "nframes": 3}
    savemat(root / "labels" / "0001.mat", label)
    return PreparedClips.open(prepare_penn_action(root, root / "cache"))


def load(dotted, **options):
    from analogy.data.frames import FrameReader

    settings = {"crop": "consistent", "padding": 10, "image_size": (64, 96), "gray": False, **options}
    reader = FrameReader(dotted, **settings)
    box = reader.clip_boxes(list(dotted.clips))[0]
    import tensorflow as tf

    raw = reader.read(tf.constant([0, 1, 2], tf.int64))
    frames = [reader.decode(raw[i], box) for i in range(3)]
    return frames


@pytest.mark.parametrize(
    ("crop", "padding", "sizes"),
    [
        ("consistent", 10, [(54, 48)] * 3),  # x 38..72, y 28..56, padded by 10
        ("consistent", 0, [(34, 28)] * 3),
        ("per_frame", 30, [(84, 68), (84, 68), (84, 66)]),  # clipped at the frame's edges below
        ("full", 10, [(120, 80)] * 3),
        ("centre", 10, [(80, 80)] * 3),
    ],
)
def test_crop_sizes_and_the_dot_stays_under_its_joint(dotted, crop, padding, sizes):
    frames = load(dotted, crop=crop, padding=padding)
    for frame, size in zip(frames, sizes, strict=True):
        image = frame["image"].numpy().astype(int)
        assert image.shape == (64, 96, 3)
        if crop != "per_frame":
            assert tuple(frame["crop"].numpy()) == size
        red = image[..., 0] - image[..., 1] > 100
        ys, xs = np.nonzero(red)
        x, y = frame["joints"].numpy()[0]
        scale = np.array([96, 64]) / frame["crop"].numpy()
        # A pixel's centre lies half a pixel from its corner, in source and in result: the original ignores both.
        np.testing.assert_allclose([xs.mean(), ys.mean()], np.array([x, y]) + (scale - 1) / 2, atol=0.6 + 0.1 * scale.max())


def test_per_frame_crop_is_the_frames_own_box_padded_and_clipped(dotted):
    frames = load(dotted, crop="per_frame", padding=30)
    for frame, box in zip(frames, [(38, 28, 62, 52), (42, 30, 66, 54), (48, 32, 72, 56)], strict=True):
        x_min, y_min, x_max, y_max = padded_box(box, 30, 80, 120)
        assert tuple(frame["crop"].numpy()) == (x_max - x_min, y_max - y_min)


def test_gray_is_luma(dotted):
    colour, gray = load(dotted)[0]["image"].numpy(), load(dotted, gray=True)[0]["image"].numpy()
    assert gray.shape == (64, 96, 1)
    np.testing.assert_allclose(gray[..., 0], colour @ [0.299, 0.587, 0.114], atol=1.5)


def test_padded_box_is_clipped_and_never_empty():
    assert padded_box((10, 10, 20, 20), 5, 100, 100) == (5, 5, 25, 25)
    assert padded_box((-4, 90, 20, 120), 10, 100, 50) == (0, 80, 30, 100)
    x_min, y_min, x_max, y_max = padded_box((200, 200, 210, 210), 0, 100, 100)
    assert x_max > x_min and y_max > y_min and x_max <= 100 and y_max <= 100


def test_resize_equals_pillow_bilinear(dotted):
    from PIL import Image

    frames = load(dotted, crop="full", image_size=(32, 48))
    raw = cv2.imread(str(next(iter_jpegs(dotted))))[..., ::-1]
    expected = np.asarray(Image.fromarray(raw).resize((48, 32), Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(frames[0]["image"].numpy().astype(int) - expected).mean() < 1.0


def iter_jpegs(dotted):
    import tempfile
    from pathlib import Path

    import tensorflow as tf

    record = dotted.parse(tf.constant(dotted.read(np.array([0]))[0]))
    path = Path(tempfile.mkdtemp()) / "frame.jpg"
    path.write_bytes(record["image"].numpy())
    yield path

"""The synthetic actors: Penn Action's layout, honest labels, real motion, and the same bytes every time."""

import hashlib
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.io import loadmat

import data_prep.synthetic_actors
from analogy.errors import UserError
from data_prep.synthetic_actors import MOTIONS, write_synthetic_actors
from data_prep.synthetic_actors.clip import SENSOR_NOISE
from data_prep.synthetic_actors.motions import perform
from data_prep.synthetic_actors.skeleton import Body
from tests.conftest import ROOT
from tests.run_folders import wait_for

TRAIN, TEST, FRAMES, SIZE = 12, 3, 8, 96
SHOULDERS_AND_HIPS = [(1, 2), (7, 8)]
BONES = [(1, 3), (3, 5), (2, 4), (4, 6), (7, 9), (9, 11), (8, 10), (10, 12)]


def write(folder, **changes):
    arguments = dict(seed=5, train_clips=TRAIN, test_clips=TEST, frames=FRAMES, size=SIZE, workers=1)
    return write_synthetic_actors(folder, **{**arguments, **changes})


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write(tmp_path_factory.mktemp("synthetic") / "actors")


@pytest.fixture(scope="module")
def labels(dataset):
    return {path.stem: loadmat(path) for path in sorted((dataset / "labels").iterdir())}


def digests(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def read_frames(folder, clip):
    return np.stack([cv2.imread(str(path)) for path in sorted((folder / "frames" / clip).iterdir())])


def test_files_lie_where_penn_action_has_them(dataset):
    clips = [f"{number:04d}" for number in range(1, TRAIN + TEST + 1)]
    assert sorted(path.name for path in dataset.iterdir()) == ["frames", "labels"]
    assert sorted(path.name for path in (dataset / "frames").iterdir()) == clips
    assert sorted(path.name for path in (dataset / "labels").iterdir()) == [f"{clip}.mat" for clip in clips]
    frames = sorted(path.name for path in (dataset / "frames" / "0001").iterdir())
    assert frames == [f"{t:06d}.jpg" for t in range(1, FRAMES + 1)]
    assert read_frames(dataset, "0001").shape == (FRAMES, SIZE, SIZE, 3)


def test_labels_have_the_official_fields_types_and_shapes(labels):
    for label in labels.values():
        fields = {name: (value.dtype.kind, value.shape) for name, value in label.items() if name[0] != "_"}
        assert fields == {
            "action": ("U", (1,)),
            "pose": ("U", (1,)),
            "x": ("f", (FRAMES, 13)),
            "y": ("f", (FRAMES, 13)),
            "visibility": ("u", (FRAMES, 13)),
            "train": ("i", (1, 1)),
            "bbox": ("f", (FRAMES, 4)),
            "dimensions": ("u", (1, 3)),
            "nframes": ("u", (1, 1)),
        }
        assert label["x"].dtype == label["y"].dtype == label["bbox"].dtype == np.float64
        assert (label["visibility"].dtype, label["train"].dtype) == (np.uint8, np.int32)
        assert label["action"][0] in MOTIONS
        assert label["pose"][0] in ("front", "back", "left", "right")
        assert label["dimensions"].tolist() == [[SIZE, SIZE, FRAMES]]
        assert label["nframes"].item() == FRAMES


def test_both_splits_are_there_with_many_actions(labels):
    train = {label["action"][0] for label in labels.values() if label["train"].item() == 1}
    test = {label["action"][0] for label in labels.values() if label["train"].item() == -1}
    assert len(train) == len(MOTIONS) >= 8
    assert len(test) == TEST and test <= train


def test_same_seed_gives_the_same_bytes_whatever_the_workers(tmp_path):
    few = dict(train_clips=2, test_clips=1, frames=3, size=64)
    alone = digests(write(tmp_path / "alone", **few))
    assert digests(write(tmp_path / "together", **few, workers=2)) == alone
    other = digests(write(tmp_path / "other", **few, seed=6))
    assert other.keys() == alone.keys() and all(other[name] != alone[name] for name in alone)


def test_visible_joints_lie_in_the_frame_and_in_the_box(labels):
    for clip, label in labels.items():
        visible = label["visibility"].astype(bool)
        boxes = label["bbox"][:, None]
        joints = np.stack([label["x"], label["y"]], -1)
        assert ((boxes[..., :2] >= 0) & (boxes[..., 2:] <= SIZE - 1) & (boxes[..., 2:] > boxes[..., :2] + 5)).all(), clip
        inside = (joints >= boxes[..., :2] - 1) & (joints <= boxes[..., 2:] + 1)
        assert inside[visible].all(), clip


def test_some_joints_are_hidden_some_of_them_in_the_corner(labels):
    hidden = np.concatenate([label["visibility"] == 0 for label in labels.values()])
    x, y = (np.concatenate([label[axis] for label in labels.values()]) for axis in "xy")
    assert 0.03 < hidden.mean() < 0.5
    cornered = ((x <= 2) & (y <= 2))[hidden].mean()
    assert 0.1 < cornered < 0.9
    assert not ((x <= 2) & (y <= 2))[~hidden].any()


@pytest.mark.parametrize("action", MOTIONS)
def test_people_move_and_their_bones_keep_their_length(action):
    rng = np.random.default_rng(1)
    body = Body.draw(rng)
    joints = perform(action, body, 40, rng)[0].figure.joints / body.height
    step = np.linalg.norm(np.diff(joints, axis=0), axis=-1)
    assert step.mean() > 0.003, "hardly moves"
    assert step.max() < 0.25, "jumps"
    assert np.ptp(joints, axis=0).max() > 0.1
    for a, b in [*BONES, *SHOULDERS_AND_HIPS]:
        length = np.linalg.norm(joints[:, a] - joints[:, b], axis=-1)
        assert np.ptp(length) < 1e-6
        assert 0.08 < length[0] < 0.32
    assert joints[..., 1].min() > 0, "sinks into the floor"


def test_left_and_right_are_the_persons_own():
    for seed in range(8):
        rng = np.random.default_rng(seed)
        act, view = perform("squat", Body.draw(rng), 4, rng)
        left, right = act.figure.joints[:, 7], act.figure.joints[:, 8]
        axis, sign = {"front": (0, 1), "back": (0, -1), "left": (2, 1), "right": (2, -1)}[view]  # z is to the camera
        assert (sign * (left - right)[:, axis] > 0).all(), view


def test_background_stands_still(dataset, labels):
    for clip, label in labels.items():
        frames = read_frames(dataset, clip).astype(float)
        low, high = label["bbox"][:, :2].min(axis=0), label["bbox"][:, 2:].max(axis=0)
        spread = np.ptp(frames, axis=0).mean(axis=-1)  # [SIZE, SIZE]
        # The upper corner on the side where the person leaves more room; the shadow lies below.
        corner = spread[:12, :12] if low[0] > SIZE - high[0] else spread[:12, -12:]
        assert np.median(corner) < 4 + SENSOR_NOISE, clip  # the camera's own noise aside, nothing moves
        person = spread[int(low[1]) : int(high[1]), int(low[0]) : int(high[0])]
        assert person.mean() > corner.mean() + 4, clip


def test_no_test_background_or_person_occurs_in_training(dataset, labels):
    frames = {clip: read_frames(dataset, clip)[0].astype(float) for clip in labels}
    train = [frames[clip] for clip, label in labels.items() if label["train"].item() == 1]
    for clip, label in labels.items():
        if label["train"].item() == -1:
            assert min(np.abs(frames[clip] - other).mean() for other in train) > 8, clip


def test_refuses_an_existing_folder_and_odd_numbers(dataset, tmp_path):
    with pytest.raises(UserError, match="already exists"):
        write(dataset)
    with pytest.raises(UserError, match="frames is 1"):
        write(tmp_path / "short", frames=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_script_of_a_user_needs_no_guard_around_its_lines(tmp_path):
    """`analogy.train` in a file of five lines renders in new processes, which must not run that file again."""
    script = tmp_path / "five_lines.py"
    options = "train_clips=3, test_clips=1, frames=2, size=32, workers=2"
    lines = ["import pathlib, data_prep.synthetic_actors as actors", "print('began')"]
    lines += [f"actors.write_synthetic_actors(pathlib.Path('actors'), {options})"]
    script.write_text("\n".join(lines))
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("began") == 1 and len(list((tmp_path / "actors" / "labels").iterdir())) == 4


@pytest.mark.slow
def test_rendering_ends_with_its_parent_and_the_next_one_tidies_up(tmp_path, monkeypatch):
    program = "import sys, pathlib, data_prep.synthetic_actors as actors; "
    program += "actors.write_synthetic_actors(pathlib.Path(sys.argv[1]), train_clips=900, workers=2)"
    parent = subprocess.Popen([sys.executable, "-c", program, tmp_path / "out"], cwd=ROOT)
    wait_for(lambda: any(tmp_path.glob(".analogy-*.partial/frames/*/*.jpg")), parent)
    workers = [int(line) for line in subprocess.check_output(["pgrep", "-P", str(parent.pid), "-f", "Loky"], text=True).split()]
    assert len(workers) == 2
    parent.kill()
    parent.wait()
    end = time.monotonic() + 20
    while (alive := [worker for worker in workers if Path(f"/proc/{worker}").exists()]) and time.monotonic() < end:
        time.sleep(0.2)
    assert not alive and not (tmp_path / "out").exists()
    monkeypatch.setattr(data_prep.synthetic_actors, "AN_HOUR", 0.0)
    write_synthetic_actors(tmp_path / "out", train_clips=1, test_clips=1, frames=2, size=32, workers=1)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]

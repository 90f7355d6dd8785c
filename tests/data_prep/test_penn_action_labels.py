"""Labels of Penn Action: made-up ones, damaged ones, and the real sample where present."""

import numpy as np
import pytest
import scipy.io

from analogy.errors import UserError
from data_prep.penn_action import labels as label_files
from data_prep.penn_action.labels import read_labels
from tests.penn_action_folder import REAL, needs_real, write_labels


def test_unsigned_joints_become_float(tmp_path):
    x = np.full((2, 13), 3, np.uint8)
    write_labels(tmp_path, "0001", 2, x=x, y=x + np.uint8(7))
    labels = read_labels(tmp_path / "labels" / "0001.mat")
    assert labels.joints.dtype == labels.visibility.dtype == labels.boxes.dtype == np.float32
    np.testing.assert_array_equal(labels.joints[..., 0] - labels.joints[..., 1], np.full((2, 13), -7))


def test_frames_are_the_smallest_of_the_three_counts(tmp_path):
    write_labels(tmp_path, "0001", 5, bbox=np.tile([0.0, 0.0, 9.0, 9.0], (4, 1)))
    labels = read_labels(tmp_path / "labels" / "0001.mat")
    assert (labels.length, *labels.joints.shape, *labels.visibility.shape) == (4, 4, 13, 2, 4, 13)


def test_union_box_is_rounded_to_even_and_not_clipped(tmp_path):
    write_labels(tmp_path, "0001", 2, bbox=np.array([[-1.6, 2.5, 30.2, 20.0], [0.0, 3.0, 41.5, 12.0]]))
    assert read_labels(tmp_path / "labels" / "0001.mat").union_box == (-2, 2, 42, 20)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"x": None}, "field 'x' is missing"),
        ({"bbox": np.ones((3, 5))}, r"field 'bbox' has shape \(3, 5\)"),
        ({"y": np.ones((2, 13))}, "field 'y' has 2 rows but 'x' has 3"),
        ({"x": np.full((3, 13), np.nan)}, "field 'x' holds values that are not finite"),
        ({"x": "text"}, "field 'x' is not numeric"),
        ({"visibility": np.full((3, 13), 2)}, "field 'visibility'"),
        ({"train": 0}, "field 'train' is 0"),
        ({"action": 5}, "field 'action' is not a text"),
        ({"action": "../../up"}, "field 'action' is '../../up', not a name"),
        ({"nframes": 0}, "'nframes' give 0 frames"),
    ],
)
def test_faulty_fields_are_named(tmp_path, changes, fault):
    write_labels(tmp_path, "0001", 3, **changes)
    with pytest.raises(UserError, match=f"0001.mat: .*{fault}"):
        read_labels(tmp_path / "labels" / "0001.mat")


@pytest.mark.parametrize("size", [0, 50, 300, 700])
def test_broken_label_files(tmp_path, size):
    write_labels(tmp_path, "0001", 3)
    path = tmp_path / "labels" / "0001.mat"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(UserError, match=r"0001\.mat: .*copy the file anew"):
        read_labels(path)


@pytest.mark.parametrize("compressed", [False, True])
def test_damage_in_labels_does_not_end_the_process(tmp_path, compressed):
    """SciPy alone would read beyond a table where a byte of an element's type is another."""
    write_labels(tmp_path, "0001", 3)
    path = tmp_path / "labels" / "0001.mat"
    fields = {name: value for name, value in scipy.io.loadmat(path).items() if name[0] != "_"}
    scipy.io.savemat(path, fields, do_compression=compressed)
    content, refused = path.read_bytes(), 0
    for place in range(128, len(content), 8):
        for offset in (1, 2):  # of the second bytes of types and flags, and what looks like a type of its own
            path.write_bytes(content[: place + offset] + b"\xa7" + content[place + offset + 1 :])
            try:
                read_labels(path)
            except UserError:
                refused += 1
    assert refused > 30


@pytest.mark.parametrize("name", ["x", "action"])
def test_labels_that_unpack_to_too_much_are_refused(tmp_path, monkeypatch, name):
    monkeypatch.setattr(label_files, "LARGEST_UNPACKED", 100_000)
    path = tmp_path / "0001.mat"
    scipy.io.savemat(path, {"small": np.zeros(100), name: np.zeros(1_000_000)}, do_compression=True)
    with pytest.raises(UserError, match=r"0001\.mat: .*it unpacks to more than 0 MB"):
        read_labels(path)


@needs_real
def test_all_real_labels_are_read():
    labels, unsigned = {}, 0
    for path in sorted((REAL / "labels").glob("*.mat")):
        labels[path.stem] = read_labels(path)
        x = scipy.io.loadmat(path, variable_names=["x"])["x"]
        unsigned += x.dtype.kind == "u"
        np.testing.assert_array_equal(labels[path.stem].joints[..., 0], x.astype(np.float32)[: labels[path.stem].length])
    assert (len(labels), unsigned) == (2326, 131)
    assert sum(clip.official_split == "train" for clip in labels.values()) == 1258
    assert len({clip.action for clip in labels.values()}) == 15
    assert (labels["1154"].length, labels["1865"].length) == (71, 72)
    assert all(clip.joints.dtype == np.float32 for clip in labels.values())
    assert labels["1516"].union_box[2] - labels["1516"].union_box[0] == 6

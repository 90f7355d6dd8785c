"""Poses in files: written and read again, and what is none is said."""

import numpy as np
import pytest

from analogy.errors import UserError
from analogy.systems.hierarchical.pose_files import doubts_about_poses, read_poses, write_poses

RNG = np.random.default_rng(0)


def test_poses_survive_a_file(tmp_path):
    joints, visibility = RNG.uniform(0, 99, (4, 13, 2)).astype(np.float32), RNG.integers(0, 2, (4, 13)).astype(np.float32)
    write_poses(tmp_path / "a.json", joints, visibility, rate=5)
    np.save(tmp_path / "b.npy", np.concatenate([joints, visibility[..., None]], -1))
    np.save(tmp_path / "c.npy", joints)
    (tmp_path / "b.npy").rename(tmp_path / "B.NPY")
    (tmp_path / "windows.json").write_bytes(b"\xef\xbb\xbf" + (tmp_path / "a.json").read_bytes())
    same = dict.fromkeys(("a.json", "windows.json", "B.NPY"), visibility)
    for name, expected in {**same, "c.npy": np.ones([4, 13])}.items():
        got, seen = read_poses(tmp_path / name)
        np.testing.assert_allclose(got, joints, atol=0.006)
        np.testing.assert_array_equal(seen, expected)


@pytest.mark.parametrize("content", [b"", b"[1]", b'{"joints": [[1, 2]]}', b'{"joints": "many"}', b"\x93NUMPY"])
def test_a_file_that_holds_no_poses_is_said(tmp_path, content):
    for name in ("a.json", "a.npy"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=name):
            read_poses(tmp_path / name)
    np.save(tmp_path / "complex.npy", np.ones([4, 13, 2], np.complex64))
    with pytest.raises(UserError, match="not poses"):
        read_poses(tmp_path / "complex.npy")


def test_poses_that_are_not_in_pixels_of_the_frames_are_said():
    joints, visible = RNG.uniform(0, 1, (4, 13, 2)) * (64, 48), np.ones([4, 13])
    assert doubts_about_poses(joints, visible, (48, 64)) == []
    (said,) = doubts_about_poses(joints / (64, 48), visible, (48, 64))  # shares of the frame
    assert "within 3 pixels; coordinates are pixels of the frames, 64 x 48, x then y" in said
    (said,) = doubts_about_poses(joints * 20, visible, (48, 64))  # of a larger one
    assert "of the visible joints lie outside of the frames" in said
    hidden = np.where(np.arange(13) < 2, 1.0, 0.0)[None].repeat(4, 0)
    joints[:, 2:] = -500
    assert doubts_about_poses(joints, hidden, (48, 64)) == []

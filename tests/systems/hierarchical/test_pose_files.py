"""Poses in files: written and read again, and what is none is said."""

import numpy as np
import pytest

from analogy.errors import UserError
from analogy.systems.hierarchical.pose_files import read_poses, write_poses

RNG = np.random.default_rng(0)


def test_poses_survive_a_file(tmp_path):
    joints, visibility = RNG.uniform(0, 99, (4, 13, 2)).astype(np.float32), RNG.integers(0, 2, (4, 13)).astype(np.float32)
    write_poses(tmp_path / "a.json", joints, visibility, rate=5)
    np.save(tmp_path / "b.npy", np.concatenate([joints, visibility[..., None]], -1))
    np.save(tmp_path / "c.npy", joints)
    for name, expected in (("a.json", visibility), ("b.npy", visibility), ("c.npy", np.ones([4, 13]))):
        got, seen = read_poses(tmp_path / name)
        np.testing.assert_allclose(got, joints, atol=0.006)
        np.testing.assert_array_equal(seen, expected)


@pytest.mark.parametrize("content", [b"", b"[1]", b'{"joints": [[1, 2]]}', b'{"joints": "many"}', b"\x93NUMPY"])
def test_a_file_that_holds_no_poses_is_said(tmp_path, content):
    for name in ("a.json", "a.npy"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=name):
            read_poses(tmp_path / name)

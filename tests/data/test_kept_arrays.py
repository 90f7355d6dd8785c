"""What is kept of clips is made once, and anew where it is damaged."""

from types import SimpleNamespace

import numpy as np
import pytest

from analogy.data.kept_arrays import KeptArrays


@pytest.mark.parametrize(
    "content", [None, b"", b"\x93NUMPY", bytes(200), b"no array"], ids=["whole", "empty", "cut", "NUL", "text"]
)
def test_a_damaged_file_is_made_anew(tmp_path, content):
    clip, made = SimpleNamespace(fingerprint="abc", length=3), []

    def compute(clip):
        made.append(clip)
        return np.full((3, 2), len(made), np.float32)

    arrays = KeptArrays(tmp_path / "kept", (2,), compute)
    assert arrays.make_missing([clip], "arrays") == 1
    if content is not None:
        (tmp_path / "kept" / "abc.npy").write_bytes(content)
    assert arrays.make_missing([clip], "arrays") == (content is not None)
    np.testing.assert_array_equal(arrays.load(clip), np.full((3, 2), len(made)))

"""Shares of the test clips: what the chief reads is what the workers have measured, in the order of all clips."""

import numpy as np
import pytest

from analogy.evaluation.evaluate import MeasuredClip
from analogy.evaluation.shares import read_shares, write_share


def measured(number: int) -> MeasuredClip:
    """With what a file could lose: types, NaN, a shape without values, odd names, the order of methods."""
    rng = np.random.default_rng(number)
    figures = {
        "prediction": {"psnr": rng.random(5, dtype=np.float32), "mse": np.array([np.nan, 0.1, np.inf, 1e-300, -0.0])},
        "copy": {"psnr": rng.random((2, 5)), "start": np.zeros([0, 5])},
        "another": {},
    }
    video = {"columns": {"truth": [0, 20, 64, 64]}, "video": {"frames": 7, "fps": 10}} if number % 2 else {}
    return MeasuredClip(f"clip \udc80 {number}", "stand up", np.arange(1, 6), figures, 5, video)


@pytest.mark.parametrize("count", [0, 1, 3, 7])
@pytest.mark.parametrize("workers", [1, 3])
def test_the_shares_together_are_the_whole(tmp_path, count, workers):
    clips = [measured(number) for number in range(count)]
    paths = [tmp_path / str(number) for number in range(workers)]
    for number, path in enumerate(paths):
        write_share(path, iter(clips[number::workers]))
    read = list(read_shares(paths))
    assert len(read) == count
    for ours, theirs in zip(read, clips, strict=True):
        assert [list(figures) for figures in ours.figures.values()] == [list(figures) for figures in theirs.figures.values()]
        assert list(ours.figures) == list(theirs.figures) and ours.distance.tobytes() == theirs.distance.tobytes()
        for method, figures in theirs.figures.items():
            for name, values in figures.items():
                same = ours.figures[method][name]
                assert (same.dtype, same.shape, same.tobytes()) == (values.dtype, values.shape, values.tobytes())
        assert ours._replace(distance=None, figures=None) == theirs._replace(distance=None, figures=None)


def test_a_share_that_is_not_complete_is_not_there(tmp_path):
    def clips():
        yield measured(0)
        raise RuntimeError("the second clip cannot be read")

    with pytest.raises(RuntimeError, match="second clip"):
        write_share(tmp_path / "0", clips())
    assert not list(tmp_path.iterdir())
    with pytest.raises(FileNotFoundError):
        list(read_shares([tmp_path / "0"]))

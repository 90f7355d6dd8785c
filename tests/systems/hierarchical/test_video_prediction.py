"""Predicting the frames of a video by poses: what does not fit into memory is refused before it is read."""

import numpy as np
import pytest

from analogy.errors import UserError
from analogy.systems.hierarchical import video_prediction
from analogy.visualise.video import write_mp4


def test_more_frames_than_fit_into_memory_are_refused_at_the_first_one(tmp_path, monkeypatch):
    write_mp4(tmp_path / "clip.mp4", np.zeros((6, 32, 48, 3), np.uint8), 10)
    frame = 32 * 48 * 3

    def read(horizon: int, copies: int = 1, memory: int = 7 * frame):
        monkeypatch.setattr(video_prediction, "machine_memory", lambda: memory)
        return video_prediction._read(str(tmp_path / "clip.mp4"), None, 0, 2, horizon, copies).frames

    assert len(read(5)) == 6 and len(read(10_000, memory=0)) == 6  # unknown memory refuses nothing
    for horizon, copies in ((6, 1), (10_000, 1), (3, 2)):
        with pytest.raises(UserError, match=r"frames of 48 x 32 pixels take about .* GB: give a smaller --horizon"):
            read(horizon, copies)

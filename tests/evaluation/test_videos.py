"""Which videos of two folders are measured against each other."""

import numpy as np
import pytest

from analogy.data.video import write_pictures
from analogy.errors import UserError
from analogy.evaluation.videos import Videos, find_videos, pair_videos


def test_videos_are_named_by_their_place(tmp_path):
    write_pictures(tmp_path / "a" / "b_c", np.zeros((2, 16, 16, 3), np.uint8))
    for name in ("a_b/c.GIF", "d.m4v", ".d.mp4", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert set(find_videos(tmp_path)) == {"a/b_c", "a_b/c", "d"}
    pairs = pair_videos([tmp_path], tmp_path)
    assert [(pair.name, pair.truth.name) for pair in pairs] == [("a_b_c", "b_c"), ("a_b_c~2", "c.GIF"), ("d", "d.m4v")]


@pytest.mark.parametrize(
    ("count", "side", "said"),
    [(4, 16, "lack the 2 given frames"), (7, 16, "cut both to the same frames"), (6, 20, "bring both to one size")],
)
def test_predictions_of_another_shape_are_said_with_the_mend(tmp_path, count, side, said):
    write_pictures(tmp_path / "true" / "a", np.zeros((6, 16, 16, 3), np.uint8))
    write_pictures(tmp_path / "predicted" / "a", np.zeros((count, side, side, 3), np.uint8))
    with pytest.raises(UserError, match=said) as caught:
        list(Videos(2).predict_clips(pair_videos([tmp_path / "predicted"], tmp_path / "true")))
    assert f"has {count} frames of {side} x {side}, but" in str(caught.value)


def test_two_videos_of_one_name_and_loose_pictures_are_one_line(tmp_path):
    for name in ("two/a.mp4", "two/a.avi"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    write_pictures(tmp_path / "flat", np.zeros((2, 16, 16, 3), np.uint8))
    with pytest.raises(UserError, match=r"a\.avi and .*a\.mp4 have the same name"):
        find_videos(tmp_path / "two")
    with pytest.raises(UserError, match="its pictures are one video; put them into a folder"):
        find_videos(tmp_path / "flat")

"""Which clips train and which test."""

import pytest

from analogy.data.prepared import Clip
from analogy.data.selection import absent_clips, first_per_action, one_frame_clips, read_split_file, select_clips
from analogy.errors import UserError


def clip(name, action="squat", split="train", frames=10):
    return Clip(name, action, frames, 80, 60, split)


CLIPS = [
    clip("0001"),
    clip("0002", "pullup"),
    clip("0050", split="test"),
    clip("0280", "bowl", "test"),
    clip("0300", frames=1),
]


def names(clips):
    return [clip.id for clip in clips]


def test_official_split_by_default_and_one_frame_clips_are_left_out():
    train, test = select_clips(CLIPS)
    assert names(train) == ["0001", "0002"] and names(test) == ["0050", "0280"]


def test_lists_override_the_split():
    train, test = select_clips(CLIPS, train_clips=["0050"], test_clips=["0001", "0280"])
    assert names(train) == ["0050"] and names(test) == ["0001", "0280"]


def test_a_split_file_with_paths_and_labels(tmp_path):
    path = tmp_path / "split.txt"
    path.write_text("frames/0280 0\nframes/0050 3\n\nframes/9999 1\n")
    train, _ = select_clips(CLIPS, train_clips=str(path), test_clips=["0001"])
    assert names(train) == ["0050", "0280"]
    assert absent_clips(CLIPS, str(path), ["9999"], None) == [f"1 of 3 clips of {path} are not in the dataset: 9999"]


def test_a_split_file_of_other_programs(tmp_path):
    """Notepad's first bytes and line ends, paths of Windows, and names that hold spaces."""
    path, clips = tmp_path / "split.txt", [*CLIPS, clip("day 1 a.mp4")]
    path.write_bytes(b"\xef\xbb\xbf0280\r\nframes\\0050\\ 3\r\nday 1 a.mp4\r\n")
    train, _ = select_clips(clips, train_clips=str(path), test_clips=["0001"])
    assert names(train) == ["0050", "0280", "day 1 a.mp4"] and not absent_clips(clips, str(path))


def test_clips_of_one_frame_are_said():
    left_out = "1 of 5 clips have one frame, in which there is nothing to predict, and are left out: 0300"
    assert one_frame_clips(CLIPS) == [left_out] and not one_frame_clips(CLIPS[:4])
    with pytest.raises(
        UserError, match=r"the train split is empty: 2 of 2 clips have one frame.*give clips of two frames or more"
    ):
        select_clips([clip("0001", frames=1), clip("0050", split="test", frames=1)])
    with pytest.raises(UserError, match=r"1 of 2 clips have one frame.*name some with data\.train_clips"):
        select_clips([clip("0001", frames=1), clip("0050", split="test")])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"actions": ["sqat"]}, "there is no sqat in the dataset; it has bowl, pullup, squat"),
        ({"actions": ["pullup"]}, "the test split is empty"),
        ({"train_clips": ["7777"]}, "no usable clip 7777 in the dataset; there are 0001, 0002, 0050"),
        ({"train_clips": ["0300"]}, "clip 0300 has one frame"),
        ({"train_clips": []}, "the train split is empty: data.train_clips is empty"),
        (
            {"train_clips": ["0050"]},
            "0050: in the training and in the test half; name others with data.test_clips or data.train_clips",
        ),
        ({"train_clips": "nowhere.txt"}, "nowhere.txt: the split file cannot be read"),
    ],
)
def test_errors_name_the_key_and_the_mend(options, message):
    with pytest.raises(UserError, match=message.replace(".", r"\.")):
        select_clips(CLIPS, **options)


def test_preferred_clips_come_first_then_names():
    clips = [clip("0003"), clip("0001"), clip("0002"), clip("0009", "bowl")]
    assert names(first_per_action(clips, 2, ["0003"])) == ["0009", "0003", "0001"]


def test_the_split_files_of_kim_et_al(penn_action_splits):
    train, test = (read_split_file(penn_action_splits / f"kim2019_{split}.txt") for split in ("train", "test"))
    assert (len(train), len(test)) == (1172, 90)
    assert not set(train) & set(test)
    assert all(len(clip) == 4 and clip.isdigit() for clip in train + test)

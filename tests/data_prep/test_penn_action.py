"""Preparation of Penn Action: made-up clips in the official layout, and the real sample data where present."""

import io
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io
import tensorflow_datasets as tfds
from PIL import Image

from analogy.data.prepared import PreparedClips
from analogy.errors import UserError
from data_prep.penn_action import prepare_penn_action
from data_prep.penn_action import source as penn
from data_prep.penn_action.frame_files import TOO_FEW_FRAMES, UNCLEAR_NAMES, labelled_frames
from data_prep.penn_action.labels import read_labels
from tests.penn_action_folder import HEIGHT, REAL, WIDTH, needs_real, write_frames, write_labels


@pytest.fixture
def source(tmp_path) -> Path:
    """Four sound clips: 0002 and 0004 are training clips, 0001 and 0003 test clips."""
    for number, frames in enumerate((3, 5, 4, 2), start=1):
        write_labels(tmp_path / "penn", f"{number:04d}", frames, train=1 if number % 2 == 0 else -1)
        write_frames(tmp_path / "penn", f"{number:04d}", frames)
    return tmp_path / "penn"


def frames_of(source: Path, clip: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((source / "frames" / clip).glob("*.jpg"))]


def assert_equals_source(folder: Path, source: Path) -> None:
    """Every record of every prepared clip equals the files it came from, bit by bit."""
    data = PreparedClips.open(folder)
    for clip in data.clips:
        labels = read_labels(source / "labels" / f"{clip.id}.mat")
        records = data.read(np.arange(clip.first_record, clip.first_record + clip.length))
        parsed = [data.parse(record) for record in records]
        assert [frame["image"].numpy() for frame in parsed] == frames_of(source, clip.id)[: clip.length]
        np.testing.assert_array_equal([frame["joints"] for frame in parsed], labels.joints)
        np.testing.assert_array_equal([frame["visibility"] for frame in parsed], labels.visibility)
        np.testing.assert_array_equal([frame["box"] for frame in parsed], labels.boxes)
        assert (clip.action, clip.viewpoint, clip.split) == (labels.action, labels.viewpoint, labels.official_split)
        assert (clip.length, clip.height, clip.width) == (labels.length, labels.height, labels.width)
        assert clip.union_box == labels.union_box


def test_records_equal_the_source(source, tmp_path):
    folder = prepare_penn_action(source, tmp_path / "cache", name="mine")
    assert folder.parent == tmp_path / "cache" and folder.name.startswith("mine-")
    data = PreparedClips.open(folder)
    assert data.name == "mine"
    assert [(clip.id, clip.first_record) for clip in data.clips] == [
        ("0001", 7),
        ("0002", 0),
        ("0003", 10),
        ("0004", 5),
    ]
    assert_equals_source(folder, source)
    assert json.loads((folder / "problems.json").read_text()) == {"counts": {}, "problems": []}


def test_the_folder_opens_with_tensorflow_datasets(source, tmp_path):
    opened = tfds.builder_from_directory(prepare_penn_action(source, tmp_path / "cache"))
    assert {name: split.num_examples for name, split in opened.info.splits.items()} == {"train": 7, "test": 7}
    frame = opened.as_data_source("test")[3]
    assert (frame["clip"], frame["frame"], frame["action"]) == (b"0003", 0, b"squat")
    np.testing.assert_array_equal(frame["image"], cv2.imread(str(source / "frames/0003/000001.jpg"))[..., ::-1])


def test_an_empty_split_is_left_out(tmp_path):
    write_labels(tmp_path / "penn", "0001", 2, train=-1)
    write_frames(tmp_path / "penn", "0001", 2)
    folder = prepare_penn_action(tmp_path / "penn", tmp_path / "cache")
    assert list(tfds.builder_from_directory(folder).info.splits) == ["test"]
    assert_equals_source(folder, tmp_path / "penn")


def test_every_kind_of_problem_is_listed_and_left_out(source, tmp_path, capsys):
    def clip(name, *, labels=3, frames=3, **size):
        if labels:
            write_labels(source, name, labels)
        if frames is not None:
            write_frames(source, name, frames, **size)
        return source / "frames" / name

    clip("0010", frames=None)
    clip("0011", frames=0)
    clip("0012", labels=0)
    clip("0013", labels=5)
    clip("0014", height=WIDTH, width=HEIGHT)
    whole = clip("0015") / "000002.jpg"
    whole.write_bytes(whole.read_bytes()[:-200])
    (clip("0016") / "000003.jpg").write_bytes(b"no picture")
    clip("0017")
    (source / "labels" / "0017.mat").write_bytes(b"no labels")

    folder = prepare_penn_action(source, tmp_path / "cache")
    assert [clip.id for clip in PreparedClips.open(folder).clips] == ["0001", "0002", "0003", "0004"]
    assert_equals_source(folder, source)
    report = json.loads((folder / "problems.json").read_text())
    assert report["counts"] == {
        penn.BAD_FRAME: 2,
        penn.NO_FRAMES: 2,
        TOO_FEW_FRAMES: 1,
        penn.WRONG_SIZE: 1,
        penn.NO_LABELS: 1,
        penn.BAD_LABELS: 1,
    }
    listed = {(problem["clip"], problem["reason"], problem["file"]) for problem in report["problems"]}
    assert listed == {
        ("0010", penn.NO_FRAMES, "frames/0010"),
        ("0011", penn.NO_FRAMES, "frames/0011"),
        ("0012", penn.NO_LABELS, "frames/0012"),
        ("0013", TOO_FEW_FRAMES, "frames/0013/000004.jpg"),
        *(("0014", penn.WRONG_SIZE, f"frames/0014/{number:06d}.jpg") for number in (1, 2, 3)),
        ("0015", penn.BAD_FRAME, "frames/0015/000002.jpg"),
        ("0016", penn.BAD_FRAME, "frames/0016/000003.jpg"),
        ("0017", penn.BAD_LABELS, "labels/0017.mat"),
    }
    assert "2 clips left out, labels without frames: 0010, 0011" in capsys.readouterr().out


def test_a_truncated_frame_with_a_thumbnail_inside_is_found(tmp_path):
    """The end marker of an embedded thumbnail must not pass for the end of the picture."""
    write_labels(tmp_path, "0001", 1)
    write_frames(tmp_path, "0001", 1)
    path = tmp_path / "frames" / "0001" / "000001.jpg"
    jpeg = path.read_bytes()
    segment = b"\xff\xe1" + (len(jpeg) + 2).to_bytes(2, "big") + jpeg
    path.write_bytes(jpeg[:2] + segment + jpeg[2:])
    assert not penn.check_clip(tmp_path, "0001").problems
    path.write_bytes(path.read_bytes()[:-2])
    assert [problem.reason for problem in penn.check_clip(tmp_path, "0001").problems] == [penn.BAD_FRAME]


@needs_real
def test_the_real_sample(tmp_path, capsys):
    folder = prepare_penn_action(REAL, tmp_path / "cache")
    clips = PreparedClips.open(folder).clips
    assert [clip.id for clip in clips] == ["0050", "0280", "0445", "0544", "0992", "1198", "1370", "1755"]
    assert json.loads((folder / "problems.json").read_text())["counts"] == {penn.NO_FRAMES: 2318}
    assert "2318 clips left out, labels without frames: 0001, 0002" in capsys.readouterr().out
    assert_equals_source(folder, REAL)


# ---- frames of other names and formats ----

NAMES = {  # kind -> the name of a clip's frame number n, from 1
    "from zero": lambda n: f"{n - 1:06d}.jpg",
    "other digits": lambda n: f"{n}.jpg",
    "upper case": lambda n: f"{n:06d}.JPG",
    "jpeg": lambda n: f"{n:06d}.jpeg",
    "png": lambda n: f"{n:06d}.png",
    "prefix": lambda n: f"cam2_frame{n:05d}.jpg",
    "from eight": lambda n: f"img ({n + 7}).Jpg",
    "every second": lambda n: f"{2 * n - 1:06d}.jpg",
    "letters": lambda n: f"{'abcdefghijkl'[n - 1]}.bmp",
}


@pytest.fixture
def renamed(source):
    """renamed(clip, kind) gives the frames of a clip other names, and the format that these say -> the folder."""

    def rename(clip, kind):
        old = (source / "frames" / clip).rename(source / "old")
        (source / "frames" / clip).mkdir()
        for number, path in enumerate(sorted(old.iterdir()), start=1):
            new = source / "frames" / clip / NAMES[kind](number)
            if new.suffix.lower() not in (".jpg", ".jpeg"):
                cv2.imwrite(str(new), cv2.imread(str(path)))
            else:
                path.rename(new)
        return source

    return rename


@pytest.mark.parametrize("kind", NAMES)
def test_frames_of_other_names_are_read_in_their_order(renamed, tmp_path, kind):
    write_labels(tmp_path / "penn", "0005", 12)
    write_frames(tmp_path / "penn", "0005", 12)
    truth = [cv2.imread(str(path))[..., ::-1] for path in sorted((tmp_path / "penn/frames/0005").iterdir())]
    source = renamed("0005", kind)
    ((clip,), problems) = (penn.check_clip(source, "0005").clips, penn.check_clip(source, "0005").problems)
    assert not problems and "taken in the order of their names" in clip.notes
    stored = [cv2.imdecode(np.frombuffer(f["image"], np.uint8), 1) for f in penn.PennActionSource(source).read("0005")]
    assert np.abs(np.stack(stored)[..., ::-1].astype(int) - truth).mean((1, 2, 3)).max() < 8  # neighbours differ by 85


def test_names_that_do_not_say_the_order_are_shown(source):
    write_frames(source, "0004", 5)
    (source / "frames/0004/000002.jpg").unlink()  # 1, 3, 4, 5 are four files for two labels
    (source / "frames/0003/000002.jpg").rename(source / "frames/0003/000009.jpg")  # 1, 3, 4, 9: as many as labels
    (source / "frames/0001/000002.jpg").unlink()  # 1, 3 for three labels
    write_labels(source, "0004", 3)
    wrong = {name: penn.check_clip(source, name).problems[0] for name in ("0001", "0003", "0004")}
    assert [wrong[name].reason for name in sorted(wrong)] == [TOO_FEW_FRAMES, UNCLEAR_NAMES, UNCLEAR_NAMES]
    assert wrong["0001"].detail == "1 of 3 labelled frames are missing; its pictures are called 000001.jpg to 000003.jpg"
    assert wrong["0003"].detail.endswith(
        "called 000001.jpg to 000009.jpg, and their numbers have gaps or come twice: name them 000001.jpg, 000002.jpg, ..."
    )


def test_the_reason_stands_in_the_error_where_no_clip_is_usable(source, tmp_path):
    for clip in ("0001", "0002"):
        for path in (source / "frames" / clip).iterdir():
            path.rename(path.with_suffix(".gif"))
    (source / "frames/0003/000001.jpg").write_bytes(b"no picture")
    scipy.io.savemat(source / "labels/0004.mat", {"action": "squat"})
    with pytest.raises(UserError) as raised:
        prepare_penn_action(source, tmp_path / "cache")
    for part in (
        "(2 labels without frames, 1 unreadable frame, 1 unreadable labels)",
        "frames/0001: the folder holds no picture (.jpg, .jpeg, .jfif, .png, .bmp, .webp, .tif, .tiff, .avif), but 000001.gif",
        "frames/0003/000001.jpg: not a complete JPEG file",
        "labels/0004.mat: field 'x' is missing",
    ):
        assert part in str(raised.value)


def test_labels_in_other_words(tmp_path):
    visibility = np.ones((3, 13), np.uint8)
    visibility[1, 4] = 0
    x = np.full((3, 13), 7.0)
    x[1, 4] = np.nan
    write_labels(tmp_path, "0001", 3, x=x, visibility=visibility)
    labels = read_labels(tmp_path / "labels" / "0001.mat")
    assert labels.joints[1, 4, 0] == 1 and labels.joints[1, 5, 0] == 7
    (tmp_path / "labels" / "0001.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(400))
    with pytest.raises(UserError, match=r"0001\.mat: is a MATLAB 7\.3 file.*save it with the option -v7"):
        read_labels(tmp_path / "labels" / "0001.mat")


@pytest.mark.parametrize("orientation", [3, 6])
def test_frames_are_stored_as_their_exif_orientation_says(source, tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    for path in (source / "frames/0004").iterdir():
        content = Image.open(path)
        content.load()
        content.save(path, exif=exif, quality=95)
    checked = penn.check_clip(source, "0004")
    if orientation == 3:
        (clip,) = checked.clips
        assert clip.notes == "2 frames are turned as their EXIF orientation says; its labels must be of turned frames"
        stored = next(penn.PennActionSource(source).read("0004"))["image"]
        plain = np.asarray(Image.open(source / "frames/0004/000001.jpg")).astype(int)
        assert np.abs(np.asarray(Image.open(io.BytesIO(stored))) - plain[::-1, ::-1]).mean() < 4
    else:
        assert checked.problems[0].detail.startswith(f"frame {WIDTH}x{HEIGHT}, turned as its EXIF orientation says; labels")


# ---- faults of the folders ----


def test_a_source_in_another_layout(source, tmp_path):
    for missing in ("labels", "frames"):
        (source / missing).rename(source / "elsewhere")
        with pytest.raises(UserError, match=rf"{source}: .*{missing}.*expected frames/NNNN/NNNNNN.jpg"):
            prepare_penn_action(source, tmp_path / "cache")
        (source / "elsewhere").rename(source / missing)
    assert not (tmp_path / "cache").exists()


def test_no_usable_clip(tmp_path):
    write_labels(tmp_path / "penn", "0001", 2)
    (tmp_path / "penn" / "frames").mkdir()
    with pytest.raises(UserError, match=r"penn: no usable clip \(1 labels without frames\); expected"):
        prepare_penn_action(tmp_path / "penn", tmp_path / "cache")
    assert not [path for path in (tmp_path / "cache").iterdir() if path.is_dir()]


def test_a_cache_that_cannot_be_written(source, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(
        UserError, match=r"file.cache: cannot be made: .*file is a file; choose another folder of prepared data: ANALOGY_CACHE"
    ):
        prepare_penn_action(source, tmp_path / "file" / "cache")


def test_official_names_without_the_first_do_not_shift_the_labels(tmp_path):
    files = [tmp_path / f"{number:06d}.jpg" for number in range(13)]
    assert labelled_frames(tmp_path, files[1:12], 11) == files[1:12]
    assert labelled_frames(tmp_path, files[:11], 11) == files[:11]  # counted from 0
    assert labelled_frames(tmp_path, files, 11) == files[:11]  # also where there are more than labels
    detail = "the first of 11 labelled frames is missing; its pictures are called 000002.jpg to 000012.jpg"
    assert labelled_frames(tmp_path, files[2:13], 11) == (TOO_FEW_FRAMES, files[1], detail)


def test_what_looks_wrong_is_kept_with_the_prepared_clips(source, tmp_path):
    for number in (1, 2):  # 0002, which trains, shows what 0001 does, which tests
        cv2.imwrite(str(source / "frames" / "0004" / f"{number:06d}.jpg"), np.zeros([HEIGHT, WIDTH, 3], np.uint8))
    for name, file in (("0002", "000001.jpg"), ("0002", "000002.jpg"), ("0002", "000003.jpg")):
        (source / "frames" / name / file).write_bytes((source / "frames" / "0001" / file).read_bytes())
    write_labels(source, "0002", 3, x=np.full([3, 13], WIDTH + 20.0), visibility=np.ones([3, 13]))
    clips = {clip.id: clip for clip in PreparedClips.open(prepare_penn_action(source, tmp_path / "cache")).clips}
    assert clips["0004"].black_frames == 2 and clips["0002"].black_frames == 0
    assert clips["0002"].unlabelled_frames == 2 and clips["0001"].unlabelled_frames == 0
    assert clips["0001"].fingerprint == clips["0002"].fingerprint != clips["0003"].fingerprint
    assert clips["0002"].joints_outside == 1.0 and clips["0001"].joints_outside == 0.0

"""Any video: files, folders of pictures, strips and animations."""

import shutil

import cv2
import numpy as np
import pytest
from PIL import Image

from analogy.data.video import read_video, too_short, videos_below, write_pictures
from analogy.errors import UserError
from analogy.files.names import by_number
from analogy.visualise.video import write_mp4

RNG = np.random.default_rng(0)


def test_a_video_file_is_read_from_any_frame(tmp_path):
    frames = np.stack([np.full((32, 48, 3), 20 * t, np.uint8) for t in range(10)])
    write_mp4(tmp_path / "clip.mp4", frames, 12)
    video = read_video(tmp_path / "clip.mp4", start=3, count=4)
    assert [round(frame.mean() / 20) for frame in video.frames] == [3, 4, 5, 6]
    assert video.rate == pytest.approx(12) and not video.notes and video.frames[0].shape == (32, 48, 3)


def test_a_transform_is_applied_as_frames_come(tmp_path):
    frames = np.stack([np.full((32, 48, 3), 20 * t, np.uint8) for t in range(6)])
    write_mp4(tmp_path / "clip.mp4", frames, 12)
    sizes = []

    def corner(frame):
        sizes.append(frame.shape)
        return frame[:2, :3].copy()

    video = read_video(tmp_path / "clip.mp4", count=4, transform=corner)
    assert [frame.shape for frame in video.frames] == [(2, 3, 3)] * 4 and sizes == [(32, 48, 3)] * 4 and not video.notes
    (note,) = read_video(tmp_path / "clip.mp4", transform=lambda frame: np.repeat(frame, 2, 0).repeat(2, 1)).notes
    assert note == "its frames of 48 x 32 pixels are enlarged to 96 x 64"


def test_a_folder_is_read_in_the_order_of_its_numbers(tmp_path):
    for number in (10, 9, 2):
        cv2.imwrite(str(tmp_path / f"frame{number}.png"), np.full((20, 30, 3), (number, 0, 100), np.uint8))
    cv2.imwrite(str(tmp_path / "frame11.png"), np.full((40, 60, 3), (11, 0, 100), np.uint8))
    video = read_video(tmp_path)
    assert [frame[0, 0].tolist() for frame in video.frames] == [[100, 0, n] for n in (2, 9, 10, 11)]  # RGB
    gap, sizes = video.notes
    assert "have gaps (frame2.png is followed by frame9.png)" in gap
    assert "differ in size" in sizes and video.frames[3].shape == (20, 30, 3)
    write_pictures(tmp_path / "out", np.stack(video.frames[:2]))
    np.testing.assert_array_equal(read_video(tmp_path / "out").frames[1], video.frames[1])


def test_hidden_files_are_no_frames_and_doubled_ones_are_said(tmp_path):
    write_pictures(tmp_path / "clip", np.zeros([2, 16, 16, 3], np.uint8) + 50)
    (tmp_path / "clip" / "._000001.png").write_bytes(b"\0\5\26\7")  # of macOS
    assert len(read_video(tmp_path / "clip").frames) == 2
    Image.new("RGB", (16, 16)).save(tmp_path / "clip" / "000001.jpg")
    doubled = read_video(tmp_path / "clip")
    assert len(doubled.frames) == 3
    assert "it holds 1 pictures in several formats (jpg and png), each of which is a frame" in doubled.notes


def test_pictures_of_one_number_have_an_order(tmp_path):
    names = ["01.png", "1.png", "2.png", "001.png", "a.png", "1a1.png"]
    paths = [tmp_path / name for name in names]
    ordered = sorted(paths, key=by_number)
    assert ordered == sorted(reversed(paths), key=by_number)
    assert [path.name for path in ordered][:3] == ["001.png", "01.png", "1.png"]


def test_a_strip_holds_square_frames_side_by_side(tmp_path):
    frames = RNG.integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)
    for name, strip in (("a.png", np.concatenate(frames, 1)), ("b.png", np.concatenate(frames[:4], 1))):
        Image.fromarray(strip).save(tmp_path / name)
    video = read_video(tmp_path / "a.png")
    np.testing.assert_array_equal(video.frames, frames)
    np.testing.assert_array_equal(read_video(tmp_path / "a.png", start=1, count=2).frames, frames[1:3])
    assert list(videos_below(tmp_path)) == ["a.png", "b.png"]
    (tmp_path / "wide").mkdir()
    Image.fromarray(np.concatenate(frames[:3], 1)).save(tmp_path / "wide" / "1.png")  # too short: a picture
    assert len(read_video(tmp_path / "wide" / "1.png").frames) == 1
    assert list(videos_below(tmp_path / "wide")) == ["."]
    write_mp4(tmp_path / "c.mp4", frames.repeat(2, 1).repeat(2, 2), 10)
    Image.fromarray(frames[0]).save(tmp_path / "title.png")  # beside videos a single picture is none
    assert list(videos_below(tmp_path)) == ["a.png", "b.png", "c.mp4", "wide"]


def test_what_is_no_video_is_said(tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    (tmp_path / "empty").mkdir()
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "1.png").write_bytes(b"no picture")
    for name, message in (
        ("missing.mp4", "no such file"),
        ("broken.mp4", "not a video"),
        ("empty", "no pictures"),
        ("damaged", "1.png"),
    ):
        with pytest.raises(UserError, match=message):
            read_video(tmp_path / name)
    # As HEIC, the photographs of telephones: FFmpeg would read one of their tiles.
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(tmp_path / "photo.heic", "AVIF")
    with pytest.raises(UserError, match=r"photo\.heic: this is not a video but a picture \(AVIF\).*save it as JPEG or PNG"):
        read_video(tmp_path / "photo.heic")
    write_mp4(tmp_path / "short.mp4", np.zeros((2, 16, 16, 3), np.uint8), 10)
    with pytest.raises(UserError, match="no frame number 5"):
        read_video(tmp_path / "short.mp4", start=5)
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(tmp_path / "picture.png")
    for numbers in ({"start": 2**63}, {"count": 10**30}, {"start": -1}, {"count": 0}):
        with pytest.raises(UserError, match=r"choose a start of 0 or more and at least one frame, fewer than 2\^31"):
            read_video(tmp_path / "picture.png", **numbers)


def test_videos_in_a_folder_are_named(tmp_path):
    folder = tmp_path / "recordings"
    folder.mkdir()
    write_mp4(folder / "monday.mp4", np.zeros((2, 16, 16, 3), np.uint8), 10)
    (folder / "frames.avi").mkdir()  # as some name the folder of a video's frames: it is no video
    with pytest.raises(UserError, match=r"holds videos and no pictures: name one of them, such as monday\.mp4"):
        read_video(folder)
    Image.new("RGB", (16, 16), "red").save(folder / "cover.png")
    (note,) = read_video(folder).notes
    assert note == "it holds a video too, which is not read; its pictures are taken for the frames of one video"


@pytest.mark.parametrize(
    ("frames", "start", "said"),
    [
        (
            1,
            0,
            "1 frame from number 0 on, and 5 are observed: give a longer video; to predict from one picture, name it, as .png "
            "or .jpg, with --action",
        ),
        (3, 0, "3 frames from number 0 on, and 5 are observed: give a longer video"),
        (1, 9, "1 frame from number 9 on, and 5 are observed: give a longer video, or a smaller --start"),
    ],
)
def test_a_video_that_is_too_short_is_told_what_helps(frames, start, said):
    assert too_short("v", frames, start, 5) == f"v: it has {said}"


@pytest.mark.parametrize(("value", "said"), [(0, "all its frames are black"), (90, "all its 3 frames are equal")])
def test_frames_without_a_picture_or_motion_are_said(tmp_path, value, said):
    write_pictures(tmp_path / "still", np.full((3, 16, 16, 3), value, np.uint8))
    assert read_video(tmp_path / "still").notes == [said]


def test_the_still_picture_of_an_animated_png_is_no_frame_of_it(tmp_path):
    still, *frames = (Image.new("RGB", (16, 16), (60 * number, 0, 0)) for number in range(4))
    still.save(tmp_path / "a.png", save_all=True, append_images=frames, default_image=True, duration=40)
    assert [frame[0, 0, 0] for frame in read_video(tmp_path / "a.png").frames] == [60, 120, 180]


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png"])
def test_all_frames_of_an_animation_are_read(tmp_path, name):
    pixels = np.random.default_rng(0).integers(0, 2, (8, 16, 24, 1), dtype=np.uint8) * 235
    frames = [Image.fromarray(np.repeat(picture, 3, -1)) for picture in pixels]
    durations, options = [40, 40, 40, 120, 40, 40, 40, 40], {} if name == "a.gif" else {"lossless": True}
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], duration=durations, disposal=2, **options)
    video = read_video(tmp_path / name)
    np.testing.assert_array_equal([frame[..., :1] for frame in video.frames], pixels)
    np.testing.assert_allclose(video.times, np.cumsum([0, *durations[:-1]]) / 1000, atol=1e-6)
    assert len(video.notes) == 1 and "40 to 120 ms apart" in video.notes[0]
    assert len(read_video(tmp_path / name, even=True).frames) == 10
    if name == "a.webp":
        (tmp_path / "videos" / "pictures").mkdir(parents=True)
        shutil.copy(tmp_path / name, tmp_path / "videos" / "b.webp")
        frames[0].save(tmp_path / "videos" / "pictures" / "1.webp")
        assert list(videos_below(tmp_path / "videos")) == ["b.webp", "pictures"]
        (note,) = read_video(tmp_path / "videos").notes
        assert note == "1 of its pictures are animations, of which the first frame is read: b.webp"

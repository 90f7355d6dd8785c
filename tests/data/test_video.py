"""Any video: files, folders of pictures; and poses from a file."""

import subprocess

import cv2
import imageio_ffmpeg
import numpy as np
import pytest

from analogy.data.video import read_video, write_pictures
from analogy.errors import UserError
from analogy.systems.hierarchical.pose_files import read_poses, write_poses
from analogy.visualise.video import write_mp4

RNG = np.random.default_rng(0)


def test_a_video_file_is_read_from_any_frame(tmp_path):
    frames = np.stack([np.full((32, 48, 3), 20 * t, np.uint8) for t in range(10)])
    write_mp4(tmp_path / "clip.mp4", frames, 12)
    video = read_video(tmp_path / "clip.mp4", start=3, count=4)
    assert [round(frame.mean() / 20) for frame in video.frames] == [3, 4, 5, 6]
    assert video.rate == pytest.approx(12) and not video.notes and video.frames[0].shape == (32, 48, 3)


def test_a_folder_is_read_in_the_order_of_its_numbers(tmp_path):
    for number in (10, 9, 2):
        cv2.imwrite(str(tmp_path / f"frame{number}.png"), np.full((20, 30, 3), (number, 0, 100), np.uint8))
    cv2.imwrite(str(tmp_path / "frame11.png"), np.full((40, 60, 3), (11, 0, 100), np.uint8))
    video = read_video(tmp_path)
    assert [frame[0, 0].tolist() for frame in video.frames] == [[100, 0, n] for n in (2, 9, 10, 11)]  # RGB
    assert "differ in size" in video.notes[0] and video.frames[3].shape == (20, 30, 3)
    write_pictures(tmp_path / "out", np.stack(video.frames[:2]))
    np.testing.assert_array_equal(read_video(tmp_path / "out").frames[1], video.frames[1])


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
    write_mp4(tmp_path / "short.mp4", np.zeros((2, 16, 16, 3), np.uint8), 10)
    with pytest.raises(UserError, match="no frame number 5"):
        read_video(tmp_path / "short.mp4", start=5)


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


def noise(count):
    return RNG.integers(0, 256, (count, 64, 64, 3), dtype=np.uint8)


def test_a_file_that_ends_early_is_said(tmp_path):
    write_mp4(tmp_path / "whole.mp4", noise(30), 10)
    content = (tmp_path / "whole.mp4").read_bytes()
    # The index stands first or last; what is lost lies in the middle.
    cut = content.find(b"mdat") + 4
    middle = slice(cut + (len(content) - cut) // 3, cut + 2 * (len(content) - cut) // 3)
    damaged = content[: middle.start] + bytes(middle.stop - middle.start) + content[middle.stop :]
    (tmp_path / "damaged.mp4").write_bytes(damaged)
    video = read_video(tmp_path / "damaged.mp4")
    assert 0 < len(video.frames) < 30
    assert f"of 30 frames, those from number {len(video.frames)} on cannot be read" in video.notes
    assert not read_video(tmp_path / "damaged.mp4", count=3).notes


def test_frames_that_are_unevenly_spaced_are_said(tmp_path):
    write_mp4(tmp_path / "even.mp4", noise(12), 30)
    assert not read_video(tmp_path / "even.mp4").notes
    slower = ["-vf", "setpts='if(lt(N,6),N,6+(N-6)*4)/30/TB'", "-fps_mode", "vfr"]  # four times slower from frame 6 on
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-i", tmp_path / "even.mp4", *slower]
    subprocess.run([*command, tmp_path / "uneven.mp4"], check=True)
    video = read_video(tmp_path / "uneven.mp4")
    assert len(video.frames) == 12 and "33 to 133 ms apart" in video.notes[0]

"""Folders of anybody's videos: halves, classes, sizes, and files that cannot be used."""

import os
import shutil
import subprocess
from fractions import Fraction

import av
import cv2
import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from analogy.data import video
from analogy.data.batches import ReplicaContext
from analogy.data.video import read_video, write_pictures
from analogy.errors import UserError
from analogy.settings import find_experiment, load_settings
from analogy.systems import SYSTEMS
from analogy.visualise.video import write_gif, write_mp4
from data_prep.datasets import check_dataset, open_dataset
from data_prep.video_source import fit_frame, near_repeats
from data_prep.videos import VideosSource, open_videos, place_of

SMALL = ("data.dataset=videos", "data.context=3", "data.horizon=2", "data.test_count=4", "data.image_size=32")


def settings(*overrides):
    return load_settings(find_experiment("convlstm_kth_l1"), SYSTEMS, scale="paper", overrides=(*SMALL, *overrides))


def frames(seed, count=8, size=(40, 60)):
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    picture = fit_frame(coarse, size, "squeeze")
    return np.stack([np.roll(picture, 3 * t, 1) for t in range(count)])


def ffmpeg(*options):
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-v", "error", *map(str, options)], check=True)


def write_timed(path, pictures, milliseconds):
    """A video whose frames are shown at these times. FFmpeg's program of imageio-ffmpeg 0.6 would drop the last."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width = pictures.shape[1:3]
        stream.codec_context.time_base = Fraction(1, 1000)
        for picture, time in zip(pictures, milliseconds, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.mark.parametrize(
    ("item", "place"),
    [
        ("a.mp4", ("", "videos")), ("run/a.mp4", ("", "run")), ("train/a.mp4", ("train", "videos")), (".", ("", "videos")),
        ("Test/run/a.mp4", ("test", "run")), ("train/run/day1/a.mp4", ("train", "run")), ("train", ("train", "videos")),
    ],
)  # fmt: skip
def test_the_half_and_the_class_are_those_of_the_folders(item, place):
    assert place_of(item) == place


def test_files_of_every_kind_in_halves_and_classes(tmp_path):
    folder = tmp_path / "mine"
    write_mp4(folder / "train" / "run" / "a.MP4", frames(0), 10)
    write_gif(folder / "train" / "jump" / "b.gif", frames(1), 10)
    write_pictures(folder / "train" / "jump" / "c", frames(2))
    ffmpeg("-i", folder / "train" / "run" / "a.MP4", "-c", "copy", folder / "train" / "run" / "d.mkv")
    (folder / "train" / "run" / "cover.jpg").write_bytes(b"beside videos, pictures are none")
    (folder / "train" / "run" / "._a.mp4").write_bytes(b"hidden")
    write_mp4(folder / "test" / "run" / "e.mov", frames(3), 10)
    loaded = settings(f"data.folder={folder}", f"data.cache={tmp_path / 'cache'}")
    dataset = open_dataset(loaded)
    assert [(movie.id, movie.action) for movie in dataset.train] == [
        ("train_jump_b.gif", "jump"), ("train_jump_c", "jump"), ("train_run_a.MP4", "run"), ("train_run_d.mkv", "run"),
    ]  # fmt: skip
    assert {movie.clip.id for movie in dataset.test} == {"test_run_e.mov"} and len(dataset.test) == 4
    assert dataset.classes == ["jump", "run"] and "halves by the folders train and test" in dataset.notes
    batch = next(iter(dataset.batches(ReplicaContext(batch_size=4))))
    assert batch["values"].shape == (4, 5, 32, 32, 3) and batch["label"].dtype == "int32"
    stored = dataset.train[1].frames  # the pictures lost nothing before they became JPEG
    expected = np.stack([fit_frame(frame, 32, "squeeze") for frame in frames(2)])
    assert np.abs(stored.astype(int) - expected).mean() < 5  # edges of full colours
    system = SYSTEMS["convlstm"].build(settings(f"data.folder={folder}", "network.units=4"))
    assert system.predict(dataset.test[0].frames[None, :3] / np.float32(255)).shape == (1, 2, 32, 32, 3)


def test_a_folder_without_halves_is_split_by_file_from_the_seed(tmp_path):
    folder = tmp_path / "mine"
    for index in range(5):
        write_mp4(folder / f"{index}.mp4", frames(index), 10)
    tests = set()
    for seed in range(8):
        dataset = open_videos(folder, tmp_path / "cache", settings(f"seed={seed}"))
        train, test = ({movie.clip.id for movie in movies} for movies in (dataset.train, dataset.test))
        assert len(train) == 4 and len(test) == 1 and not train & test
        assert f"split by file from seed {seed}" in dataset.notes
        tests |= test
    assert len(tests) > 1 and dataset.classes == ["videos"]


def test_what_cannot_be_used_is_counted_and_said(tmp_path):
    folder = tmp_path / "mine"
    for index in range(4):
        write_mp4(folder / f"{index}.mp4", frames(index), 10)
    write_mp4(folder / "one.mp4", frames(5, count=1), 10)
    write_mp4(folder / "short.mp4", frames(6, count=4), 10)
    (folder / "broken.mp4").write_bytes(b"no video")
    write_pictures(folder / "sizes", frames(7))
    write_pictures(folder / "other", frames(7, size=(20, 20))[:3])
    (folder / "other" / "000001.png").rename(folder / "sizes" / "last.png")
    write_timed(folder / "uneven.mp4", frames(0), [100 * n + 200 * (n > 3) for n in range(8)])
    dataset = open_videos(folder, tmp_path / "cache", settings("seed=3"))
    used = {movie.clip.id for movie in (*dataset.train, *dataset.test)}
    assert used == {"0.mp4", "1.mp4", "2.mp4", "3.mp4", "sizes", "uneven.mp4"}
    said = "\n".join(dataset.doubts)
    assert "1 clips were left out, unreadable video (broken.mp4)" in said
    assert "sizes: its frames differ in size" in said
    assert (
        "uneven.mp4: its frames are 100 to 300 ms apart; the nearest to every 100 ms are taken, which makes 10 frames" in said
    )
    left_out = [doubt for doubt in dataset.doubts if "have no window of 5 frames" in doubt]
    assert all(name in "".join(left_out) for name in ("one.mp4", "short.mp4", "other"))
    without_rate = open_videos(folder, tmp_path / "cache", settings("seed=3", "data.fps=10")).doubts
    assert any("do not say their rate" in doubt and "sizes" in doubt for doubt in without_rate)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a.mp4"], "one video cannot both train and test"),
        (["train/a.mp4", "train/b.mp4"], "there is no video in test/"),
        (["notes.txt"], "there is no video"),
    ],
)
def test_a_folder_that_cannot_be_split_is_one_line_before_it_is_read(tmp_path, names, said):
    for name in names:
        (tmp_path / "mine" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mine" / name).touch()
    with pytest.raises(UserError, match=said) as caught:
        loaded = settings(f"data.folder={tmp_path / 'mine'}")
        check_dataset(loaded)
        open_videos(tmp_path / "mine", tmp_path / "cache", loaded)
    assert "\n" not in str(caught.value) and not (tmp_path / "cache").exists()


def test_videos_of_one_name_long_names_and_names_that_are_no_text(tmp_path):
    folder, deep = tmp_path / "mine", "/".join(["d" * 60] * 5)
    for index, name in enumerate(("a_b/c.mp4", "a/b_c.mp4", "new\nline [1] #2.mp4", f"{deep}/e.mp4")):
        write_mp4(folder / "video.mp4", frames(index), 10)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "video.mp4").rename(folder / name)
    shutil.copy(folder / "a_b" / "c.mp4", os.fsencode(folder) + b"/\xff.mp4")
    dataset = open_videos(folder, tmp_path / "cache", settings())
    used = [movie.clip.id for movie in (*dataset.train, *dataset.test[:1])]
    assert len(used) == len(set(used)) == 4 and all(len(name) <= 150 and name.isprintable() for name in used)
    assert {"a_b_c.mp4", "a_b_c.mp4~2", "new_line [1] #2.mp4"} < set(used)
    assert any("1 clips were left out, unreadable name (\ufffd.mp4)" in doubt for doubt in dataset.doubts)


def test_halves_may_be_links(tmp_path):
    for index, half in enumerate(("train", "test")):
        write_mp4(tmp_path / "disk" / str(index) / "a.mp4", frames(index), 10)
        (tmp_path / "mine").mkdir(exist_ok=True)
        (tmp_path / "mine" / half).symlink_to(tmp_path / "disk" / str(index))
    dataset = open_dataset(settings(f"data.folder={tmp_path / 'mine'}", f"data.cache={tmp_path / 'cache'}"))
    assert [movie.id for movie in dataset.train] == ["train_a.mp4"] and dataset.test[0].clip.id == "test_a.mp4"


def test_what_may_not_be_read_is_left_out(tmp_path, monkeypatch):
    for index in range(3):
        write_mp4(tmp_path / "mine" / f"{index}.mp4", frames(index), 10)
    write_pictures(tmp_path / "mine" / "pictures", frames(3))

    def deny_picture(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(video.os, "access", lambda path, mode: "1.mp4" not in str(path))
    monkeypatch.setattr(video, "read_picture", deny_picture)
    said = "\n".join(open_videos(tmp_path / "mine", tmp_path / "cache", settings()).doubts)
    assert "2 clips were left out, unreadable video (1.mp4, pictures)" in said
    report = next((tmp_path / "cache").glob("videos-*/problems.json")).read_text()
    assert "this may not be read; allow it" in report and "000001.png: may not be read; allow it" in report


def test_where_one_video_is_left_the_reasons_are_said(tmp_path):
    write_mp4(tmp_path / "mine" / "a.mp4", frames(0), 10)
    (tmp_path / "mine" / "b.mp4").write_bytes(b"no video")
    with pytest.raises(UserError, match=r"only a\.mp4 can be used.*give at least two.*unreadable video \(b\.mp4\)"):
        open_videos(tmp_path / "mine", tmp_path / "cache", settings())


def test_a_folder_of_others_is_not_searched_for_around_it(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "a.mp4").touch()
    with pytest.raises(UserError, match=r"there is no video \(.*or folder of pictures in it$"):
        check_dataset(settings(f"data.folder={tmp_path / 'mine'}"))


@pytest.mark.parametrize("size", ["15", "100000", "[32]", "[32, 48, 3]", "[32, 5000]", "true", "big"])
def test_a_size_without_sense_is_one_line(size):
    with pytest.raises(UserError, match=r"data\.image_size: ") as caught:
        settings(f"data.image_size={size}")
    assert "\n" not in str(caught.value)


def test_frames_fit_their_size():
    wide = np.zeros((10, 40, 3), np.uint8)
    wide[:, :10], wide[:, 10:30], wide[:, 30:] = 50, 100, 150
    squeezed, cropped, boxed = (fit_frame(wide, (20, 20), fit) for fit in ("squeeze", "crop", "letterbox"))
    assert squeezed[3, ::5, 0].tolist() == [50, 100, 100, 150]
    assert (cropped[:, 5:15] == 100).all() and cropped.shape == (20, 20, 3)
    assert (boxed[:7] == 0).all() and (boxed[14:] == 0).all() and boxed[10, ::5, 0].tolist() == [50, 100, 100, 150]
    checkers = np.indices((64, 64)).sum(0)[..., None].astype(np.uint8) % 2 * 255
    assert np.ptp(fit_frame(checkers, 16, "squeeze")) <= 1  # without aliasing


def test_the_name_of_what_is_stored_says_how():
    names = [VideosSource(None, *how).name for how in ((64,), ((64, 64),), ((64, 96), "crop"))]
    assert names == ["videos-64", "videos-64", "videos-64x96-crop"]


def test_repeats_are_frames_that_hardly_change():
    still = frames(0, count=1)[0]
    noisy = still.copy()
    noisy[0, 0] ^= 1
    assert near_repeats([still, noisy, np.roll(still, 3, 1), np.roll(still, 3, 1)]) == (1, 3)


def test_a_clock_that_is_early_and_late_in_turn_loses_no_frames(tmp_path):
    write_timed(tmp_path / "jitter.mp4", frames(0), [40 * n + 18 * (n % 2) for n in range(8)])
    read = read_video(tmp_path / "jitter.mp4", even=True)
    assert read.rate == pytest.approx(25, rel=0.01) and len(read.frames) in (8, 9)
    assert "22 to 58 ms apart" in read.notes[0]


def test_even_times_in_a_video_of_any_rate(tmp_path):
    write_mp4(tmp_path / "a.mp4", frames(0, count=6), 10)
    assert len(read_video(tmp_path / "a.mp4", even=True).frames) == 6


def pairs_settings(folder, cache):
    options = ("data.dataset=videos", "data.image_size=32", "data.crop=centre", f"data.folder={folder}", f"data.cache={cache}")
    return load_settings(find_experiment("keypoints_nemo_translator"), SYSTEMS, scale="demo", overrides=options)


def test_pairs_of_frames_for_keypoints(tmp_path):
    """train/ and test/ with GIF, MP4 and strips, as Siarohin et al. publish videos. Frames keep their longer side."""
    for half in ("train", "test"):
        (tmp_path / "raw" / half).mkdir(parents=True)
        write_gif(tmp_path / "raw" / half / "a.gif", frames(1), 10)
        write_mp4(tmp_path / "raw" / half / "b.mp4", frames(2), 10)
        (tmp_path / "strips" / half).mkdir(parents=True)
        for seed in range(2):
            cv2.imwrite(str(tmp_path / "strips" / half / f"{seed}.png"), np.concatenate(frames(seed, size=(40, 40)), 1))
    strips = open_dataset(pairs_settings(tmp_path / "strips", tmp_path / "cache"))
    assert [(clip.id, clip.length, clip.fps) for clip in strips.test] == [("test_0.png", 8, 0.0), ("test_1.png", 8, 0.0)]
    dataset = open_dataset(pairs_settings(tmp_path / "raw", tmp_path / "cache"))
    assert [clip.id for clip in dataset.train] == ["train_a.gif", "train_b.mp4"]
    assert [clip.id for clip in dataset.test] == ["test_a.gif", "test_b.mp4"]
    assert {(clip.height, clip.width) for clip in dataset.train} == {(32, 48)}
    batch = next(iter(dataset.batches(ReplicaContext(batch_size=2))))
    assert batch["image"].shape == batch["next_image"].shape == (2, 32, 32, 3)
    shown = dataset.load(dataset.test[1]).frames[0]
    expected = fit_frame(frames(2)[0][:, 10:50], (32, 32), "squeeze")
    assert np.abs(shown.astype(int) - expected).mean() < 12  # two codecs in between


def test_only_what_says_its_times_has_a_frame_rate(tmp_path):
    pictures = [Image.fromarray(np.full((8, 8, 3), 60 * n, np.uint8)) for n in range(4)]
    for name, options in (("a.webp", {"duration": 50, "lossless": True}), ("b.tif", {}), ("c.gif", {"duration": 50})):
        pictures[0].save(tmp_path / name, save_all=True, append_images=pictures[1:], **options)
    (tmp_path / "d").mkdir()
    pictures[0].save(tmp_path / "d" / "1.png")
    rates = {item: VideosSource(tmp_path, (8, 8)).check(item).clips[0].fps for item in ("a.webp", "b.tif", "c.gif", "d")}
    assert rates == {"a.webp": pytest.approx(20), "b.tif": 0, "c.gif": pytest.approx(20), "d": 0}


def test_the_name_of_a_video_that_is_left_out_is_said_as_it_is(tmp_path, capsys):
    """Whatever a name means to the console: markup, smileys, a command to the terminal, a line break."""
    for index in range(2):
        write_mp4(tmp_path / "mine" / f"{index}.mp4", frames(index), 10)
    (tmp_path / "mine" / "[bold]a [" / "b] :smile:\x1b[2J\n.mp4").parent.mkdir()
    (tmp_path / "mine" / "[bold]a [" / "b] :smile:\x1b[2J\n.mp4").write_bytes(b"no video")
    open_videos(tmp_path / "mine", tmp_path / "cache", settings())
    assert r"[bold]a [/b] :smile:\x1b[2J\n.mp4: this is not a video" in capsys.readouterr().out

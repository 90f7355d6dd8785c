"""Inputs from public bug reports, made by the scripts in shared/cases beside the repository, give what is right."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from analogy.data.clips import ClipDataset
from analogy.data.prepared import PreparedClips
from analogy.data.video import Video, read_video
from analogy.errors import UserError
from analogy.evaluation.videos import Videos, pair_videos
from analogy.metrics.image import psnr
from data_prep.penn_action import prepare_penn_action
from tests.conftest import _shared

pytestmark = pytest.mark.slow
# File of 01 -> the frames it shows, (height, width), and how far a grey level may be off on average. None: the colours differ.
CONTAINERS = {
    "av1.mp4": (24, (96, 128), 3), "ffv1.mkv": (24, (96, 128), 0.5), "fps_240.mp4": (24, (96, 128), 1),
    "fps_29.97.mp4": (29, (96, 128), None), "gray.avi": (24, (96, 128), None), "h264_bt709.mp4": (24, (96, 128), 3),
    "h264_fullrange.mp4": (24, (96, 128), 3), "h264_untagged.mp4": (24, (96, 128), 3), "hevc8.mp4": (24, (96, 128), 3),
    "hevc10.mp4": (24, (96, 128), 3), "hevc10_bt2020.mov": (24, (96, 128), 3), "odd_size.avi": (24, (95, 127), None),
    "plain.gif": (24, (96, 128), 25), "prores4444_alpha.mov": (24, (96, 128), 1), "qtrle_argb.mov": (24, (96, 128), 0.5),
    "rawrgb.avi": (24, (96, 128), 0.5), "rot90.mp4": (24, (128, 96), None), "rot180.mp4": (24, (96, 128), None),
    "rot270.mp4": (24, (128, 96), None), "sar2.mp4": (24, (96, 256), None), "vp8.webm": (24, (96, 128), 3),
    "vp9.webm": (24, (96, 128), 3), "vp9_alpha.webm": (24, (96, 128), 3),
}  # fmt: skip
# File of 02 -> the frames it shows, and what is said of it.
COUNTED = {
    "bframes.mp4": (24, None), "camera.ts": (24, None), "cut_end_copy.mp4": (15, None), "dropped_3.mp4": (21, "40 to 160 ms"),
    "fragmented.mp4": (24, None), "interlaced.mp4": (12, "it is interlaced"), "late_start.mp4": (24, None),
    "long_audio.mp4": (24, None), "phone_jitter.mp4": (24, "22 to 58 ms"), "raw.h264": (24, None), "streamed.webm": (24, None),
    "trimmed_copy.mp4": (16, None),
}  # fmt: skip
RENAMED = ("plain", "zero", "png", "upper", "jpeg", "prefix", "short", "gaps", "gray", "compressed", "nan_hidden")


def made(case: str, *arguments: object) -> None:
    script = next(iter((_shared("cases") / case).glob("*.py")))
    subprocess.run([sys.executable, script, *map(str, arguments)], check=True, capture_output=True)


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    """A folder with those of 01, 02, 03 and 11."""
    folder = tmp_path_factory.mktemp("cases")
    for case in ("01-video-containers", "02-frame-count", "03-interlaced", "11-evaluate-folders"):
        made(case, folder / case[:2], imageio_ffmpeg.get_ffmpeg_exe())
    return folder


def off(video: Video, truth: np.ndarray) -> float:
    """The mean error of a video's frames in grey levels."""
    return float(np.abs(np.stack(video.frames) - truth.astype(float)).mean())


def test_every_container_shows_the_frames_upright_in_their_aspect(videos):
    truth = np.stack(read_video(videos / "01" / "truth").frames)
    files = {file.name for file in (videos / "01").iterdir() if file.is_file()}
    assert files == set(CONTAINERS)
    for name, (count, size, most) in CONTAINERS.items():
        video = read_video(videos / "01" / name)
        assert len(video.frames) == count and video.frames[0].shape[:2] == size, name
        assert video.notes == (["what is transparent in it is shown as it is stored"] if name == "vp9_alpha.webm" else []), name
        assert most is None or off(video, truth) <= most, name
    turned = {name: np.stack(read_video(videos / "01" / f"{name}.mp4").frames) for name in ("rot90", "rot180", "rot270")}
    for name, times in {"rot90": 1, "rot180": 2, "rot270": 3}.items():
        assert np.abs(turned[name] - np.rot90(truth, times, (1, 2)).astype(float)).mean() < 3, name


def test_only_frames_that_are_missing_are_said_to_be(videos):
    assert {file.name for file in (videos / "02").iterdir()} == set(COUNTED)
    for name, (count, said) in COUNTED.items():
        video = read_video(videos / "02" / name)
        assert len(video.frames) == count, name
        assert (said in " ".join(video.notes)) if said else not video.notes, (name, video.notes)
        assert not any("cannot be read" in note for note in video.notes), name


def test_two_interlaced_films_differ(videos):
    films = [np.stack(read_video(videos / "03" / name / "a.avi").frames) for name in ("truth", "pred")]
    assert float(psnr(*films).mean()) == pytest.approx(4.3, abs=0.1)


def test_predictions_as_others_leave_them(videos):
    folder = videos / "11"

    def measured(predictions: str, truth: str = "truth") -> tuple[float, str]:
        judge, (pairs, _) = Videos(10), pair_videos([folder / predictions], folder / truth)
        means = [part.measure({"psnr": psnr})["prediction"]["psnr"].mean() for part in judge.predict_clips(pairs)]
        return float(np.mean(means)), judge.protocol(pairs)

    png, future, gap, coded = (measured(f"pred_{name}") for name in ("png", "only_future", "gap", "mp4"))
    assert png[0] == pytest.approx(33.4, abs=0.2) and png[0] == future[0] == gap[0] and "stored as png" in png[1]
    assert "the future frames alone are predicted in v0, v1, v2" in future[1]
    assert coded[0] < png[0] - 2 and "stored as h264 (lossy)" in coded[1]
    assert "stored as gif (lossy)" in measured("pred_gif")[1]
    assert "GREY predictions of coloured videos: v0, v1, v2" in measured("pred_gray")[1]
    for name, said in {"longer": "has 22 frames .*cut both to the same frames", "half_size": "bring both to one size"}.items():
        with pytest.raises(UserError, match=said):
            measured(f"pred_{name}")
    assert measured("flat_pred", "flat_truth")[0] == pytest.approx(33.4, abs=0.3)
    assert measured("one_pred", "one_truth")[0] == pytest.approx(33.4, abs=0.3)
    with pytest.raises(UserError, match=r"nor a folder of pictures in it, but preds\.npy"):
        measured("npy")


def prepared(source: Path, cache: Path) -> PreparedClips:
    return PreparedClips.open(prepare_penn_action(source, cache, name="penn_action"))


def test_penn_action_in_other_names_is_read_and_what_cannot_be_is_said(actors, tiny, tmp_path):
    for variant in (*RENAMED, "one_frame", "all_one_frame", "v73", "corrupt"):
        made("07-penn-variants", actors, tmp_path / variant, variant)
    clips = {variant: len(prepared(tmp_path / variant, tmp_path / "cache" / variant).clips) for variant in RENAMED}
    assert set(clips.values()) == {6}, clips
    lengths = [clip.length for clip in prepared(tmp_path / "one_frame", tmp_path / "cache" / "one_frame").clips]
    assert sorted(lengths)[:2] == [1, 8] and len(lengths) == 6
    assert len(prepared(tmp_path / "corrupt", tmp_path / "cache" / "corrupt").clips) == 5
    with pytest.raises(UserError, match=r"no usable clip \(6 unreadable labels\).*labels/\d+\.mat: is a MATLAB 7\.3 file.*-v7"):
        prepared(tmp_path / "v73", tmp_path / "cache" / "v73")
    without_motion = prepared(tmp_path / "all_one_frame", tmp_path / "cache" / "all_one_frame")
    with pytest.raises(UserError, match=r"have one frame.*give clips of two frames or more"):
        ClipDataset(without_motion, tiny("data.actions=[squat, bowl]").data, seed=0)


def test_orientation_is_applied_for_training_as_for_prediction(actors, tmp_path):
    made("06-exif", actors, tmp_path / "turned", 6, 2)
    clip = next(iter((tmp_path / "turned" / "frames").iterdir())).name
    (upright, turned) = (read_video(folder / "frames" / clip).frames[0] for folder in (actors, tmp_path / "turned"))
    np.testing.assert_array_equal(turned, np.rot90(upright, -1))
    trained = prepared(tmp_path / "turned", tmp_path / "cache")
    for prepared_clip in trained.clips:
        trains = trained.frames(prepared_clip, [0])[0]
        predicts = read_video(tmp_path / "turned" / "frames" / prepared_clip.id).frames[0]
        assert np.abs(trains - predicts.astype(float)).mean() < 2  # grey levels: it is stored as a JPEG file


def test_exchanged_halves_are_refused_on_resume(actors, invoke, tmp_path):
    import shutil

    from tests.conftest import run_options
    from tests.run_folders import the_run

    shutil.copytree(actors, tmp_path / "data")
    options = run_options("analogy_pool3", tiny=True)
    how = ("--data-dir", tmp_path / "data", "--scale", "demo", "--results-dir", tmp_path / "results")
    done = invoke("run", *options, *how, "--steps", 1)
    assert done.exit_code == 0, done.stderr
    made("16-resume-changed", tmp_path / "data")
    done = invoke("run", "--resume", the_run(tmp_path / "results"), "--steps", 2)
    assert done.exit_code == 2 and "which clips train and which clips test differ" in done.stderr

"""Video files as FFmpeg decodes them: codecs and containers, their times, damage, and what a recording says of itself."""

import re
import shutil
import subprocess

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from analogy.data.video import read_video, write_pictures
from analogy.errors import UserError
from analogy.metrics.image import psnr
from analogy.visualise.video import write_mp4

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


def ffmpeg(*options):
    subprocess.run([FFMPEG, "-y", "-v", "error", *map(str, options)], check=True)


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """Twelve frames of 64 x 48 without loss: a white square moves right over three colours."""
    frames = np.zeros((12, 48, 64, 3), np.uint8)
    frames[:, :24, :32], frames[:, :24, 32:], frames[:, 24:] = (200, 40, 40), (40, 40, 200), (40, 160, 40)
    for t in range(12):
        frames[t, 8:20, 4 + 4 * t : 16 + 4 * t] = 235
    folder = tmp_path_factory.mktemp("scene")
    write_pictures(folder / "truth", frames)
    ffmpeg("-framerate", 25, "-i", folder / "truth" / "%06d.png", "-c:v", "ffv1", folder / "scene.mkv")
    return folder / "scene.mkv", frames


def noise(count):
    return np.random.default_rng(0).integers(0, 256, (count, 64, 64, 3), dtype=np.uint8)


CODECS = {
    "av1.mp4": ("av1", ["-c:v", "libaom-av1", "-crf", 10, "-cpu-used", 8, "-pix_fmt", "yuv420p"]),
    "ten_bits.mp4": ("hevc", ["-c:v", "libx265", "-crf", 10, "-pix_fmt", "yuv420p10le", "-x265-params", "log-level=none"]),
    "alpha.mov": ("prores", ["-c:v", "prores_ks", "-profile:v", 4444, "-pix_fmt", "yuva444p10le"]),
    "vp9.webm": ("vp9", ["-c:v", "libvpx-vp9", "-crf", 10, "-b:v", 0]),
    "a name: with a colon %d.mp4": ("h264", ["-c:v", "libx264", "-qp", 1, "-pix_fmt", "yuv444p"]),
}


@pytest.mark.parametrize("name", CODECS)
def test_frames_and_times_of_every_codec(scene, tmp_path, name):
    codec, options = CODECS[name]
    ffmpeg("-i", scene[0], *options, tmp_path / name)
    video = read_video(tmp_path / name)
    assert (video.codec, len(video.frames), video.notes) == (codec, 12, [])
    np.testing.assert_allclose(video.times, np.arange(12) / 25, atol=0.002)
    assert np.abs(np.stack(video.frames).astype(int) - scene[1]).mean() < 5  # halved colour at the edges of a tiny picture


def test_frames_are_upright_and_have_square_pixels(scene, tmp_path):
    ffmpeg("-i", scene[0], "-c:v", "libx264", "-qp", 1, "-pix_fmt", "yuv444p", tmp_path / "plain.mp4")
    for degrees in (90, 180, 270):
        ffmpeg("-display_rotation", degrees, "-i", tmp_path / "plain.mp4", "-c", "copy", tmp_path / "turned.mp4")
        (frame,) = read_video(tmp_path / "turned.mp4", count=1).frames
        assert np.abs(frame.astype(int) - np.rot90(scene[1][0], degrees // 90)).mean() < 2
    ffmpeg("-display_hflip", "-i", tmp_path / "plain.mp4", "-c", "copy", tmp_path / "mirrored.mp4")
    (frame,) = read_video(tmp_path / "mirrored.mp4", count=1).frames
    assert np.abs(frame.astype(int) - scene[1][0][:, ::-1]).mean() < 2
    for aspect, shape in (("2/1", (48, 128, 3)), ("1/2", (96, 64, 3)), ("12/1", (48, 64, 3))):
        ffmpeg("-i", scene[0], "-vf", f"setsar={aspect}", "-c:v", "libx264", tmp_path / "aspect.mp4")
        video = read_video(tmp_path / "aspect.mp4", count=1)
        assert video.frames[0].shape == shape and ("not believed" in "".join(video.notes)) == (aspect == "12/1")


@pytest.mark.parametrize("name", ["camera.avi", "camera.mov"])
def test_frames_that_hold_exif_are_turned_too(tmp_path, name):
    exif, pixels = Image.Exif(), np.kron(noise(1)[0, :6, :8], np.ones((8, 8, 1), np.uint8))
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "1.jpg", exif=exif, quality=95)
    ffmpeg("-i", tmp_path / "1.jpg", "-c:v", "copy", tmp_path / name)
    (frame,) = read_video(tmp_path / name).frames
    assert np.abs(frame.astype(int) - np.rot90(pixels, -1)).mean() < 12


def test_what_a_file_crops_is_not_shown(scene, tmp_path):
    ffmpeg("-i", scene[0], "-c:v", "libx264", "-qp", 1, "-pix_fmt", "yuv444p", tmp_path / "whole.mp4")
    crop = "h264_metadata=crop_left=10:crop_top=4:crop_right=6"
    ffmpeg("-i", tmp_path / "whole.mp4", "-c", "copy", "-bsf:v", crop, tmp_path / "cropped.mp4")
    frames = np.stack(read_video(tmp_path / "cropped.mp4").frames)
    assert frames.shape == (12, 44, 48, 3) and np.abs(frames.astype(int) - scene[1][:, 4:, 10:-6]).mean() < 2


def test_interlaced_frames_are_real_and_said(tmp_path):
    for name in ("testsrc2", "mandelbrot"):
        source = ["-f", "lavfi", "-i", f"{name}=size=720x576:rate=25", "-frames:v", 4]
        ffmpeg(*source, "-vf", "setfield=bff", "-c:v", "dvvideo", "-pix_fmt", "yuv420p", tmp_path / f"{name}.avi")
        ffmpeg(*source, "-c:v", "ffv1", tmp_path / f"{name}.mkv")
    first, second = (read_video(tmp_path / f"{name}.avi") for name in ("testsrc2", "mandelbrot"))
    assert len(first.frames) == 4 and first.notes == ["it is interlaced; its frames were de-interlaced"]
    for video, name in ((first, "testsrc2"), (second, "mandelbrot")):
        truth = read_video(tmp_path / f"{name}.mkv").frames
        assert np.abs(np.stack(video.frames).astype(int) - np.stack(truth)).mean() < 12
    assert psnr(np.stack(first.frames), np.stack(second.frames)).mean() == pytest.approx(4.3, abs=0.3)  # two different films


def test_only_frames_that_are_shown_count(scene, tmp_path):
    coded = ["-c:v", "libx264", "-bf", 2, "-g", 6, "-pix_fmt", "yuv420p"]
    ffmpeg("-f", "lavfi", "-i", "sine=duration=2", "-i", scene[0], *coded, tmp_path / "whole.mp4")
    ffmpeg("-ss", 0.1, "-i", tmp_path / "whole.mp4", "-an", "-c", "copy", tmp_path / "trimmed.mp4")
    trimmed = read_video(tmp_path / "trimmed.mp4")
    assert len(trimmed.frames) == 9 and not trimmed.notes and not read_video(tmp_path / "whole.mp4").notes
    assert np.abs(trimmed.frames[0].astype(int) - scene[1][3]).mean() < 6


WRAPPED = {  # name -> the options that write it from a coded file, and the frames that it shows
    "fragmented.mp4": (["-movflags", "frag_keyframe+empty_moov"], range(12)),
    "camera.ts": ([], range(12)),
    "raw.h264": ([], range(12)),
    "late.mp4": (["-output_ts_offset", 0.5], range(12)),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_headers_that_count_wrongly_or_not_at_all_say_nothing_false(scene, tmp_path, name):
    options, shown = WRAPPED[name]
    ffmpeg("-i", scene[0], "-c:v", "libx264", "-bf", 2, "-g", 6, "-crf", 10, "-pix_fmt", "yuv420p", tmp_path / "whole.mp4")
    ffmpeg("-i", tmp_path / "whole.mp4", "-c", "copy", *options, *(["-f", "h264"] * (name == "raw.h264")), tmp_path / name)
    video = read_video(tmp_path / name)
    assert not video.notes and len(video.frames) >= len(shown)
    frames, truth = np.stack(video.frames[: len(shown)]).astype(int), scene[1][shown]
    assert np.abs(frames - truth).mean((1, 2, 3)).max() < 6  # neighbours differ by more
    np.testing.assert_allclose(np.diff(video.times), 0.04, atol=0.002)


# How webcams and browsers write: frames come when they can, into a file of which nobody knows how long it will be.
WEBCAMS = {
    "browser_vp8.webm": ["-c:v", "libvpx", "-crf", 10, "-b:v", "2M", "-metadata:s:v", "alpha_mode=1", "-live", 1],
    "browser_vp9.webm": ["-c:v", "libvpx-vp9", "-crf", 10, "-b:v", 0, "-metadata:s:v", "alpha_mode=1", "-live", 1],
    "browser.mkv": ["-c:v", "libx264", "-crf", 10, "-pix_fmt", "yuv420p", "-live", 1],
    "camera.mp4": ["-c:v", "libx264", "-crf", 10, "-pix_fmt", "yuv420p"],
    "camera.avi": ["-c:v", "mjpeg", "-q:v", 2, "-c:a", "pcm_s16le"],
}


@pytest.mark.parametrize("name", WEBCAMS)
def test_a_recording_of_a_webcam_that_dropped_frames(scene, tmp_path, name):
    sound, dropped = ["-f", "lavfi", "-i", "sine=duration=0.48"], ["-vf", "select='not(eq(n,5)+eq(n,6))'", "-fps_mode", "vfr"]
    ffmpeg("-framerate", 25, "-i", scene[0].parent / "truth" / "%06d.png", *sound, *dropped, *WEBCAMS[name], tmp_path / name)
    video = read_video(tmp_path / name)
    assert len(video.frames) == 10 and len(video.notes) == 1 and "40 to 120 ms apart" in video.notes[0]
    even = read_video(tmp_path / name, even=True)
    assert len(even.frames) == 12 and even.rate == pytest.approx(25)
    assert np.abs(np.stack(even.frames)[7:].astype(int) - scene[1][7:]).mean((1, 2, 3)).max() < 6  # each at its own time


def test_what_is_transparent_is_said_of_what_is(scene, tmp_path):
    half = "format=yuva420p,geq=lum='lum(X,Y)':cb='cb(X,Y)':cr='cr(X,Y)':a='4*X'"
    ffmpeg("-i", scene[0], "-vf", half, "-c:v", "libvpx-vp9", "-crf", 10, "-b:v", 0, tmp_path / "logo.webm")
    assert read_video(tmp_path / "logo.webm").notes == ["what is transparent in it is shown as it is stored"]


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
    ffmpeg("-i", tmp_path / "even.mp4", *slower, tmp_path / "uneven.mp4")
    video = read_video(tmp_path / "uneven.mp4")
    assert len(video.frames) == 12 and "33 to 133 ms apart" in video.notes[0]


def test_what_is_cut_off_is_said(tmp_path):
    write_mp4(tmp_path / "whole.mp4", noise(30), 10)
    for name, options in (("a.avi", ["-c:v", "mjpeg"]), ("a.mp4", ["-c", "copy", "-movflags", "+faststart"])):
        ffmpeg("-i", tmp_path / "whole.mp4", *options, tmp_path / name)
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[: len(content) // 2])
        video = read_video(tmp_path / name)
        assert 5 < len(video.frames) < 25
        assert f"of 30 frames, those from number {len(video.frames)} on cannot be read" in video.notes
    ffmpeg("-i", tmp_path / "whole.mp4", "-c", "copy", tmp_path / "a.mkv")
    content = (tmp_path / "a.mkv").read_bytes()
    (tmp_path / "a.mkv").write_bytes(content[: len(content) // 2])
    (note,) = read_video(tmp_path / "a.mkv").notes
    assert re.fullmatch(r"of 3\.00 seconds, those from 1\.[2-7]0 on \(frame number 1[2-7]\) cannot be read", note)
    content = (tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "no_index.mp4").write_bytes(content.replace(b"moov", b"lost"))
    with pytest.raises(UserError, match="convert it to MP4"):
        read_video(tmp_path / "no_index.mp4")


# Formats that say nowhere how long they are, and decoders that make a whole frame of the beginning of one.
OF_NO_LENGTH = {
    "a.gif": [],
    "a.mjpeg": ["-c:v", "mjpeg"],
    "a.y4m": ["-pix_fmt", "yuv444p"],
    "a.ogv": ["-c:v", "libtheora", "-qscale:v", 10],
    "a.ts": ["-c:v", "libx265", "-crf", 5, "-x265-params", "log-level=none:bframes=0"],
    "a.dv": ["-vf", "scale=720:576,fps=25", "-pix_fmt", "yuv420p"],
    "a.mov": ["-c:v", "qtrle", "-movflags", "+faststart"],
}


@pytest.mark.parametrize("name", OF_NO_LENGTH)
def test_a_frame_of_which_the_end_is_missing_is_said_and_left_out(tmp_path, name):
    write_pictures(tmp_path / "truth", noise(8))
    ffmpeg("-framerate", 25, "-i", tmp_path / "truth" / "%06d.png", *OF_NO_LENGTH[name], tmp_path / name)
    whole, content = read_video(tmp_path / name), (tmp_path / name).read_bytes()
    assert len(whole.frames) == 8 and not any("cannot be read" in note for note in whole.notes)
    packet = 188 if name == "a.ts" else 1
    for place in np.linspace(len(content) // 3, len(content) * 9 // 10, 4).astype(int) // packet * packet:
        (tmp_path / f"cut_{name}").write_bytes(content[:place])
        video = read_video(tmp_path / f"cut_{name}")
        count = len(video.frames)
        assert 0 < count < 8 and any(f"from number {count} on cannot be read" in note for note in video.notes)
        still = count - ("interlaced" in video.notes[0])  # de-interlacing looks at the frame after
        for frame, true in zip(video.frames[:still], whole.frames, strict=False):
            np.testing.assert_array_equal(frame, true)


@pytest.mark.parametrize(("rate", "said"), [("1/10", "it says 0.1 frames per second, which is not"), (5000, "it says 5,000 ")])
def test_a_rate_that_is_not_believed_is_said(scene, tmp_path, rate, said):
    ffmpeg("-r", rate, "-i", scene[0], "-c:v", "libx264", tmp_path / "odd.mp4")
    video = read_video(tmp_path / "odd.mp4")
    assert video.rate == 25 and len(video.frames) == 12 and said in video.notes[0]


def test_an_animation_of_another_ending_is_read_whole(scene, tmp_path):
    ffmpeg("-i", scene[0], tmp_path / "a.gif")
    shutil.copy(tmp_path / "a.gif", tmp_path / "a.png")
    whole, again = (np.stack(read_video(tmp_path / name).frames) for name in ("a.gif", "a.png"))
    np.testing.assert_allclose(again, whole, atol=1)


def test_of_several_videos_the_one_that_players_show_is_read(scene, tmp_path):
    red = ["-f", "lavfi", "-i", "color=red:size=16x16:rate=25:duration=0.4"]
    shown = ["-disposition:v:0", 0, "-disposition:v:1", "default"]
    ffmpeg(*red, "-i", scene[0], "-map", 0, "-map", 1, "-c:v", "ffv1", *shown, tmp_path / "two.mkv")
    video = read_video(tmp_path / "two.mkv")
    np.testing.assert_allclose(np.stack(video.frames), scene[1], atol=2)
    assert video.notes == ["it holds 2 videos, of which number 2 is read"]


def test_frames_may_be_written_to_and_outlive_their_video(scene, tmp_path):
    """The pixels of a frame lie where the converter has put them: nothing else may use that place."""
    video = read_video(scene[0], count=4)
    video.frames[0][:] = 0
    again = read_video(scene[0], count=4)
    np.testing.assert_array_equal(np.stack(video.frames[1:]), np.stack(again.frames[1:]))
    assert again.frames[0].any()


def test_a_file_without_moving_pictures_is_said(tmp_path):
    picture = ["-f", "lavfi", "-i", "color=red:size=32x32:rate=1:duration=1"]
    cover = ["-map", 0, "-map", 1, "-c:v", "png", "-disposition:v", "attached_pic"]
    ffmpeg("-f", "lavfi", "-i", "sine=duration=0.2", *picture, *cover, tmp_path / "music.mp3")
    with pytest.raises(UserError, match=r"music\.mp3: there is no video in this file, only audio"):
        read_video(tmp_path / "music.mp3")
    ffmpeg(*picture, "-c:v", "mpeg4", tmp_path / "known.avi")
    (tmp_path / "unknown.avi").write_bytes((tmp_path / "known.avi").read_bytes().replace(b"FMP4", b"ZZZZ"))
    with pytest.raises(UserError, match=r"ZZZZ.*convert it to MP4"):
        read_video(tmp_path / "unknown.avi")
    for named in (tmp_path / "known.avi", "known.avi"):
        (tmp_path / "list.mp4").write_text(f"ffconcat version 1.0\nfile '{named}'\n")
        with pytest.raises(UserError, match="not a video"):
            read_video(tmp_path / "list.mp4")


@pytest.mark.parametrize(("transfer", "name"), [("smpte2084", "PQ"), ("arib-std-b67", "HLG"), ("bt2020-10", None)])
def test_colours_that_players_tone_map_are_said(scene, tmp_path, transfer, name):
    colours = f"format=yuv420p,setparams=color_primaries=bt2020:colorspace=bt2020nc:color_trc={transfer}"
    ffmpeg("-i", scene[0], "-vf", colours, "-c:v", "libx264", tmp_path / "wide.mp4")
    notes = " ".join(read_video(tmp_path / "wide.mp4").notes)
    assert (f"HDR ({name}) and are not tone-mapped" in notes) if name else not notes
    if name:  # the mend that is named is one
        chain = notes.split("-vf ")[1].split(" ")[0]
        ffmpeg("-i", tmp_path / "wide.mp4", "-vf", chain, tmp_path / "mapped.mp4")
        assert not read_video(tmp_path / "mapped.mp4").notes


def test_damage_that_a_decoder_hides_ends_the_video(scene, tmp_path):
    ffmpeg("-i", scene[0], "-c:v", "mpeg4", "-g", 6, "-bf", 0, "-q:v", 2, tmp_path / "whole.avi")
    content = (tmp_path / "whole.avi").read_bytes()
    starts = [found.start() for found in re.finditer(b"00dc", content[: content.rindex(b"idx1")])][-12:]
    for number, frames, note in (
        (8, range(8), "of 12 frames, those from number 8 on cannot be read"),
        (0, range(6, 12), "its first 6 frames are damaged or need earlier ones, and are left out"),
    ):
        middle = (starts[number] + starts[number + 1]) // 2
        (tmp_path / "damaged.avi").write_bytes(content[:middle] + b"\x55" * 20 + content[middle + 20 :])
        video = read_video(tmp_path / "damaged.avi")
        assert len(video.frames) == len(frames) and video.notes == [note]
        assert np.abs(np.stack(video.frames).astype(int) - scene[1][frames]).mean((1, 2, 3)).max() < 6


@pytest.mark.parametrize("options", [["mpeg2video", "-f", "vob"], ["libx264", "-f", "mpegts"]], ids=["vob", "ts"])
def test_a_beginning_that_is_cut_off_is_said(scene, tmp_path, options):
    whole, cut = tmp_path / "whole.mpg", tmp_path / "cut.mpg"
    ffmpeg(
        "-stream_loop", 1, "-i", scene[0], "-c:v", *options[:1], "-q:v", 2, "-g", 12, "-sc_threshold", 0, *options[1:], whole
    )
    assert len(read_video(whole).frames) == 24 and not read_video(whole).notes
    content = whole.read_bytes()
    cut.write_bytes(content[len(content) // 4 :])
    video = read_video(cut)
    assert len(video.frames) == 12 and np.abs(np.stack(video.frames).astype(int) - scene[1]).mean((1, 2, 3)).max() < 6
    assert re.match(r"its first ([1-9]|10|11) frames are damaged or need earlier ones", video.notes[0])


def test_odd_small_files(scene, tmp_path):
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(UserError, match=r"empty\.mp4: this file is empty \(0 bytes\); copy it anew"):
        read_video(tmp_path / "empty.mp4")
    ffmpeg("-i", scene[0], "-vf", "scale=16:2,format=yuv420p,setfield=tff", "-c:v", "ffv1", tmp_path / "flat.mkv")
    assert read_video(tmp_path / "flat.mkv").frames[11].shape == (2, 16, 3)  # too low to be de-interlaced
    stored = [read_video(path).codec for path in (scene[0], tmp_path / "flat.mkv")]
    assert stored == ["ffv1", "ffv1 in yuv420p"]  # which has lost colours
    ffmpeg("-i", scene[0], "-c:v", "libtheora", "-q:v", 9, tmp_path / "rate.ogv")  # it says no frames per second, but times
    assert read_video(tmp_path / "rate.ogv").rate == pytest.approx(25) and not read_video(tmp_path / "rate.ogv").notes

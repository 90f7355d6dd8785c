"""Panels, clips and plots: what is written can be read back with the promised size and length."""

import colorsys

import cv2
import imageio.v3 as iio
import matplotlib
import numpy as np
import pytest

from analogy.files.writing import replacing
from analogy.visualise.canvas import GAP, LETTERS, TITLE_HEIGHT, title_width
from analogy.visualise.panels import heatmap_picture, movie_rows, picture_grid, write_panels
from analogy.visualise.plots import axis_limits, plot_horizon, plot_losses
from analogy.visualise.video import side_by_side, write_gif, write_mp4


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_heatmap_picture_gives_each_joint_its_own_hue_on_black():
    heatmaps = np.zeros([6, 9, 3], np.float32)
    heatmaps[1, 2, 0] = heatmaps[3, 4, 1] = 1.0
    heatmaps[5, 8, 2] = 7.0  # out of range: clipped
    heatmaps[0, 0, 1] = np.nan
    picture = heatmap_picture(heatmaps)
    assert picture.shape == (6, 9, 3) and picture.dtype == np.uint8
    peaks = [tuple(picture[1, 2]), tuple(picture[3, 4]), tuple(picture[5, 8])]
    assert len(set(peaks)) == 3 and all(max(peak) == 255 for peak in peaks)
    assert np.count_nonzero(picture.any(-1)) == 3
    assert not heatmap_picture(np.zeros([4, 5, 0])).any()


def test_heatmap_picture_takes_the_maximum_of_joints():
    heatmaps = np.full([2, 2, 2], 0.5)
    both, first = heatmap_picture(heatmaps), heatmap_picture(heatmaps * [1, 0])
    np.testing.assert_array_equal(both, np.maximum(first, heatmap_picture(heatmaps * [0, 1])))


@pytest.mark.parametrize(("height", "shown"), [(64, 192), (80, 160), (200, 200)])
def test_panels_are_at_least_160_pixels_high(tmp_path, height, shown):
    path = tmp_path / "new folder" / "panel é.png"
    columns = [("x_t", noise(height, 50, 3)), ("p_{t+n}", noise(height, 50, 1)), ("a long title", noise(height, 9, 3))]
    write_panels(path, columns)
    picture = iio.imread(path)
    assert picture.shape[0] == TITLE_HEIGHT + shown and picture.shape[2] == 3
    factor = shown // height
    np.testing.assert_array_equal(picture[TITLE_HEIGHT::factor, : 50 * factor : factor], columns[0][1])
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_panels_of_other_sizes_are_scaled_to_the_tallest(tmp_path):
    write_panels(tmp_path / "panel.png", [("a", noise(160, 120, 3)), ("b", noise(64, 64, 3))])
    assert iio.imread(tmp_path / "panel.png").shape == (TITLE_HEIGHT + 160, 120 + 4 + 160, 3)


@pytest.mark.parametrize("picture", [np.zeros([8, 8, 3]), noise(8, 8), noise(8, 8, 4), noise(2, 8, 8, 3)])
def test_panels_refuse_other_arrays(tmp_path, picture):
    with pytest.raises(ValueError, match="expected"):
        write_panels(tmp_path / "panel.png", [("x", picture)])


@pytest.mark.parametrize("shape", [(5, 32, 48, 3), (1, 32, 48, 3), (4, 33, 47, 3), (3, 31, 40, 1), (1, 1, 1, 1)])
def test_mp4_has_every_frame_and_an_even_size(tmp_path, shape):
    write_mp4(tmp_path / "clip.mp4", noise(*shape), fps=7.5)
    video = cv2.VideoCapture(str(tmp_path / "clip.mp4"))
    frames = []
    while (frame := video.read())[0]:
        frames.append(frame[1])
    assert len(frames) == shape[0]
    assert frames[0].shape[:2] == (shape[1] + shape[1] % 2, shape[2] + shape[2] % 2)
    assert video.get(cv2.CAP_PROP_FPS) == pytest.approx(7.5, rel=0.01)
    data = (tmp_path / "clip.mp4").read_bytes()
    assert b"avc1" in data and data.index(b"moov") < data.index(b"mdat")


def test_mp4_keeps_colours(tmp_path):
    frames = np.broadcast_to(np.uint8([200, 60, 30]), (3, 32, 32, 3))
    write_mp4(tmp_path / "clip.mp4", frames, fps=5)
    metadata = iio.immeta(tmp_path / "clip.mp4", plugin="FFMPEG")
    assert metadata["codec"] == "h264" and metadata["pix_fmt"].startswith("yuv420p") and "bt709" in metadata["pix_fmt"]
    shown = iio.imread(tmp_path / "clip.mp4", plugin="FFMPEG")
    assert np.abs(shown.astype(int) - frames).max() <= 16


@pytest.mark.parametrize("shape", [(5, 32, 48, 3), (1, 33, 47, 3), (3, 31, 40, 1)])
def test_gif_has_every_frame_and_loops(tmp_path, shape):
    write_gif(tmp_path / "clip.gif", noise(*shape), fps=10)
    frames = iio.imread(tmp_path / "clip.gif", index=None)
    assert frames.shape[:3] == shape[:3]
    if shape[0] > 1:
        assert iio.immeta(tmp_path / "clip.gif")["duration"] == 100


def test_a_gif_keeps_the_colours_of_small_dots(tmp_path):
    y, x = np.mgrid[0:160, 0:320]
    scene = np.stack([100 + x * 0.1 + noise(160, 320) * 0.2, 60 + y * 0.5, 50 + x * 0.2], -1)
    frames = scene.astype(np.uint8)[None].repeat(9, 0)
    dots = [(12 * k + 6, tuple(int(255 * part) for part in colorsys.hsv_to_rgb(k / 24, 0.85, 1.0))) for k in range(24)]
    for place, colour in dots:  # as large as those of keypoints
        frames[:, 80:85, place : place + 5] = colour
    write_gif(tmp_path / "dots.gif", frames, fps=10)
    first = iio.imread(tmp_path / "dots.gif", index=0)
    shown = [first[82, place + 2].astype(int) for place, _ in dots]
    assert len({tuple(colour) for colour in shown}) == 24
    assert max(np.abs(found - colour).max() for found, (_, colour) in zip(shown, dots, strict=True)) <= 16


@pytest.mark.parametrize("write", [write_mp4, write_gif])
@pytest.mark.parametrize(("frames", "fps"), [(noise(0, 8, 8, 3), 5), (noise(8, 8, 3), 5), (noise(2, 8, 8, 3), 0)])
def test_clips_refuse_other_input_and_leave_no_file(tmp_path, write, frames, fps):
    with pytest.raises(ValueError, match=r"expected|fps"):
        write(tmp_path / "clip", frames, fps)
    assert not list(tmp_path.iterdir())


def test_side_by_side_puts_titles_above_columns():
    truth, pose = noise(3, 40, 30, 3), noise(3, 40, 30, 1)
    clip = side_by_side([("truth", truth), ("pose", pose)])
    assert clip.shape == (3, TITLE_HEIGHT + 160, 2 * 120 + 4, 3) and clip.dtype == np.uint8
    np.testing.assert_array_equal(clip[:, TITLE_HEIGHT::4, :120:4], truth)
    np.testing.assert_array_equal(clip[:, TITLE_HEIGHT::4, 124::4], np.repeat(pose, 3, axis=-1))
    assert clip[0, :TITLE_HEIGHT].min() < 128  # letters


def test_side_by_side_refuses_clips_of_different_lengths():
    with pytest.raises(ValueError, match="one length"):
        side_by_side([("truth", noise(3, 8, 8, 3)), ("prediction", noise(2, 8, 8, 3))])
    with pytest.raises(ValueError, match="one length"):
        side_by_side([])


def test_replacing_keeps_the_old_file_when_writing_fails(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_losses_are_plotted_whatever_the_rows_lack(tmp_path):
    rows = [{"step": step, "seconds": 0.1 * step, "generator/l2": 1 / step, "note": "text"} for step in range(1, 50)]
    rows += [{"step": 20, "generator/l2": float("nan"), "discriminator/real": 0.5}, {"step": 21, "learning_rate": None}]
    plot_losses(rows, tmp_path / "plots" / "losses.png")
    assert iio.imread(tmp_path / "plots" / "losses.png").shape[0] > 200


def test_no_losses_no_plot(tmp_path):
    plot_losses([{"step": 1, "seconds": 2.0}], tmp_path / "losses.png")
    assert not list(tmp_path.iterdir())


def test_a_users_settings_of_matplotlib_change_no_plot(tmp_path, monkeypatch):
    rows = [{"step": step, "seconds": 1.0, "loss/total": 1.0 / step} for step in (1, 2, 3)]
    plot_losses(rows, tmp_path / "usual.png")
    for name, value in {"text.usetex": True, "figure.dpi": 20, "axes.facecolor": "red", "font.size": 30}.items():
        monkeypatch.setitem(matplotlib.rcParams, name, value)  # as from a matplotlibrc
    plot_losses(rows, tmp_path / "theirs.png")
    assert (tmp_path / "theirs.png").read_bytes() == (tmp_path / "usual.png").read_bytes()


def test_horizon_is_plotted(tmp_path):
    horizon = {
        "distance": [1, 2, 3],
        "frames": [9, 8, 7],
        "methods": {"prediction": {"psnr": [30.0, None, 28.0]}, "copy_reference": {"psnr": [29.0, 25.0, 21.0]}},
    }
    plot_horizon(horizon, "psnr", tmp_path / "horizon.png")
    assert iio.imread(tmp_path / "horizon.png").shape[0] > 200
    with pytest.raises(ValueError, match="ssim"):
        plot_horizon(horizon, "ssim", tmp_path / "ssim.png")
    with pytest.raises(ValueError, match="2 distances"):
        plot_horizon(horizon | {"distance": [1, 2]}, "psnr", tmp_path / "short.png")


def test_a_band_that_is_far_wider_than_the_lines_does_not_flatten_them():
    nan = float("nan")
    assert axis_limits([(20.0, 0.0), (30.0, 0.0)], log=False) is None  # no band: what the lines need
    assert axis_limits([(nan, nan)], log=False) is None
    narrow = [(20.0, 1.0), (30.0, 2.0), (nan, nan)]
    assert axis_limits(narrow, log=False) == pytest.approx((19 - 0.65, 32 + 0.65))  # all bands, and a little room
    assert axis_limits([*narrow, (25.0, 90.0)], log=False) == pytest.approx((15 - 1.0, 35 + 1.0))  # half of the lines' range
    uncertain = [(20.0, 8.0), (20.5, 8.0), (21.0, 8.0), (20.5, 99.0)]
    assert axis_limits(uncertain, log=False) == pytest.approx((12 - 0.85, 29 + 0.85))  # the median band is shown
    assert axis_limits([(1.0, 2.0), (100.0, 0.0)], log=True) == pytest.approx((0.5 / 1.3, 100 * 1.3), rel=0.02)


@pytest.mark.parametrize("side", [48, 128, 224])
def test_the_labels_of_a_grid_are_all_of_one_size_that_can_be_read_on_a_page(side):
    names = ["waving", "waving two hands", "w" * 200]
    letters = {}
    for name in names[:2]:
        grid = picture_grid(
            {name: noise(7, side, side, 3), "waving two hands ": noise(7, side, side, 3)}, [f"+{t}" for t in range(7)]
        )
        width = grid.shape[1] - 7 * (side + GAP)
        words = (grid[-(side + GAP) - side : -(side + GAP), :width] < 128).any(-1)
        rows = np.flatnonzero(words.any(1))
        letters[name] = rows[-1] + 1 - rows[0]
        assert words[:, 1:-1].any() and not words[:, [0, -1]].any()  # within their column
    assert letters["waving"] >= grid.shape[1] / 100 or side == 48
    assert letters["waving two hands"] - letters["waving"] in range(4)  # of the same font: its t and h are higher
    assert picture_grid({names[2]: noise(7, side, side, 3)}, list("abcdefg")).shape[1] <= 2 * 7 * (side + GAP)


@pytest.mark.parametrize("channels", [1, 3])
def test_rows_of_a_movie(channels):
    truth, prediction = noise(12, 64, 80, channels), noise(12, 64, 80, channels)[::-1]
    observed = noise(5, 64, 80, channels)
    rows = movie_rows(observed, truth, prediction)
    top, beside = TITLE_HEIGHT * 22 // LETTERS, title_width("|difference|", 22) + 2 * GAP
    assert rows.shape == (top + 3 * (GAP + 64), beside + 13 * (GAP + 80), 3)
    for count, letters in ((1, 18), (0, 17)):  # none of an auto-encoder
        fewer = movie_rows(observed[:count], truth, prediction)
        beside_fewer = title_width("|difference|", letters) + 2 * GAP
        assert fewer.shape[:2] == (TITLE_HEIGHT * letters // LETTERS + 3 * (GAP + 64), beside_fewer + (10 + count) * (GAP + 80))

    flow = noise(12, 64, 80, 3)
    with_flow = movie_rows(observed, truth, prediction, {"flow": flow})
    np.testing.assert_array_equal(with_flow[: len(rows)], rows)
    np.testing.assert_array_equal(with_flow[len(rows) + GAP :, -80:], flow[11])

    def cell(row, column):
        y, x = top + GAP + row * (64 + GAP), beside + GAP + column * (80 + GAP)
        return rows[y : y + 64, x : x + 80, :channels]

    for column in range(3):  # the last three observed ones
        np.testing.assert_array_equal(cell(0, column), observed[2 + column])
        assert cell(1, column).min() == 255
    for column, time in ((3, 0), (12, 11)):  # ten of the twelve: the first and the last among them
        np.testing.assert_array_equal(cell(0, column), truth[time])
        np.testing.assert_array_equal(cell(1, column), prediction[time])
        np.testing.assert_array_equal(cell(2, column), np.abs(truth[time].astype(int) - prediction[time]))

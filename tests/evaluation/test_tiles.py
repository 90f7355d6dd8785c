"""Truth and predictions that are read from the tiles of one animation."""

import json

import numpy as np
import pytest
from PIL import Image

from analogy.data.video import write_pictures
from analogy.errors import UserError
from analogy.evaluation.tiles import Layout, TiledVideos, found
from analogy.measure import check_evaluation

SIDE, OBSERVED = 24, 2


def moving_square(count=5, speed=2):
    """A bright square on a ramp, which moves to the right: uint8 [T, SIDE, SIDE, 3]."""
    frames = np.broadcast_to(np.linspace(40, 120, SIDE, dtype=np.uint8)[:, None, None], (count, SIDE, SIDE, 3)).copy()
    for t, frame in enumerate(frames):
        frame[8:14, 2 + speed * t : 8 + speed * t] = 250
    return frames


def grid(*tiles, columns, caption=7, gap=0):
    """Tiles [T, SIDE, SIDE, 3] side by side, with a caption of its own beneath each, and a black gap at the right."""
    cells = []
    for number, tile in enumerate(tiles):
        cell = np.pad(tile, ((0, 0), (0, caption), (0, gap), (0, 0)))
        cell[:, SIDE:, : 3 * number + 3] = 255
        cells.append(cell)
    rows = [np.concatenate(cells[start : start + columns], 2) for start in range(0, len(cells), columns)]
    return np.concatenate(rows, 1)


@pytest.fixture
def tiles():
    truth = moving_square()
    stopped = np.concatenate([truth[:OBSERVED], np.repeat(truth[OBSERVED - 1 : OBSERVED], 3, 0)])
    brighter = np.concatenate([truth[:OBSERVED], truth[OBSERVED:] - 20])
    return truth, stopped, brighter


@pytest.mark.parametrize("columns", [1, 2, 4])
def test_a_grid_is_found_and_each_tile_is_that_which_was_drawn(tiles, tmp_path, columns):
    truth, stopped, brighter = tiles
    write_pictures(tmp_path / "a", grid(truth, stopped, truth, brighter, columns=columns))
    predictor = TiledVideos(Layout.read("truth, stopped, -, brighter"), OBSERVED)
    (clip,) = predictor.predict_clips([tmp_path / "a"])
    np.testing.assert_array_equal(clip.truth, truth[OBSERVED:])
    np.testing.assert_array_equal(clip.prediction, stopped[OBSERVED:])
    np.testing.assert_array_equal(clip.other_methods["brighter"], brighter[OBSERVED:])
    figures = clip.measure()
    np.testing.assert_allclose(figures["brighter"]["psnr"], 20 * np.log10(255 / 20))
    np.testing.assert_allclose(figures["prediction"]["psnr"], figures["copy_last_frame"]["psnr"])
    assert {"motion_continued"} < set(figures) and "tiles of 24 x 24 in 1 published" in predictor.protocol(["a"])


def test_places_with_gaps_are_given(tiles, tmp_path):
    write_pictures(tmp_path / "a", grid(*tiles, columns=3, gap=2))
    names = "truth,stopped,brighter"
    with pytest.raises(UserError, match="are not found in its 78 x 31 pixels"):
        TiledVideos(Layout.read(names), OBSERVED).read(tmp_path / "a")
    layout = Layout.read(names, f"{SIDE}x{SIDE}", "0,0 26,0 52,0")
    read = TiledVideos(layout, OBSERVED).read(tmp_path / "a")
    np.testing.assert_array_equal(read["brighter"], tiles[2])
    with pytest.raises(UserError, match="are not found"):
        TiledVideos(Layout.read(names, "24x24", "0,0 26,0 60,0"), OBSERVED).read(tmp_path / "a")


def test_a_number_of_tiles_that_does_not_fit_is_one_line(tiles, tmp_path):
    write_pictures(tmp_path / "a", grid(*tiles, columns=3))
    assert found(Layout.read("truth,a,b,c,d"), grid(*tiles, columns=3)[0]) is None
    with pytest.raises(UserError, match="5 tiles, alike in the first frame, are not found in its 72 x 31") as caught:
        TiledVideos(Layout.read("truth,a,b,c,d"), OBSERVED).read(tmp_path / "a")
    assert "\n" not in str(caught.value)


def test_too_many_observed_frames_are_one_line(tiles, tmp_path):
    truth = tiles[0]
    elsewhere = np.concatenate([truth[:OBSERVED], 255 - truth[OBSERVED:]])
    write_pictures(tmp_path / "a", grid(truth, elsewhere, columns=2))
    with pytest.raises(UserError, match=r"first 3 frames of the tile other differ from the true ones by .* mend --context"):
        TiledVideos(Layout.read("truth,other"), 3).read(tmp_path / "a")
    with pytest.raises(UserError, match="5 frames, of which --context 5 were given"):
        TiledVideos(Layout.read("truth,other"), 5).read(tmp_path / "a")


def test_frames_of_another_preparation_are_said(tiles, tmp_path):
    truth = tiles[0]
    write_pictures(tmp_path / "a", grid(truth, truth + np.uint8(3), columns=2))
    predictor = TiledVideos(Layout.read("truth,SVG"), OBSERVED)
    predictor.read(tmp_path / "a")
    assert "SVG was given frames of another preparation, 3.0 grey levels" in predictor.protocol([tmp_path / "a"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("a,b",), "one of them truth"),
        (("truth",), "one of them truth"),
        (("truth,a,a",), "two tiles have one name"),
        (("truth,a,prediction",), "prediction is the name of a method that is measured beside the tiles"),
        (("truth,a", "64"), "--tile-size 64: give width x height"),
        (("truth,a", "24x8"), "--tile-size 24x8: .*each at least 11"),
        (("truth,a", "24x24", "0,0"), "x,y of each of the 2 tiles"),
        (("truth,a", None, "0,0 24,0"), "and --tile-size"),
    ],
)
def test_wrong_options_are_one_line(options, said):
    with pytest.raises(UserError, match=said):
        Layout.read(*options)


def test_animations_of_one_name_are_all_measured(tiles, tmp_path):
    folders = [tmp_path / name / "a" for name in "xy"]
    for folder in folders:
        write_pictures(folder, grid(*tiles, columns=3))
    clips = TiledVideos(Layout.read("truth,stopped,brighter"), OBSERVED).predict_clips(folders)
    assert [clip.clip for clip in clips] == ["a", "a~2"]
    options = {"tiles": "truth,stopped,brighter", "context": OBSERVED, "results_dir": tmp_path / "results"}
    plan = check_evaluation(predictions=[folder.parent for folder in folders], **options)
    assert plan.subject.animations == tuple(folders)
    Image.new("RGB", (4 * 24, 24)).save(tmp_path / "x" / "strip.png")  # four frames side by side
    plan = check_evaluation(predictions=[tmp_path / "x"], **options)
    assert plan.subject.animations == (folders[0], tmp_path / "x" / "strip.png")


def test_evaluate_reads_tiled_animations(tiles, tmp_path, invoke):
    first, *others = [Image.fromarray(frame).convert("L") for frame in grid(*tiles, columns=3)]
    (tmp_path / "gifs").mkdir()
    first.save(tmp_path / "gifs" / "a.gif", save_all=True, append_images=others, duration=100)
    options = ["evaluate", "--predictions", tmp_path / "gifs", "--results-dir", tmp_path / "results", "--metrics", "psnr,ssim"]
    done = invoke(*options, "--tiles", "truth,stopped,brighter", "--context", OBSERVED)
    assert done.exit_code == 0, (done.output, done.stderr, done.exception)
    (metrics,) = (tmp_path / "results").glob("evaluation_of_videos/*/metrics.json")
    measured = json.loads(metrics.read_text())
    assert measured["methods"]["brighter"]["psnr"] == pytest.approx(20 * np.log10(255 / 20), abs=0.05)
    for name in ("psnr", "ssim"):
        assert measured["methods"]["prediction"][name] == measured["methods"]["copy_last_frame"][name]
    assert "stored as gif (lossy)" in measured["protocol"]
    done = invoke(*options[:2], tmp_path / "gifs" / "a.gif", *options[3:], "--tiles", "truth,stopped", "--context", 2)
    assert done.exit_code == 2 and "2 tiles, alike in the first frame, are not found in its 72 x 31 pixels" in done.stderr
    done = invoke(*options, "--tiles", "truth,stopped", "--truth", tmp_path)
    assert (
        done.exit_code == 2
        and "--truth has no meaning with --tiles" in done.stderr
        and "--tiles needs --context" in done.stderr
    )
    done = invoke(*options, "--truth", tmp_path, "--tile-size", "24x24")
    assert done.exit_code == 2 and "--tile-size has no meaning without --tiles" in done.stderr

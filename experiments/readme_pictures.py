"""Make the two moving pictures of the README again, from finished demo runs (`make pictures`).

person.gif: a person's future, by predicted joints. five_papers.gif: a tile for each paper, the truth above the prediction; each
shows the median test clip of its run, by PSNR. All clips are rendered or drawn by this package, and none has been trained on.
What is not trained yet is trained first.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

import cv2
import numpy as np
import typer

import analogy
from analogy.cli.app import make_app
from analogy.cli.console import RESULTS, app_of, clear_errors
from analogy.data.moving_shapes import draw_shapes
from analogy.errors import UserError
from analogy.files.paths import cache_folder, check_writable
from analogy.metrics.image import psnr
from analogy.one_line import say
from analogy.random_streams import TEST_MOVIES
from analogy.visualise.canvas import GAP, to_rgb
from analogy.visualise.video import read_mp4, side_by_side, write_gif
from data_prep.synthetic_actors.opening import rendered_actors

IMAGES = Path(__file__).parent.parent / "docs" / "images"
PERSON, WIDTH = "0102", 560  # a rendered clip that tests, jumping jacks; the width of its film in pixels
NOISE = 10  # grey levels that the compression of a film adds
OBSERVED, PREDICTED = 3, 6  # frames of each tile of five_papers.gif; the observed ones are the last before the prediction
TILE, BORDER = 144, 3  # pixels
GREY, ORANGE, INK = (150, 150, 150), (235, 120, 0), (40, 44, 52)  # of what is observed, and of what is predicted
RATE, SLOWED, PAUSE = 4, 10, 5  # frames per second of the tiles and of the person; frames for which the last one stays


class Clip(NamedTuple):
    """A predicted test clip: observed uint8 [OBSERVED, H, W, C], truth and prediction uint8 [PREDICTED, H, W, C]."""

    observed: np.ndarray
    truth: np.ndarray
    prediction: np.ndarray


def main(
    results_dir: Annotated[Path, typer.Option(help="The folder of the runs.")] = RESULTS,
    out: Annotated[Path, typer.Option(help="The folder of the two pictures.")] = IMAGES,
) -> None:
    with clear_errors(out):
        pictures = [out / "person.gif", out / "five_papers.gif"]
        check_writable(out, "name another folder with --out")
        if out.resolve() != IMAGES.resolve() and (there := [path for path in pictures if os.path.lexists(path)]):
            raise UserError(f"{there[0]}: is there already, and is not replaced; name another folder with --out")
        names = {"pose_lstm_residual", *(name for name, _ in PAPERS.values())}
        runs = {name: demo_run(name, results_dir) for name in sorted(names)}
        write_person(runs["pose_lstm_residual"], runs["analogy_masked"], pictures[0])
        strip = {title: median(list(clips(runs[name]))) for title, (name, clips) in PAPERS.items()}
        write_strip(strip, pictures[1])
        say(*(f"{path}: {path.stat().st_size / 1000:.0f} kB" for path in sorted(out.glob("*.gif"))))


def demo_run(name: str, results: Path) -> analogy.Run:
    """The newest finished run of an experiment, or the model that comes along; without them, the demo is trained."""
    try:
        return analogy.load(name, results)
    except UserError:
        return analogy.train(name, scale="demo", results_dir=results)


# ---------------------------------------------------------------- a person's future


def write_person(pose_run: analogy.Run, paint_run: analogy.Run, path: Path) -> None:
    """The film that `analogy predict` writes: the truth, the joints, and the painted frames."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["predict", PERSON, "--data-dir", rendered_actors(cache_folder()), "--horizon", 25, "--out", f"{folder}/future"]
        words += ["--pose-run", pose_run.folder, "--paint-run", paint_run.folder]
        make_app()([str(word) for word in words], standalone_mode=False)
        frames, _ = read_mp4(f"{folder}/future/beside.mp4")
    height = round(frames.shape[1] * WIDTH / frames.shape[2])
    smaller = np.stack([cv2.resize(frame, (WIDTH, height), interpolation=cv2.INTER_AREA) for frame in frames])
    write_gif(path, paused(calmed(smaller)), SLOWED)


def calmed(frames: np.ndarray) -> np.ndarray:
    """Let pixels that hardly change stay as they were: noise takes most of the room in a GIF."""
    calm = frames.copy()
    for t in range(1, len(frames)):
        still = np.abs(frames[t].astype(int) - calm[t - 1]).max(-1, keepdims=True) <= NOISE
        calm[t] = np.where(still, calm[t - 1], frames[t])
    return calm


def paused(frames: np.ndarray) -> np.ndarray:
    """The frames, of which the last one stays for a moment."""
    return np.concatenate([frames, frames[-1:].repeat(PAUSE, 0)])


# ---------------------------------------------------------------- five papers: the test clips of a run, predicted


def painted(run: analogy.Run) -> Iterator[Clip]:
    """Painted from one frame and the true joints of the later ones."""
    first, later = OBSERVED - 1, slice(OBSERVED, OBSERVED + PREDICTED)
    for item in run.dataset.test:
        clip = run.dataset.load(item)
        prediction = run.predict(
            frame=clip.frames[first],
            joints=clip.joints[first],
            visibility=clip.visibility[first],
            next_joints=clip.joints[later],
            next_visibility=clip.visibility[later],
            crop=clip.crop[first],
        )
        yield Clip(clip.frames[:OBSERVED], clip.frames[later], prediction)


def translated(run: analogy.Run) -> Iterator[Clip]:
    """Translated from one frame by the keypoints that are found in the later ones."""
    for item in run.dataset.test:
        frames = run.dataset.load(item).frames[: OBSERVED + PREDICTED]
        observed, truth = frames[:OBSERVED], frames[OBSERVED:]
        first = observed[-1:].repeat(PREDICTED, 0)
        keypoints, next_keypoints = run.predict(frames=first), run.predict(frames=truth)
        answer = run.predict(frame=first, keypoints=keypoints, next_keypoints=next_keypoints)
        yield Clip(observed, truth, answer["frame"])


def sines(run: analogy.Run) -> Iterator[Clip]:
    """The sine with the median error, drawn as far as it is observed, and then further with each frame."""
    values, context = run.dataset.test[0].values, run.settings.data.context
    future = run.predict(values[:, :context])
    middle = np.argsort(np.square(future - values[:, context:]).mean((1, 2)))[len(values) // 2]
    truth, answer = values[middle, :, 0], np.concatenate([values[middle, :context, 0], future[middle, :, 0]])
    counts = np.linspace(0, context, OBSERVED + 1)[1:], np.linspace(context, len(truth), PREDICTED + 1)[1:]
    observed, later, predicted = (
        np.stack([curve(line, round(count), colour) for count in part])
        for line, part, colour in ((truth, counts[0], INK), (truth, counts[1], INK), (answer, counts[1], ORANGE))
    )
    yield Clip(observed, later, predicted)


def curve(values: np.ndarray, count: int, colour: tuple[int, int, int]) -> np.ndarray:
    """A picture of the first values of a sequence [T] in 0..1, uint8 [TILE, TILE, 3]."""
    across, up = np.linspace(4, TILE - 5, len(values)), TILE - 15 - (TILE - 30) * values
    points = np.rint(np.stack([across, up], 1)[:count]).astype(np.int32)
    return cv2.polylines(np.full((TILE, TILE, 3), 255, np.uint8), [points], False, colour, 2, cv2.LINE_AA)


def shapes(run: analogy.Run) -> Iterator[Clip]:
    """The test videos of moving shapes, drawn for longer than the run's horizon where that is shorter."""
    data, context = run.settings.data, run.settings.data.context
    drawn = draw_shapes(run.settings.seed, np.int64(TEST_MOVIES), data.test_count, context + PREDICTED, data.size).numpy()
    for frames in np.rint(255 * drawn).astype(np.uint8):
        future = run.predict(frames=frames[:context], count=PREDICTED)["future"]
        yield Clip(frames[context - OBSERVED : context], frames[context:], future)


# Title of a tile -> the experiment, and how its test clips are predicted.
PAPERS: dict[str, tuple[str, Callable[[analogy.Run], Iterator[Clip]]]] = {
    "hierarchical": ("analogy_masked", painted),
    "seq2seq": ("seq2seq_plus_sins", sines),
    "lvln": ("lvln_plus", shapes),
    "vgg_lstm": ("vgg_lstm_plus", shapes),
    "keypoints": ("keypoints_plus", translated),
}


# ---------------------------------------------------------------- five papers: the film


def median(clips: list[Clip]) -> Clip:
    """The clip whose prediction has the median PSNR."""
    return sorted(clips, key=lambda clip: psnr(clip.truth, clip.prediction).mean())[len(clips) // 2]


def write_strip(tiles: dict[str, Clip], path: Path) -> None:
    """A GIF with a column for each clip: the truth above, what is observed and predicted below."""
    columns = []
    for title, clip in tiles.items():
        above = [framed(frame, GREY) for frame in (*clip.observed, *clip.truth)]
        below = [framed(frame, GREY) for frame in clip.observed] + [framed(frame, ORANGE) for frame in clip.prediction]
        white = np.full((len(above), GAP, above[0].shape[1], 3), 255, np.uint8)
        columns.append((title, np.concatenate([np.stack(above), white, np.stack(below)], 1)))
    write_gif(path, paused(side_by_side(columns)), RATE)


def framed(frame: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """A frame uint8 [H, W, C], TILE pixels high, with a border."""
    size = (round(TILE * frame.shape[1] / frame.shape[0]), TILE)
    larger = cv2.resize(np.ascontiguousarray(to_rgb(frame)), size, interpolation=cv2.INTER_CUBIC)
    return cv2.copyMakeBorder(larger, *[BORDER] * 4, cv2.BORDER_CONSTANT, value=colour)


app = app_of(main)

if __name__ == "__main__":
    app()

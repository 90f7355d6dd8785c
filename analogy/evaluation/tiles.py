"""Published animations that show a true video and several predictions of it side by side, as a grid of tiles with captions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np

from analogy.data.video import read_video
from analogy.errors import UserError
from analogy.evaluation.videos import LOSSLESS, SMALLEST
from analogy.files.names import distinct_name
from analogy.predictions.frames import PredictedFrames
from analogy.predictions.motion import motion_continued

TRUTH, LEFT_OUT = "truth", "-"  # names of tiles
MEASURED_ANYWAY = ("prediction", "copy_last_frame", "motion_continued")  # names of the methods beside the further tiles
# Mean difference in grey levels. Observed frames are equal but for the palette: below 0.5 in most published animations. Up to 4
# where a model was given frames that were prepared in another way. Two different frames of one scene differ by as little as 2.
ALIKE, EQUAL = 6.0, 1.0
ALIKE_ROWS = 24.0  # the same of any one row or column of pixels: that of a caption differs by more


class Layout(NamedTuple):
    """Where the tiles of an animation lie.

    names: of the tiles in the order of `corners`; "truth" among them; "-" for a tile that is not read.
    size: (height, width) of each tile, and corners: (x, y) of the upper left pixel of each, in pixels; None: to be found.
    """

    names: tuple[str, ...]
    size: tuple[int, int] | None = None
    corners: tuple[tuple[int, int], ...] | None = None

    @classmethod
    def read(cls, names: str, size: str | None = None, corners: str | None = None) -> Layout:
        """Of the texts of options: "truth, SV2P, -", "64x64" (width x height), "0,0 66,0 132,0" (x,y of each).

        Raises:
            UserError: one line that names the option.
        """
        tiles = tuple(name.strip() for name in names.split(","))
        if why := wrong_names(tiles):
            raise UserError(f"--tiles {names}: {why}")
        sides = re.fullmatch(r"(\d{1,9})x(\d{1,9})", size) if size is not None else None
        if size is not None and (not sides or min(map(int, sides.groups())) < SMALLEST):
            raise UserError(f"--tile-size {size}: give width x height in pixels, each at least {SMALLEST}, such as 64x64")
        places = None
        if corners is not None:
            pairs = [re.fullmatch(r"(\d{1,9}),(\d{1,9})", pair) for pair in corners.split()]
            if not all(pairs) or len(pairs) != len(tiles) or not sides:
                raise UserError(
                    f"--tile-corners {corners}: give x,y of each of the {len(tiles)} tiles, such as 0,0 66,0, and --tile-size"
                )
            places = tuple((int(pair[1]), int(pair[2])) for pair in pairs)
        return cls(tiles, (int(sides[2]), int(sides[1])) if sides else None, places)

    def cut(self, frames: np.ndarray) -> dict[str, np.ndarray]:
        """The tiles of frames [T, H, W, C], for a layout with size and corners: name -> [T, h, w, C]."""
        height, width = self.size
        named = zip(self.names, self.corners, strict=True)
        return {name: frames[:, y : y + height, x : x + width] for name, (x, y) in named if name != LEFT_OUT}


def wrong_names(names: Sequence[str]) -> str:
    """What is wrong with the names of the tiles of an animation, and how to mend it; empty where nothing is."""
    shown = [name for name in names if name != LEFT_OUT]
    if shown.count(TRUTH) != 1 or len(shown) < 2 or "" in shown:
        return f"name each tile in its order, one of them {TRUTH}, such as truth,ours,-"
    if len(set(shown)) < len(shown):
        return "two tiles have one name; give each a name of its own, or - to leave it out"
    further = [name for name in shown if name != TRUTH][1:]
    if taken := [name for name in further if name in MEASURED_ANYWAY]:
        return f"{taken[0]} is the name of a method that is measured beside the tiles; give this one another name"
    return ""


def found(layout: Layout, first: np.ndarray) -> Layout | None:
    """The layout with the size and the corners that it lacks; None where no grid of tiles fits.

    Of all grids of equal cells with a tile in the upper left corner of each (a square where a caption leaves room for one, the
    whole cell, or what `layout.size` says), the one whose tiles are most alike: all models observed the same first frame.

    first: uint8 [H, W, C], the animation's first frame.
    """
    height, width = first.shape[:2]
    if layout.corners:
        fits = all(x + layout.size[1] <= width and y + layout.size[0] <= height for x, y in layout.corners)
        return layout if fits else None
    count, best = len(layout.names), (1.0, None)
    for columns in (c for c in range(1, count + 1) if width % c == 0):
        rows = -(-count // columns)
        if height % rows:
            continue
        cell = height // rows, width // columns
        for size in [layout.size] if layout.size else dict.fromkeys([(min(cell),) * 2, (min(cell), cell[1]), cell]):
            if size[0] > cell[0] or size[1] > cell[1] or min(size) < SMALLEST:
                continue
            corners = tuple((c * cell[1], r * cell[0]) for r, c in product(range(rows), range(columns)))[:count]
            tried = Layout(layout.names, size, corners)
            if (differs := unlike(tried, first)) < best[0]:
                best = differs, tried
    return best[1]


def unlike(layout: Layout, first: np.ndarray) -> float:
    """How much the tiles differ in one frame uint8 [H, W, C], over what observed frames may: below 1 they are alike."""
    tiles = layout.cut(first[None].astype(np.int16))
    gaps = np.stack([np.abs(tile - tiles[TRUTH])[0].mean(-1) for tile in tiles.values()])  # [tiles, h, w]
    return max(gaps.mean((1, 2)).max() / ALIKE, gaps.mean(1).max() / ALIKE_ROWS, gaps.mean(2).max() / ALIKE_ROWS)


def differences(tiles: dict[str, np.ndarray]) -> dict[str, float]:
    """Name of each predicted tile -> its mean difference to the true one, in grey levels."""
    truth = tiles[TRUTH].astype(np.int16)
    return {name: float(np.abs(frames - truth).mean()) for name, frames in tiles.items() if name != TRUTH}


class TiledVideos:
    """A `Predictor` that reads true frames and predictions from the tiles of animations.

    The first predicted tile is "prediction"; all others are further methods, beside the last observed frame copied and, where
    two frames or more were observed, half of their motion continued.

    Args:
        layout: of every animation. context: number of observed frames at the start of each.
    """

    pooled, paints = False, True
    published = ()

    def __init__(self, layout: Layout, context: int):
        self.layout, self.context = layout, context
        self.predicted = [name for name in layout.names if name not in (TRUTH, LEFT_OUT)]
        self.sizes: set[str] = set()
        self.codecs: set[str] = set()
        self.given: dict[str, float] = {}  # models whose observed frames differ from the true ones, and by how many levels

    def protocol(self, dataset: Sequence[Path]) -> str:
        further = ", and half of the motion between the last two of them continued" if self.context > 1 else ""
        parts = [
            f"tiles of {', '.join(sorted(self.sizes))} in {len(dataset)} published animations",
            f"prediction: {self.predicted[0]}",
            f"the first {self.context} frames were given and are not measured",
            "figures per frame (SSIM with an 11 x 11 Gaussian, sigma 1.5, range 255), averaged over frames, then over videos",
            f"baselines: the last given frame copied{further}",
            f"stored as {', '.join(sorted(self.codecs))}, which limits the figures of truth, copy and prediction alike",
        ]
        parts += [
            f"{name} was given frames of another preparation, {level:.1f} grey levels from the true ones in the mean"
            for name, level in self.given.items()
        ]
        return "; ".join(parts)

    def predict_clips(self, dataset: Sequence[Path]) -> Iterator[PredictedFrames]:
        names: list[str] = []
        for path in dataset:  # two of one name may lie in different folders
            names.append(distinct_name(path.stem, names))
            yield self._predicted(path, names[-1])

    def read(self, path: Path) -> dict[str, np.ndarray]:
        """The tiles of an animation: name -> uint8 [T, h, w, 3]. Raises UserError where they are not where they should be."""
        video = read_video(path)
        frames, k = np.stack(video.frames), self.context
        if len(frames) <= k:
            raise UserError(f"{path}: {len(frames)} frames, of which --context {k} were given: nothing is left to measure")
        layout = found(self.layout, frames[0])
        if layout is None:
            height, width = frames.shape[1:3]
            raise UserError(
                f"{path}: {len(self.layout.names)} tiles, alike in the first frame, are not found in its {width} x {height} "
                "pixels: name every tile in its order with --tiles, or give --tile-size and --tile-corners"
            )
        tiles = layout.cut(frames)
        levels = differences({name: values[:k] for name, values in tiles.items()})
        name, level = max(levels.items(), key=lambda item: item[1])
        if level > ALIKE:
            raise UserError(
                f"{path}: the first {k} frames of the tile {name} differ from the true ones by {level:.1f} grey levels, but "
                "observed frames are alike: mend --context, or --tiles and --tile-size"
            )
        for name, level in levels.items():
            if level > EQUAL:
                self.given[name] = max(level, self.given.get(name, 0.0))
        self.sizes.add(f"{layout.size[1]} x {layout.size[0]}")
        self.codecs.add(video.codec if video.codec in LOSSLESS else f"{video.codec} (lossy)")
        return tiles

    def _predicted(self, path: Path, name: str) -> PredictedFrames:
        tiles, k = self.read(path), self.context
        truth = tiles[TRUTH]
        others = {tile: tiles[tile][k:] for tile in self.predicted[1:]}
        if k > 1:
            others["motion_continued"] = motion_continued(truth[:k], len(truth) - k)
        return PredictedFrames(
            clip=name,
            action="videos",
            distance=np.arange(1, len(truth) - k + 1),
            observed_frames=truth[:k],
            truth=truth[k:],
            prediction=tiles[self.predicted[0]][k:],
            baseline=np.broadcast_to(truth[k - 1 : k], truth[k:].shape),
            baseline_name="copy_last_frame",
            other_methods=others,
        )

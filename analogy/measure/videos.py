"""Predicted videos from files that are measured: the options of `analogy evaluate --predictions`, and opening them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from analogy.errors import Mistakes, UserError
from analogy.evaluation.tiles import Layout, TiledVideos
from analogy.evaluation.videos import Video, Videos, find_videos, pair_videos
from analogy.files.names import distinct_name
from analogy.files.paths import check_present
from analogy.measure.opened import Opened

FRAMES_PER_SECOND = 10  # of the films that show them


def _facts(predictions: Sequence[Path], context: int, **more) -> dict:
    """Facts for summary.json."""
    source = ", ".join(map(str, predictions))
    return {"of": "videos", "range": "uint8 0..255", "source": source, "system": "videos", "context": context, **more}


@dataclass(frozen=True)
class MeasuredVideos:
    """Checked pairs of a true video and its predictions, of which the first `context` frames are observed ones.

    predictions, truth: the folders. not_measured: the number of further true videos.
    """

    paints = True  # predicts frames

    videos: tuple[Video, ...]
    predictions: tuple[Path, ...]
    truth: Path
    context: int
    not_measured: int

    @classmethod
    def check(cls, predictions: tuple[Path, ...], *, truth: Path | None, context: int, clips: Sequence[str]) -> MeasuredVideos:
        """Args: as the options of `analogy evaluate`. Raises UserError: one line for each mistake."""
        with Mistakes() as mistakes:
            if truth is None:
                mistakes.add("--predictions needs --truth, the folder of true videos")
            for option, folder in (("--truth", truth), *(("--predictions", folder) for folder in predictions)):
                with mistakes.noted():
                    check_present(folder, option)
        videos, not_measured = pair_videos(predictions, truth, clips)
        if same := next((video.truth for video in videos for path in video.samples if path.samefile(video.truth)), None):
            raise UserError(
                f"{same}: this true video would be its own prediction; name another folder with --predictions or --truth"
            )
        return cls(tuple(videos), predictions, truth, context, not_measured)

    def open(self, measures) -> Opened:
        """The videos, and what reads them. measures: not needed."""
        reader, count = Videos(self.context), len(self.videos) + self.not_measured
        if self.not_measured:  # such as of a prediction that was stopped
            reader.notes.append(
                f"NOT MEASURED: {self.not_measured} of the {count} true videos, without a prediction or not asked for"
            )
        summary = f"Predicted videos of {self.predictions[0].name}"
        facts = _facts(self.predictions, self.context, dataset=self.truth.name, summary=summary)
        return Opened(reader, self.videos, facts, FRAMES_PER_SECOND)


@dataclass(frozen=True)
class MeasuredAnimations:
    """Checked animations, whose tiles are a true video and its predictions; the first `context` frames are observed ones."""

    paints = True  # predicts frames

    animations: tuple[Path, ...]
    context: int
    layout: Layout

    @classmethod
    def check(
        cls, predictions: tuple[Path, ...], *, truth: Path | None, context: int | None, clips: Sequence[str], layout: Layout
    ) -> MeasuredAnimations:
        """Check the options of `analogy evaluate`.

        Args:
            predictions: animations, and folders of them. clips: the names of those to measure; all where it is empty.

        Raises:
            UserError: one line for each mistake.
        """
        with Mistakes() as mistakes:
            if truth is not None:
                mistakes.add("--truth has no meaning with --tiles: one of the tiles is the truth; leave it out")
            if context is None:
                mistakes.add("--tiles needs --context, the number of observed frames with which the animations begin")
            for path in predictions:
                with mistakes.noted():
                    check_present(None if path.is_file() else path, "--predictions")
        every: dict[str, Path] = {}
        for path in predictions:
            for name, animation in ({path.stem: path} if path.is_file() else find_videos(path)).items():
                every[distinct_name(name, every)] = animation
        if missing := [name for name in clips if name not in every]:
            raise UserError(f"--clips {missing[0]}: there is no such animation; there are {', '.join(list(every)[:5])}, ...")
        return cls(tuple(every[name] for name in clips or every), context, layout)

    def open(self, measures) -> Opened:
        """The animations, and what reads them. measures: not needed."""
        folder = self.animations[0].absolute().parent.name
        facts = _facts(self.animations, self.context, dataset=folder, summary=f"Published animations of {folder}")
        return Opened(TiledVideos(self.layout, self.context), self.animations, facts, FRAMES_PER_SECOND)

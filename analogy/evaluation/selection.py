"""Which metrics an evaluation computes, and whether what each of them needs is there. Nothing is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from analogy.errors import Mistakes, about
from analogy.files.reading import not_there
from analogy.metrics.fvd import check_length
from analogy.metrics.table import SELECTABLE, USUAL
from analogy.pretrained.fetching import fetch_command, fetched_file
from analogy.settings.values import vgg16_files

FVD_FRAMES = 16  # where the user names no number
NETWORKS = "hed, imagenet, or the file of a VGG-16 or SqueezeNet (see docs/metrics.md)"


@dataclass(frozen=True)
class Selection:
    """The metrics that an evaluation computes. Making a selection checks it, without TensorFlow.

    Args:
        selected: the names of those that the user has selected; none: the usual ones.
        fvd_frames: how many frames of every video count for fvd; None: FVD_FRAMES.
        features: the network for feature_distance, as in `analogy.pretrained.feature_networks.feature_network`, or None.

    Raises:
        UserError: with one line for each mistake.
    """

    selected: tuple[str, ...] = ()
    fvd_frames: int | None = None
    features: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return self.selected or USUAL

    @property
    def fvd_length(self) -> int:
        return FVD_FRAMES if self.fvd_frames is None else self.fvd_frames

    @property
    def weights(self) -> Path:
        """The file of I3D's weights, for fvd."""
        return fetched_file("i3d")

    def __post_init__(self):
        with Mistakes() as mistakes:
            if unknown := [name for name in self.selected if name not in SELECTABLE]:
                mistakes.add(
                    f"--metrics: there is no {', '.join(unknown)} to choose; there are {', '.join(SELECTABLE)} "
                    "(figures of poses, and of the body's regions where poses are known, are always measured)"
                )
            if "fvd" in self.selected:
                with mistakes.noted(), about("--fvd-frames"):
                    check_length(self.fvd_length)
                if not mistakes and not self.weights.is_file():
                    what = "I3D's weights, which fvd needs, are not there; get them with `analogy fetch i3d`"
                    mistakes.add(f"{self.weights}: {what}")
            elif self.fvd_frames is not None:
                mistakes.add("--fvd-frames has no meaning without --metrics fvd; name that, or leave it out")
            if "lpips" in self.selected and not _installed("lpips"):
                mistakes.add('--metrics lpips: LPIPS needs PyTorch and the package lpips: pip install "analogy-video[lpips]"')
            if "feature_distance" in self.selected:
                self._check_features(mistakes)
            elif self.features is not None:
                mistakes.add("--features has no meaning without --metrics feature_distance; name that, or leave it out")

    def _check_features(self, mistakes: Mistakes) -> None:
        if self.features is None:
            mistakes.add(f"--metrics feature_distance needs --features: {NETWORKS}")
        for _, file in vgg16_files("", self.features):
            if why := not_there(file):
                mend = fetch_command(file) or f"; give {NETWORKS}"
                mistakes.add(f"--features {self.features}: {file}: {why}{mend}")


def _installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ValueError:  # the loaded module has no specification; then it was not installed as a package
        return False

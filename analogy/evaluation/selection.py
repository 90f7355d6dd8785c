"""Checks which metrics an evaluation can compute and what each of them needs, before anything is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from analogy.errors import Mistakes, about
from analogy.files.reading import not_there
from analogy.metrics.fvd import check_length
from analogy.metrics.table import SELECTABLE
from analogy.pretrained.fetching import fetch_command
from analogy.settings.values import vgg16_files

NETWORKS = "hed, imagenet, or the file of a VGG-16 or SqueezeNet (see docs/metrics.md)"


def check_selection(names: Sequence[str], *, weights: Path, fvd_frames: int, features: str | None) -> None:
    """Report all mistakes in the options of an evaluation at once. Imports no TensorFlow.

    Args:
        names: of metrics.
        weights: file of I3D's weights, for fvd.
        fvd_frames: how many frames of every video count for fvd.
        features: the network for feature_distance, as in `analogy.pretrained.feature_networks.feature_network`, or None.

    Raises:
        UserError: with one line for each mistake.
    """
    with Mistakes() as mistakes:
        if unknown := [name for name in names if name not in SELECTABLE]:
            mistakes.add(
                f"--metrics: there is no {', '.join(unknown)} to choose; there are {', '.join(SELECTABLE)} "
                "(figures of poses, and of the body's regions where poses are known, are always measured)"
            )
        if "fvd" in names:
            with mistakes.noted(), about("--fvd-frames"):
                check_length(fvd_frames)
            if not mistakes and not weights.is_file():
                mistakes.add(f"{weights}: I3D's weights, which fvd needs, are not there; get them with `analogy fetch i3d`")
        if "lpips" in names and not _installed("lpips"):
            mistakes.add('--metrics lpips: LPIPS needs PyTorch and the package lpips: pip install "analogy-video[lpips]"')
        if "feature_distance" in names and features is None:
            mistakes.add(f"--metrics feature_distance needs --features: {NETWORKS}")
        for _, file in vgg16_files("", features):
            if why := not_there(file):
                mend = fetch_command(file) or f"; give {NETWORKS}"
                mistakes.add(f"--features {features}: {file}: {why}{mend}")


def _installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ValueError:  # the loaded module has no specification; then it was not installed as a package
        return False

"""Which metrics an evaluation can be asked for, and what each of them needs: checked before anything is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from analogy.errors import Mistakes
from analogy.metrics.fvd import check_length
from analogy.metrics.table import SELECTABLE


def check_selection(names: Sequence[str], *, weights: Path, fvd_frames: int, features: str | None) -> None:
    """Find every mistake in what was asked to be measured; imports no TensorFlow.

    Args:
        names: of metrics. weights: I3D's file, for fvd. fvd_frames: of every video. features: file of the network for
            feature_distance.

    Raises:
        UserError: a line for each mistake.
    """
    with Mistakes() as mistakes:
        if unknown := [name for name in names if name not in SELECTABLE]:
            mistakes.add(
                f"--metrics: there is no {', '.join(unknown)} to choose; there are {', '.join(SELECTABLE)} "
                "(figures of poses, and of the body's regions where poses are known, are always measured)"
            )
        if "fvd" in names:
            with mistakes.noted():
                check_length(fvd_frames)
            if not mistakes and not weights.is_file():
                mistakes.add(f"{weights}: I3D's weights, which fvd needs, are not there; get them with `analogy fetch i3d`")
        if "lpips" in names and not _installed("lpips"):
            mistakes.add('--metrics lpips: LPIPS needs PyTorch and the package lpips: pip install "analogy-video[lpips]"')
        if "feature_distance" in names and features is None:
            mistakes.add("--metrics feature_distance needs --features, the file of a VGG-16 or SqueezeNet (see README)")
        if features and not Path(features).is_file():
            mistakes.add(f"--features {features}: there is no such file; name the file of a VGG-16 or SqueezeNet")


def _installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ValueError:  # what stands for it was put there by hand
        return False

"""Reading and writing a user's own poses in .json and .npy files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from analogy.errors import UserError
from analogy.files.reading import check_regular, read_json
from analogy.files.writing import replacing
from analogy.joints import JOINTS, NAMES

LEAST_SPREAD = 3  # pixels that a person is wide or high at least; coordinates as shares of the frame are within one


def read_poses(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read poses from a file.

    A .npy file contains [T, 13, 2], or [T, 13, 3] with the visibility as the third number. A .json file contains the key
    `joints`, and optionally `visibility`, as `write_poses` writes them. Joints whose coordinates are not finite are hidden.

    Returns:
        joints float32 [T, 13, 2] in pixels of the frames, x then y, and visibility float32 [T, 13], 0 or 1.

    Raises:
        UserError: the file is missing, damaged, or of another shape.
    """
    path = Path(path)
    try:
        if path.suffix.lower() == ".npy":
            check_regular(path)
            values = np.load(path, allow_pickle=False, mmap_mode="r")  # a header can promise no more than there is
            if values.dtype.kind not in "biuf":
                raise ValueError("these are no real numbers")
            joints, visibility = values[..., :2], values[..., 2] if values.shape[-1:] == (3,) else None
        else:
            content = read_json(path)
            joints, visibility = content["joints"], content.get("visibility")
        joints = np.asarray(joints, np.float32)
        visibility = np.ones(joints.shape[:-1]) if visibility is None else visibility
        visibility = np.asarray(visibility, np.float32)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except Exception as error:  # NumPy raises many kinds on a foreign file
        raise UserError(f"{path}: not poses: expected .npy [T, 13, 2 or 3], or .json with joints [T, 13, 2]") from error
    if joints.ndim != 3 or joints.shape[1:] != (JOINTS, 2) or visibility.shape != joints.shape[:2]:
        raise UserError(
            f"{path}: joints have shape {list(joints.shape)} and visibility {list(visibility.shape)}, "
            f"expected [T, {JOINTS}, 2] and [T, {JOINTS}]: {', '.join(NAMES)}"
        )
    finite = np.isfinite(joints).all(-1)
    return np.where(finite[..., None], joints, 0.0), (visibility > 0.5) * finite.astype(np.float32)


def doubts_about_poses(joints: np.ndarray, visibility: np.ndarray, size: tuple[int, int]) -> list[str]:
    """What looks wrong in observed poses for frames of this size: mostly, that they are not in its pixels.

    joints: [T, 13, 2]. visibility: [T, 13], some above 0. size: (height, width).
    """
    height, width = size
    seen = joints[visibility > 0]
    pixels = f"coordinates are pixels of the frames, {width} x {height}, x then y"
    if (np.ptp(seen, axis=0) < LEAST_SPREAD).all():
        return [f"look at the poses: all visible joints lie within {LEAST_SPREAD} pixels; {pixels}"]
    outside = ((seen < 0) | (seen >= (width, height))).any(-1).mean()
    return (
        [f"look at the poses: {outside:.0%} of the visible joints lie outside of the frames; {pixels}"] if outside > 0.5 else []
    )


def write_poses(path: Path, joints: np.ndarray, visibility: np.ndarray, **more) -> None:
    """Write a .json file that `read_poses` reads. joints: [T, 13, 2]. visibility: [T, 13]. more: further keys of the file."""
    rounded = np.round(np.asarray(joints, np.float64), 2).tolist()
    content = {**more, "names": list(NAMES), "joints": rounded, "visibility": np.asarray(visibility).astype(int).tolist()}
    with replacing(Path(path)) as partial:
        partial.write_text(json.dumps(content) + "\n", encoding="utf-8")

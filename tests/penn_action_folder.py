"""Made-up clips in Penn Action's official layout, and where the real sample lies."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io

ROOT = Path(__file__).resolve().parents[1]
REAL = ROOT.parent / "shared" / "data" / "penn_action"
needs_real = pytest.mark.skipif(not REAL.is_dir(), reason=f"the real Penn Action sample is not at {REAL}")
HEIGHT, WIDTH = 24, 40


def write_labels(source: Path, clip: str, frames: int, *, train: int = 1, **changes) -> None:
    rng = np.random.default_rng(int(clip))
    corner = rng.uniform(-3, 9, (frames, 2))
    fields = {
        "action": "squat",
        "pose": "left",
        "x": rng.uniform(0, WIDTH, (frames, 13)),
        "y": rng.uniform(0, HEIGHT, (frames, 13)),
        "visibility": rng.integers(0, 2, (frames, 13), dtype=np.uint8),
        "train": train,
        "bbox": np.concatenate([corner, corner + rng.uniform(5, 9, (frames, 2))], axis=1),
        "dimensions": np.array([[HEIGHT, WIDTH, frames]]),
        "nframes": frames,
    } | changes
    (source / "labels").mkdir(parents=True, exist_ok=True)
    kept = {name: value for name, value in fields.items() if value is not None}
    scipy.io.savemat(source / "labels" / f"{clip}.mat", kept)


def write_frames(source: Path, clip: str, frames: int, *, height: int = HEIGHT, width: int = WIDTH) -> None:
    folder = source / "frames" / clip
    folder.mkdir(parents=True, exist_ok=True)
    images = np.random.default_rng(int(clip)).integers(0, 256, (frames, height, width, 3), dtype=np.uint8)
    for number, image in enumerate(images, start=1):
        cv2.imwrite(str(folder / f"{number:06d}.jpg"), image)

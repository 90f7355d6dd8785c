"""Datasets whose test items have a wrong future: predictions must not change with it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np


def spoil_future(dataset, observed: int) -> None:
    """Change what a dataset's test items hold after the first `observed` time steps."""
    if hasattr(dataset, "load"):  # clips of people as frames
        load = dataset.load

        def load_spoilt(clip, *numbers):
            loaded = load(clip, *numbers)
            frames = loaded.frames.copy()
            frames[observed:] = 255 - frames[observed:]
            return replace(loaded, frames=frames)

        dataset.load = load_spoilt
    elif hasattr(dataset, "windows"):  # poses
        windows = dataset.windows

        def windows_spoilt(clip):
            spoilt_windows = {name: value.copy() for name, value in windows(clip).items()}
            spoilt_windows["joints"][:, observed:] += 17.0
            return spoilt_windows

        dataset.windows = windows_spoilt
    else:
        key = "frames" if hasattr(dataset.test[0], "frames") else "values"
        axis = 0 if key == "frames" else 1

        def changed(item):
            values = np.array(getattr(item, key))
            future = (slice(None),) * axis + (slice(observed, None),)
            values[future] = values[future][..., ::-1, :] // 2 if key == "frames" else 1 - values[future]
            return replace(item, **{key: values})

        dataset.test = [changed(item) for item in dataset.test]

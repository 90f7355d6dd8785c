"""A made-up batch of the tiny experiment."""

import numpy as np
import pytest
import tensorflow as tf


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    b, side = 4, 32
    arrays = {"step": np.int64(3), "position": np.arange(b, dtype=np.int32)}
    for prefix in ("", "next_"):
        arrays |= {
            f"{prefix}image": rng.integers(0, 256, (b, side, side, 3), dtype=np.uint8),
            f"{prefix}joints": rng.uniform(0, side, (b, 13, 2)).astype(np.float32),
            f"{prefix}visibility": rng.integers(0, 2, (b, 13)).astype(np.float32),
            f"{prefix}crop": rng.uniform(60, 120, (b, 2)).astype(np.float32),
        }
    return {name: tf.constant(array) for name, array in arrays.items()}

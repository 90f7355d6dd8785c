"""Compares how the two update rules learn: it trains a small system with each, from the same seed on the same batches."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf
from common import make_settings, make_system, open_clips, parser

from analogy.data.batches import ReplicaContext

CURVES = {"l2": "generator/l2", "adversarial": "generator/adversarial", "D": "discriminator/loss"}


def train(settings, clips, steps: int) -> np.ndarray:
    """Train a system. Returns the losses of every step, [steps, number of CURVES]."""
    system = make_system(settings)
    step = tf.function(system.train_step)
    batches = clips.batches(ReplicaContext(batch_size=settings.training.batch_size)).take(steps)
    history = []
    for batch in batches:
        scalars = step(batch)
        history.append([float(scalars[name]) for name in CURVES.values()])
    return np.array(history)


def main() -> None:
    options = parser(__doc__, steps=200, image_size=64, batch=8, width=0.25, units=128, seed=0, rows=10)
    options.add_argument("--data-dir", help="Penn Action in its official layout; a synthetic set if not given")
    o = options.parse_args()
    curves = {}
    for update in ("fused", "alternating"):
        settings = make_settings(
            "demo", update=update, seed=o.seed, data__image_size=o.image_size, training__batch_size=o.batch,
            training__precision="float32", generator__width=o.width, discriminator__width=o.width,
            discriminator__units=o.units,
        )  # fmt: skip
        curves[update] = train(settings, open_clips(settings, o.data_dir), o.steps)
    print(f"means over the steps since the previous row, {o.image_size} px, batch {o.batch}, width {o.width}, seed {o.seed}")
    print(f"{'step':>6}" + "".join(f"{f'{name} {update}':>24}" for name in CURVES for update in curves))
    start = 0
    for end in np.unique(np.linspace(0, o.steps, o.rows + 1).astype(int))[1:]:
        means = {update: values[start:end].mean(0) for update, values in curves.items()}
        print(f"{end:6}" + "".join(f"{means[u][i]:24.4f}" for i in range(len(CURVES)) for u in curves))
        start = end


if __name__ == "__main__":
    main()

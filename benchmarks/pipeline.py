"""Batches per second of the input pipeline alone, also as a multiple of what training consumes."""

from __future__ import annotations

import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from common import make_settings, open_clips, parser

from analogy.data.batches import ReplicaContext


def main() -> None:
    options = parser(__doc__, image_size=224, batch=4, batches=100, warm_up=10)
    options.add_argument("--data-dir", help="Penn Action in its official layout; a synthetic set if not given")
    options.add_argument("--step-seconds", type=float, help="seconds of one training step, from step.py")
    o = options.parse_args()
    settings = make_settings(data__image_size=o.image_size, training__batch_size=o.batch)
    clips = open_clips(settings, o.data_dir)
    iterator = iter(clips.batches(ReplicaContext(batch_size=o.batch)))
    for _ in range(o.warm_up):
        next(iterator)
    began = time.perf_counter()
    for _ in range(o.batches):
        next(iterator)
    rate = o.batches / (time.perf_counter() - began)
    print(f"{clips.name}: {rate:.1f} batches/s of {o.batch} pairs, {o.image_size} px ({1000 / rate:.1f} ms a batch)")
    if o.step_seconds:
        print(f"{rate * o.step_seconds:.1f} times what a step of {o.step_seconds} s consumes")


if __name__ == "__main__":
    main()

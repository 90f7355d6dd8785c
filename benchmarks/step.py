"""Seconds per training step of the plain baseline and of ours. They run in turn in one process."""

from __future__ import annotations

import copy
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf
from baseline import Baseline
from common import make_settings, make_system, parser, random_batch, time_alternately
from processes import peak_gigabytes


def main() -> None:
    options = parser(__doc__, image_size=224, batch=4, width=1.0, units=1024, repeats=3, precision="float32")
    options.add_argument("--only", choices=("ours", "alternating", "baseline"), help="measure one alone, also its peak memory")
    o = options.parse_args()
    settings = make_settings(
        data__image_size=o.image_size, training__batch_size=o.batch, training__precision=o.precision,
        generator__width=o.width, discriminator__width=o.width,
        discriminator__units=o.units,
    )  # fmt: skip
    batch = random_batch(o.batch, o.image_size)
    names = [o.only] if o.only else ["baseline", "ours", "alternating"]
    steps = {}
    if "baseline" in names:
        plain = Baseline(settings)  # kept in a variable, because a bound tf.function does not keep its object alive
        steps["baseline"] = plain.train_step
    if names != ["baseline"]:
        system = make_system(settings)
        other = copy.copy(system)  # the same weights and optimisers
        other.settings = settings.model_copy(update={"update": "alternating"})
        ours = {"ours": tf.function(system.train_step), "alternating": tf.function(other.train_step)}
        steps |= {name: step for name, step in ours.items() if name in names}

    def run(step):
        return lambda: step(batch)["generator/loss"].numpy()

    medians = time_alternately({name: run(step) for name, step in steps.items()}, o.repeats)
    formats = {"baseline": "float32", "ours": f"fused, {o.precision}", "alternating": f"ours, {o.precision}"}
    print(f"{o.image_size} px, batch {o.batch}, width {o.width}, {o.units} units; median of {o.repeats}")
    for name, seconds in medians.items():
        ratio = f"   baseline / this = {medians['baseline'] / seconds:.2f}" if "baseline" in medians else ""
        print(f"{name:12} {seconds:9.3f} s{ratio}   ({formats[name]})")
    scope = f"of {o.only} alone" if o.only else "of all of them together; --only measures one alone"
    print(f"peak resident memory {peak_gigabytes():.2f} GB ({scope})")


if __name__ == "__main__":
    main()

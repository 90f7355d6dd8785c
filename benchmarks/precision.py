"""A training step at demo scale in float32 and in bfloat16, in turn in one process: which `precision: auto` should take."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf
from common import parser, ready_to_train, time_alternately

from analogy.settings import find_experiment, load_settings
from analogy.systems import SYSTEMS
from analogy.training.precision import resolve_precision

EXPERIMENTS = ("analogy_pool3", "analogy_masked", "keypoints_plus", "keypoints_penn_translator")
FORMATS = ("float32", "bfloat16")


def training_step(experiment: str, precision: str, changes: list[str]) -> Callable[[], object]:
    """A training step on one batch, as a function without arguments."""
    overrides = [f"training.precision={precision}", *changes]
    settings = load_settings(find_experiment(experiment), SYSTEMS, scale="demo", overrides=overrides)
    system, _, batch = ready_to_train(settings)
    step = tf.function(system.train_step)
    return lambda: [value.numpy() for value in step(batch).values()]


def main() -> None:
    options = parser(__doc__, repeats=15, experiments=",".join(EXPERIMENTS))
    options.add_argument("--set", action="append", default=[], help="change a setting, as in analogy run")
    o = options.parse_args()
    print("precision: auto takes", resolve_precision("auto"))
    print("| experiment | float32 | bfloat16 | bfloat16's time / float32's |\n| --- | --- | --- | --- |")
    for experiment in o.experiments.split(","):
        steps = {precision: training_step(experiment, precision, o.set) for precision in FORMATS}
        seconds = time_alternately(steps, o.repeats)
        single, half = (1e3 * seconds[precision] for precision in FORMATS)
        print(f"| `{experiment}` | {single:.0f} | {half:.0f} | {half / single:.2f} |", flush=True)


if __name__ == "__main__":
    main()

"""Painting a clip from one frame in float32, in bfloat16, and by TensorFlow Lite with convolutions in 8 bits."""

from __future__ import annotations

import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf
from common import make_settings, make_system, parser, random_batch, time_alternately

from analogy.runs.conversion import run_tflite
from analogy.runs.eight_bits import called_in_parts, input_specs, to_int8


def painter(o, precision: str):
    """The published generator with random weights. Biases are not 0: after a deconvolution without bias, TensorFlow Lite keeps
    ReLU as an operation of its own, and that of 8 bits is slow. No trained network has such a bias."""
    settings = make_settings(
        data__image_size=o.image_size, training__precision=precision, generator__width=o.width, discriminator__units=1,
        evaluation__frames_per_call=max(o.batch, 8),
    )  # fmt: skip
    system = make_system(settings, optimizers=False)
    for number, variable in enumerate(system.generator.variables):
        if variable.path.endswith("bias"):
            variable.assign(np.random.default_rng(number).normal(0, 0.02, variable.shape))
    return system


def main() -> None:
    options = parser(__doc__, frames=16, batch=8, image_size=224, width=1.0, repeats=3, threads=1)
    o = options.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(o.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    batch = random_batch(o.frames, o.image_size)
    inputs = {"frame": batch["image"][:1], **{key: batch[key][:1] for key in ("joints", "visibility", "crop")}}
    inputs |= {key: batch[key] for key in ("next_joints", "next_visibility")}
    painters = {precision: painter(o, precision) for precision in ("float32", "bfloat16")}
    functions = {precision: system.endpoints()["generate_clip"] for precision, system in painters.items()}
    clip, owner = functions["float32"], tf.Module()
    owner.weights = [variable.value for variable in painters["float32"].generator.variables]
    arrays = {name: value.numpy() for name, value in inputs.items()}
    content = to_int8(clip, owner, [arrays], o.batch)
    ways = {name: lambda function=function: function(**inputs)["frames"].numpy() for name, function in functions.items()}
    eight_bits = called_in_parts(run_tflite(content, o.threads), input_specs(clip), o.batch)
    ways["int8"] = lambda: eight_bits(**inputs)["frames"].numpy()
    exact = ways["float32"]().astype(float)
    clock, title = (time.process_time, "processor time") if o.threads == 1 else (time.perf_counter, "by the clock")
    seconds = time_alternately(ways, o.repeats, dict.fromkeys(ways, clock))
    print(f"{o.frames} frames of {o.image_size} px, width {o.width}, {o.threads} thread(s), {title}; median of {o.repeats}")
    for name, value in seconds.items():
        print(f"{name:10} {o.frames / value:7.2f} frames/s   {seconds['bfloat16'] / value:5.2f} x bfloat16")
    for name in ("bfloat16", "int8"):
        print(f"{name} differs from float32 by {np.abs(ways[name]() - exact).mean():.2f} grey levels in the mean")


if __name__ == "__main__":
    main()

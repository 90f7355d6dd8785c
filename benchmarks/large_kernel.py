"""Forward pass and both gradients of a transposed convolution with a large kernel: ours, Keras' and PyTorch's, in turn.

Maps [frames, 224 - k + 1, 224 - k + 1, C] become [frames, 224, 224, 3]. k = 190 with 16 maps is the published one; k = 64 with
8 and k = 16 with 4 are the other scales of the three-scale decoder. It also prints how far ours is from Keras', relative to the
largest value. PyTorch runs in another process, in float32 and in bfloat16 (autocast).

--only measures one alone, with the peak memory of its process. --one-thread gives each of them one thread and measures the
time of its processor: for a machine that others use too. --torch-python is an interpreter that has PyTorch
(pip install torch==2.13.0); by default the one that runs this.
"""

from __future__ import annotations

import sys
import time
from functools import partial

import keras
import numpy as np
import tensorflow as tf
from common import parser, time_alternately, use_one_thread
from processes import Process, peak_gigabytes

from analogy.systems.vgg_lstm.networks.large_kernel import LargeConvTranspose
from analogy.training.precision import use_precision

SIDE, FILTERS = 224, 3
CASES = {
    "ours": (LargeConvTranspose, "float32"),
    "ours bfloat16": (LargeConvTranspose, "bfloat16"),
    "Keras": (keras.layers.Conv2DTranspose, "float32"),
    "Keras bfloat16": (keras.layers.Conv2DTranspose, "bfloat16"),
}
TORCH = {"PyTorch": "float32", "PyTorch bfloat16": "bfloat16"}


def make_step(name: str, maps: np.ndarray, slope: np.ndarray, weights: list[np.ndarray]):
    """A function that returns result, gradient of the maps and gradients of the weights. slope: gradient at the result."""
    kind, precision = CASES[name]
    with use_precision(precision):
        layer = kind(FILTERS, weights[0].shape[0])
        layer.build(maps.shape)
    layer.set_weights(weights)
    dtype = tf.as_dtype(layer.compute_dtype)
    constants = tf.cast(maps, dtype), tf.cast(slope, dtype)

    @tf.function
    def step(maps, slope):
        with tf.GradientTape() as tape:
            tape.watch(maps)
            result = layer(maps)
        return result, *tape.gradient(result, [maps, *layer.trainable_variables], slope)

    return lambda: [array.numpy() for array in step(*constants)]


def main() -> None:
    options = parser(__doc__, frames=24, kernel=190, channels=16, repeats=3, torch_python=sys.executable)
    options.add_argument("--only", choices=(*CASES, *TORCH), help="measure one alone, with its peak memory")
    options.add_argument("--cases", default="ours,Keras,PyTorch,PyTorch bfloat16", help="which of them, with commas")
    options.add_argument("--one-thread", action="store_true", help="one thread each, and processor time")
    o = options.parse_args()
    names = [o.only] if o.only else o.cases.split(",")
    if unknown := set(names) - {*CASES, *TORCH}:
        sys.exit(f"--cases: there is no {', '.join(unknown)}; there are {', '.join((*CASES, *TORCH))}")
    if o.one_thread:
        use_one_thread()
    rng, side = np.random.default_rng(0), SIDE - o.kernel + 1
    maps = rng.normal(size=(o.frames, side, side, o.channels)).astype(np.float32)
    slope = rng.normal(size=(o.frames, SIDE, SIDE, FILTERS)).astype(np.float32)
    weights = [0.01 * rng.normal(size=(o.kernel, o.kernel, FILTERS, o.channels)).astype(np.float32), np.zeros(FILTERS)]
    steps, clocks = {}, {}
    for name in names:
        if name in CASES:
            steps[name] = make_step(name, maps, slope, weights)
        else:
            setup = (len(maps), maps.shape[1], maps.shape[-1], o.kernel, int(o.one_thread))
            torch = Process(o.torch_python, "large_kernel_torch.py", TORCH[name], *map(str, setup))
            steps[name], clocks[name] = partial(torch.ask, "step"), partial(torch.ask, "cpu_seconds")
    if {"ours", "Keras"} <= set(names):
        pairs = zip(steps["ours"](), steps["Keras"](), strict=True)
        worst = max(np.abs(x - y).max() / np.abs(y).max() for x, y in pairs)
        print(f"ours differs from Keras by at most {worst:.1e} of the largest value")
        if worst > 1e-4:
            sys.exit("the two layers differ")
    clocks = {name: clocks.get(name, time.process_time) for name in names} if o.one_thread else None
    seconds = time_alternately(steps, o.repeats, clocks)
    how = "processor time of one thread" if o.one_thread else "all threads"
    print(
        f"kernel {o.kernel}, {' x '.join(map(str, maps.shape))} -> {SIDE} x {SIDE} x {FILTERS}; medians of {o.repeats}; {how}"
    )
    for name in names:
        ratio = f"   {seconds[name] / seconds['ours']:6.1f} x ours" if "ours" in names else ""
        print(f"{name:18} {1000 * seconds[name]:9.1f} ms{ratio}")
    if o.only:
        peak = torch.ask("peak_gigabytes") if o.only in TORCH else peak_gigabytes()
        print(f"peak resident memory {peak:.2f} GB")


if __name__ == "__main__":
    main()

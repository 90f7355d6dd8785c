"""Seconds per training step of the Seq2Seq LSTM (batch 64, 25 + 25 values) or the ConvLSTM (batch 4, 10 + 10 frames).

Three implementations: ours, whose graph is unrolled in time; the same cells in a loop of the graph; and PyTorch, where it is
installed (pip install torch==2.13.0).
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import tensorflow as tf
from common import parser, time_alternately
from seq2seq_torch import ADAM, NETWORKS, make_values

from analogy.models.building import build
from analogy.models.recurrent import step, time_first
from analogy.systems.seq2seq.networks import Seq2Seq
from analogy.training.precision import use_precision


class LoopedSeq2Seq(Seq2Seq):
    """The same cells as ours, but time is a loop of the graph and not unrolled."""

    def call(self, frames, *, horizon: int):
        frames = tf.cast(frames, self.compute_dtype)
        zero = tf.zeros([frames.shape[0], *frames.shape[2:-1], self.units], frames.dtype)

        zeros = ((zero, zero),) * len(self.encoder)
        states = tf.scan(lambda states, x: tuple(step(self.encoder, x, states)[1]), time_first(frames), zeros)
        top = states[-1][0][-1]

        def decode(carried, _):
            states, x = carried
            top, after = step(self.decoder, x, states)
            return tuple(after), top

        _, tops = tf.scan(decode, tf.range(horizon), (zeros, top))
        painted = self.paint(tf.reshape(tops, [-1, *tops.shape[2:]]), None)
        painted = tf.reshape(painted, [horizon, frames.shape[0], *painted.shape[1:]])
        return tf.cast(time_first(painted), tf.float32)


def make_ours(kind: type[Seq2Seq], precision: str, values, kernel_size: int):
    """A function that makes one training step (forward, backward, Adam) and returns the loss."""
    keras.utils.set_random_seed(0)
    with use_precision(precision):
        network = kind(channels=1, depth=1, kernel_size=kernel_size)
        build(network, (len(values), 1, *values.shape[2:]), horizon=1)
    optimizer = keras.optimizers.Adam(ADAM[0], *ADAM[1], ADAM[2])
    optimizer.build(network.trainable_variables)
    k = values.shape[1] // 2
    observed, future = tf.constant(values[:, :k]), tf.constant(values[:, k:])

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(network(observed, horizon=k) - future))
        optimizer.apply(tape.gradient(loss, network.trainable_variables), network.trainable_variables)
        return loss

    return lambda: step().numpy()


def make_torch(o):
    """A function that makes the same step in PyTorch, in another process: both libraries cannot be loaded into one."""
    command = [sys.executable, str(Path(__file__).with_name("seq2seq_torch.py")), o.network, o.precision]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def step():
        process.stdin.write("\n")
        process.stdin.flush()
        return float(process.stdout.readline() or sys.exit("PyTorch's process has ended"))

    return step


def main() -> None:
    o = parser(__doc__, network="convlstm", precision="float32", repeats=5).parse_args()
    if o.network not in NETWORKS:
        sys.exit(f"--network {o.network}: one of {', '.join(NETWORKS)}")
    kernel_size, values = make_values(o.network)
    steps = {
        name: make_ours(kind, o.precision, values, kernel_size) for name, kind in (("ours", Seq2Seq), ("loop", LoopedSeq2Seq))
    }
    if importlib.util.find_spec("torch"):
        steps["PyTorch"] = make_torch(o)
    else:
        print("PyTorch is not installed: pip install torch==2.13.0")
    first = {}
    for name, update in steps.items():
        began = time.perf_counter()
        update()
        first[name] = time.perf_counter() - began
    medians = time_alternately(steps, o.repeats)
    print(f"{o.network}, {' x '.join(map(str, values.shape))}, {o.precision}: forward, backward and Adam")
    for name, seconds in medians.items():
        ratio = medians.get("PyTorch", medians["ours"]) / seconds
        compared = f"{ratio:.2f} x PyTorch's speed" if "PyTorch" in medians else ""
        print(f"{name:8} {1000 * seconds:9.1f} ms/step   first call {first[name]:5.1f} s   {compared}")


if __name__ == "__main__":
    main()

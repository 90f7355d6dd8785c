"""Seconds per training step of the Seq2Seq LSTM (batch 64, 25 + 25 values) and of the ConvLSTM (batch 4, 10 + 10 frames): ours,
the same cells in a loop of the graph, and PyTorch where it is installed (pip install torch==2.13.0)."""

from __future__ import annotations

import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf
from common import parser, time_alternately

from analogy.models.seq2seq import Seq2Seq
from analogy.training.precision import use_precision

ADAM = {"learning_rate": 1e-3, "beta_1": 0.9, "beta_2": 0.98, "epsilon": 1e-8}


class LoopedSeq2Seq(Seq2Seq):
    """The same cells, each time step a turn of a loop of the graph."""

    def call(self, frames, *, horizon: int):
        dtype, batch = self.compute_dtype, tf.shape(frames)[0]
        frames = tf.cast(frames, dtype)
        zero = tf.zeros([batch, *frames.shape[2:-1], self.units], dtype)

        def turn(cells, states, x):
            states = list(states)
            for index, cell in enumerate(cells):
                states[index] = cell(x, states[index])
                x = states[index][0]
            return states, x

        states = [(zero, zero)] * len(self.encoder)
        for t in tf.range(frames.shape[1]):
            states, _ = turn(self.encoder, states, frames[:, t])
        x, states = states[-1][0], [(zero, zero)] * len(self.decoder)
        tops = tf.TensorArray(dtype, horizon, element_shape=x.shape)
        for t in tf.range(horizon):
            states, x = turn(self.decoder, states, x)
            tops = tops.write(t, x)
        painted = self.paint(tops.concat())
        painted = tf.reshape(painted, [horizon, batch, *painted.shape[1:]])
        return tf.cast(tf.transpose(painted, [1, 0, *range(2, len(painted.shape))]), tf.float32)


def make_ours(kind: type[Seq2Seq], precision: str, values: np.ndarray, kernel_size: int):
    """One training step: forward, backward, Adam."""
    keras.utils.set_random_seed(0)
    use_precision(precision)
    network = kind(channels=1, depth=1, kernel_size=kernel_size)
    network.build()
    use_precision("float32")
    optimizer = keras.optimizers.Adam(**ADAM)
    optimizer.build(network.trainable_variables)
    k = values.shape[1] // 2
    seen, future = tf.constant(values[:, :k]), tf.constant(values[:, k:])

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(network(seen, horizon=k) - future))
        optimizer.apply(tape.gradient(loss, network.trainable_variables), network.trainable_variables)
        return loss

    return lambda: step().numpy()


def make_torch(precision: str, values: np.ndarray, kernel_size: int):
    """The published network as one writes it in PyTorch: gates from one layer on (x, h)."""
    import torch
    from torch import nn

    torch.manual_seed(0)

    class Cell(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.gates = nn.Conv2d(width + 64, 256, 3, padding=1) if kernel_size else nn.Linear(width + 64, 256)

        def forward(self, x, state):
            h, c = state
            i, f, g, o = self.gates(torch.cat([x, h], 1)).chunk(4, 1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            return o.sigmoid() * c.tanh(), c

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.ModuleList([Cell(1), Cell(64)])
            self.decoder = nn.ModuleList([Cell(64), Cell(64)])
            self.frame = nn.Conv2d(64, 1, 3, padding=1) if kernel_size else nn.Linear(64, 1)

        def forward(self, frames, horizon):
            zero = frames.new_zeros(frames.shape[0], 64, *frames.shape[3:])
            states = [(zero, zero)] * 2
            for t in range(frames.shape[1]):
                x = frames[:, t]
                for index, cell in enumerate(self.encoder):
                    states[index] = cell(x, states[index])
                    x = states[index][0]
            tops, states = [], [(zero, zero)] * 2
            for _ in range(horizon):
                for index, cell in enumerate(self.decoder):
                    states[index] = cell(x, states[index])
                    x = states[index][0]
                tops.append(x)
            return torch.stack([self.frame(top).sigmoid() for top in tops], 1)

    network = Network()
    optimizer = torch.optim.Adam(network.parameters(), 1e-3, (0.9, 0.98), 1e-8)
    data = torch.from_numpy(np.moveaxis(values, -1, 2).copy())
    k = values.shape[1] // 2

    def step():
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            predicted = network(data[:, :k], k)
        loss = (predicted.float() - data[:, k:]).square().mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def main() -> None:
    o = parser(__doc__, network="convlstm", precision="float32", repeats=5).parse_args()
    kernel_size, shape = {"convlstm": (3, (4, 20, 64, 64, 1)), "lstm": (0, (64, 50, 1))}[o.network]
    values = np.random.default_rng(0).uniform(size=shape).astype(np.float32)
    steps = {
        name: make_ours(kind, o.precision, values, kernel_size) for name, kind in (("ours", Seq2Seq), ("loop", LoopedSeq2Seq))
    }
    try:
        steps["PyTorch"] = make_torch(o.precision, values, kernel_size)
    except ImportError:
        print("PyTorch is not installed: pip install torch==2.13.0")
    first = {}
    for name, step in steps.items():
        began = time.perf_counter()
        step()
        first[name] = time.perf_counter() - began
    medians = time_alternately(steps, o.repeats)
    print(f"{o.network}, {' x '.join(map(str, shape))}, {o.precision}: forward, backward and Adam")
    for name, seconds in medians.items():
        ratio = medians.get("PyTorch", medians["ours"]) / seconds
        compared = f"{ratio:.2f} x PyTorch's speed" if "PyTorch" in medians else ""
        print(f"{name:8} {1000 * seconds:9.1f} ms/step   first call {first[name]:5.1f} s   {compared}")


if __name__ == "__main__":
    main()

"""The published networks in PyTorch, for `seq2seq.py`. For every line of input it makes a training step and prints the loss.

python benchmarks/seq2seq_torch.py convlstm float32
"""

from __future__ import annotations

import sys

import numpy as np

from analogy.memory import keep_freed_memory

ADAM = (1e-3, (0.9, 0.98), 1e-8)  # learning rate, betas, epsilon
# name -> (kernel size, shape of a batch). The small network is for processors that have to emulate bfloat16.
NETWORKS = {"convlstm": (3, (4, 20, 64, 64, 1)), "convlstm_small": (3, (1, 4, 16, 16, 1)), "lstm": (0, (64, 50, 1))}


def make_values(network: str) -> tuple[int, np.ndarray]:
    """The kernel size of the network's cells (0 for dense cells), and a random batch, float32 in 0..1."""
    kernel_size, shape = NETWORKS[network]
    return kernel_size, np.random.default_rng(0).uniform(size=shape).astype(np.float32)


def make_torch(precision: str, values: np.ndarray, kernel_size: int):
    """A function that makes one training step of the published network, written as usual in PyTorch.

    All gates of a cell come from one layer, whose input is x and h together.
    """
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
    optimizer = torch.optim.Adam(network.parameters(), *ADAM)
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
    network, precision = sys.argv[1:]
    keep_freed_memory()  # as in the other processes, for a fair comparison
    kernel_size, values = make_values(network)
    step = make_torch(precision, values, kernel_size)
    for _ in sys.stdin:
        print(step(), flush=True)


if __name__ == "__main__":
    main()

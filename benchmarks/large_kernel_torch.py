"""A transposed convolution with a large kernel in PyTorch, for `large_kernel.py`.

Its arguments are precision, frames, side of the maps, channels, kernel, and 1 for one thread. It does what every line of input
says, and prints a number:

    step            forward pass and both gradients; the mean of the result
    cpu_seconds     the processor time of this process so far
    peak_gigabytes  its peak resident memory so far
"""

from __future__ import annotations

import sys

import torch
from processes import answer_lines
from torch import nn

from analogy.memory import keep_freed_memory


class Layer:
    def __init__(self, precision: str, frames: int, side: int, channels: int, kernel: int, one_thread: int):
        if one_thread:
            torch.set_num_threads(1)
        torch.manual_seed(0)
        self.autocast = torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16")
        self.layer = nn.ConvTranspose2d(channels, 3, kernel)
        self.maps = torch.randn(frames, channels, side, side, requires_grad=True)
        self.slope = torch.randn(frames, 3, side + kernel - 1, side + kernel - 1)

    def step(self) -> float:
        self.maps.grad = None
        self.layer.zero_grad()
        with self.autocast:
            result = self.layer(self.maps)
        result.backward(self.slope.to(result.dtype))
        return result.mean().item()


def main() -> None:
    keep_freed_memory()  # as in the other process, for a fair comparison
    precision, *numbers = sys.argv[1:]
    layer = Layer(precision, *map(int, numbers))
    answer_lines(layer)


if __name__ == "__main__":
    main()

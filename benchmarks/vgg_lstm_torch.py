"""The next-frame predictor and the auto-encoder of the fourth paper in PyTorch, for `vgg_lstm.py`.

Its argument is a JSON object (`Setup`). It does what every line of input says, and prints a number:

    step            one training step; the loss
    compare FOLDER  the loss with the weights, features and frames of ours.npz, without noise other than ones; gradients into
                    torch.npz
    cpu_seconds     the processor time of this process so far
    peak_gigabytes  its peak resident memory so far
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass

import numpy as np
import torch
from processes import answer_lines
from torch import nn
from torch.nn import functional as F

from analogy.memory import keep_freed_memory

CHANNELS, ENLARGED, CELL = 16, 5, 32  # as in analogy/systems/vgg_lstm/networks/painter.py
ENCODER_UNITS, LATENT, DECODER_UNITS = 512, 256, 784  # of the experiment vgg_lstm_vae


@dataclass(frozen=True)
class Setup:
    """shape: of the features, [B, S, N]. side: of a frame."""

    network: str
    precision: str
    one_thread: bool
    side: int
    learning_rate: float
    epsilon: float
    shape: list[int]


class Painting(nn.Module):
    """LSTMs, and a transposed convolution on what the last one says."""

    def __init__(self, inputs: int, units: list[int], side: int):
        super().__init__()
        self.cells = side // CELL
        units = [*units, self.cells**2 * CHANNELS]
        self.lstms = nn.ModuleList(nn.LSTM(a, b, batch_first=True) for a, b in zip([inputs, *units], units, strict=False))
        self.transposed = nn.ConvTranspose2d(CHANNELS, 3, side - ENLARGED * self.cells + 1)

    def paint(self, x):
        """[B, S, inputs] -> frames in 0..1 [B S, 3, side, side]."""
        for lstm in self.lstms:
            x, _ = lstm(x)
        maps = x.reshape(-1, self.cells, self.cells, CHANNELS).permute(0, 3, 1, 2)
        maps = F.interpolate(maps, scale_factor=ENLARGED, mode="bilinear", align_corners=False)
        return torch.sigmoid(self.transposed(maps).float())


class NextFrame(Painting):
    def __init__(self, setup: Setup):
        super().__init__(setup.shape[-1], [], setup.side)

    def forward(self, features, noise):
        return self.paint(features[:, :-1])

    def truth(self, frames):
        return frames[:, 1:]


class AutoEncoder(Painting):
    def __init__(self, setup: Setup):
        super().__init__(LATENT, [DECODER_UNITS], setup.side)
        self.encoder = nn.LSTM(setup.shape[-1], ENCODER_UNITS, batch_first=True)
        self.mean, self.log_variance = (nn.Linear(ENCODER_UNITS, LATENT) for _ in range(2))

    def forward(self, features, noise):
        hidden, _ = self.encoder(features)
        return self.paint(self.mean(hidden) + torch.exp(0.5 * self.log_variance(hidden)) * noise)

    def truth(self, frames):
        return frames


class Training:
    def __init__(self, setup: Setup):
        if setup.one_thread:
            torch.set_num_threads(1)
        torch.manual_seed(0)
        self.network = {"next_frame": NextFrame, "vae": AutoEncoder}[setup.network](setup)
        batch, length, _ = setup.shape
        self.features = 10 * torch.randn(setup.shape).clamp(min=0)
        self.frames = torch.rand(batch, length, 3, setup.side, setup.side)
        self.noise_shape = [batch, length, LATENT]
        self.optimizer = torch.optim.Adam(self.network.parameters(), setup.learning_rate, eps=setup.epsilon)
        self.autocast = torch.autocast("cpu", torch.bfloat16, enabled=setup.precision == "bfloat16")

    def backward(self, noise):
        self.optimizer.zero_grad()
        with self.autocast:
            painted = self.network(self.features, noise)
        loss = F.mse_loss(painted, self.network.truth(self.frames).flatten(0, 1))
        loss.backward()
        return loss.item()

    def step(self) -> float:
        loss = self.backward(torch.randn(self.noise_shape))
        self.optimizer.step()
        return loss

    def compare(self, folder: str) -> float:
        given = {name: torch.from_numpy(value.copy()) for name, value in np.load(f"{folder}/ours.npz").items()}
        self.frames, self.features = given.pop("frames").moveaxis(-1, 2), given.pop("features")
        # PyTorch has two biases, whose sum is ours: the second one is zero.
        seconds = {name.replace("_ih_", "_hh_"): torch.zeros_like(v) for name, v in given.items() if "bias_ih" in name}
        self.network.load_state_dict({**given, **seconds})
        loss = self.backward(torch.ones(self.noise_shape))
        np.savez(f"{folder}/torch.npz", **{name: p.grad.numpy() for name, p in self.network.named_parameters()})
        return loss


def main() -> None:
    keep_freed_memory()  # as in the other process, for a fair comparison
    training = Training(Setup(**json.loads(sys.argv[1])))
    answer_lines(training)


if __name__ == "__main__":
    main()

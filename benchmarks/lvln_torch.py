"""The ladder network in PyTorch, for `lvln.py`: written from the paper's description, as such networks are usually written.

Its argument is a `Setup` as JSON. It prints its numbers of weights, all and trained. Then it does what every line of input
says, and prints a number:

    step            one training step; the loss
    predict         the predictions of a batch; their mean
    cpu_seconds     the processor time of this process so far
    compare FOLDER  reads weights and frames (float64) from FOLDER/ours.npz, computes in float64, writes predictions and
                    gradients into torch.npz; the loss
"""

from __future__ import annotations

import json
import sys
from typing import NamedTuple

import numpy as np
import torch
from processes import answer_lines
from torch import nn
from torch.nn import functional as F

from analogy.memory import keep_freed_memory


class Setup(NamedTuple):
    """batch: number of videos. size: height and width. silent: the number of answers that are fed back before the first
    prediction. dssim, mse, l1: weights of the loss's terms. adamw: arguments of the optimiser."""

    one_thread: bool
    precision: str
    batch: int
    context: int
    horizon: int
    silent: int
    size: list[int]
    encoder_trained: bool
    dssim: float
    mse: float
    l1: float
    adamw: dict
    clip_norm: float


# ---------------------------------------------------------------- encoder


class Block(nn.Module):
    def __init__(self, inputs, channels, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, channels, 3, stride, 1, bias=False), nn.BatchNorm2d(channels)
        self.conv2, self.bn2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels)
        self.downsample = nn.Sequential()
        if stride > 1:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, channels, 1, stride, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.downsample(x))


class Encoder(nn.Module):
    """ResNet-18: an image -> the first convolution and the four stages."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(Block(64, 64, 1), Block(64, 64, 1))
        self.layer2 = nn.Sequential(Block(64, 128, 2), Block(128, 128, 1))
        self.layer3 = nn.Sequential(Block(128, 256, 2), Block(256, 256, 1))
        self.layer4 = nn.Sequential(Block(256, 512, 2), Block(512, 512, 1))

    def forward(self, image):
        taps = [self.conv1(image)]
        x = F.max_pool2d(F.relu(self.bn1(taps[0])), 3, 2, 1)
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
            taps.append(x)
        return taps


# ---------------------------------------------------------------- lateral blocks and decoder


class ConvGru(nn.Module):
    def __init__(self, inputs, units, kernel):
        super().__init__()
        self.gates = nn.Conv2d(inputs + units, 2 * units, kernel, padding=kernel // 2)
        self.candidate = nn.Conv2d(inputs + units, units, kernel, padding=kernel // 2)

    def forward(self, x, h):
        if h is None:
            h = x.new_zeros(x.shape[0], self.candidate.out_channels, *x.shape[2:])
        r, z = self.gates(torch.cat([x, h], 1)).sigmoid().chunk(2, 1)
        candidate = self.candidate(torch.cat([x, r * h], 1)).tanh()
        return (1 - z) * h + z * candidate


class LocationConv(nn.Module):
    """W x + b + P0 columns + P1 rows + P2; the map of the columns has the published fault."""

    def __init__(self, inputs, units, height, width):
        super().__init__()
        self.convolution = nn.Conv2d(inputs, units, 1)
        self.maps = nn.Parameter(torch.zeros(3, height, width))
        rows = torch.arange(height) / (height - 1)
        columns = torch.ones(width)
        columns[:height] = rows
        known = torch.stack([columns.expand(height, width), rows[:, None].expand(height, width), torch.ones(height, width)])
        self.register_buffer("known", known)

    def forward(self, x):
        return self.convolution(x) + (self.maps * self.known).sum(0)


class Lateral(nn.Module):
    def __init__(self, inputs, units, location):
        super().__init__()
        self.pointwise = LocationConv(inputs, units, *location) if location else nn.Conv2d(inputs, units, 1)
        self.cells = nn.ModuleList([ConvGru(inputs, units, kernel) for kernel in (3, 5, 7)])

    def forward(self, x, states):
        states = [cell(x, state) for cell, state in zip(self.cells, states, strict=True)]
        return torch.cat([self.pointwise(x), *states], 1), states


class Rise(nn.Module):
    def __init__(self, inputs, *, normalised=True):
        super().__init__()
        self.norm = nn.BatchNorm2d(inputs) if normalised else nn.Identity()
        self.first, self.second = nn.Conv2d(inputs, 1024, 3, padding=1), nn.Conv2d(256, 64, 3, padding=1)

    def forward(self, x):
        return self.second(F.pixel_shuffle(self.first(self.norm(F.relu(x))), 2))


class Ladder(nn.Module):
    """A frame and the states -> the next frame and the next states."""

    def __init__(self, height, width):
        super().__init__()
        self.encoder = Encoder()
        sizes = [None, None, (height // 8, width // 8), (height // 16, width // 16)]  # where it depends on the location
        self.laterals = nn.ModuleList([Lateral(c, 64, size) for c, size in zip((64, 64, 128, 256), sizes, strict=True)])
        self.top = Rise(512, normalised=False)
        self.rises = nn.ModuleList([Rise(320) for _ in range(3)])
        self.head = nn.Conv2d(80, 3, 1)

    def forward(self, frame, states):
        *taps, x = self.encoder(frame)
        lateral = [block(tap, state) for block, tap, state in zip(self.laterals, taps, states, strict=True)]
        x = self.top(x)
        for rise, (memory, _) in zip(self.rises, lateral[:0:-1], strict=True):
            x = rise(torch.cat([memory, x], 1))
        frame = self.head(F.pixel_shuffle(torch.cat([lateral[0][0], x], 1), 2))
        return frame, [state for _, state in lateral]


# ---------------------------------------------------------------- training


def dssim(x, y):
    """1 - SSIM: a Gaussian window of 11 x 11, and zeros around the image."""
    line = torch.exp(-((torch.arange(11, dtype=x.dtype) - 5.0) ** 2) / (2 * 1.5**2))
    window = torch.outer(line, line).expand(3, 1, 11, 11) / line.sum() ** 2

    def mean(image):
        return F.conv2d(image, window, padding=5, groups=3)

    mean_x, mean_y = mean(x), mean(y)
    variance_x, variance_y = mean(x * x) - mean_x**2, mean(y * y) - mean_y**2
    covariance = mean(x * y) - mean_x * mean_y
    top = (2 * mean_x * mean_y + 1e-4) * (2 * covariance + 9e-4)
    return 1 - (top / ((mean_x**2 + mean_y**2 + 1e-4) * (variance_x + variance_y + 9e-4))).mean()


class Training:
    """A network, its optimiser and a batch of noise."""

    def __init__(self, setup: Setup):
        if setup.one_thread:
            torch.set_num_threads(1)
        torch.manual_seed(0)
        self.setup = setup
        self.autocast = torch.autocast("cpu", torch.bfloat16, enabled=setup.precision == "bfloat16")
        self.network = Ladder(*setup.size)
        self.network.encoder.requires_grad_(setup.encoder_trained)
        self.trained = [p for p in self.network.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.trained, **setup.adamw)
        self.frames = torch.rand(setup.batch, setup.context + setup.horizon, 3, *setup.size)

    def unroll(self):
        """Read the observed frames, then say the next ones: [B, horizon, 3, H, W]."""
        context, horizon = self.setup.context, self.setup.horizon
        states, answers = [[None] * 3] * 4, []
        with self.autocast:
            for t in range(context + self.setup.silent + horizon - 1):
                frame = self.frames[:, t] if t < context else answers[-1]
                answer, states = self.network(frame, states)
                answers.append(answer)
        return torch.stack(answers[-horizon:], 1).to(self.frames.dtype)

    def gradients(self):
        """Predictions, and the loss, whose gradients are in the parameters afterwards."""
        self.network.train()
        self.optimizer.zero_grad()
        predictions = self.unroll()
        said, truth = predictions.flatten(0, 1), self.frames[:, self.setup.context :].flatten(0, 1)
        weights = self.setup
        loss = weights.dssim * dssim(truth, said) + weights.mse * F.mse_loss(said, truth) + weights.l1 * F.l1_loss(said, truth)
        loss = self.setup.horizon * loss
        loss.backward()
        return predictions, loss

    def step(self) -> float:
        _, loss = self.gradients()
        nn.utils.clip_grad_norm_(self.trained, self.setup.clip_norm)
        self.optimizer.step()
        return loss.item()

    @torch.inference_mode()
    def predict(self) -> float:
        self.network.eval()
        return self.unroll().mean().item()

    def compare(self, folder: str) -> float:
        given = {name: torch.from_numpy(value) for name, value in np.load(f"{folder}/ours.npz").items()}
        self.frames = given.pop("frames").moveaxis(-1, 2).contiguous()
        self.network.double()
        missing, unknown = self.network.load_state_dict(given, strict=False)
        if unknown or any(not name.endswith(("num_batches_tracked", "known")) for name in missing):
            sys.exit(f"other weights than PyTorch's: missing {missing}, unknown {unknown}")
        predictions, loss = self.gradients()
        results = {name: p.grad.numpy() for name, p in self.network.named_parameters() if p.requires_grad}
        results |= {name: value.numpy() for name, value in self.network.named_buffers() if "running" in name}
        np.savez(f"{folder}/torch.npz", predictions=predictions.detach().moveaxis(2, -1).numpy(), **results)
        return loss.item()


def main() -> None:
    keep_freed_memory()  # as in the other process, for a fair comparison
    training = Training(Setup(**json.loads(sys.argv[1])))
    print(sum(p.numel() for p in training.network.parameters()), sum(p.numel() for p in training.trained), flush=True)
    answer_lines(training)


if __name__ == "__main__":
    main()

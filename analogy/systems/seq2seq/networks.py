"""Encoder and decoder of LSTM or ConvLSTM cells for sequences and videos (Coleman; spec seq2seq, section 2)."""

from __future__ import annotations

import keras
import tensorflow as tf

from analogy.models.building import Composite
from analogy.models.recurrent import LstmCell, read, time_first, torch_uniform, write


class Seq2Seq(Composite, keras.Model):
    """Observed frames [B, k, C] or [B, k, H, W, C] in 0..1 -> the next ones [B, T, ...].

    Args:
        channels: C of a frame.
        depth: n, for n + 1 cells in the encoder and n + 1 in the decoder.
        units: of every cell. kernel_size: of the convolutions; 0 for sequences of vectors.
        wiring: "published": the encoder's top hidden state is the decoder's first input, whose states are zero; every later
            input is the decoder's own top hidden state; the map to frames comes last and is fed back nowhere. "standard": the
            decoder goes on from all states of the encoder and sees the last frame, then its own.
        predicts: "frame", through a sigmoid, as published; or "change", added to the frame that the decoder saw (standard
            wiring only).
        patch: squares of so many pixels a side become the channels of one place: 1/patch^2 of the arithmetic.
        shared: the decoder's cells are the encoder's (standard wiring only). forget_bias: the forget gates' first bias.
    """

    def __init__(
        self,
        *,
        channels: int,
        depth: int,
        units: int = 64,
        kernel_size: int = 0,
        wiring: str = "published",
        predicts: str = "frame",
        patch: int = 1,
        shared: bool = False,
        forget_bias: float = 0.0,
        name: str = "seq2seq",
    ):
        super().__init__(name=name)
        self.units, self.kernel_size, self.wiring, self.predicts, self.patch = units, kernel_size, wiring, predicts, patch
        self.width = channels * patch**2  # channels of a frame as the cells see it

        def cells(side: str) -> list[LstmCell]:
            return [LstmCell(units, kernel_size, forget_bias, name=f"{side}{index}") for index in range(depth + 1)]

        self.encoder = cells("encoder")
        self.decoder = self.encoder if shared else cells("decoder")
        fan_in = units * max(1, kernel_size) ** 2
        # No change at first: it starts as good as copying the last frame.
        starts = {
            f"{weight}_initializer": torch_uniform(fan_in) if predicts == "frame" else "zeros" for weight in ("kernel", "bias")
        }
        # A 1 x 3 x 3 convolution over time and space is a 3 x 3 convolution of every frame.
        self.frame = (
            keras.layers.Conv2D(self.width, kernel_size, padding="same", name="frame", **starts)
            if kernel_size
            else keras.layers.Dense(self.width, name="frame", **starts)
        )

    def call(self, frames, *, horizon: int, true_future=None, use_true=None):
        """frames [B, k, ...] in 0..1 -> [B, horizon, ...] float32: in 0..1, or unbounded where the network predicts a change.

        true_future [B, horizon, ...], use_true [B, horizon]: in training with scheduled sampling, the true frames, and where
        (1) the decoder sees them in place of its own predictions (0).
        """
        frames = self._as_patches(tf.cast(frames, self.compute_dtype))
        _, states = read(self.encoder, time_first(frames))
        if self.wiring == "published":
            top, _ = states[-1]
            tops = write(self.decoder, top, [None] * len(self.decoder), horizon, lambda step, x, output: (output, output))
            predicted = tf.split(self.paint(tf.concat(tops, 0), None), horizon, 0)
        else:
            if true_future is not None:
                true_future = self._as_patches(tf.cast(true_future, frames.dtype))

            def feed_back(step, x, output):
                own = self.paint(output, x)
                if true_future is None:
                    return own, own
                use = tf.reshape(tf.cast(use_true[:, step], own.dtype), [-1] + [1] * (own.shape.rank - 1))
                return own, use * true_future[:, step] + (1 - use) * own

            predicted = write(self.decoder, frames[:, -1], states, horizon, feed_back)
        return tf.cast(self._as_pixels(tf.stack(predicted, 1)), tf.float32)

    def paint(self, hidden, frames):
        """The decoder's output [B, ..., units], and the frames it saw (needed for a change only) -> frames."""
        painted = self.frame(hidden)
        return frames + painted if self.predicts == "change" else tf.sigmoid(painted)

    def _as_patches(self, frames):
        return self._over_frames(tf.nn.space_to_depth, frames) if self.patch > 1 else frames

    def _as_pixels(self, frames):
        return self._over_frames(tf.nn.depth_to_space, frames) if self.patch > 1 else frames

    def _over_frames(self, move, frames):
        """[B, T, H, W, C] -> the same, each frame rearranged."""
        shape = tf.shape(frames)
        moved = move(tf.reshape(frames, [-1, *frames.shape[2:]]), self.patch)
        return tf.reshape(moved, [shape[0], shape[1], *moved.shape[1:]])

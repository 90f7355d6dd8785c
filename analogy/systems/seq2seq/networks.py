"""An encoder and decoder of LSTM or ConvLSTM cells, for sequences and videos (Coleman)."""

from __future__ import annotations

import keras
import tensorflow as tf

from analogy.models.building import Composite
from analogy.models.recurrent import LstmCell, read, time_first, torch_uniform, write


class Seq2Seq(Composite, keras.Model):
    """Observed frames [B, k, C] or [B, k, H, W, C] in 0..1 -> the next T frames [B, T, ...].

    Args:
        channels: C of a frame.
        depth: n, for n + 1 cells in the encoder and n + 1 in the decoder.
        units: channels of every cell's hidden state.
        kernel_size: side of the convolution kernels; 0 for sequences of vectors.
        wiring: "published": the decoder starts with zero states. Its first input is the encoder's top hidden state; every later
            input is the decoder's own top hidden state. The layer that maps hidden states to frames is not part of this
            feedback. "standard": the decoder starts with the states of all encoder cells. Its first input is the last
            observed frame; every later input is its own last predicted frame.
        predicts: "frame": a frame, through a sigmoid, as published. "change": a change, which is added to the decoder's input
            frame (standard wiring only).
        patch: each square of patch x patch pixels becomes one place with patch^2 times the channels, which divides the
            arithmetic by patch^2.
        shared: encoder and decoder are the same cells (standard wiring only).
        forget_bias: added to the initial bias of the forget gates.
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
        self.width = channels * patch**2  # channels of a frame of patches

        def cells(side: str) -> list[LstmCell]:
            return [LstmCell(units, kernel_size, forget_bias, name=f"{side}{index}") for index in range(depth + 1)]

        self.encoder = cells("encoder")
        self.decoder = self.encoder if shared else cells("decoder")
        fan_in = units * max(1, kernel_size) ** 2
        # An untrained network that predicts changes predicts none: it copies the last frame.
        initializers = {
            f"{weight}_initializer": torch_uniform(fan_in) if predicts == "frame" else "zeros" for weight in ("kernel", "bias")
        }
        # A 1 x 3 x 3 convolution over time and space is a 3 x 3 convolution of every frame.
        self.frame = (
            keras.layers.Conv2D(self.width, kernel_size, padding="same", name="frame", **initializers)
            if kernel_size
            else keras.layers.Dense(self.width, name="frame", **initializers)
        )

    def call(self, frames, *, horizon: int, true_future=None, use_true=None):
        """Predict the frames after frames [B, k, ...] in 0..1.

        Args:
            frames: [B, k, ...] in 0..1.
            horizon: T.
            true_future: in training with scheduled sampling, the true future frames [B, T, ...].
            use_true: with it, [B, T]: 1 where the decoder's next input is the true frame, 0 where it is the predicted one.

        Returns:
            [B, T, ...] float32: in 0..1, or unbounded where the network predicts changes.
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
                frame = self.paint(output, x)
                if true_future is None:
                    return frame, frame
                use = tf.reshape(tf.cast(use_true[:, step], frame.dtype), [-1] + [1] * (frame.shape.rank - 1))
                return frame, use * true_future[:, step] + (1 - use) * frame

            predicted = write(self.decoder, frames[:, -1], states, horizon, feed_back)
        return tf.cast(self._as_pixels(tf.stack(predicted, 1)), tf.float32)

    def paint(self, hidden, frames):
        """Frames [B, ..., C] from the decoder's output [B, ..., units]. frames: its input frames, for networks that predict
        changes."""
        painted = self.frame(hidden)
        return frames + painted if self.predicts == "change" else tf.sigmoid(painted)

    def _as_patches(self, frames):
        return self._over_frames(tf.nn.space_to_depth, frames) if self.patch > 1 else frames

    def _as_pixels(self, frames):
        return self._over_frames(tf.nn.depth_to_space, frames) if self.patch > 1 else frames

    def _over_frames(self, move, frames):
        """Rearrange each frame of [B, T, H, W, C]. move: tf.nn.space_to_depth or tf.nn.depth_to_space."""
        shape = tf.shape(frames)
        moved = move(tf.reshape(frames, [-1, *frames.shape[2:]]), self.patch)
        return tf.reshape(moved, [shape[0], shape[1], *moved.shape[1:]])

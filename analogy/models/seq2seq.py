"""Encoder and decoder of LSTM or ConvLSTM cells for sequences and videos (Coleman; spec seq2seq, section 2)."""

from __future__ import annotations

import keras
import tensorflow as tf

from analogy.models.recurrent import LstmCell, read, torch_uniform, write


class Seq2Seq(keras.Model):
    """Observed frames [B, k, C] or [B, k, H, W, C] in 0..1 -> the next ones [B, T, ...] in 0..1.

    The published wiring: the encoder's top hidden state is the decoder's first input, whose states are zero; every later input
    is the decoder's own top hidden state; the map to frames comes last and is fed back nowhere.

    Args:
        channels: C of a frame.
        depth: n, for n + 1 cells in the encoder and n + 1 in the decoder.
        units: of every cell. kernel_size: of the convolutions; 0 for sequences of vectors.
        hand_over: "input", as published; or "state": the decoder starts from all states of the encoder and the
            last frame.
        feedback: what the decoder sees next: "hidden", as published; or "frame", its own last frame.
    """

    def __init__(
        self,
        *,
        channels: int,
        depth: int,
        units: int = 64,
        kernel_size: int = 0,
        hand_over: str = "input",
        feedback: str = "hidden",
        name: str = "seq2seq",
    ):
        super().__init__(name=name)
        self.channels, self.units, self.kernel_size = channels, units, kernel_size
        self.hand_over, self.feedback = hand_over, feedback
        self.encoder = [LstmCell(units, kernel_size, name=f"encoder{index}") for index in range(depth + 1)]
        self.decoder = [LstmCell(units, kernel_size, name=f"decoder{index}") for index in range(depth + 1)]
        initial = torch_uniform(units * max(1, kernel_size) ** 2)
        starts = {"kernel_initializer": initial, "bias_initializer": initial}
        # A 1 x 3 x 3 convolution over time and space is a 3 x 3 convolution of every frame.
        self.frame = (
            keras.layers.Conv2D(channels, kernel_size, padding="same", name="frame", **starts)
            if kernel_size
            else keras.layers.Dense(channels, name="frame", **starts)
        )

    def build(self, input_shape=None):
        space = (None, None) if self.kernel_size else ()
        sees_frames = self.hand_over == "state" or self.feedback == "frame"
        for cells, width in ((self.encoder, self.channels), (self.decoder, self.channels if sees_frames else self.units)):
            for cell in cells:
                cell.build((None, *space, width))
                width = self.units
        self.frame.build((None, *space, self.units))
        self.built = True

    def paint(self, hidden):
        """Hidden states [B, ..., units] -> frames in 0..1."""
        return tf.sigmoid(self.frame(hidden))

    def call(self, frames, *, horizon: int, shown=None, chosen=None):
        """shown [B, T, ...], chosen [B, T]: in training with scheduled sampling, the true future frames, and where (1) the
        decoder is fed with them in place of its own (0)."""
        dtype = self.compute_dtype
        frames = tf.cast(frames, dtype)
        states = read(self.encoder, frames)
        if self.hand_over == "state":
            first, start = frames[:, -1], states
        else:
            first = states[-1][0]
            start = [cell.zero_state(first) for cell in self.decoder]

        def feed_back(step, top):
            if self.feedback == "hidden":
                return top
            own = tf.cast(self.paint(top), dtype)
            if shown is None:
                return own
            use = tf.reshape(tf.cast(chosen[:, step], dtype), [-1] + [1] * (own.shape.rank - 1))
            return use * tf.cast(shown[:, step], dtype) + (1 - use) * own

        tops = write(self.decoder, first, start, horizon, feed_back)
        batch = tf.shape(frames)[0]
        painted = self.paint(tf.concat(tops, 0))  # [T B, ...]
        painted = tf.reshape(painted, tf.concat([[horizon, batch], tf.shape(painted)[1:]], 0))
        order = [1, 0, *range(2, len(painted.shape))]
        return tf.cast(tf.transpose(painted, order), tf.float32)

"""The published pose predictors: an LSTM encoder reads k poses, and an LSTM decoder predicts the next T.

The decoder's input at each step is zeros, or the last observed pose.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import keras
import tensorflow as tf

from analogy.models.building import Composite
from analogy.models.recurrent import read, time_first
from analogy.systems.hierarchical.networks.fused_lstm import FusedLstmCell


class PoseLstm(Composite, keras.Model):
    """Observed poses [B, k, V] -> future poses [B, T, V].

    Args:
        values: V, the number of coordinates of a pose.
        units: of each LSTM layer.
        layers: number of LSTM layers.
        embedding: units of a dense layer with ReLU before the LSTM; 0 leaves it out.
        head: units of the dense sigmoid layers after the LSTM.
        activation: of the last dense layer: "tanh", "sigmoid" or "linear".
        shared: encoder and decoder have the same LSTM weights.
        hand_over: the decoder's first state: "state": the encoder's last state (c_k, h_k). "output": h_k in the place of both,
            as in the original.
        decoder_input: the input at every future step: "zeros", or "last", the last observed pose.
    """

    def __init__(
        self,
        *,
        values: int,
        units: int,
        layers: int = 1,
        embedding: int = 0,
        head: Sequence[int] = (),
        activation: str = "tanh",
        shared: bool = True,
        hand_over: str = "state",
        decoder_input: str = "zeros",
        name: str = "pose_lstm",
    ):
        super().__init__(name=name, dtype="float32")
        self.values, self.hand_over, self.decoder_input = values, hand_over, decoder_input
        dense = partial(keras.layers.Dense, dtype="float32")
        self.embedding = dense(embedding, activation="relu", name="embedding") if embedding else None
        self.encoder = [FusedLstmCell(units, name=f"encoder{layer}") for layer in range(layers)]
        self.decoder = self.encoder if shared else [FusedLstmCell(units, name=f"decoder{layer}") for layer in range(layers)]
        self.head = [dense(width, activation="sigmoid", name=f"head{layer}") for layer, width in enumerate(head)]
        self.last = dense(values, activation=activation, name="last")
        self.units = units

    def call(self, poses, horizon: int):
        """poses [B, k, V] -> [B, horizon, V]."""
        observed = time_first(poses)  # [k, B, V]
        if self.decoder_input == "last":
            future = tf.repeat(observed[-1:], horizon, 0)
            future = self.embedding(future) if self.embedding else future
        else:  # the zeros take the place of embedded poses, as in Villegas' code
            future = tf.zeros([horizon, tf.shape(poses)[0], self.embedding.units if self.embedding else self.values])
        _, states = read(self.encoder, self.embedding(observed) if self.embedding else observed)
        if self.hand_over == "output":
            states = [(h, h) for h, _ in states]
        x, _ = read(self.decoder, future, states)
        for layer in (*self.head, self.last):
            x = layer(x)
        return time_first(x)

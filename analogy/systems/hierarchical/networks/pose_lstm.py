"""The published pose predictors: an LSTM reads k poses and, fed with zeros or the last pose, says the next T (spec 1)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import keras
import tensorflow as tf

from analogy.models.building import Composite
from analogy.models.recurrent import FusedLstmCell, read, time_first


class PoseLstm(Composite, keras.Model):
    """Observed poses [B, k, V] -> future poses [B, T, V].

    Args:
        values: V, numbers in a pose.
        units: of each LSTM layer. layers: how many are stacked.
        embedding: units of a linear layer with ReLU before the LSTM; 0 leaves it out.
        head: units of the layers after the LSTM, sigmoid.
        activation: of the last layer: "tanh", "sigmoid" or "linear".
        shared: encoder and decoder have the same weights.
        hand_over: what the decoder starts from: "state", the encoder's (c_k, h_k); or "output", h_k in both places, as the
            original does.
        decoder_input: of every future step: "zeros", or "last", the last observed pose.
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
        observed = time_first(poses)  # [k, B, V]
        if self.decoder_input == "last":
            future = tf.repeat(observed[-1:], horizon, 0)
            future = self.embedding(future) if self.embedding else future
        else:  # after the embedding, as in Villegas' code
            future = tf.zeros([horizon, tf.shape(poses)[0], self.embedding.units if self.embedding else self.values])
        _, states = read(self.encoder, self.embedding(observed) if self.embedding else observed)
        if self.hand_over == "output":
            states = [(h, h) for h, _ in states]
        x, _ = read(self.decoder, future, states)
        for layer in (*self.head, self.last):
            x = layer(x)
        return time_first(x)

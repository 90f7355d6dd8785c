"""Ours: a recurrence on VGG-16's maps that moves the last observed frame instead of painting a new one."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from analogy.models.building import Composite
from analogy.models.mixing import blur
from analogy.models.optical_flow import optical_flows
from analogy.models.recurrent import ConvGruCell, State, time_first
from analogy.models.unet import leaky, same_conv
from analogy.models.warp import backward_warp, carried_on

conv = partial(same_conv, dtype="float32")  # also in runs of half precision
FINE = 4  # the skip and the head work at a quarter of the frame's size: flows are smooth
SOFT = 2.0  # the standard deviation of the Gaussian that blurs the soft frame, in pixels
SPEEDS = (1.0, 0.5)  # the last frame is carried on with all of its motion, and with half of it
PERIODS = (2, 2.4, 3, 4, 6, 12)  # of the waves that tell the network which step it is: 12 steps can have any rhythm
# Before training: of the frame carried on at each speed, the soft one, the last one, the observed ones' mean, the replay.
FIRST_WEIGHTS = (0.2, 0.3, 0.1, 0.1, 0.1, 0.2)
LAST = 3  # which of these is the last observed frame


class Scene(NamedTuple):
    """What is known after some frames.

    observed: the frames [B, k, H, W, C]. mean: of them [B, H, W, C]. soft: the last of them blurred [B, H, W, C]. motion:
    where its pixels were in the frame before [B, H, W, 2]. skip: maps of the last two frames at a quarter of their size.
    tap: what the ConvGRU reads last. state: of it. turn: what the predictions so far have added to the motion
    [B, H, W, 2]. flow: how far from its pixels the newest prediction reads the last frame at full speed [B, H, W, 2].
    step: the number of predictions.
    """

    observed: tf.Tensor
    mean: tf.Tensor
    soft: tf.Tensor
    motion: tf.Tensor
    skip: tf.Tensor
    tap: tf.Tensor
    state: State
    turn: tf.Tensor
    flow: tf.Tensor
    step: tf.Tensor


class MovingFrame(Composite, keras.Model):
    """Observed frames [B, k, H, W, C] in 0..1 and their features [B, k, N], k at least 2 -> the next frames and their flows.

    Each pixel of the last observed frame is carried on with its motion (an optical flow, computed here), at full and at half
    speed. A ConvGRU reads the features of the observed frames where they are (7 x 7 at 224 pixels), and then goes on by itself.
    With a skip from the last two frames it says for each step what is to be added to the motion, how the carried frames, a
    blurred one, the last one, the mean of the observed ones and one of them replayed are blended, and a colour to add. The
    replay goes back and forth through the observed frames, as in Video Textures (Schodl et al. 2000): what moves repeatedly
    goes on to move. No prediction is read again: errors do not feed on themselves, and VGG-16 runs for observed frames only.

    Args:
        channels: C.
        units: channels of the ConvGRU, and of every layer at a quarter of the size.
        rhythm: whether the blend has weights that depend on the step alone.
    """

    def __init__(self, *, channels: int = 3, units: int = 64, rhythm: bool = False, name: str = "moving_frame"):
        super().__init__(name=name, autocast=False)
        self.channels, self.units = channels, units
        self.tap = conv(units, "tap", size=1)
        self.cell = ConvGruCell(units, 3, name="gru")
        self.coarse = conv(units, "coarse", size=1)
        self.skip = [conv(units, "skip1"), conv(units, "skip2")]
        self.decoder = [conv(units, "decoder1"), conv(units, "decoder2")]
        self.head = conv(2 + len(FIRST_WEIGHTS) + channels, "head", kernel_initializer="zeros")
        self.rhythm = None
        if rhythm:
            self.rhythm = keras.layers.Dense(len(FIRST_WEIGHTS), kernel_initializer="zeros", dtype="float32", name="rhythm")

    def call(self, frames, features, *, count: int):
        """k and `count` are static. Returns frames [B, count, H, W, C], not clipped, and flows [B, count, H, W, 2]."""
        state, predicted = None, []
        for tap in tf.unstack(self._taps(frames, features), axis=1):
            _, state = self.cell(tap, state)
        scene = self._scene(frames, tap, state)
        for _ in range(count):
            frame, scene = self.next_frame(scene)
            predicted.append((frame, scene.flow))
        return tuple(tf.stack(parts, 1) for parts in zip(*predicted, strict=True))

    def roll(self, frames, features, count):
        """As `call`, for any k of at least 2 and any `count` of at least 1."""
        taps = self._taps(frames, features)
        zeros = (tf.zeros_like(taps[:, 0]),)
        observed = tf.shape(frames)[1]

        def observe(index, state):
            return index + 1, self.cell(taps[:, index], state)[1]

        def predict(index, scene, predicted, flows):
            frame, scene = self.next_frame(scene)
            return index + 1, scene, predicted.write(index, frame), flows.write(index, scene.flow)

        _, state = tf.while_loop(lambda index, _: index < observed, observe, (0, zeros))
        scene = self._scene(frames, taps[:, -1], state)
        arrays = [tf.TensorArray(tf.float32, count, element_shape=part.shape) for part in (scene.soft, scene.flow)]
        _, _, *arrays = tf.while_loop(lambda index, *_: index < count, predict, (0, scene, *arrays))
        return tuple(time_first(array.stack()) for array in arrays)

    def _taps(self, frames, features):
        """What the ConvGRU reads of the features, [B, k, h, w, units]. asinh brings features of any size near 1."""
        height, width = (side // 32 for side in frames.shape[2:4])
        maps = tf.reshape(tf.asinh(features), [-1, height, width, features.shape[-1] // (height * width)])
        return tf.reshape(leaky(self.tap(maps)), [-1, tf.shape(frames)[1], height, width, self.units])

    def _scene(self, frames, tap, state: State) -> Scene:
        """The scene after the observed frames."""
        before, last = frames[:, -2], frames[:, -1]
        fine, motion, *_ = optical_flows(last, before)
        still = tf.zeros_like(last[..., :1]) * tf.zeros([2])
        unexpected = last - backward_warp(before, fine)
        x = tf.nn.space_to_depth(tf.concat([last - 0.5, 4 * unexpected, fine / 4, motion / 4], -1), FINE)
        for layer in self.skip:
            x = leaky(layer(x))
        mean, soft = tf.reduce_mean(frames, 1), blur(last, SOFT)
        return Scene(frames, mean, soft, motion, x, tap, state, still, still, tf.zeros([]))

    def next_frame(self, scene: Scene) -> tuple[tf.Tensor, Scene]:
        """The next frame [B, H, W, C], and the scene after it."""
        hidden, state = self.cell(scene.tap, scene.state)
        size, step = scene.skip.shape[1:3], scene.step + 1
        carried = _carried(scene, step)
        given = tf.nn.avg_pool2d(tf.concat([*carried, scene.turn], -1), FINE, FINE, "VALID") / 4
        time = tf.zeros_like(scene.skip[..., :1]) + clock(step)
        x = tf.concat([tf.image.resize(self.coarse(hidden), size), scene.skip, given, time], -1)
        for layer in self.decoder:
            x = leaky(layer(x))
        said = tf.image.resize(self.head(tf.concat([x, time], -1)), scene.soft.shape[1:3])
        turn, weights, colour = tf.split(said, [2, len(FIRST_WEIGHTS), self.channels], -1)
        turn += scene.turn
        flows = [flow + turn for flow in carried]
        weights = tf.nn.softmax(weights + self.log_weights(step))
        frame = tf.reduce_sum(_pictures(scene, flows, step) * weights[..., None, :], -1) + colour / 4
        return frame, scene._replace(state=state, turn=turn, flow=flows[0], step=step)

    def log_weights(self, step):
        """The logarithms of the weights of a step's blend, but for a constant, as far as they are the same everywhere: [6]."""
        weights = tf.math.log(FIRST_WEIGHTS)
        return weights + self.rhythm(clock(step)[None])[0] if self.rhythm else weights

    def set_rhythm(self, log_weights):
        """Let `log_weights` answer these logarithms [T, 6] at steps 1 to T: exactly up to 12 steps, else by least squares."""
        waves = np.stack([clock(tf.constant(step + 1.0)) for step in range(len(log_weights))])
        columns = np.concatenate([waves, np.ones_like(waves[:, :1])], 1)
        solved = np.linalg.lstsq(columns, log_weights - np.log(FIRST_WEIGHTS), rcond=None)[0]
        self.rhythm.set_weights([solved[:-1], solved[-1]])

    def first_pictures(self, frames, count: int):
        """What each step blends before training has changed the motion: [B, count, H, W, C, 6]. frames: [B, k, H, W, C]."""
        scene, steps = self._scene(frames, None, None), [tf.constant(step + 1.0) for step in range(count)]
        return tf.stack([_pictures(scene, _carried(scene, step), step) for step in steps], 1)


def _carried(scene: Scene, step) -> list[tf.Tensor]:
    """For each speed, where the pixels of a step were in the last observed frame, by their motion alone [B, H, W, 2]."""
    return [carried_on(scene.motion, step * speed) for speed in SPEEDS]


def _pictures(scene: Scene, flows: list[tf.Tensor], step):
    """What a step blends, in the order of FIRST_WEIGHTS: [B, H, W, C, 6]. flows: of each speed [B, H, W, 2]."""
    last = scene.observed[:, -1]
    sources, places = [last, last, scene.soft], [*flows, flows[-1]]
    moved = tf.split(backward_warp(tf.concat(sources, 0), tf.concat(places, 0)), len(sources), 0)
    return tf.stack([*moved, last, scene.mean, replayed(scene.observed, step)], -1)


def replayed(observed, step):
    """The frame of a step when the observed frames [B, k, H, W, C] are replayed back and forth: the last one, the one before,
    and so on to the first one and back. step: from 1, a scalar, float."""
    end = tf.cast(tf.shape(observed)[1] - 1, tf.float32)
    return tf.gather(observed, tf.cast(tf.abs(end - tf.math.floormod(step - 1, 2 * end)), tf.int32), axis=1)


def clock(step):
    """What tells which step it is: the step, and waves of several periods, of which a rhythm is a weighted sum."""
    angles = 2 * np.pi * step / tf.constant(PERIODS, tf.float32)
    return tf.concat([step[None] / 10, tf.sin(angles), tf.cos(angles)], 0)

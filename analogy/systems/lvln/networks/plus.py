"""Ours: a ladder network that moves the last observed frame instead of painting the next one."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from analogy.models.building import Composite
from analogy.models.mixing import blur
from analogy.models.optical_flow import optical_flows
from analogy.models.recurrent import State, time_first
from analogy.models.unet import leaky, same_conv
from analogy.models.warp import backward_warp, sharp_warp
from analogy.systems.lvln.networks.lateral import Lateral, scaled

MOST_MOTION = 1.3  # a candidate goes on with 0 to 1.3 times the observed motion
SOFT = 2.0  # the standard deviation of the Gaussian that blurs the soft frame, in pixels
ERROR_WINDOW = 2.0  # the standard deviation of the Gaussian that averages a candidate's squared errors, in pixels
SMALLEST_ERROR = 1e-4  # added to these squared errors, sums over the channels
TRUST = 0.9  # before training, a candidate's weight is divided by its error to this power
AROUND = 4.0  # the standard deviation of the Gaussian that averages finest detail, in pixels
LEAST_DETAIL = 1e-4  # added to that mean, so that nothing is divided by 0


class Candidate(NamedTuple):
    """One guess of the next frame.

    image: which image is moved: the `last` frame, the last frame made `soft` by a Gaussian, or the frame `before` it, moved
        onto it by the coarse motion.
    motion: which motion goes on: that of the optical flow's finest level (`fine`), of its second (`coarse`) or `coarsest` one.
    share: how much of it goes on before training. weight: the guess's weight in the blend then, beside those of the others.
    """

    image: str
    motion: str
    share: float
    weight: float


# The best guess of an uncertain pixel is a mean over what may happen: it moves on, slows down, stays, or is something else.
CANDIDATES = (
    Candidate("last", "coarse", 0.5, 0.35),
    Candidate("last", "fine", 0.5, 0.20),
    Candidate("last", "fine", 1.0, 0.20),
    Candidate("last", "coarse", 0.02, 0.10),
    Candidate("soft", "coarse", 0.3, 0.15),
    Candidate("before", "coarse", 0.5, 0.10),
    Candidate("last", "coarsest", 0.5, 0.10),
)


class Scene(NamedTuple):
    """What the network knows after a frame, observed or predicted.

    images: name -> [B, H, W, C], the images that candidates move. They stay those of the last observed frame, so that no
        prediction is a warp of a prediction, which would blur.
    motions: name -> [B, H, W, 2], where the last observed frame's pixels were in the frame before.
    errors: [B, H, W, candidates], the logarithm of each candidate's squared error around a pixel of the last observed frame,
        when it is predicted from the frame before and the motion until there; less the mean of all candidates. It is the mean
        over all observed frames from the third on, each carried along with the motion since. 0 before the third.
    flows: for each candidate [B, H, W, 2], how far from its pixels it reads the images.
    taps: of the ladder's levels, the finest first.
    states: of the lateral blocks, the finest first.
    pairs: float32 scalar, the number of observed pairs of neighbouring frames.
    step: float32 scalar, the number of predicted frames.
    """

    images: dict[str, tf.Tensor]
    motions: dict[str, tf.Tensor]
    errors: tf.Tensor
    flows: list[tf.Tensor]
    taps: list[tf.Tensor]
    states: list[list[State]]
    pairs: tf.Tensor
    step: tf.Tensor


class MovingLadder(Composite, keras.Model):
    """Observed frames [B, k, H, W, C] in 0..1, k at least 2 -> the next frames and their flows.

    A ladder of four levels (1/2, 1/4, 1/8, 1/16 of the frame): an encoder, lateral blocks of ConvGRUs with location-dependent
    convolutions, a decoder with bilinear upsampling. The head works at half size. For each of several candidates it predicts a
    backward flow of the last observed frame and a weight, and for all together a residual colour. The blend of the warped
    candidates, plus the colour, is the prediction, which the encoder reads as the next frame. The better a candidate would
    have predicted the observed frames at a place, the more it weighs there.

    A blend is soft: its candidates' fine detail cancels out where they disagree. So finest detail of the last frame can be
    added where the blend has lost it, which is akin to blending the bands of a pyramid apart (Burt and Adelson 1983).

    Args:
        channels: C.
        width: multiplier of all channels.
        start: what is known of the motion: `flow`: the optical flow between observed frames, which is an input, the start of
            every candidate's flow, and aligns frames before they are compared; `difference`: only the difference of
            neighbouring frames is an input; `none`: neither. Without `flow` the untrained network copies the last
            frame, if it has 4 candidates at most.
        candidates: how many of `CANDIDATES`, 1 to 7. 1: the head predicts one flow, and no weights.
        colour: whether the head predicts a residual colour.
        detail: how much of the last frame's finest detail `roll` adds where the blend has none; the more of it the blend has,
            the less is added. 0: none. Training knows nothing of it.
    """

    def __init__(
        self,
        *,
        channels: int,
        width: float,
        start: str,
        candidates: int,
        colour: bool,
        detail: float = 0.0,
        name: str = "moving_ladder",
    ):
        super().__init__(name=name, autocast=False)  # flows and images stay float32
        self.channels, self.start, self.colour, self.detail = channels, start, colour, detail
        self.candidates = CANDIDATES[:candidates]
        fine, middle, coarse, coarsest = (scaled(c, width) for c in (32, 48, 64, 64))
        units = scaled(16, width)
        self.encoder = [
            [same_conv(fine, "encoder2")],
            [same_conv(middle, "encoder4", strides=2), same_conv(middle, "encoder4_residual")],
            [same_conv(coarse, "encoder8", strides=2), same_conv(coarse, "encoder8_residual")],
            [same_conv(coarsest, "encoder16", strides=2)],
        ]
        self.skip = same_conv(units, "skip2", size=1)
        self.laterals = [
            Lateral(units, kernels=(3,), located=False, columns="correct", name="lateral4"),
            Lateral(2 * units, kernels=(3,), located=True, columns="correct", name="lateral8"),
            Lateral(2 * units, kernels=(3,), located=True, columns="correct", name="lateral16"),
        ]
        self.decoder = [same_conv(c, f"decoder{s}") for c, s in ((coarsest, 16), (coarse, 8), (middle, 4), (fine, 2))]
        self.last = same_conv(fine, "last")
        outputs = 4 * candidates + (channels if colour else 0)
        if candidates > 1:
            self.trust = self.add_weight(name="trust", shape=(), initializer=keras.initializers.Constant(TRUST), autocast=False)
        self.head = same_conv(outputs, "head", kernel_initializer="zeros", dtype="float32")

    def call(self, frames, *, count: int):
        """k and `count` are static. Returns blends [B, count, H, W, C], not clipped, and the flows of the first candidate."""
        frames = tf.unstack(frames, axis=1)
        scene = None
        for before, frame in pairwise(frames):
            scene = self.observe(before, frame, scene)
        predicted = []
        for _ in range(count):
            if predicted:
                scene = self.imagine(*predicted[-1], scene)
            *parts, scene = self.next_frame(scene)
            predicted.append(parts)
        return tuple(tf.stack(parts, 1) for parts in zip(*predicted, strict=True))

    def roll(self, frames, count) -> tuple[tf.Tensor, tf.Tensor, Scene]:
        """As `call`, for any k of at least 2 and any `count` of at least 0: the frames, which are the blends with the finest
        detail, their flows, and the scene after all of them."""

        detail = finest_detail(frames[:, -1]) if self.detail else None

        def observe(index, scene):
            return index + 1, self.observe(frames[:, index - 1], frames[:, index], scene)

        def predict(index, scene, predicted, flows):
            blend, flow, scene = self.next_frame(scene)
            frame = self._with_detail(blend, flow, detail) if self.detail else blend
            return index + 1, self.imagine(blend, flow, scene), predicted.write(index, frame), flows.write(index, flow)

        _, scene = tf.while_loop(lambda index, _: index < tf.shape(frames)[1], observe, (1, self._nothing(frames[:, 0])))
        frame, still = scene.images["last"], scene.flows[0]
        predicted, flows = (tf.TensorArray(tf.float32, count, element_shape=part.shape) for part in (frame, still))
        _, scene, predicted, flows = tf.while_loop(lambda index, *_: index < count, predict, (0, scene, predicted, flows))
        return time_first(predicted.stack()), time_first(flows.stack()), scene

    def _nothing(self, frame) -> Scene:
        """The scene before the first pair of frames: of everything only the shape, and zeros."""
        still = tf.zeros_like(frame[..., :1]) * tf.zeros([2])
        taps, states = self._encode(frame, frame, still, None)
        images = dict.fromkeys(["last", "soft", "before"], frame)
        motions = {"fine": still, "coarse": still, "coarsest": still}
        errors = tf.concat([still[..., :1]] * len(self.candidates), -1)
        shapes = Scene(images, motions, errors, [still] * len(self.candidates), taps, states, tf.zeros([]), tf.zeros([]))
        return tf.nest.map_structure(tf.zeros_like, shapes)

    # ---------------------------------------------------------------- one frame

    def observe(self, before, frame, scene: Scene | None) -> Scene:
        """The scene after an observed frame [B, H, W, C]. before: the frame before it. scene: the scene then, if any."""
        still = tf.zeros_like(frame[..., :1]) * tf.zeros([2])
        levels = optical_flows(frame, before) if self.start == "flow" else [still, still]
        fine, coarse, coarsest = levels[0], levels[1], levels[-1]
        difference = tf.zeros_like(frame) if self.start == "none" else frame - backward_warp(before, fine)
        taps, states = self._encode(frame, difference, fine, scene.states if scene else None)
        images = {"last": frame, "soft": blur(frame, SOFT), "before": backward_warp(before, coarse)}
        motions = {"fine": fine, "coarse": coarse, "coarsest": coarsest}
        errors = self._errors(frame, fine, scene)
        pairs = scene.pairs + 1 if scene else tf.ones([])
        return Scene(images, motions, errors, [still] * len(self.candidates), taps, states, pairs, tf.zeros([]))

    def _errors(self, frame, motion, before: Scene | None):
        """`Scene.errors` of an observed frame. motion: its flow into the frame before. before: the scene that predicts it."""
        if before is None:
            return tf.concat([tf.zeros_like(frame[..., :1])] * len(self.candidates), -1)
        images = tf.concat([before.images[candidate.image] for candidate in self.candidates], 0)
        flows = tf.concat([candidate.share * before.motions[candidate.motion] for candidate in self.candidates], 0)
        errors = tf.square(backward_warp(images, flows) - tf.tile(frame, [len(self.candidates), 1, 1, 1]))
        errors = tf.concat(tf.split(tf.reduce_sum(errors, -1, keepdims=True), len(self.candidates), 0), -1)
        errors = tf.math.log(blur(errors, ERROR_WINDOW) + SMALLEST_ERROR)
        errors -= tf.reduce_mean(errors, -1, keepdims=True)
        earlier = tf.maximum(before.pairs - 1, 0.0)  # how many frames have told their errors before
        return tf.stop_gradient((errors + earlier * backward_warp(before.errors, motion)) / (1 + earlier))

    def imagine(self, frame, flow, scene: Scene) -> Scene:
        """The scene after reading a blend and its flow as if it were the next frame. Its images stay."""
        moved = backward_warp(scene.images["last"], flow)
        frame = tf.clip_by_value(frame, 0.0, 1.0)
        difference = tf.zeros_like(frame) if self.start == "none" else frame - moved
        taps, states = self._encode(frame, difference, flow / tf.maximum(scene.step, 1.0), scene.states)
        return scene._replace(taps=taps, states=states)

    def next_frame(self, scene: Scene) -> tuple[tf.Tensor, tf.Tensor, Scene]:
        """The blend [B, H, W, C] of the next frame, its flow [B, H, W, 2] (of the first candidate), and the scene with all
        flows."""
        n = len(self.candidates)
        shares, turns, weights, colour = tf.split(_doubled(self.head(self._decode(scene))), [n, 2 * n, n, -1], -1)
        start = np.array([candidate.share for candidate in self.candidates], np.float32)
        shares = MOST_MOTION * tf.sigmoid(shares + np.log(start / (MOST_MOTION - start)))
        flows = [
            flow + share * scene.motions[candidate.motion] + turn
            for candidate, flow, share, turn in zip(
                self.candidates, scene.flows, tf.split(shares, n, -1), tf.split(turns, n, -1), strict=True
            )
        ]
        images = tf.concat([scene.images[candidate.image] for candidate in self.candidates], 0)
        moved = tf.split(backward_warp(images, tf.concat(flows, 0)), n, 0)
        weights += np.log([candidate.weight for candidate in self.candidates]).astype(np.float32)
        if n > 1:
            weights -= self.trust * backward_warp(scene.errors, tf.stop_gradient(flows[0]))
        weights = tf.nn.softmax(weights)
        blend = tf.add_n([weight * image for weight, image in zip(tf.split(weights, n, -1), moved, strict=True)])
        if self.colour:
            blend += colour / 4  # smaller steps of learning than those of flows in pixels
        return blend, flows[0], scene._replace(flows=flows, step=scene.step + 1)

    def _with_detail(self, blend, flow, detail):
        """The blend [B, H, W, C] and, where it lost finest detail, some of this one, the last observed frame's. A bilinear warp
        would take away just what is to be added, hence the sharp one."""
        detail = sharp_warp(detail, flow)
        amounts = [tf.reduce_mean(tf.abs(part), -1, keepdims=True) for part in (finest_detail(blend), detail)]
        left, full = (blur(amount, AROUND) + LEAST_DETAIL for amount in amounts)
        return blend + self.detail * tf.nn.relu(1 - left / full) * detail

    # ---------------------------------------------------------------- the ladder

    def _encode(self, frame, difference, flow, states):
        """Taps and next states from a frame, its difference to what was expected, and its flow."""
        given = tf.concat([frame - 0.5, 4 * difference, flow / 4], -1)  # all of about one size
        x = tf.nn.space_to_depth(tf.cast(given, self.compute_dtype), 2)
        levels = []
        for first, *residual in self.encoder:
            x = leaky(first(x))
            for layer in residual:
                # Not leaky(x + layer(x)): where TensorFlow 2.21 makes one kernel of these steps, in graphs without gradients,
                # it takes the slope 0.2 whatever was asked for.
                x += leaky(layer(x))
            levels.append(x)
        taps, next_states = [self.skip(levels[0])], []
        for lateral, level, state in zip(self.laterals, levels[1:], states or [None] * len(self.laterals), strict=True):
            tap, state = lateral(level, state)
            taps.append(tap)
            next_states.append(state)
        return taps, next_states

    def _decode(self, scene: Scene):
        """What the head reads, float32 [B, H / 2, W / 2, channels]. It works at half size: flows and weights are smooth."""
        x = scene.taps[-1]
        for index, layer in enumerate(self.decoder[:-1]):
            x = leaky(layer(tf.concat([_doubled(x), scene.taps[-1 - index]], -1) if index else x))
        flow, last, fine, coarse = scene.flows[0], scene.images["last"], scene.motions["fine"], scene.motions["coarse"]
        expected = backward_warp(last, flow + coarse / 2)
        step = tf.zeros_like(flow[..., :1]) + scene.step / 3
        given = [last - 0.5, 4 * (expected - last), flow / 4, fine / 4, coarse / 4, step, scene.errors / 2]
        given = tf.concat(given, -1)
        given = tf.cast(tf.nn.avg_pool2d(given, 2, 2, "VALID"), x.dtype)
        x = leaky(self.decoder[-1](tf.concat([_doubled(x), scene.taps[0], given], -1)))
        return tf.cast(leaky(self.last(x)), tf.float32)


def finest_detail(images):
    """The highest band of images [B, H, W, C]: each pixel less the mean of its four neighbours, three times over. Of a wave of
    3 pixels along a side 42 % is left, of 4 pixels an eighth, of 8 pixels a third of a hundredth; of a checkerboard the
    eightfold."""
    for _ in range(3):
        padded = tf.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")
        across, down = padded[:, 1:-1, :-2] + padded[:, 1:-1, 2:], padded[:, :-2, 1:-1] + padded[:, 2:, 1:-1]
        images -= (across + down) / 4
    return images


def _doubled(x):
    """Twice as high and wide, bilinearly: a pixel shuffle would leave its grid in the flow."""
    return tf.cast(tf.image.resize(x, [2 * side for side in x.shape[1:3]]), x.dtype)

"""Seconds per training step of the keypoint systems: ours and a plain Keras one, which run in turn in one process.

--network translator: the plain step detects keypoints in each frame separately, runs the generator and the discriminator once
to update the discriminator and once more to update the generator, and lets the discriminator see real and generated frames
separately. Its batch normalisation is Keras' own. Neither has the perceptual term, unless --perceptual hed gives it to both.
--network motion: the plain step unrolls Keras' LSTM cells in a Python loop, also in two passes.

--one-thread measures processor time in one thread: for a machine that others use too. --only measures one step alone, with its
peak memory. The first steps of both translators must find the same error, or the benchmark ends.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack, nullcontext
from types import SimpleNamespace
from unittest.mock import patch

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf
from common import parser, random_batch, time_alternately, use_one_thread
from processes import peak_gigabytes

from analogy.settings import find_experiment, load_settings
from analogy.systems import SYSTEMS
from analogy.systems.keypoints.motion_vae import MotionVaeSystem
from analogy.systems.keypoints.networks import blocks, motion, translator
from analogy.systems.keypoints.translator import TranslatorSystem, _cross_entropy
from analogy.training.precision import use_precision


class PlainTranslator(TranslatorSystem):
    """The same networks and losses in two passes, as the published code orders them, on one batch."""

    def _painted(self, frame, truth):
        keypoints, next_keypoints = (self.detect(part, training=True) for part in (frame, truth))
        return self.translate(frame, keypoints, next_keypoints, training=True)["frame"]

    def train_step(self, batch):
        frame, truth = self._augmented(batch)
        with tf.GradientTape() as tape:
            answer = self._painted(frame, truth)
            terms = {
                "real": _cross_entropy(self.discriminator(truth), 1.0),
                "generated": _cross_entropy(self.discriminator(answer), 0.0),
            }
        report = self.descend("discriminator", tape, terms)
        with tf.GradientTape() as tape:
            answer = self._painted(frame, truth)
            terms = self._terms(truth, answer)
            terms["adversarial"] = self.settings.loss.adversarial * _cross_entropy(self.discriminator(answer), 1.0)
        return {**report, **self.descend("generator", tape, terms)}


def keras_norm(momentum: float, name: str) -> keras.layers.BatchNormalization:
    return keras.layers.BatchNormalization(momentum=momentum, epsilon=1e-5, name=name)


def keras_same(filters: int, name: str) -> keras.layers.Conv2D:
    return keras.layers.Conv2D(filters, 3, padding="same", name=name)


def keras_halving(filters: int, name: str) -> keras.Sequential:
    """The discriminator's convolution as it is published: one zero on all sides, and then "same"."""
    return keras.Sequential([keras.layers.ZeroPadding2D(1), keras.layers.Conv2D(filters, 4, 2, padding="same")], name=name)


def make_translator(o, kind: type) -> TranslatorSystem:
    values = {"data.image_size": o.image_size, "network.keypoints": o.keypoints, "training.batch_size": o.batch}
    values |= {"training.precision": o.precision, "network.width": o.width, "discriminator.width": o.width}
    values |= {"data.folder": ".", "loss.perceptual": float(bool(o.perceptual)), "loss.l1": float(not o.perceptual)}
    values |= {
        "loss.perceptual_weights": o.perceptual or "imagenet",
        "augmentation.rotation": 0.0,
        "augmentation.filters": False,
    }
    return built(o, kind, load_settings(find_experiment("keypoints_penn_translator"), SYSTEMS, scale="paper", values=values))


def built(o, kind: type, settings, *used):
    keras.utils.set_random_seed(0)
    with use_precision(o.precision):
        system = kind(settings, *used)
    system.prepare_training()
    return system


class PlainMotion(MotionVaeSystem):
    """The motion generator and its discriminator in two passes; see `looped` for the cells."""

    def train_step(self, batch):
        loss, sequence = self.settings.loss, batch["keypoints"]
        first, truth, action = sequence[:, 0], sequence[:, 1:], self._one_hot(batch["label"])

        def future():
            mean, deviation = self.encoder(truth, first, action)
            return self.decoder(mean + deviation * batch["noise"], first, action), motion.divergence(mean, deviation)

        with tf.GradientTape() as tape:
            real, generated = self.discriminator(truth), self.discriminator(future()[0])
            terms = {"real": tf.nn.softplus(-real), "generated": tf.nn.softplus(generated)}
        report = self.descend("discriminator", tape, terms)
        with tf.GradientTape() as tape:
            answer, divergence = future()
            terms = {
                "reconstruction": loss.reconstruction * tf.reduce_mean(tf.abs(truth - answer), [1, 2, 3]),
                "divergence": loss.divergence * divergence,
                "adversarial": loss.adversarial * tf.nn.softplus(-self.discriminator(answer)),
            }
        return {**report, **self.descend("generator", tape, terms)}


def keras_cells(units: int) -> list[keras.layers.LSTMCell]:
    return [keras.layers.LSTMCell(units, name=f"lstm{index + 1}") for index in range(motion.LAYERS)]


def looped(cells, inputs):
    """What `analogy.models.recurrent.read` does, by a Python loop over Keras' cells. inputs: [T, B, N]."""
    states = [[tf.zeros([tf.shape(inputs)[1], cell.units], inputs.dtype)] * 2 for cell in cells]
    outputs = []
    for value in tf.unstack(inputs):
        for index, cell in enumerate(cells):
            value, states[index] = cell(value, states[index])
        outputs.append(value)
    return tf.stack(outputs), states


def make_motion(o, kind: type) -> MotionVaeSystem:
    values = {"training.batch_size": o.batch, "training.precision": o.precision, "data.folder": "."}
    settings = load_settings(find_experiment("keypoints_penn_motion"), SYSTEMS, scale="paper", values=values)
    frame, points = [None, 128, 128, 3], [None, o.keypoints, 2]
    inputs = {"frame": tf.TensorSpec(frame, tf.uint8)}
    inputs |= {name: tf.TensorSpec(points, tf.float32) for name in ("keypoints", "next_keypoints")}
    translate = SimpleNamespace(structured_input_signature=((), inputs))
    return built(o, kind, settings, {"translator": SimpleNamespace(signatures={"translate": translate}, translate=None)})


def motion_batch(o, system: MotionVaeSystem) -> dict[str, tf.Tensor]:
    rng, size = np.random.default_rng(0), system.settings.network.latent_size
    points = rng.uniform(-0.5, 0.5, (o.batch, system.horizon + 1, o.keypoints, 2)).astype(np.float32)
    arrays = {"step": np.int64(0), "position": np.arange(o.batch, dtype=np.int32), "keypoints": points}
    arrays |= {"label": np.zeros(o.batch, np.int32), "noise": rng.normal(size=(o.batch, size)).astype(np.float32)}
    return {name: tf.constant(value) for name, value in arrays.items()}


def keras_layers(network: str):
    """While this context is entered, networks are made of Keras' own layers."""
    layers = ExitStack()
    if network == "motion":
        layers.enter_context(patch.multiple(motion, _cells=keras_cells, read=looped))
    else:
        layers.enter_context(patch.multiple(blocks, BatchNorm=keras_norm, WinogradConvolution=keras_same))
        layers.enter_context(patch.object(translator, "HalvingConvolution", keras_halving))
    return layers


def main() -> None:
    options = parser(__doc__, image_size=128, keypoints=40, batch=16, width=1.0, repeats=3, precision="float32", perceptual="")
    options.add_argument("--network", choices=("translator", "motion"), default="translator")
    options.add_argument("--only", choices=("ours", "plain"), help="measure one alone, and its peak memory")
    options.add_argument("--one-thread", action="store_true", help="one thread; processor time")
    o = options.parse_args()
    if o.one_thread:
        use_one_thread()
    kinds = {"ours": TranslatorSystem, "plain": PlainTranslator}
    if o.network == "motion":
        kinds = {"ours": MotionVaeSystem, "plain": PlainMotion}
    kinds = {name: kind for name, kind in kinds.items() if o.only in (None, name)}
    actions, kept, first_errors = {}, [], []
    for name, kind in kinds.items():
        with keras_layers(o.network) if name == "plain" else nullcontext():
            system = (make_motion if o.network == "motion" else make_translator)(o, kind)
            batch = motion_batch(o, system) if o.network == "motion" else random_batch(o.batch, o.image_size)
            step = tf.function(system.train_step)
            report = step(batch)  # traced while the layers are those of the plain one
        first_errors += [float(report[key]) for key in ("generator/l1", "generator/perceptual") if key in report]
        kept.append(system)
        actions[name] = lambda step=step, batch=batch: step(batch)["generator/loss"].numpy()
    if not np.allclose(first_errors, first_errors[:1], rtol=0.02):
        sys.exit(f"the steps differ: their first errors are {first_errors}")
    clocks = dict.fromkeys(actions, time.process_time) if o.one_thread else None
    medians = time_alternately(actions, o.repeats, clocks)
    size = f"{o.image_size} px, K {o.keypoints}, " if o.network == "translator" else f"K {o.keypoints}, 32 steps, "
    print(f"{o.network}, {size}batch {o.batch}, {o.precision}, {o.perceptual or 'no perceptual term'}; median of {o.repeats}")
    for name, seconds in medians.items():
        ratio = f"   plain / this = {medians['plain'] / seconds:.2f}" if "plain" in medians else ""
        print(f"{name:8} {seconds:8.2f} s{' of processor time' if o.one_thread else ''}{ratio}")
    print(f"peak resident memory {peak_gigabytes():.2f} GB ({f'{o.only} alone' if o.only else 'both'})")


if __name__ == "__main__":
    main()

"""What every system inherits: which weights are trained, one way to descend, averaged weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from analogy.models.building import without_values
from analogy.systems.base import System
from analogy.training.health import Health
from analogy.training.precision import use_precision
from tests.systems.conftest import build_system


class Line(System):
    """y = gain x + shift behind an encoder x -> 2 x that nothing trains; the optimiser is called otherwise than a network."""

    def __init__(self, settings, frozen=True):
        super().__init__(settings)
        self.encoder, self.head = (keras.layers.Dense(1, name=name) for name in ("encoder", "head"))
        for layer, kernel in ((self.encoder, 2.0), (self.head, 0.5)):
            layer.build([None, 1])
            layer.kernel.assign([[kernel]])
        self.models, self.frozen = {"encoder": self.encoder, "head": self.head}, frozen

    def plan_optimizers(self):
        layers = [self.head] if self.frozen else [self.encoder, self.head]
        return {"line": (self.settings.optimizer, [v for layer in layers for v in layer.trainable_variables])}

    def train_step(self, batch):
        with tf.GradientTape() as tape:
            error = tf.cast(self.head(self.encoder(batch["x"])), tf.float32)[:, 0] - batch["y"]
            terms = {"square": tf.square(error), "size": 0.5 * tf.abs(error)}
        return self.descend("line", tape, terms)


@pytest.fixture
def settings():
    """settings("optimizer.clip_norm=1") -> of an experiment with one optimiser: gradient descent, rate 0.1, batch of 4."""
    from analogy.settings import find_experiment, load_settings
    from analogy.systems import SYSTEMS

    def load(*more):
        plain = ("optimizer.name=sgd", "optimizer.learning_rate=0.1", "training.batch_size=4", *more)
        return load_settings(find_experiment("seq2seq_sins_l1"), SYSTEMS, scale="demo", overrides=plain)

    return load


def build(settings, precision="float32", **how) -> Line:
    with use_precision(precision):
        system = Line(settings, **how)
        system.prepare_training()
    return system


BATCH = {"x": np.float32([[1], [2]]), "y": np.float32([2, 0])}  # y = x: the errors are -1 and 2


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("clip_norm", [0.0, 0.5])
def test_descend_by_hand(settings, precision, clip_norm):
    """Two of a whole batch of 4 examples: sums are divided by 4."""
    system = build(settings(f"optimizer.clip_norm={clip_norm}"), precision)
    if system.scales_loss:  # what it starts from would overflow here, and rightly skip the update
        system.optimizers["line"].dynamic_scale.assign(64.0)
    report = {name: float(value) for name, value in system.train_step(BATCH).items()}
    assert report == pytest.approx({"line/square": 5 / 4, "line/size": 1.5 / 4, "line/loss": 6.5 / 4}, rel=1e-3)
    slopes = np.array([2 * -1 - 0.5, 2 * 2 + 0.5]) / 4  # of the loss by each output
    gradient = np.array([slopes @ [2.0, 4.0], slopes.sum()])  # by the kernel and by the bias, of encoded inputs 2 and 4
    if clip_norm:
        gradient *= clip_norm / np.linalg.norm(gradient)
    weights = [system.head.kernel.numpy()[0, 0], system.head.bias.numpy()[0]]
    np.testing.assert_allclose(weights, np.array([0.5, 0.0]) - 0.1 * gradient, rtol=2e-3)
    assert system.encoder.kernel.numpy()[0, 0] == 2.0


def test_trained_weights_are_those_that_an_optimiser_holds(settings):
    system = build(settings())
    assert system.encoder.trainable_variables  # Keras would train it
    assert {name: len(held) for name, held in system.trained_variables().items()} == {"encoder": 0, "head": 2}
    assert system.parameters() == {"encoder": 0, "encoder (not trained)": 2, "head": 2}
    health = Health(system.trained_variables(), system.adversaries)
    system.train_step(BATCH)
    assert health.doubts([], []) == []  # nobody says that the encoder's gradient is zero
    (said,) = health.doubts([], [])
    assert "the weights of head have not changed" in said
    with_scaling = build(settings(), "float16", frozen=False)
    assert {name: len(held) for name, held in with_scaling.trained_variables().items()} == {"encoder": 2, "head": 2}


def test_weights_are_counted_before_there_are_optimisers(settings):
    with without_values():
        assert System.parameters(Uncounted(settings())) == {"network": 2, "network (not trained)": 2}


class Uncounted(System):
    def __init__(self, settings):
        super().__init__(settings)
        self.network = keras.Sequential([keras.layers.Dense(1), keras.layers.Dense(1)])
        self.network.build([None, 1])
        self.network.layers[0].trainable = False
        self.models = {"network": self.network}


def test_a_weight_without_a_gradient_is_an_error_not_a_warning(settings):
    system = build(settings(), frozen=False)
    with tf.GradientTape() as tape:
        terms = {"loss": tf.square(system.head(BATCH["x"])[:, 0])}
    with pytest.raises(ValueError, match="the loss of line does not depend on encoder/kernel, encoder/bias"):
        system.descend("line", tape, terms)


def test_averaged_weights_give_way_to_the_trained_ones(settings):
    system = build(settings("optimizer.average=0.5"))
    with system.averaged_weights():  # no update yet
        assert system.head.kernel.numpy()[0, 0] == 0.5
    kernels = []
    for _ in range(2):
        system.train_step(BATCH)
        kernels.append(system.head.kernel.numpy()[0, 0])
    with pytest.raises(RuntimeError, match="in between"), system.averaged_weights():
        assert system.head.kernel.numpy()[0, 0] == pytest.approx(np.mean(kernels), rel=1e-6)
        raise RuntimeError("in between")
    assert system.head.kernel.numpy()[0, 0] == kernels[-1]


def test_two_systems_share_nothing(settings):
    first, second = Line(settings()), Line(settings())
    for name in ("models", "optimizers", "state", "exported"):
        assert getattr(first, name) is not getattr(second, name), name


def test_every_discriminator_is_an_adversary():
    tiny = ("data.image_size=32", "generator.width=0.125", "discriminator.width=0.125", "discriminator.units=16")
    system = build_system("analogy_pool3", *tiny, "loss.image_adversarial=1")
    assert system.adversaries == ("discriminator", "image_discriminator")
    rows = [{"step": step, "image_discriminator/loss": 1.0 if step == 1 else 1e-5 / step} for step in range(1, 30)]
    assert any("image_discriminator/loss has been below" in said for said in Health({}, system.adversaries).doubts(rows, []))

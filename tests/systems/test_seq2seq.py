"""The promises of every system, for the Seq2Seq LSTM, and its published settings."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from analogy.data.batches import ReplicaContext
from analogy.export import export_saved_model
from analogy.settings import SETTINGS, load_settings
from analogy.systems import SYSTEMS
from data_prep.opening import open_dataset
from tests.conftest import CONFIGS
from tests.systems.conftest import build_system

SMALL = ("network.units=8", "training.batch_size=4", "data.train_count=40", "data.test_count=12", "data.groups_of=5")
SGD = ("optimizer.name=sgd", "optimizer.learning_rate=0.1")
WIRINGS = [(), ("network.hand_over=state", "network.feedback=frame")]


def build(*overrides, name="seq2seq_sins_l1"):
    return build_system(name, *SMALL, *overrides)


@pytest.fixture
def batch():
    return next(iter(open_dataset(build().settings).batches(ReplicaContext(batch_size=4))))


@pytest.mark.parametrize("wiring", WIRINGS)
def test_every_weight_learns(batch, wiring):
    system, recorded = build(*wiring), []
    system.optimizers["network"].apply = lambda gradients, variables: recorded.extend(gradients)
    assert np.isfinite(system.train_step(batch)["network/loss"])
    assert len(recorded) == len(system.network.trainable_variables) == 4 * 2 + 2
    assert all(np.linalg.norm(gradient) > 0 for gradient in recorded)


@pytest.mark.parametrize("wiring", WIRINGS)
def test_eager_equals_graph_and_one_replica_equals_two(batch, wiring, two_replicas, train_side_by_side):
    one, graph = build(*SGD, *wiring), build(*SGD, *wiring)
    with two_replicas.scope():
        two = build(*SGD, *wiring)
    train_side_by_side(one, two)
    step = tf.function(graph.train_step)
    for _ in range(3):
        step(batch)
    for a, b, c in zip(*(system.network.trainable_variables for system in (one, two, graph)), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-5)
        np.testing.assert_allclose(a.numpy(), c.numpy(), atol=1e-5)


def test_sines_can_be_learned_measured_and_exported(tmp_path):
    system = build(
        "network.units=32", "data.context=10", "data.horizon=5", "optimizer.learning_rate=0.01", "training.batch_size=20"
    )
    clips = open_dataset(system.settings)
    step = tf.function(system.train_step)
    for part in clips.batches(ReplicaContext(batch_size=20)).take(250):
        loss = step(part)["network/loss"]
    assert loss < 0.01
    groups = list(system.predict_clips(clips))
    assert [len(group.truth) for group in groups] == [5, 5, 2]
    measured = groups[0].measure()
    assert list(measured) == ["prediction", "last_value", "linear_map", "half"] and measured["half"]["mse"].shape == (5, 5)
    assert measured["prediction"]["mse"].mean() < 0.5 * measured["last_value"]["mse"].mean()
    panels = list(system.sample_panels(clips))
    assert [one.split for one in panels] == ["train", "test"] and len(panels[0].columns) == 5
    assert panels[0].columns[0][1].dtype == np.uint8 and panels[0].columns[0][1].shape[-1] == 3

    export_saved_model(system, tmp_path / "saved_model")
    loaded = tf.saved_model.load(str(tmp_path / "saved_model"))
    seen = clips.test[0].values[:, :10]
    np.testing.assert_allclose(loaded.predict(values=tf.constant(seen))["future"], system.predict(seen), atol=1e-6)


@pytest.mark.parametrize("kind", ["sins", "noise", "stocks", "true_depth"])
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_published_settings(kind, layers):
    settings = load_settings(CONFIGS / f"seq2seq_{kind}_l{layers}.yaml", SETTINGS, scale="paper")
    data, optimizer = settings.data, settings.optimizer
    assert (data.context, data.horizon, data.train_count, data.test_count) == (25, 25, 22_000, 7_000)
    assert (settings.training.batch_size, settings.training.steps) == (64, 3440)
    chosen = (optimizer.name, optimizer.learning_rate, optimizer.beta_1, optimizer.beta_2, optimizer.epsilon, optimizer.decay)
    assert chosen == ("adam", 1e-3, 0.9, 0.98, 1e-8, 1)
    assert settings.network.hand_over == "input" and settings.network.feedback == "hidden"
    assert settings.network.depth == (layers if kind == "true_depth" else 1)
    with keras.StatelessScope(initialize_variables=False):
        weights = SYSTEMS["seq2seq"](settings).parameters()
    assert weights == {"network": {1: 116_033, 2: 182_081, 3: 248_129}[settings.network.depth]}

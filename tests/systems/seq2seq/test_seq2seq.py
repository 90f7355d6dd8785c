"""The promises of every system, for the Seq2Seq LSTM, and its published settings."""

import numpy as np
import pytest
import tensorflow as tf

from analogy.data.batches import ReplicaContext
from analogy.errors import UserError
from analogy.graphs import graph_function
from analogy.metrics.image import mse, mse_sum
from analogy.models.building import without_values
from analogy.runs.export import export_saved_model
from analogy.settings import find_experiment, list_experiments, load_settings
from analogy.settings.published import fitting_entries
from analogy.systems import SYSTEMS
from analogy.training.precision import use_precision
from data_prep.datasets import open_dataset
from tests.distinct import first_of_each_kind
from tests.systems.conftest import build_system

SMALL = ("network.units=8", "training.batch_size=4", "data.train_count=40", "data.test_count=12", "data.groups_of=5")
SGD = ("optimizer.name=sgd", "optimizer.learning_rate=0.01")
OURS = ("network.wiring=standard", "network.predicts=change", "network.shared=true", "network.forget_bias=1.0")
WIRINGS = [(), (*OURS, "scheduled_sampling=10")]


def build(*overrides, name="seq2seq_sins_l1"):
    return build_system(name, *SMALL, *overrides)


@pytest.fixture
def batch():
    return next(iter(open_dataset(build().settings).batches(ReplicaContext(batch_size=4))))


def draw_last_layer(system):
    """It may begin at zero, and then lets no gradient through in the first step."""
    random = np.random.default_rng(0)
    for variable in system.network.frame.trainable_variables:
        variable.assign(0.1 * random.normal(size=variable.shape))


def test_float16_teaches_the_first_cell_too(batch):
    """Unscaled, its gradients are below the smallest number of float16."""
    with use_precision("float16"):
        system = build("network.units=64")
    before = [v.numpy().copy() for v in system.network.trainable_variables]
    system.train_step(batch)
    moved = [np.mean(v.numpy() != was) for v, was in zip(system.network.trainable_variables, before, strict=True)]
    assert min(moved) > 0.9, moved


def test_a_cosine_schedule_ends_at_zero(batch):
    optimizer = build("optimizer.schedule=cosine", "training.steps=2").optimizers["network"]
    rates = []
    for step in (0, 1, 2):
        optimizer.iterations.assign(step)
        rates.append(float(optimizer.learning_rate))
    assert rates == pytest.approx([1e-3, 5e-4, 0.0], abs=1e-9)


def test_scheduled_sampling_shows_ever_less_of_the_truth(batch):
    wiring = ("network.wiring=standard", "scheduled_sampling=100")
    system = build(*wiring)
    future = batch["values"][:, 25:]
    batches = {step: {**batch, "step": tf.constant(step, tf.int64)} for step in (0, 50, 100)}
    use_true = {step: system._scheduled_sampling(examples, future)["use_true"] for step, examples in batches.items()}
    shares = {step: float(tf.reduce_mean(values)) for step, values in use_true.items()}
    assert shares[0] == 1 and 0.3 < shares[50] < 0.7 and shares[100] == 0
    shown, own = build(*wiring), build(wiring[0])
    assert abs(shown.train_step(batch)["network/loss"] - own.train_step(batch)["network/loss"]) > 1e-6
    with pytest.raises(UserError, match="wiring: standard"):
        build("scheduled_sampling=100")


@pytest.mark.slow
def test_sines_can_be_learned_measured_and_exported(tmp_path):
    system = build(
        "network.units=32", "data.context=10", "data.horizon=5", "optimizer.learning_rate=0.01", "training.batch_size=20"
    )
    clips = open_dataset(system.settings)
    step = graph_function(system.train_step)
    for part in clips.batches(ReplicaContext(batch_size=20)).take(250):
        loss = step(part)["network/loss"]
    assert loss < 0.01
    groups = list(system.predict_clips(clips))
    assert [len(group.truth) for group in groups] == [5, 5, 2]
    measured = groups[0].measure()
    assert list(measured) == ["prediction", "linear_map", "last_value", "half"] and measured["half"]["mse"].shape == (5, 5)
    assert measured["prediction"]["mse"].mean() < 0.5 * measured["last_value"]["mse"].mean()
    panels = list(system.sample_panels(clips))
    assert [panel.split for panel in panels] == ["train"] * 3 + ["test"] * 3 and groups[0].picture().shape[-1] == 3
    assert panels[0].columns[0][1].dtype == np.uint8 and panels[0].columns[0][1].shape[-1] == 3

    export_saved_model(system, tmp_path / "saved_model")
    loaded = tf.saved_model.load(str(tmp_path / "saved_model"))
    observed = clips.test[0].values[:, :10]
    np.testing.assert_allclose(loaded.predict(values=tf.constant(observed))["future"], system.predict(observed), atol=1e-6)


@pytest.mark.parametrize("kind", ["sins", "noise", "stocks", "true_depth"])
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_published_settings(kind, layers):
    settings = load_settings(find_experiment(f"seq2seq_{kind}_l{layers}"), SYSTEMS, scale="paper")
    data, optimizer = settings.data, settings.optimizer
    assert (data.context, data.horizon, data.train_count, data.test_count) == (25, 25, 22_000, 7_000)
    assert (settings.training.batch_size, settings.training.steps) == (64, 3440)
    values = (optimizer.name, optimizer.learning_rate, optimizer.beta_1, optimizer.beta_2, optimizer.epsilon, optimizer.decay)
    assert values == ("adam", 1e-3, 0.9, 0.98, 1e-8, 1)
    assert (settings.network.wiring, settings.network.predicts, settings.network.shared) == ("published", "frame", False)
    assert settings.network.depth == (layers if kind == "true_depth" else 1)
    with without_values():
        weights = SYSTEMS["seq2seq"].build(settings).parameters()
    assert weights == {"network": {1: 116_033, 2: 182_081, 3: 248_129}[settings.network.depth]}


# ---------------------------------------------------------------- videos

MOVIES = ("network.units=4", "data.context=2", "data.horizon=2", "data.test_count=3", "training.batch_size=4")


@pytest.fixture
def movies():
    return open_dataset(build_system("convlstm_mmnist_l1", *MOVIES).settings)


def test_ours_starts_as_good_as_copying_the_last_frame(movies):
    system = build_system("convlstm_mmnist_l1", *MOVIES, *OURS, "network.patch=4")
    observed_frames = movies.test[0].frames[None, :2].astype("f4") / 255
    np.testing.assert_allclose(system.predict(observed_frames), np.repeat(observed_frames[:, 1:], 2, axis=1), atol=1e-6)


@pytest.mark.parametrize("wiring", [(), (*OURS, "network.patch=4")])
def test_videos_are_measured_unrounded_shown_and_exported(movies, tmp_path, wiring):
    system = build_system("convlstm_mmnist_l1", *MOVIES, *wiring)
    predicted = list(system.predict_clips(movies))
    measured = predicted[0].measure({"mse": mse, "mse_sum": mse_sum})
    assert list(measured) == ["prediction", "copy_last_frame", "motion_continued"] and len(predicted) == 3
    np.testing.assert_allclose(measured["prediction"]["mse_sum"], 4096 * measured["prediction"]["mse"], rtol=1e-9)
    truth = movies.test[0].frames[2:] / 255.0
    np.testing.assert_allclose(
        measured["prediction"]["mse"], np.square(predicted[0].unrounded - truth).mean((1, 2, 3)), rtol=1e-4
    )
    last = np.square(movies.test[0].frames[1:2] / 255.0 - truth).mean((1, 2, 3))
    np.testing.assert_allclose(measured["copy_last_frame"]["mse"], last, rtol=1e-4)
    assert [title for title, _ in predicted[0].columns()] == ["truth", "prediction", "motion continued", "|difference|"]
    assert predicted[0].picture().dtype == np.uint8 and predicted[0].picture().shape[2] == 3
    assert len(next(system.sample_panels(movies)).columns) == 7

    export_saved_model(system, tmp_path / "saved_model")
    loaded = tf.saved_model.load(str(tmp_path / "saved_model"))
    observed = tf.constant(movies.test[0].frames[None, :2].astype("f4") / 255)
    np.testing.assert_allclose(loaded.predict(values=observed)["future"][0], predicted[0].unrounded, atol=1e-5)


@pytest.mark.parametrize("data", ["mmnist", "kth", "bair"])
@pytest.mark.parametrize("layers", [1, 2, 3, 4, 5])
def test_published_settings_of_videos(data, layers):
    settings = load_settings(find_experiment(f"convlstm_{data}_l{layers}"), SYSTEMS, scale="paper")
    assert (settings.data.context, settings.data.horizon, settings.data.image_size) == (10, 10, 64)
    epochs = {"mmnist": 5 if layers == 1 else 10, "kth": 10, "bair": 5 if layers <= 3 else 10}[data]
    steps = {"mmnist": 15_000, "kth": 25_000, "bair": 10_816}[data] * epochs
    assert (settings.training.batch_size, settings.training.steps) == (4, steps)
    assert settings.data.test_count == (256 if data == "bair" else 200)  # all of BAIR, of which the published saw 52
    optimizer = settings.optimizer
    values = (optimizer.name, optimizer.learning_rate, optimizer.beta_1, optimizer.beta_2, optimizer.epsilon, optimizer.decay)
    assert values == ("adam", 1e-3, 0.9, 0.98, 1e-8, 1)
    with without_values():
        weights = SYSTEMS["convlstm"].build(settings).parameters()["network"]
    assert weights == 1_036_097 + (layers - 1) * 590_336 + (5_762 if data == "bair" else 0)


@pytest.mark.parametrize(
    ("name", "override", "shown"),
    [
        ("convlstm_kth_l1", "seed=1", True),
        ("convlstm_kth_l1", "data.split=standard", False),
        ("convlstm_kth_l1", "data.image_size=128", False),
        ("convlstm_kth_l1", "data.test_persons=[1]", False),
        ("convlstm_kth_l1", "data.context=5", False),
        ("convlstm_kth_l1", "data.dataset=moving_mnist", False),
        ("seq2seq_stocks_l1", "data.split=published", True),
        ("seq2seq_stocks_l1", "data.split=chronological", False),
    ],
)
def test_published_curves_stand_beside_runs_of_their_protocol(name, override, shown):
    settings = load_settings(find_experiment(name), SYSTEMS, scale="paper", overrides=[override, "data.folder=x"])
    assert bool(fitting_entries(settings.published, settings)) == shown


def test_ours_have_no_more_weights_than_the_published():
    def weights(name):
        settings = load_settings(find_experiment(name), SYSTEMS, scale="paper")
        with without_values():
            return SYSTEMS[settings.system].build(settings).parameters()["network"]

    assert weights("seq2seq_plus_sins") < weights("seq2seq_sins_l1")
    for data in ("mmnist", "kth", "bair"):
        assert weights(f"convlstm_plus_{data}") < weights(f"convlstm_{data}_l1")


FEW = {
    "seq2seq": ("data.train_count=100", "data.test_count=4", "data.context=5", "data.horizon=5"),
    "convlstm": ("data.test_count=2", "data.context=2", "data.horizon=2", "network.units=4"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", first_of_each_kind(name for name in list_experiments() if name.startswith(tuple(FEW))))
def test_two_steps(name):
    """As the runner would take them, but eagerly, and of short sequences."""
    system = build_system(name, *FEW[name.split("_")[0]])
    clips = open_dataset(system.settings)
    before = [v.numpy().copy() for v in system.network.trainable_variables]
    for batch in system.train_batches(clips, ReplicaContext(batch_size=system.settings.training.batch_size)).take(2):
        assert np.isfinite(system.train_step(batch)["network/loss"])
    moved = [np.any(v.numpy() != was) for v, was in zip(system.network.trainable_variables, before, strict=True)]
    # Six cells deep, the lowest ones' gradients of so short and narrow sequences are below Adam's epsilon.
    assert all(moved[-8:]) if name.endswith("_l5") else all(moved)
    assert len(list(system.predict_clips(clips))) == {"seq2seq": 1, "convlstm": 2}[name.split("_")[0]]

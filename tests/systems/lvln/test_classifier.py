"""The classifier: which states it reads, in which order, and what it predicts for clips."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from analogy.data.batches import ReplicaContext
from analogy.data.movies import Movie
from analogy.errors import UserError
from analogy.settings import find_experiment, load_settings
from analogy.systems import SYSTEMS
from analogy.systems.lvln.networks.classifier import state_features
from analogy.visualise.plots import confusion_matrix

TINY = (
    "data.image_size=32",
    "data.context=2",
    "data.horizon=2",
    "network.units=8",
    "network.classes=3",
    "training.batch_size=4",
)


def test_it_reads_as_many_values_as_the_published_one():
    shapes = {"c1": (64, 80), "c2": (32, 40), "c3": (16, 20), "c4": (8, 10)}
    states = {name: tf.zeros([1, *shape, 192]) for name, shape in shapes.items()}
    counts = [state_features(states, which).shape[-1] for which in ("c4", "c13", "c4_c13")]
    assert counts == [15_360, 10_080, 25_440]


def test_values_are_counted_channel_by_channel():
    """Counted place by place, every 128th of 192 channels would always be one of three."""
    x = np.arange(4 * 4 * 24, dtype=np.float32).reshape(1, 4, 4, 24)
    states = {"c1": tf.constant(x), "c2": tf.constant(-x[:, :1, :1])}
    expected = x.transpose(0, 3, 1, 2).ravel()[::128]
    np.testing.assert_array_equal(state_features(states, "c13")[0], expected)
    np.testing.assert_array_equal(state_features(states, "c4")[0], -x[0, 0, 0])


class Predictor:
    """Stands for a loaded predictor. Its states are the mean colour of what it read, and how much it read and answered."""

    def __init__(self, size=32):
        spec = tf.TensorSpec([None, None, size, size, 3], tf.uint8, "frames")
        signature = SimpleNamespace(structured_input_signature=((), {"frames": spec}))
        self.signatures = {"states": signature}

    def states(self, frames, count):
        colour = tf.reduce_mean(tf.cast(frames, tf.float32), [1, 2, 3]) / 255.0
        read = tf.fill([tf.shape(frames)[0], 1], tf.cast(10 * tf.shape(frames)[1] + count, tf.float32) / 100.0)
        deepest = tf.ensure_shape(tf.concat([colour, read], 1), [None, 4])[:, None, None]
        return {"c1": tf.zeros([tf.shape(frames)[0], 16, 16, 3]), "c2": deepest}


def build(*overrides, predictor=None):
    settings = load_settings(find_experiment("lvln_classifier_c4"), SYSTEMS, scale="demo", overrides=[*TINY, *overrides])
    system = SYSTEMS[settings.system].build(settings, {"predictor": predictor or Predictor()})
    system.prepare_training()
    return system


@pytest.mark.parametrize(("full_video", "read"), [("false", 0.22), ("true", 0.4)])
def test_it_reads_observed_frames_and_answers_or_the_whole_window(full_video, read):
    features = build(f"full_video={full_video}")._features(tf.zeros([1, 4, 32, 32, 3], tf.uint8))
    assert float(features[0, 3]) == pytest.approx(read)


def test_it_learns_colours_and_tells_them_apart():
    system = build("network.dropout=0", "network.normalised=false", "optimizer.learning_rate=0.1")
    colours = {"blue": (0, 0, 255), "green": (0, 255, 0), "red": (255, 0, 0)}
    movies = [
        Movie(f"{name}_{i}", name, np.broadcast_to(np.uint8(colour), (4, 32, 32, 3)))
        for name, colour in colours.items()
        for i in range(2)
    ]
    values = np.stack([movie.frames for movie in movies]).astype(np.float32) / 255
    for step in range(30):
        rows = np.random.default_rng(step).permutation(6)[:4]
        label = tf.constant(rows // 2, tf.int32)
        system.train_step(
            {"step": tf.constant(step, tf.int64), "position": tf.range(4), "values": values[rows], "label": label}
        )
    dataset = SimpleNamespace(name="colours", notes="", classes=sorted(colours), train=movies[:3], test=movies)
    measured = [predicted.measure() for predicted in system.predict_clips(dataset)]
    assert all(figures["prediction"]["accuracy"] == 1 for figures in measured)
    assert sum(figures["commonest_action"]["accuracy"][0] for figures in measured) == 2  # the two blue ones
    *panels, confusion = system.sample_panels(dataset)
    assert panels[0].columns[0].title.startswith("blue") and confusion.clip == "confusion"
    assert "3 actions, 6 test windows; all states of C4 after 2 frames" in system.protocol(dataset)


def test_the_last_frames_pixels_alone():
    system = build("network.features=pixels")
    frames = np.zeros((1, 4, 32, 32, 3), np.uint8)
    frames[:, :3] = 200
    np.testing.assert_array_equal(system._features(tf.constant(frames)), np.zeros((1, 32 * 32 * 3)))


def test_mistakes_are_one_line():
    with pytest.raises(UserError, match=r"reads frames of \[64, 64, 3\].*set data.image_size to that of the predictor"):
        build(predictor=Predictor(64))
    with pytest.raises(UserError, match=r"network\.classes is 3: many has 5 actions; set it to 5"):
        build().train_batches(SimpleNamespace(name="many", classes=list("abcde")), ReplicaContext())


def test_a_confusion_matrix_has_a_row_and_a_column_for_each_action():
    picture = confusion_matrix(np.array([[3, 1], [0, 2]]), ["run", "walk"])
    assert picture.dtype == np.uint8 and picture.ndim == 3 and len(np.unique(picture)) > 10
    assert confusion_matrix(np.eye(2, dtype=int), ["$^{$", "5 $"]).ndim == 3  # no formulas

"""Every experiment of three papers takes two steps at demo scale, in a tiny network and eagerly: what its file says can be
trained.

The other two papers' experiments only set other values; the tests of their systems go through these settings.
"""

from __future__ import annotations

import numpy as np
import pytest

from analogy.data.batches import ReplicaContext
from analogy.settings import find_experiment, list_experiments, load_settings
from analogy.systems import SYSTEMS
from data_prep.synthetic_actors import write_synthetic_actors
from experiments.demos import decisive
from tests.promise_rows import ROWS, Row, Rows

PAPERS = ("lvln", "vgg_lstm", "keypoints")
WINDOWS = ("data.image_size=32", "data.test_count=2")
VGG = (*WINDOWS, "encoder.width=0.0625")
KEYPOINTS = ("data.image_size=32", "network.keypoints=4")
SMALL = {  # system -> what makes its experiments small, and leaves what they are about
    "keypoints_translator": (*KEYPOINTS, "network.width=0.0625", "discriminator.width=0.02"),
    "keypoints_plus": ROWS["keypoints_plus"].settings,
    "keypoints_flow": ROWS["keypoints_flow"].settings,
    "keypoints_motion": ROWS["keypoints_motion"].settings,
    "lvln": (*WINDOWS, "network.width=0.0625", "training_horizon=1"),
    "lvln_plus": (*WINDOWS, "network.width=0.0625", "training_horizon=1"),
    "lvln_classifier": ROWS["lvln_classifier"].settings,
    "vgg_lstm_next_frame": VGG,
    "vgg_lstm_plus": (*VGG, "network.units=4"),
    "vgg_lstm_vae": (*VGG, "network.encoder_units=8", "network.latent_size=4", "network.decoder_units=[8]"),
    "vgg_lstm_vae_plus": ROWS["vgg_lstm_vae_plus"].settings,
}
USED = {"translator": "keypoints_plus", "predictor": "lvln, toy"}  # role -> the row whose SavedModel stands in


@pytest.fixture(scope="module")
def rows(cache, tmp_path_factory) -> Rows:
    """On clips of each action once to train, and three to test, as long as every tenth frame needs."""
    folder = tmp_path_factory.mktemp("data") / "actors"
    actors = write_synthetic_actors(folder, seed=1, train_clips=11, test_clips=3, frames=60, size=64)
    return Rows(actors, cache, tmp_path_factory.mktemp("exports"))


def weights(system) -> list[list[np.ndarray]]:
    """Those of each optimiser."""
    return [[weight.numpy() for weight in weights] for _, weights in system.plan_optimizers().values()]


@pytest.fixture(scope="module")
def trained() -> list[dict]:
    """The demos that took their steps: experiments that differ at paper scale alone have the same one."""
    return []


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, experiment in list_experiments().items() if experiment.paper in PAPERS])
def test_the_experiment_takes_two_steps(name, rows, trained, eagerly):
    settings = load_settings(find_experiment(name), SYSTEMS, scale="demo")
    if (demo := decisive(settings)) in trained:
        return
    row = Row(name, SMALL[settings.system], uses=tuple((role, USED[role]) for role in settings.uses))
    system = rows.start(row)
    batches = iter(system.train_batches(rows.dataset(row), ReplicaContext(batch_size=2)))
    before = weights(system)
    for _ in range(2):
        for key, value in system.train_step(next(batches)).items():
            assert np.isfinite(value), key
    for old, new in zip(before, weights(system), strict=True):
        assert np.mean([np.any(one != other) for one, other in zip(old, new, strict=True)]) > 0.5
    assert all(optimizer.iterations == 2 for optimizer in system.optimizers.values())
    trained.append(demo)

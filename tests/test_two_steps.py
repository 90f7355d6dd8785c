"""Every experiment of three papers draws its batches at demo scale, and the first of each kind takes two steps with them, in a
tiny network and eagerly: what its file says can be trained.

The tests of the other two papers' systems do the same with theirs.
"""

from __future__ import annotations

import numpy as np
import pytest

from analogy.data.batches import ReplicaContext
from analogy.settings import find_experiment, list_experiments, load_settings
from analogy.systems import SYSTEMS
from data_prep.synthetic_actors import write_synthetic_actors
from tests.distinct import first_of_each_kind
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


PUBLISHED = [name for name, experiment in list_experiments().items() if experiment.paper in PAPERS]
KINDS = first_of_each_kind(PUBLISHED)


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_the_experiment_draws_its_batches_and_the_first_of_its_kind_takes_two_steps(name, rows, eagerly):
    settings = load_settings(find_experiment(name), SYSTEMS, scale="demo")
    row = Row(name, SMALL[settings.system], uses=tuple((role, USED[role]) for role in settings.uses))
    system = rows.start(row)
    batches = list(system.train_batches(rows.dataset(row), ReplicaContext(batch_size=2)).take(2))
    assert len(batches) == 2 and all(np.isfinite(np.asarray(value, float)).all() for value in batches[0].values())
    if name not in KINDS:
        return
    before = weights(system)
    for batch in batches:
        for key, value in system.train_step(batch).items():
            assert np.isfinite(value), key
    for old, new in zip(before, weights(system), strict=True):
        assert np.mean([np.any(one != other) for one, other in zip(old, new, strict=True)]) > 0.5
    assert all(optimizer.iterations == 2 for optimizer in system.optimizers.values())

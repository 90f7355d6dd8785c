"""Collapsed networks are noticed, and healthy ones are not."""

import keras
import numpy as np
import pytest

from analogy.training.health import ROWS, STUCK_ROWS, weights_hash
from analogy.training.health import Health as TrainingHealth

RNG = np.random.default_rng(0)


@pytest.fixture
def networks():
    keras.utils.set_random_seed(0)
    models = {name: keras.layers.Dense(2) for name in ("generator", "discriminator")}
    for model in models.values():
        model.build([1, 3])
    return models


def Health(models):
    return TrainingHealth({name: model.trainable_variables for name, model in models.items()}, ("discriminator", "critic"))


def rows(**losses):
    """name -> values, of a metrics.jsonl."""
    count = len(next(iter(losses.values())))
    return [
        {"step": 10 * (i + 1), **{f"{name}/loss": float(values[i]) for name, values in losses.items()}} for i in range(count)
    ]


def train(*models):
    for model in models:
        model.kernel.assign_add(model.kernel * 0 + 1e-6)


def pictures(count=3):
    return list(RNG.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8))


def test_healthy_training_is_not_doubted(networks):
    health = Health(networks)
    noisy = 0.06 * (1 + 0.01 * RNG.standard_normal(ROWS + 5))
    train(*networks.values())
    assert health.doubts(rows(generator=noisy, discriminator=0.7 * noisy / 0.06), pictures()) == []
    train(*networks.values())
    assert health.doubts(rows(generator=noisy[:3] * 0), []) == []  # too few rows to judge


def test_weights_that_stand_still_are_named(networks):
    health = Health(networks)
    before = weights_hash(networks["generator"].variables)
    train(networks["generator"])
    assert weights_hash(networks["generator"].variables) != before
    (said,) = health.doubts([], [])
    assert "the weights of discriminator have not changed" in said
    train(*networks.values())
    assert health.doubts([], []) == []


@pytest.mark.parametrize(
    ("losses", "said"),
    [
        ({"discriminator": np.full(ROWS, np.log(2))}, "discriminator/loss has been 0.6931 since step 10: it no longer learns"),
        ({"generator": np.zeros(ROWS)}, "generator/loss has been 0 since step 10"),
        ({"discriminator": [1.4, *np.geomspace(1e-4, 1e-6, ROWS)]}, "discriminator/loss has been below 1.4e-03 since step 20"),
    ],
)
def test_a_loss_at_its_bound_is_named(networks, losses, said):
    health = Health(networks)
    train(*networks.values())
    (doubt,) = health.doubts(rows(**losses), [])
    assert said in doubt


def test_a_relu_logit_that_is_dead_is_named_after_a_few_rows(networks):
    """The trap of Kim et al.'s code: the loss of false motions rests at log 2, and that of true ones does not."""

    def said(generated, key="discriminator/generated"):
        health = Health(networks)
        train(*networks.values())
        return health.doubts([{"step": 10 * (i + 1), key: float(value)} for i, value in enumerate(generated)], [])

    dead = np.full(STUCK_ROWS, np.float32(np.log(2)))
    (doubt,) = said([0.9, *dead])
    assert doubt.startswith("discriminator/generated has been log 2 = 0.6931 since step 20: its logit is zero for all that is")
    assert said(dead[1:]) == [] == said(dead, "generator/generated")
    assert said(dead * (1 + 1e-4 * np.arange(STUCK_ROWS))) == []  # a logit that only begins there
    assert said([*dead, 0.5]) == []


def test_what_lasts_is_said_in_the_same_words(networks):
    health, losses = Health(networks), np.full(ROWS + 7, 0.5)
    losses[:4] = 0.9
    said = []
    for count in (ROWS + 4, ROWS + 7):
        train(*networks.values())
        said.append(health.doubts(rows(generator=losses[:count]), []))
    assert said[0] == said[1] == ["generator/loss has been 0.5 since step 50: it no longer learns"]


def test_constant_predictions_are_named(networks):
    flat, (picture, *_) = [np.full([8, 8, 3], grey, np.uint8) for grey in (0, 90)], pictures()
    for constant, words in (
        (flat, "every predicted picture is one flat colour"),
        ([picture, picture.copy()], "are the same picture"),
    ):
        health, said = Health(networks), []
        for shown in (constant, constant, pictures(), constant):
            train(*networks.values())
            said.append(health.doubts([], shown))
        assert said[0] == said[2] == said[3] == []  # an untrained network's are, too
        assert words in said[1][0]

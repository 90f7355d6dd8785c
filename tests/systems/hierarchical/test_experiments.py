"""Every published image-analogy experiment: its numbers at paper scale, and a step of each kind at demo scale."""

import itertools

import keras
import numpy as np
import pytest

from analogy.data.batches import ReplicaContext
from analogy.data.clips import ClipDataset
from analogy.errors import UserError
from analogy.models.building import without_values
from analogy.settings import find_experiment, list_experiments, load_settings
from analogy.systems import SYSTEMS
from tests.distinct import first_of_each_kind

ADAM_100 = {"generator_optimizer.learning_rate": 1e-4, "discriminator_optimizer.learning_rate": 5e-5}
ADAM_100 |= {"discriminator_optimizer.name": "adam", "loss.l2": 100, "loss.l2_domain": "unit", "training.batch_size": 4}
SGD_10 = {**ADAM_100, "discriminator_optimizer.learning_rate": 1e-4, "discriminator_optimizer.name": "sgd"}
SGD_10 |= {"loss.l2": 10, "training.batch_size": 8}
COMBINED2 = {**ADAM_100, "loss.l2": 1e-2, "loss.l2_domain": "byte", "data.min_frame_distance": 20, "generator.depth": 4}
COMBINED2 |= {"generator.image_range": "caffe", "loss.guard": "combined2"}
COMMON = {"generator_optimizer.name": "adam", "generator_optimizer.epsilon": 1e-8, "training.steps": 200_000}
COMMON |= {"data.crop": "consistent", "data.gray": False, "data.min_frame_distance": 0, "generator.pose_encoder": "full"}
COMMON |= {"loss.adversarial": 1, "loss.image_adversarial": 0, "loss.real": 1, "loss.generated": 0.5, "loss.mismatch": 0.5}
COMMON |= {"loss.feature": 0, "loss.latent": 0, "loss.guard": "original", "generator.upsampling": "deconvolution"}
COMMON |= {"loss.latent_relative": False, "loss.feature_random_conv1_1": False, "data.padding": 10, "data.flip": True}
COMMON |= {"data.flip_exchanges_joints": False, "generator.heatmap_sigma": 5, "generator.skip": False, "generator.maxout": 1}
COMMON |= {
    "generator.width": 1,
    "discriminator.width": 1,
    "generator_optimizer.beta_1": 0.9,
    "generator_optimizer.beta_2": 0.999,
}
COMMON |= {"generator_optimizer.decay": 1, "discriminator_optimizer.decay": 1, "discriminator_optimizer.decay_steps": 500}
COMMON |= {
    "generator.pretrained_conv1_1": True,
    "discriminator.dropout": 0.5,
    "generator.frozen_stages": 0,
    "generator.image_range": "unit",
    "discriminator.units": 1024,
    "data.actions": "all",
}


def sgd(depth, **more):
    return {**SGD_10, "generator.depth": depth, **{key.replace("__", "."): value for key, value in more.items()}}


def adam(depth, **more):
    return {**ADAM_100, "generator.depth": depth, **{key.replace("__", "."): value for key, value in more.items()}}


def combined2(**more):
    return {**COMBINED2, **{key.replace("__", "."): value for key, value in more.items()}}


HALF_RATES = {"generator_optimizer__learning_rate": 5e-5, "discriminator_optimizer__learning_rate": 5e-5}
LATENT_100 = {"loss__latent": 100, "loss__latent_relative": True}
RESIZED = {"generator__upsampling": "nearest"}
WIDE = {"generator__width": 1.5, "discriminator__width": 1.5}
NO_CONV1_1 = {"generator__pretrained_conv1_1": False}
INTERMEDIATE = {"loss__l2": 1e-2, "loss__l2_domain": "byte"}

PUBLISHED = {
    "analogy_pool4_feat": adam(4, loss__feature=1e-2, loss__feature_random_conv1_1=True),
    "analogy_pool4": adam(4),
    "analogy_pool3": adam(3),
    "analogy_pool5": adam(5),
    "analogy_pool2": adam(2, discriminator__units=512),
    "analogy_pool3_sgd_disc": sgd(3),
    "analogy_pool4_sgd_disc": sgd(4),
    "analogy_pool5_sgd_disc": sgd(5),
    "analogy_pool2_sgd_disc": sgd(2, discriminator__units=512, training__batch_size=4, **HALF_RATES),
    "analogy_l2": combined2(loss__adversarial=0),
    "analogy_l2_full": combined2(loss__adversarial=0, data__crop="full"),
    "analogy_pool3_gray": sgd(3, data__gray=True),
    "analogy_pool3_full": sgd(3, data__crop="full"),
    "analogy_pool4_full": adam(4, data__crop="full"),
    "analogy_pool4_upsample": adam(4, loss__l2=10, **RESIZED, **HALF_RATES),
    "analogy_pool4_upsample_decay94": sgd(4, **RESIZED, discriminator_optimizer__decay=0.94),
    "analogy_pool4_upsample_decay97": sgd(4, **RESIZED, discriminator_optimizer__decay=0.97, training__batch_size=4),
    "analogy_pool4_upsample_decay99": sgd(4, **RESIZED, discriminator_optimizer__decay=0.99, training__batch_size=4),
    "analogy_pool4_upsample_valid": sgd(4, generator__upsampling="nearest_valid", discriminator_optimizer__decay=0.94),
    "analogy_pool3_upsample": sgd(3, **RESIZED),
    "analogy_paper": combined2(),
    "analogy_paper_simplified": combined2(generator__pose_encoder="simplified"),
    "analogy_pool3_l2_15": adam(3, loss__l2=15),
    "analogy_pool4_l2_15": adam(4, loss__l2=15),
    "analogy_pool5_l2_15": adam(5, loss__l2=15),
    "analogy_pool4_full_l2_15": adam(4, loss__l2=15, data__crop="full"),
    "analogy_pool4_full_lr1e-3": adam(4, data__crop="full", generator_optimizer__learning_rate=1e-3),
    "analogy_pool4_full_lr1e-2": adam(4, data__crop="full", generator_optimizer__learning_rate=1e-2),
    "analogy_pool3_perframe": sgd(3, data__crop="per_frame", data__padding=30),
    "analogy_pool3_gray_perframe": sgd(3, data__crop="per_frame", data__padding=30, data__gray=True),
    "analogy_pool3_gray_full": sgd(3, data__crop="full", data__gray=True),
    "analogy_pool3_full_pretrained": sgd(3, data__crop="full", generator__pretrained_stages=3, **NO_CONV1_1),
    "analogy_pool3_full_wide": sgd(3, data__crop="full", training__batch_size=3, **WIDE, **HALF_RATES),
    "analogy_pool3_pullup": sgd(3, data__actions=["pullup"]),
    "analogy_pool3_tennis_serve": sgd(3, data__actions=["tennis_serve"]),
    "analogy_pool3_maxout": sgd(3, generator__maxout=4),
    "analogy_pool3_input": sgd(3, generator__pose_encoder="none"),
    "analogy_pool5_skip": sgd(5, generator__skip=True),
    "analogy_pool4_fix2": combined2(generator__frozen_stages=2, generator__pretrained_stages=2, training__steps=210_000),
    "analogy_pool4_fix1_full": combined2(generator__frozen_stages=1, data__crop="full", training__steps=210_000),
    "analogy_pool4_fix1_latent": combined2(generator__frozen_stages=1, **LATENT_100),
    "analogy_pool4_fix2_latent": combined2(generator__frozen_stages=2, **LATENT_100),
    "analogy_pool4_latent500": adam(4, **INTERMEDIATE, loss__latent=500),
    "analogy_pool4_fix3_latent1": adam(
        4, **INTERMEDIATE, loss__latent=1, generator__frozen_stages=3, generator__image_range="caffe",
    ),
    "analogy_pool4_twodisc": adam(
        4, **INTERMEDIATE, loss__image_adversarial=1, data__min_frame_distance=20, generator__image_range="byte",
        image_discriminator_optimizer__learning_rate=1e-5, loss__guard="logits",
    ),
    "analogy_pool4_twodisc_anydist": adam(
        4, **INTERMEDIATE, loss__image_adversarial=1, generator__image_range="byte", loss__guard="logits",
    ),
}  # fmt: skip


def load(name, *overrides, scale="paper"):
    return load_settings(find_experiment(name), SYSTEMS, scale=scale, overrides=overrides)


def value(settings, key):
    for part in key.split("."):
        settings = getattr(settings, part)
    return settings


def test_every_published_experiment_is_listed_with_its_source():
    listed = list_experiments()
    assert set(PUBLISHED) <= set(listed)
    assert all(experiment.summary and experiment.source for experiment in listed.values())
    assert all(load(name).experiment == name for name in listed)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_hyper_parameters(name):
    settings = load(name)
    for key, expected in {**COMMON, **PUBLISHED[name]}.items():
        assert value(settings, key) == expected, key


def convolutions(*channels):
    """Weights of a chain of 3 x 3 convolutions."""
    return sum(9 * below * above + above for below, above in itertools.pairwise(channels))


def judged(inputs, units=1024):
    """Weights of the discriminator's two fully connected layers."""
    return inputs * units + units + units + 1


# Networks that differ from those of the plain depths (which tests/models has), written out from the spec's 3.2 to 3.4.
COUNTS = {
    "analogy_pool3_gray": {
        "image_encoder": convolutions(1, 64, 64, 128, 128, 256, 256, 256),
        "decoder": convolutions(256, 256, 256, 256, 128, 128, 64, 64, 1),
    },
    "analogy_pool3_maxout": {
        "decoder": convolutions(64, 64, 64, 64, 32, 32, 16, 16, 3),
        "discriminator": convolutions(16, 64, 64, 128, 128, 256, 256, 256) + judged(50_176),
    },
    "analogy_pool3_input": {"image_encoder": convolutions(29, 64, 64, 128, 128, 256, 256, 256)},
    "analogy_pool3_full_wide": {
        "decoder": convolutions(384, 384, 384, 384, 192, 192, 96, 96, 3),
        "discriminator": convolutions(16, 96, 96, 192, 192, 384, 384, 384) + judged(28 * 28 * 384),
    },
    "analogy_pool5_skip": {
        "decoder": convolutions(512, 512, 512, 512, 512, 512, 512, 256) + convolutions(512, 256, 256, 128, 128, 64, 64, 3)
    },
    "analogy_pool4_upsample_valid": {"decoder": convolutions(512, 512, 512, 512, 256, 256, 256, 128, 128, 64, 64, 3)},
    "analogy_pool4_fix2": {"image_encoder": convolutions(128, 256, 256, 256, 512, 512, 512)},
    "analogy_pool4_twodisc": {
        "image_discriminator": convolutions(6, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512) + judged(100_352)
    },
}


@pytest.mark.parametrize("name", COUNTS)
def test_parameter_counts_of_the_variants(name):
    with without_values():
        parameters = SYSTEMS["analogy_gan"].build(load(name)).parameters()
    for network, count in COUNTS[name].items():
        assert parameters[network] == count, network


def test_networks_that_are_not_used_do_not_exist():
    with without_values():
        networks = SYSTEMS["analogy_gan"].build(load("analogy_l2")).parameters()
        assert set(networks) == {"image_encoder", "pose_encoder", "decoder"}
        assert "pose_encoder" not in SYSTEMS["analogy_gan"].build(load("analogy_pool3_input")).parameters()


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("generator.skip=true", "depth 4 or 5"),
        ("generator.frozen_stages=1", "frozen_stages <= generator.pretrained_stages"),
        ("generator.maxout=3", "divisible by generator.maxout 3"),
        ("discriminator.width=0.001", "discriminator.width 0.001 leaves 0 channels"),
        ("generator.pretrained_stages=4", "frozen_stages <= generator.pretrained_stages <= generator.depth"),
    ],
)
def test_an_impossible_network_is_refused(setting, complaint):
    with pytest.raises(UserError, match=complaint):
        load("analogy_pool3", setting)


@pytest.mark.parametrize(
    ("name", "setting", "complaint"),
    [
        ("analogy_pool3_input", "loss.latent=1", "excludes loss.latent"),
        ("analogy_pool4_fix2", "generator.width=0.5", "VGG-16's own shapes"),
        ("analogy_pool4_fix2", "data.gray=true", "need three"),
        ("analogy_pool4_upsample_valid", "data.image_size=16", "32 or more"),
        ("analogy_masked", "generator.work_size=60", "multiple of 8"),
        ("analogy_masked", "loss={error: 0, dissimilarity: 0}", "error and dissimilarity are both 0"),
    ],
)
def test_settings_that_exclude_each_other_are_refused(name, setting, complaint):
    with pytest.raises(UserError, match=complaint):
        load(name, setting)


@pytest.fixture(scope="session")
def vgg_file(tmp_path_factory):
    """Random VGG-16 weights of stages 1 to 3 in the Caffe-order file's form."""
    rng, weights, channels = np.random.default_rng(0), {}, 3
    for stage, (out, repeats) in enumerate(((64, 2), (128, 2), (256, 3)), 1):
        for index in range(1, repeats + 1):
            kernel = rng.normal(0, (2 / (9 * channels)) ** 0.5, (3, 3, channels, out)).astype(np.float32)
            weights[f"conv{stage}_{index}"] = [kernel, np.zeros(out, np.float32)]
            channels = out
    path = tmp_path_factory.mktemp("weights") / "vgg16.npy"
    np.save(path, weights, allow_pickle=True)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("name", first_of_each_kind(name for name in list_experiments() if name.startswith("analogy")))
def test_a_step_at_demo_scale(name, prepared, vgg_file):
    """As the runner would, but eagerly, on the small dataset, and in as few pixels and channels as the experiment allows."""
    few = [f"data.image_size={64 if 'valid' in name else 32}", "training.precision=float32"]
    published = load(name)
    if published.system == "analogy_gan":
        few += [f"generator.pretrained_weights={vgg_file}", f"loss.feature_weights={vgg_file}", "discriminator.units=16"]
        few += ["discriminator.width=0.125"]
        few += [] if published.generator.pretrained_stages else ["generator.width=0.125"]
    else:
        few += ["generator.widths=[4, 8]", "generator.work_size=32"]
    settings = load(name, *few, scale="demo")
    clips = ClipDataset(prepared, settings.data, seed=0)
    keras.utils.set_random_seed(0)
    system = SYSTEMS[settings.system].build(settings)
    system.prepare_training()
    before = {v.path: v.numpy() for model in system.models.values() for v in model.trainable_variables}
    frozen = {v.path: v.numpy() for v in system.models["generator"].non_trainable_variables}
    steps = 1 if published.system == "analogy_gan" else 2  # ours ends in a layer that starts at zero
    for batch in system.train_batches(clips, ReplicaContext(batch_size=settings.training.batch_size)).take(steps):
        report = system.train_step(batch)
    assert all(np.isfinite(scalar) for scalar in report.values()), report
    if published.system == "analogy_gan":
        named = bool(published.generator.pretrained_stages or published.loss.feature)
        assert ("VGG-16 (vgg16.npy)" in system.protocol(clips)) == named
    for model in system.models.values():
        assert all(np.any(v.numpy() != before[v.path]) for v in model.trainable_variables)
    assert all(np.array_equal(v.numpy(), frozen[v.path]) for v in system.models["generator"].non_trainable_variables)
    if name not in COUNTS:  # its generator is one of the plain ones, which others paint with
        return
    clip = clips.load(clips.test[0])
    predicted = system.predict(clip, 0, np.arange(1, 4))
    assert predicted.shape == (3, *settings.data.image_size, settings.data.channels) and predicted.dtype == np.uint8

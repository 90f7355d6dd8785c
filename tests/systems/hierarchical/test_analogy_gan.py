"""One step of the image-analogy GAN, and the promises every system makes."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from analogy.systems.hierarchical.analogy_gan import AnalogyGan
from analogy.training.precision import use_precision


@pytest.fixture
def build(tiny):
    def make(*overrides, precision="float32"):
        keras.utils.set_random_seed(0)
        with use_precision(precision):
            system = AnalogyGan(tiny(*overrides))
            system.prepare_training()
        return system

    return make


def record_gradients(system):
    """Gradients a step would apply, by network; nothing is applied."""
    recorded = {}
    system.apply_gradients = lambda name, gradients: recorded.__setitem__(name, gradients)
    return recorded


def weights(system):
    return {v.path: v.numpy().copy() for model in system.models.values() for v in model.trainable_variables}


@pytest.mark.parametrize(
    ("guard", "extra"),
    [("logits", ("loss.latent=2", "loss.latent_relative=true")), ("original", ()), ("combined2", ("loss.l2_domain=byte",))],
)
def test_one_backward_pass_gives_the_gradients_of_both_losses(build, batch, guard, extra):
    system = build(f"loss.guard={guard}", "loss.l2=1", "generator.depth=3", *extra)
    recorded = record_gradients(system)
    report = system.train_step(batch)

    image, pose, truth, next_pose = system._inputs(batch)
    with tf.GradientTape(persistent=True) as tape:
        z = system.generator.latent(image, pose, next_pose)
        painted = system.generator.decoder(z)
        masks = system._dropout_masks(batch, 3)
        judged = tf.concat([truth, painted, image], 0), tf.concat([next_pose] * 3, 0), masks
        logits = system.discriminators["discriminator"](judged)
        fooled = {"adversarial": system._adversarial_term("discriminator", tf.split(logits, 3)[1])}
        losses = {
            "generator": system.mean({**system._generator_terms(truth, painted, z), **fooled}),
            "discriminator": system.mean(system._discriminator_terms("discriminator", logits)),
        }
    for name, model in system.models.items():
        np.testing.assert_allclose(report[f"{name}/loss"], losses[name], rtol=1e-5)
        for ours, plain in zip(recorded[name], tape.gradient(losses[name], model.trainable_variables), strict=True):
            np.testing.assert_allclose(ours, plain, atol=2e-5 * np.abs(plain).max())


def test_adversarial_gradient_survives_a_discriminator_that_is_certain(build, batch):
    """With D(x_hat) = 1e-20 the discriminator's own gradient vanishes, the generator's must not."""
    system = build("loss.l2=0", "loss.adversarial=1")
    system.discriminators["discriminator"].logit.bias.assign([-46.0])
    recorded = record_gradients(system)
    system.train_step(batch)
    norm = tf.linalg.global_norm(recorded["generator"]).numpy()
    assert np.isfinite(norm) and norm > 1e-6


def test_alternating_step_lets_the_discriminator_see_the_updated_generator(build, batch):
    system = build("update=alternating", "generator_optimizer.learning_rate=0.05")
    updated, apply = [], system.apply_gradients

    def spy(name, gradients):
        updated.append(name)
        apply(name, gradients)

    system.apply_gradients = spy
    before = weights(system)
    report = system.train_step(batch)
    assert updated == ["generator", "discriminator"]
    # With the old generator's picture the fake term would be another number.
    other = build("update=alternating", "generator_optimizer.learning_rate=1e-30")
    for path, value in weights(other).items():
        np.testing.assert_array_equal(value, before[path])
    assert abs(float(report["discriminator/generated"]) - float(other.train_step(batch)["discriminator/generated"])) > 1e-6


def test_dropout_masks_follow_the_example_and_the_step_not_the_replica(build, batch):
    system = build()
    whole = tf.reshape(system._dropout_masks(batch, 3), [3, 4, 16]).numpy()
    part = tf.reshape(system._dropout_masks({**batch, "position": tf.constant([2, 3])}, 3), [3, 2, 16]).numpy()
    np.testing.assert_array_equal(part, whole[:, 2:])
    assert set(np.unique(whole)) == {0.0, 2.0}
    later = system._dropout_masks({**batch, "step": tf.constant(4, tf.int64)}, 3)
    assert np.any(tf.reshape(later, [3, 4, 16]) != whole)
    assert np.any(whole[0] != whole[1])  # every pass has its own


def _start_loss_scales(system, scale):
    """Below the 32,768 that loss scaling starts from, which may overflow and then rightly skips the first updates."""
    for optimizer in system.optimizers.values():
        if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
            optimizer.dynamic_scale.assign(scale)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_mixed_precision_steps_stay_close_to_float32(build, batch, precision):
    reference, mixed = build(), build(precision=precision)
    _start_loss_scales(mixed, 64.0)
    assert mixed.generator.image_encoder.stages[0].convolutions[0].compute_dtype == precision
    a, b = reference.train_step(batch), mixed.train_step(batch)
    for name in a:
        assert b[name].dtype == tf.float32
        np.testing.assert_allclose(b[name], a[name], rtol=0.05, atol=0.02, err_msg=name)
    assert all(v.dtype == "float32" for v in mixed.generator.trainable_variables)
    changed = sum(bool(np.any(weights(mixed)[path] != value)) for path, value in weights(build()).items())
    assert changed == len(weights(mixed))


@pytest.mark.slow
@pytest.mark.parametrize(("terms", "cosine"), [("loss.adversarial=0", 0.99), ("loss.l2=0", 0.85)])
def test_float16_gradients_are_the_float32_ones_times_the_loss_scale(build, batch, terms, cosine):
    """Rounding flips a few ReLUs and pooling choices, which the adversarial path through D feels most."""
    reference, mixed = build("loss.l2=1", terms), build("loss.l2=1", terms, precision="float16")
    _start_loss_scales(mixed, 64.0)
    plain, scaled = record_gradients(reference), record_gradients(mixed)
    reference.train_step(batch)
    mixed.train_step(batch)
    for name in plain:
        scale = float(mixed.optimizers[name].dynamic_scale.numpy())
        assert scale > 1
        a, b = (np.concatenate([np.ravel(g).astype(np.float64) for g in gs[name]]) for gs in (plain, scaled))
        assert a @ b > cosine * np.linalg.norm(a) * np.linalg.norm(b), name
        assert np.linalg.norm(b) / scale == pytest.approx(np.linalg.norm(a), rel=0.2), name


def test_prediction_of_a_clip_does_not_depend_on_how_many_frames_a_call_paints(build, clips):
    whole, single = build("evaluation.frames_per_call=8"), build("evaluation.frames_per_call=3")
    loaded = clips.load(clips.test[0])
    targets = np.arange(1, 8)
    a, b = whole.predict(loaded, 0, targets), single.predict(loaded, 0, targets)
    assert a.shape == (7, 32, 32, 3) and a.dtype == np.uint8
    assert np.abs(a.astype(int) - b).max() <= 1


def test_a_clip_in_parts_is_the_whole_clip(build, clips, monkeypatch):
    (whole,) = (system := build()).predict_clips(data := SimpleNamespace(test=clips.test[:1], load=clips.load))
    monkeypatch.setattr("analogy.predictions.base.PART", 4)
    parts = list(system.predict_clips(data))
    assert [part.length for part in parts] == [4, 3] and [len(part.observed_frames) for part in parts] == [1, 0]
    for key in ("distance", "observed_frames", "truth", "baseline"):
        np.testing.assert_array_equal(np.concatenate([getattr(part, key) for part in parts]), getattr(whole, key))
    painted = np.concatenate([part.prediction for part in parts]).astype(int)
    assert np.abs(painted - whole.prediction).max() <= 1  # another number of frames in a call, rounded
    for (title, frames), *further in zip(whole.columns(), *(part.columns() for part in parts), strict=True):
        assert len(frames) == sum(len(part) for _, part in further) and {name for name, _ in further} == {title}


def test_the_feature_loss_of_a_pretrained_network_reaches_the_generator(build, batch, squeezenet):
    system = build("loss.l2=0", "loss.adversarial=0", "loss.feature=1e-4", f"loss.feature_weights={squeezenet}")
    assert list(system.models) == ["generator"]
    recorded = record_gradients(system)
    report = system.train_step(batch)
    image, pose, truth, next_pose = system._inputs(batch)
    painted = system.generator([image, pose, next_pose])
    error = np.mean(np.square(system.features(truth) - system.features(painted)), axis=(1, 2, 3))
    assert float(report["generator/feature"]) == pytest.approx(1e-4 * error.mean(), rel=1e-4)
    assert all(np.any(gradient) for gradient in recorded["generator"])


@pytest.mark.parametrize("update", ["fused", "alternating"])
def test_two_discriminators_learn_and_are_answered(build, batch, update):
    system = build(f"update={update}", "loss.l2=0", "loss.image_adversarial=1")
    recorded = record_gradients(system)
    report = system.train_step(batch)
    assert set(recorded) == {"generator", "discriminator", "image_discriminator"}
    assert all(np.any(gradient) for gradients in recorded.values() for gradient in gradients)
    image, _, truth, _ = system._inputs(batch)
    masks = system._masks(batch, extra=update == "alternating")["image_discriminator"]
    real = system.discriminators["image_discriminator"]([truth, image, masks[0]])
    assert float(report["image_discriminator/real"]) == pytest.approx(float(tf.reduce_mean(tf.nn.softplus(-real))), rel=1e-4)
    parts = [report["generator/adversarial"], report["generator/image_adversarial"]]
    assert float(report["generator/loss"]) == pytest.approx(float(sum(parts)) + float(report["generator/l2"]), rel=1e-5)


def test_gradients_of_two_discriminators_are_those_of_both_losses(build, batch):
    system = build("loss.l2=1", "loss.image_adversarial=0.5", "loss.guard=logits")
    recorded = record_gradients(system)
    system.train_step(batch)
    image, pose, truth, next_pose = system._inputs(batch)
    masks = system._masks(batch)
    with tf.GradientTape() as tape:
        z = system.generator.latent(image, pose, next_pose)
        painted = system.generator.decoder(z)
        terms = system._generator_terms(truth, painted, z)
        for name, condition in (("discriminator", next_pose), ("image_discriminator", image)):
            terms[name] = system._adversarial_term(name, system.discriminators[name]([painted, condition, masks[name][1]]))
        loss = system.mean(terms)
    for ours, plain in zip(recorded["generator"], tape.gradient(loss, system.generator.trainable_variables), strict=True):
        np.testing.assert_allclose(ours, plain, atol=2e-5 * np.abs(plain).max())

"""The promises of every system, for the masked analogy; and what it starts from before any training."""

import numpy as np
import pytest
import tensorflow as tf

from analogy.data.clips import ClipDataset, LoadedClip
from analogy.models.pixels import to_bytes, to_unit
from tests.systems.conftest import build_system

TINY = ("data.image_size=32", "generator.widths=[4, 8]", "generator.work_size=32", "training.batch_size=4")


def build(*overrides):
    return build_system("analogy_masked", *TINY, *overrides)


def wake(system):
    """The last layer starts at zero, where the layers below get no gradient and every network paints the same."""
    kernel = system.generator.unet.last.kernel
    kernel.assign(0.3 * tf.random.stateless_normal(kernel.shape, [0, 0]))


def weights(model):
    return [v.numpy().copy() for v in model.trainable_variables]


@pytest.mark.parametrize("data", [(), ("data.gray=true",), ("data.image_size=[40, 56]",)])
def test_every_weight_learns(batch, data):
    system = build(*data)
    wake(system)
    size = system.image_size
    for key in ("image", "next_image"):
        image = tf.cast(tf.image.resize(batch[key], size), tf.uint8)
        batch[key] = image[..., :1] if system.channels == 1 else image
    recorded = []
    system.optimizers["generator"].apply = lambda gradients, variables: recorded.extend(gradients)
    report = system.train_step(batch)
    assert set(report) == {"generator/error", "generator/dissimilarity", "generator/loss"}
    assert len(recorded) == len(system.generator.trainable_variables) > 10
    assert all(np.isfinite(gradient).all() and np.linalg.norm(gradient) > 1e-6 for gradient in recorded)


@pytest.mark.slow
def test_pictures_are_painted_by_the_averaged_weights(batch, moving_arm):
    system = build("data.image_size=64", "generator_optimizer.average=0.9", "generator_optimizer.learning_rate=0.1")
    wake(system)
    batch |= {key: tf.cast(tf.image.resize(batch[key], (64, 64)), tf.uint8) for key in ("image", "next_image")}

    def paint():
        with system.averaged_weights():
            return system.predict(moving_arm, 0, np.array([1]))

    untrained = paint()
    np.testing.assert_array_equal(untrained, painted_by(system.generator, moving_arm))
    for _ in range(3):
        system.train_step(batch)
    before = weights(system.generator)
    trained, last = paint(), painted_by(system.generator, moving_arm)
    assert np.any(trained != untrained) and np.any(trained != last)
    for was, now in zip(before, weights(system.generator), strict=True):  # training goes on from the weights it had
        np.testing.assert_array_equal(was, now)
    system.use_averages()
    np.testing.assert_array_equal(trained, painted_by(system.generator, moving_arm))


def painted_by(network, clip):
    first, second = slice(0, 1), slice(1, 2)
    given = [to_unit(clip.frames[first]), clip.joints[first], clip.visibility[first], clip.crop[first]]
    return to_bytes(network([*given, clip.joints[second], clip.visibility[second], clip.crop[second]])).numpy()


@pytest.fixture
def moving_arm():
    """A white forearm on a dark ground that turns by a right angle about its elbow: a clip of two frames, 64 px."""
    joints = np.array([[32, 8], [24, 20], [40, 20], [20, 32], [44, 32], [20, 44], [44, 44], [28, 40], [36, 40], [28, 50],
                       [36, 50], [28, 60], [36, 60]], np.float32)  # fmt: skip
    joints = np.stack([joints, joints])
    joints[1, 6] = [56, 32]
    images = np.full([2, 64, 64, 3], 20, np.uint8)
    images[0, 33:44, 43:46], images[1, 31:34, 45:56] = 250, 250
    return LoadedClip(images, joints, np.ones([2, 13], np.float32), np.full([2, 2], 64, np.float32))


def test_before_training_it_moves_limbs_and_fills_what_they_uncover(moving_arm):
    system = build("data.image_size=64", "generator.work_size=64")
    painted = system.predict(moving_arm, 0, np.array([1]))[0].astype(float)
    assert painted[32, 47:53].mean() > 120  # the arm has come
    assert painted[40:43, 44].mean() < 120  # and has left
    assert abs(painted[:4].mean() - 20) < 2  # elsewhere nothing happened
    truth, copied = moving_arm.frames[1].astype(float), moving_arm.frames[0].astype(float)
    assert np.square(painted - truth).mean() < 0.5 * np.square(copied - truth).mean()


def test_a_pose_that_stays_keeps_the_frame(moving_arm):
    system = build("data.image_size=64", "generator.work_size=64")
    painted = system.predict(moving_arm, 0, np.array([0]))[0].astype(float)
    assert np.abs(painted - moving_arm.frames[0]).mean() < 4


def test_hidden_joints_change_nothing(moving_arm):
    system = build("data.image_size=64", "generator.work_size=64")
    hidden = np.zeros([2, 13], np.float32)
    clip = LoadedClip(moving_arm.frames, moving_arm.joints, hidden, moving_arm.crop)
    painted = system.predict(clip, 0, np.array([1]))[0].astype(float)
    assert np.abs(painted - moving_arm.frames[0]).mean() < 4
    shown = np.ones([2, 13], np.float32)
    shown[:, [5, 10]] = 0
    pictures = []
    for value in (0.0, 1e6, np.nan):  # hidden joints may be stored anywhere
        joints = moving_arm.joints.copy()
        joints[:, [5, 10]] = value
        clip = LoadedClip(moving_arm.frames, joints, shown, moving_arm.crop)
        pictures.append(system.predict(clip, 0, np.array([1])))
    assert np.array_equal(pictures[0], pictures[1]) and np.array_equal(pictures[0], pictures[2])


def test_untrained_it_beats_copying_on_the_rendered_people(prepared):
    system = build("data.image_size=64", "generator.work_size=64")
    clips = ClipDataset(prepared, system.settings.data, seed=0)
    errors = []
    for clip in clips.test:
        loaded = clips.load(clip)
        last = clip.length - 1
        painted = system.predict(loaded, 0, np.array([last]))[0].astype(float)
        truth, copied = loaded.frames[last].astype(float), loaded.frames[0].astype(float)
        errors.append([np.square(painted - truth).mean(), np.square(copied - truth).mean()])
    painted, copied = np.array(errors).T
    assert (painted < copied).mean() >= 0.7 and painted.mean() < 0.6 * copied.mean()

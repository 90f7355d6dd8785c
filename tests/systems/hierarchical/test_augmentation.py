"""Joints follow the pixels, both frames change alike, and nothing changes without a reason."""

import numpy as np
import pytest
import tensorflow as tf

from analogy.joints import MIRRORED
from analogy.systems.hierarchical.augmentation import DRAWS, augment_pair
from analogy.systems.hierarchical.settings.analogy_masked import AugmentationSettings

SIDE = (48, 64)
NOTHING = {"rotation": 0, "zoom": 0, "stretch": 0, "shift": 0, "colour": 0, "exchange_sides": False}


def augmentation(**changes):
    return AugmentationSettings(**{**NOTHING, **changes})


@pytest.fixture
def batch():
    """Bright blots at the joints on a dark image, stretched 1 : 2 against the source."""
    rng = np.random.default_rng(0)
    b, (height, width) = 3, SIDE
    arrays = {}
    for prefix in ("", "next_"):
        joints = rng.uniform([24, 18], [40, 30], (b, 13, 2)).astype(np.float32)
        image = np.full((b, height, width, 3), -1, np.float32)
        x, y = np.arange(width)[None, None], np.arange(height)[None, :, None]
        blot = np.exp(-((x - joints[:, :1, :1]) ** 2 + (y - joints[:, :1, 1:]) ** 2) / 8)  # of the head
        image += 2 * blot[..., None].astype(np.float32)
        arrays |= {f"{prefix}image": image, f"{prefix}joints": joints}
        arrays |= {f"{prefix}visibility": rng.integers(0, 2, (b, 13)).astype(np.float32)}
        arrays |= {f"{prefix}crop": np.tile(np.array([[64.0, 96.0]], np.float32), (b, 1))}
    return {name: tf.constant(array) for name, array in arrays.items()}


def draws(seed=0, b=3):
    return tf.random.stateless_uniform([b, DRAWS], [seed, 0])


@pytest.mark.parametrize(
    "how",
    [augmentation(rotation=20), augmentation(zoom=0.2), augmentation(stretch=0.3), augmentation(shift=0.1),
     augmentation(rotation=15, zoom=0.1, stretch=0.2, shift=0.05)],
)  # fmt: skip
def test_joints_stay_on_their_pixels(batch, how):
    changed = augment_pair(batch, draws(), how)
    for prefix in ("", "next_"):
        image, joints = changed[f"{prefix}image"].numpy().mean(-1) + 1, changed[f"{prefix}joints"].numpy()
        for picture, head in zip(image, joints[:, 0], strict=True):
            near = np.argwhere(picture > 0.5 * picture.max())  # (y, x)
            weights = picture[tuple(near.T)]
            np.testing.assert_allclose((near * weights[:, None]).sum(0)[::-1] / weights.sum(), head, atol=0.6)
    assert not np.allclose(changed["joints"], batch["joints"], atol=0.5)


def test_a_rotated_limb_keeps_its_length_in_source_pixels(batch):
    changed = augment_pair(batch, draws(), augmentation(rotation=30, zoom=0.3, stretch=0.3, shift=0.1))

    def lengths(b):
        source = b["joints"] * b["crop"][:, None] / tf.constant([SIDE[1], SIDE[0]], tf.float32)
        return tf.norm(source[:, 1:] - source[:, :-1], axis=-1)

    np.testing.assert_allclose(lengths(changed), lengths(batch), rtol=1e-3)


def test_both_frames_get_the_same_colours(batch):
    batch = {**batch, "next_image": batch["image"]}
    changed = augment_pair(batch, draws(), augmentation(colour=1))
    np.testing.assert_array_equal(changed["image"], changed["next_image"])
    assert np.abs(changed["image"] - batch["image"]).max() > 0.1
    assert changed["image"].numpy().min() >= -1 and changed["image"].numpy().max() <= 1


def test_sides_are_exchanged_in_both_frames_or_in_neither(batch):
    uniform = draws().numpy()
    uniform[:, 0] = [0.1, 0.9, 0.2]
    changed = augment_pair(batch, tf.constant(uniform), augmentation(exchange_sides=True))
    for key in ("joints", "visibility", "next_joints", "next_visibility"):
        expected = batch[key].numpy()
        expected[[0, 2]] = expected[[0, 2]][:, list(MIRRORED)]
        np.testing.assert_array_equal(changed[key], expected)


def test_nothing_is_changed_unasked(batch):
    changed = augment_pair(batch, draws(), augmentation())
    for name, value in batch.items():
        np.testing.assert_array_equal(changed[name], value)

"""The baseline that continues the motion of the last two frames, against known answers."""

import cv2
import numpy as np
import pytest

from analogy.predictions.motion import motion_continued, optical_flow


def moving_texture(step, count=6, channels=3):
    """A smooth random texture that moves `step` pixels to the right in each frame: uint8 [count, 48, 64, C]."""
    noise = np.random.default_rng(0).integers(0, 256, (48, 128, channels)).astype(np.float32)
    texture = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2), None, 0, 255, cv2.NORM_MINMAX).reshape(noise.shape)
    return np.stack([texture[:, 64 - step * t : 128 - step * t] for t in range(count)]).astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
def test_all_of_a_steady_motion_goes_on(channels):
    frames = moving_texture(2, channels=channels)
    predicted = motion_continued(frames[:3], 3, damping=1.0)
    assert predicted.shape == (3, 48, 64, channels) and predicted.dtype == np.uint8
    inner = np.s_[:, 12:-12, 12:-12]  # what enters at the border is unknown
    error = np.abs(predicted.astype(float) - frames[3:])[inner].mean()
    assert error < 2 < np.abs(frames[2].astype(float) - frames[3:])[inner].mean()


def test_half_of_it_goes_on_by_default():
    frames = moving_texture(2)
    inner = np.s_[:, 12:-12, 12:-12]
    halfway = motion_continued(frames[:3], 2)[1]  # 2 frames at half the speed are one frame of motion
    assert np.abs(halfway.astype(float) - frames[3])[inner[1:]].mean() < 2


def test_flow_points_to_where_the_pixel_was():
    flow = optical_flow(moving_texture(2))
    np.testing.assert_allclose(np.median(flow, (0, 1)), [-2, 0], atol=0.1)


@pytest.mark.parametrize("frames", [moving_texture(2)[:1], moving_texture(2)[:, :8, :8]])
def test_one_frame_or_a_tiny_one_is_copied(frames):
    np.testing.assert_array_equal(motion_continued(frames, 2), np.repeat(frames[-1:], 2, 0))


def test_a_still_video_stays():
    frames = np.repeat(moving_texture(2)[:1], 3, 0)
    np.testing.assert_array_equal(motion_continued(frames, 2), frames[:2])

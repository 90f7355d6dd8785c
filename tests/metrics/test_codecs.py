"""JPEG and H.264 at a given PSNR."""

import cv2
import numpy as np
import pytest

from analogy.metrics.codecs import h264_at, jpeg_at, psnr_of_all


@pytest.fixture(scope="module")
def frames():
    """Smooth grey noise that moves a pixel to the right with each frame, uint8 [4, 64, 64, 3]: both codecs halve colours."""
    noise = np.random.default_rng(0).uniform(0, 255, (12, 12, 1)).repeat(3, -1).astype(np.float32)
    picture = np.clip(cv2.resize(noise, (80, 64), interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)
    return np.stack([picture[:, 8 - time : 72 - time] for time in range(4)])


@pytest.mark.parametrize("code", [jpeg_at, h264_at])
def test_the_cheapest_setting_that_reaches_the_psnr(code, frames):
    rough, fine = code(frames, 28.0), code(frames, 36.0)
    assert 28.0 <= rough.psnr < 31.0 and 36.0 <= fine.psnr < 39.0
    assert 0 < rough.pictures < fine.pictures < fine.whole
    assert rough.pictures < rough.whole
    assert code(frames, 99.0).psnr > fine.psnr  # none reaches it: the best


def test_a_jpeg_counts_as_it_is_written(frames):
    coded = jpeg_at(frames[:1], 30.0)
    options = [cv2.IMWRITE_JPEG_QUALITY, coded.setting, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    file = cv2.imencode(".jpg", frames[0, ..., ::-1], options)[1]
    assert coded.whole == 8 * file.size
    assert coded.psnr == pytest.approx(psnr_of_all(frames[0], cv2.imdecode(file, 1)[..., ::-1]))
    worse = cv2.imencode(".jpg", frames[0, ..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, coded.setting - 1])[1]
    assert psnr_of_all(frames[0], cv2.imdecode(worse, 1)[..., ::-1]) < 30.0


def test_h264_uses_that_frames_are_alike(frames):
    still = np.repeat(frames[:1], 4, 0)
    assert h264_at(still, 30.0).pictures < jpeg_at(still, 30.0).pictures / 2


def test_the_psnr_of_all_frames():
    truth = np.zeros((2, 4, 4, 3), np.uint8)
    other = truth.copy()
    other[0] = 255
    assert psnr_of_all(truth, other) == pytest.approx(10 * np.log10(2))

"""The centre of a dark object: known answers, whatever the background, the noise and the rest of the picture."""

import numpy as np
import pytest

from analogy.metrics.centre import centre_error, centre_of_darkness
from data_prep.moving_ball import draw_ball, scaled, trained_centres

CENTRES = trained_centres()["report"]


@pytest.mark.parametrize("size", [(128, 160), (64, 96)])
def test_a_ball_is_found_where_it_was_drawn_and_a_copied_one_is_left_behind(size):
    frames, centres = draw_ball(CENTRES, size), scaled(CENTRES, size)
    np.testing.assert_allclose(centre_of_darkness(frames), centres, atol=0.03)
    copied = np.repeat(frames[2:3], 3, 0)
    np.testing.assert_allclose(centre_error(centres[3:], copied), np.array([15, 30, 45]) * size[1] / 160, atol=0.03)


def test_neither_noise_nor_the_background_moves_the_centre():
    noise = np.random.default_rng(0).integers(-2, 3, [6, 128, 160, 3])
    darker = np.clip(draw_ball(CENTRES, (128, 160)) - 60.0 + noise, 0, 255).astype(np.uint8)
    assert centre_error(CENTRES, darker).max() < 0.1


def test_two_ghosts_are_between_and_an_empty_frame_shows_its_middle():
    left, right = draw_ball(np.array([[40.0, 60.0], [80.0, 70.0]]), (128, 160)).astype(int)
    ghosts = ((left + right) // 2)[None].astype(np.uint8)
    np.testing.assert_allclose(centre_of_darkness(ghosts), [[60, 65]], atol=0.05)
    np.testing.assert_allclose(centre_of_darkness(np.full([1, 64, 96, 1], 200, np.uint8)), [[47.5, 31.5]])

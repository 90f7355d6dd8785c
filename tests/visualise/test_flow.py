"""Flow drawn in colours."""

import numpy as np

from analogy.visualise.flow import flow_colours


def test_still_is_white_and_directions_differ_in_hue():
    flow = np.zeros((1, 2, 2, 2))
    flow[0, 0, 1], flow[0, 1, 0], flow[0, 1, 1] = (2, 0), (-2, 0), (1, 0)
    drawn = flow_colours(flow, longest=2.0)[0]
    np.testing.assert_array_equal(drawn[0, 0], [255, 255, 255])
    np.testing.assert_array_equal(drawn[0, 1], [255, 0, 0])
    np.testing.assert_array_equal(drawn[1, 0], [0, 255, 255])
    np.testing.assert_allclose(drawn[1, 1], [255, 128, 128], atol=1)


def test_the_scale_follows_the_flow_but_not_below_a_pixel():
    flow = np.full((1, 4, 4, 2), [0.1, 0.0])
    assert flow_colours(flow).min() > 220
    assert flow_colours(100 * flow)[..., 1:].max() == 0

"""Long arrays are worked on in parts."""

import numpy as np
import pytest

from analogy.memory import in_parts


@pytest.mark.parametrize(("most", "sizes"), [(2, [2, 2, 1]), (5, [5]), (9, [5])])
def test_parts_are_small_and_the_result_is_whole(most, sizes):
    given = []

    def add(first, second):
        given.append(len(first))
        return first + second

    left, right = np.arange(10).reshape(5, 2), np.ones((5, 2), int)
    np.testing.assert_array_equal(in_parts(add, left, right, most=most), left + 1)
    assert given == sizes

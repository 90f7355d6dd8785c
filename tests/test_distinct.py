"""Which experiments count as alike: no network, no term of a loss and no way to update may be left out."""

from __future__ import annotations

from tests.distinct import first_of_each_kind


def test_numbers_and_data_make_no_kind_and_networks_and_terms_do():
    alike = ["analogy_pool3", "analogy_pool3_l2_15", "analogy_pool3_tennis_serve", "analogy_pool3_sgd_disc"]
    apart = ["analogy_pool3_maxout", "analogy_pool4", "analogy_pool4_feat", "analogy_pool3_gray", "analogy_masked"]
    assert first_of_each_kind(alike + apart) == ["analogy_pool3", *apart]

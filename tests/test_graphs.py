"""Functions that are traced: Python as it stands, everywhere in the package."""

import re

import pytest
import tensorflow as tf

from analogy.graphs import graph_function
from tests.conftest import ROOT


def test_the_package_traces_in_one_way():
    files = [path for path in (ROOT / "analogy").rglob("*.py") if path.name != "graphs.py"]
    assert sum("graph_function" in path.read_text() for path in files) > 20
    assert not [path for path in files if re.search(r"@tf\.function|tf\.function\(", path.read_text())]


def test_a_choice_of_python_over_a_tensor_is_an_error_and_no_guess():
    @graph_function
    def larger(x):
        return x if x > 0 else -x

    with pytest.raises(tf.errors.OperatorNotAllowedInGraphError):
        larger(tf.constant(1.0))
    assert graph_function(lambda x: tf.cond(x > 0, lambda: x, lambda: -x))(tf.constant(-2.0)) == 2

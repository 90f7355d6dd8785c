"""Functions that are traced: Python as it stands, everywhere in the package."""

import re

import pytest
import tensorflow as tf

from analogy.graphs import graph_function
from tests.conftest import ROOT


def test_the_package_traces_in_one_way():
    files = [path for room in ("analogy", "experiments") for path in (ROOT / room).rglob("*.py") if path.name != "graphs.py"]
    texts = {path: path.read_text("utf-8") for path in files}
    assert sum("graph_function" in text for text in texts.values()) > 20
    assert not [path for path, text in texts.items() if re.search(r"@tf\.function|tf\.function\(", text)]


def test_a_choice_of_python_over_a_tensor_is_an_error_and_no_guess():
    @graph_function
    def larger(x):
        return x if x > 0 else -x

    with pytest.raises(tf.errors.OperatorNotAllowedInGraphError):
        larger(tf.constant(1.0))
    assert graph_function(lambda x: tf.cond(x > 0, lambda: x, lambda: -x))(tf.constant(-2.0)) == 2

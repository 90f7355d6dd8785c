"""What is said of errors."""

import pytest
import tensorflow as tf

from analogy.errors import first_line


def test_a_message_names_no_nodes_of_a_graph(tmp_path):
    (tmp_path / "damaged").write_bytes(b"no record at all" * 9)
    with pytest.raises(tf.errors.DataLossError) as eager:
        next(iter(tf.data.TFRecordDataset(str(tmp_path / "damaged"))))
    assert first_line(eager.value).startswith("corrupted record at 0")

    @tf.function(input_signature=[tf.TensorSpec([None])])
    def small(x):
        tf.debugging.assert_less(x, 1.0, message="x must be below 1")
        return x

    with pytest.raises(tf.errors.InvalidArgumentError) as in_graph:
        small(tf.constant([2.0]))
    for error in (eager.value, in_graph.value):
        assert not any(part in first_line(error) for part in ("{{", "node", "Op:", "device:", "Graph execution", "\n"))
    assert "x must be below 1" in first_line(in_graph.value)
    assert first_line(ValueError("\n\nsaid at last\nand more")) == "said at last" and first_line(OSError()) == "OSError"

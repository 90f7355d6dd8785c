"""What is said of errors, and whatever else a command says."""

import logging
from pathlib import Path

import pytest
import tensorflow as tf

from analogy.cli.console import set_environment
from analogy.errors import Mistakes, UserError, about, first_line
from analogy.one_line import counted, say


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


def test_a_line_of_an_error_stays_one_whatever_the_names_in_it():
    with pytest.raises(UserError) as error, Mistakes() as mistakes:
        mistakes.add("a\nb: is missing")
        with mistakes.noted(), about("--run"):
            raise UserError("c\x1b[2J: is odd", "d\u2028: too")
    assert error.value.lines == (r"a\nb: is missing", r"--run: c\x1b[2J: is odd", r"--run: d\u2028: too")
    assert str(error.value).count("\n") == 2
    assert UserError("a\n.mat: is cut off").without(Path("a\n.mat")) == "is cut off"


def test_names_in_what_is_said_do_nothing_to_the_terminal(capsys):
    say("written to a\nb", "c\x1b[2J\udc80: a name of bytes", "é 中 🎬")
    say("error: \x07", err=True)
    said, errors = capsys.readouterr()
    assert said.splitlines() == [r"written to a\nb", r"c\x1b[2J\udc80: a name of bytes", "é 中 🎬"]
    assert errors == "error: \\x07\n"


def test_warnings_of_commands_without_a_log_are_one_line_too():
    set_environment()
    record = logging.makeLogRecord({"msg": "%s: was made by somebody else", "args": ("a\x1b[2J\nb",)})
    assert logging.lastResort.format(record) == r"a\x1b[2J\nb: was made by somebody else"


def test_a_noun_stands_in_the_number_of_its_count():
    assert [counted(count, "test clip") for count in (0, 1, 2, 7000)] == [
        "0 test clips",
        "1 test clip",
        "2 test clips",
        "7,000 test clips",
    ]

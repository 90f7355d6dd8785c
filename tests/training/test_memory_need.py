"""The memory of a training is said before its first step, and running out of it is a line that names what to lower."""

from __future__ import annotations

import errno
import os

import pytest
import tensorflow as tf

from analogy.errors import UserError
from analogy.memory import gpu_memory, machine_memory
from analogy.training import memory_need
from analogy.training.memory_need import counted_weights, enough_memory, peak_bytes, say_memory

MEGABYTE = 1 << 20


def test_the_peak_is_that_of_tensors_alive_at_once():
    def function(x):  # of 1 MB each: a and b live together, then b and c
        a = tf.exp(x)
        b = tf.exp(a)
        c = tf.exp(tf.reshape(b, [-1]))
        return tf.reduce_sum(c) + tf.reduce_sum(b)

    graph = tf.function(function).get_concrete_function(tf.TensorSpec([MEGABYTE // 4])).graph
    assert 2 * MEGABYTE <= peak_bytes(graph) < 2.01 * MEGABYTE


def test_a_step_beyond_the_machine_is_said_and_one_within_it_is_not(tiny, monkeypatch, caplog):
    step = tf.function(lambda x: tf.reduce_sum(tf.exp(x)))
    batch = tf.zeros([MEGABYTE // 4])
    for most, said in ((4 * MEGABYTE, False), (MEGABYTE, True), (0, False)):
        caplog.clear()
        monkeypatch.setattr(memory_need, "machine_memory", lambda most=most: most)
        say_memory(step, batch, 1000, tiny())
        text = "and this machine has 0 GB: lower training.batch_size (4) or data.image_size ((32, 32)), or make the networks"
        assert (text in caplog.text) == said


@pytest.mark.parametrize(
    ("answer", "level", "said"),
    [
        ("echo 16384; echo 1", "WARNING", "and the smallest GPU here has 0 GB: lower training.batch_size"),
        ("echo 16384", "", ""),
        ("echo [N/A]", "INFO", "a step needs about 0.0 GB of memory on each GPU; how much there is is not known"),
        ("exit 9", "INFO", "how much there is is not known"),
    ],
)
def test_of_gpus_the_smallest_counts(tiny, tmp_path, monkeypatch, caplog, answer, level, said):
    """Four GPUs that TensorFlow is made to see, and an `nvidia-smi` of ours: 4 x 1 MB of tensors, so more than 1 MB on each."""
    (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{answer}\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(memory_need.tf.config, "list_logical_devices", lambda kind: ["a", "b", "c", "d"])
    monkeypatch.setattr(memory_need, "machine_memory", lambda: 1)  # which does not count
    step = tf.function(lambda x: tf.reduce_sum(tf.exp(x)))
    with caplog.at_level("INFO", logger="analogy"):
        say_memory(step, tf.zeros([MEGABYTE]), 4 * 1000, tiny())
    assert [record.levelname for record in caplog.records] == [level][: bool(level)] and said in caplog.text


def test_a_machine_without_nvidia_knows_no_memory_of_gpus(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpu_memory() == 0


def test_weights_beyond_the_machine_are_refused_while_they_are_made(tiny, monkeypatch):
    monkeypatch.setattr(memory_need, "machine_memory", lambda: MEGABYTE)
    with counted_weights(tiny()):
        tf.Variable(tf.zeros([MEGABYTE // 8]))
    said = r"alone take more than the 0 GB of this machine.*generator or discriminator"
    with pytest.raises(UserError, match=said), counted_weights(tiny()):
        for _ in range(5):
            tf.Variable(tf.zeros([MEGABYTE // 8]))


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        tf.errors.ResourceExhaustedError(None, None, "OOM when allocating\nmore"),
        TypeError("Exception encountered when calling Seq2Seq.call().\n\nResourceExhaustedError.__init__() missing 2 required"),
    ],
)
def test_no_more_memory_is_a_line(tiny, error):
    with (
        pytest.raises(UserError, match=r"not enough memory \(.*\): lower training.batch_size \(4\) or data.image_size") as said,
        enough_memory(tiny()),
    ):
        raise error
    assert "\n" not in str(said.value)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EMFILE])
def test_a_full_disk_and_too_many_open_files_are_no_lack_of_memory(tiny, number):
    with pytest.raises(OSError, match=os.strerror(number)) as said, enough_memory(tiny()):
        raise tf.errors.ResourceExhaustedError(None, None, f"/data/a.tfrecord; {os.strerror(number)}")
    assert said.value.errno == number


def test_other_mistakes_stay_what_they_are(tiny):
    with pytest.raises(TypeError, match="a float"), enough_memory(tiny()):
        raise TypeError("a float")


def test_this_machine_has_memory():
    assert 1 << 28 < machine_memory() < 1 << 50

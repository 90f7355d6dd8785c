"""Python functions inside pipelines."""

import time

import tensorflow as tf

from analogy.data import python_calls


def test_the_end_of_the_process_waits_until_a_pipeline_that_is_left_rests(monkeypatch):
    monkeypatch.setattr(python_calls, "REST", 0.1)
    calls = []

    def slow(number):
        time.sleep(0.02)
        calls.append(number)
        return number

    numbers = iter(tf.data.Dataset.range(100).map(lambda n: python_calls.call_python(slow, n, tf.int64)).prefetch(5))
    assert next(numbers) == 0
    python_calls._wait_for_rest()
    rested = len(calls)
    time.sleep(0.1)
    assert 6 <= rested == len(calls) < 10

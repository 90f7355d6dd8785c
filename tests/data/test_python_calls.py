"""Python functions inside pipelines."""

import time

import pytest
import tensorflow as tf

from analogy.data import python_calls
from analogy.errors import UserError


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


def test_a_mistake_of_the_user_within_a_pipeline_stays_one(monkeypatch):
    def damaged(number):
        raise UserError("/cache/kth-64: a record cannot be read; delete the folder")

    numbers = tf.data.Dataset.range(3).map(lambda n: python_calls.call_python(damaged, n, tf.int64))
    message = r"^/cache/kth-64: a record cannot be read; delete the folder$"
    with pytest.raises(UserError, match=message), python_calls.user_errors():
        next(iter(numbers))
    with pytest.raises(tf.errors.InvalidArgumentError), python_calls.user_errors():  # another error stays what it is
        tf.reshape(tf.zeros([3]), [2])

"""Signals: a run ends cleanly, and in time, whatever it is doing."""

import os
import signal
import subprocess
import sys
import time

import pytest

from analogy.training.stop import SIGNALS, Stopped, StopRequest
from tests.conftest import ROOT

# A call of the device that never ends, in which Python hears of no signal.
ENDLESS = """
import signal, sys
import tensorflow as tf
from analogy.training import stop
stop.SECONDS_OF_GRACE = 1.0

@tf.function
def endless():
    return tf.while_loop(lambda i: i >= 0, lambda i: [(i + 1) % 1000], [tf.constant(0)])

with stop.StopRequest() as request, request.deferred():
    request.last_words = lambda: print("last words", flush=True)
    print("begun", flush=True)
    endless()
"""


@pytest.mark.parametrize("number", [number for number in SIGNALS if number != signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_is_noted_in_training_and_ends_everything_else(number):
    given = signal.signal(number, signal.SIG_DFL)  # under nohup SIGHUP is ignored
    before = signal.getsignal(number)
    with StopRequest() as stop:
        with stop.deferred():
            os.kill(os.getpid(), number)
        assert stop.signal == number
        os.kill(os.getpid(), number)  # said once
        with pytest.raises(KeyboardInterrupt):  # a second Ctrl-C does not wait
            os.kill(os.getpid(), signal.SIGINT)
    with StopRequest() as stop, pytest.raises(Stopped, match="stopped by SIGINT"):
        os.kill(os.getpid(), signal.SIGINT)
    with StopRequest(), pytest.raises(Stopped, match=f"stopped by {number.name}"):
        os.kill(os.getpid(), number)
    assert signal.getsignal(number) == before and signal.set_wakeup_fd(-1) == -1
    signal.signal(number, given)


def test_what_nohup_ignores_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopRequest() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
        assert stop.signal is None and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.slow
def test_sigterm_ends_a_call_that_never_returns():
    process = subprocess.Popen([sys.executable, "-c", ENDLESS], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout.readline() == "begun\n"
    time.sleep(1.0)
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM and out == "last words\n"
    assert 0.9 < time.monotonic() - began < 10


def test_a_run_that_has_ended_is_left_alone(monkeypatch):
    monkeypatch.setattr("analogy.training.stop.SECONDS_OF_GRACE", 1.5)
    with StopRequest() as stop:
        stop.last_words = lambda: os.abort()
        with stop.deferred():
            os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(2.0)  # this process is still there

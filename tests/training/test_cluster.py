"""TF_CONFIG: its mistakes are found before anything is loaded, and a worker that does not come is named."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys

import pytest

from analogy.errors import UserError
from analogy.resolve import resolve_settings
from analogy.training import cluster as clusters
from analogy.training import watch as watching
from analogy.training.cluster import Cluster, patience, read_cluster, wait_for_workers
from tests.conftest import ROOT

TWO = {"worker": ["a:1", "b:2"]}


def config(cluster: object, task: object = None) -> str:
    return json.dumps({"cluster": cluster, "task": task or {"type": "worker", "index": 0}})


WRONG = {
    "{": "TF_CONFIG is not JSON",
    "[" * 100_000: "TF_CONFIG is not JSON",
    "3": "TF_CONFIG is no JSON object",
    config(["a:1"]): "cluster: expected roles",
    config({**TWO, "ps": ["c:3"]}): "there is no role ps in this training",
    config({**TWO, "evaluator": ["c:3"]}): "there is no role evaluator in this training",
    config({"worker": "a:1"}): "worker: expected a list of addresses",
    config({"worker": {"0": "a:1"}}): "worker: expected a list of addresses",
    config({"worker": ["a", "b:2"]}): "worker 0: 'a' is no address host:port",
    config({"worker": ["a:1", "b:99999"]}): "worker 1: 'b:99999' is no address",
    config({"worker": ["a:1", ":2"]}): "worker 1: ':2' is no address",
    config({"worker": ["a:1", "http://b:2"]}): "worker 1: 'http://b:2' is no address",
    config({"worker": ["a:1", "b \n:2"]}): r"worker 1: 'b \n:2' is no address",
    json.dumps({"clusters": TWO, "task": {"index": 0}}): 'there is no "cluster" in it, only clusters, task',
    config({"worker": ["a:1", 2]}): "worker 1: 2 is no address",
    config({"worker": ["a:1", "a:1"]}): "a:1 stands there twice",
    config({"worker": ["a:1", "a:01"]}): "a:01 stands there twice",
    config({"chief": ["a:1", "b:2"]}, {"type": "chief", "index": 0}): "more than one chief",
    json.dumps({"cluster": TWO}): "task: expected which worker this process is",
    config(TWO, {"type": "worker"}): "task: expected which worker this process is",
    config(TWO, {"type": "worker", "index": 2}): "there is no worker 2 in the cluster, only worker 0, worker 1",
    config(TWO, {"type": "worker", "index": -1}): "there is no worker -1 in the cluster",
    config(TWO, {"type": "wroker", "index": 0}): "there is no wroker 0 in the cluster",
    config(TWO, {"type": "chief", "index": 0}): "there is no chief 0 in the cluster",
    config({"worker": ["a:1"]}, {"type": "worker", "index": 3}): "there is no worker 3 in the cluster, only worker 0",
}


@pytest.mark.parametrize("text", WRONG, ids=lambda text: text[:60])
def test_a_mistake_is_a_line(text, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UserError) as said:
        read_cluster()
    assert WRONG[text] in str(said.value) and "\n" not in str(said.value)


def test_a_mistake_is_found_with_the_others_before_anything_is_loaded(monkeypatch, tmp_path):
    monkeypatch.setenv("TF_CONFIG", config(TWO, {"type": "worker", "index": 7}))
    with pytest.raises(UserError, match=r"TF_CONFIG: task: there is no worker 7(.|\n)*training\.steps"):
        resolve_settings("seq2seq_sins_l1", results_dir=tmp_path, scale="demo", overrides=["training.steps=-1"])


@pytest.mark.parametrize(
    "text", ["", "{}", config({}), config({"worker": ["a:1"]}), config({"chief": ["[::1]:9"]}, {"type": "chief", "index": 0})]
)
def test_one_process_alone_is_no_cluster(text, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    assert read_cluster() is None


def test_a_cluster_is_read(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", config({"chief": ["a:1"], "worker": ["[::1]:2", "c:3"]}, {"type": "worker", "index": "1"}))
    assert read_cluster() == Cluster({"chief 0": "a:1", "worker 0": "[::1]:2", "worker 1": "c:3"}, "worker 1")
    assert read_cluster().port == 3


def test_the_patience_can_be_set(monkeypatch):
    monkeypatch.delenv("ANALOGY_WORKERS_SECONDS", raising=False)
    assert patience() == 600.0
    monkeypatch.setenv("ANALOGY_WORKERS_SECONDS", "2.5")
    assert patience() == 2.5
    for text in ("0", "-1", "nan", "inf", "soon"):
        monkeypatch.setenv("ANALOGY_WORKERS_SECONDS", text)
        with pytest.raises(UserError, match=f"ANALOGY_WORKERS_SECONDS is {text}: give a number of seconds above 0"):
            patience()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture
def two():
    """A cluster of two on this machine, of which this process is the first."""
    return Cluster({f"worker {index}": f"127.0.0.1:{free_port()}" for index in range(2)}, "worker 0")


def test_who_does_not_come_is_named_and_waited_for_no_longer(two, monkeypatch, caplog):
    monkeypatch.setattr(clusters, "SECONDS_TO_WORDS", 0.05)
    with pytest.raises(UserError, match=r"after 0 s this worker, worker 0, has no answer of worker 1 \(127.*refused\)"):
        wait_for_workers(two, 0.2)
    assert caplog.text.count("worker 0 is waiting for worker 1 (127.0.0.1:") == 1


def test_who_comes_ends_the_waiting_and_finds_this_process(two):
    host, _, port = two.addresses["worker 1"].partition(":")
    with socket.create_server((host, int(port))):
        wait_for_workers(two, 5.0)
    socket.create_server(("", two.port)).close()  # its own port is free again


def test_a_port_that_is_taken_is_named(two):
    with socket.create_server(("", two.port)), pytest.raises(UserError, match=r"worker 0 \(127.*: its port cannot be used"):
        wait_for_workers(two, 1.0)


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_it_answers_on_ipv4_and_ipv6(two):
    with clusters._listening(two):
        assert [clusters.silence(f"{host}:{two.port}") for host in ("127.0.0.1", "[::1]")] == ["", ""]


def connecting(two, patched: str, **how) -> subprocess.Popen:
    """A process that connects as the first of two workers."""
    begin = "print('begun', flush=True); distribute.make_strategy('cpu')"
    code = f"from analogy.training import distribute, watch; {patched}; {begin}"
    workers = config({"worker": list(two.addresses.values())})
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CONFIG": workers, "ANALOGY_WORKERS_SECONDS": "5"}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, **how)
    assert process.stdout.readline() == b"begun\n"
    return process


@pytest.mark.slow
def test_a_worker_that_says_nothing_more_after_it_has_answered_keeps_nobody(two):
    """While TensorFlow connects workers no Python runs, SIGTERM does nothing, and it would wait an hour."""
    host, _, port = two.addresses["worker 1"].partition(":")
    with socket.create_server((host, int(port))):
        assert connecting(two, "distribute.SECONDS_TO_CONNECT = 5").wait(60) == -signal.SIGALRM


@pytest.mark.slow
def test_a_worker_that_ends_after_it_has_answered_is_named(two):
    host, _, port = two.addresses["worker 1"].partition(":")
    with socket.create_server((host, int(port))) as server:
        process = connecting(two, "watch.SECONDS_OF_SILENCE = 2", stderr=subprocess.PIPE)
        server.accept()[0].close()
    _, said = process.communicate(timeout=60)  # long before SECONDS_TO_CONNECT
    assert process.returncode == -signal.SIGALRM
    assert f"worker 1 ({two.addresses['worker 1']}: Connection refused) has ended while the workers were connected" in str(said)


def test_the_watch_ends_with_what_it_watches_for(two, monkeypatch, capsys):
    killed = []
    monkeypatch.setattr(watching.os, "kill", lambda *arguments: killed.append(arguments))
    monkeypatch.setattr(watching.time, "sleep", lambda seconds: None)
    others = {"worker 1": two.addresses["worker 1"]}
    watching.watch(os.getppid() + 1, 0.0, others)  # the parent has ended already
    assert not killed
    watching.watch(os.getppid(), 0.05, others)
    assert killed == [(os.getppid(), signal.SIGALRM)] and "worker 1 (127.0.0.1:" in capsys.readouterr().err


def test_no_watch_is_left_behind(two):
    psutil = pytest.importorskip("psutil")
    before = psutil.Process().children()
    with watching.watched(two):
        (watcher,) = set(psutil.Process().children()) - set(before)
    assert not watcher.is_running()


def test_tensorflow_gets_what_its_own_reader_of_tf_config_would_say(monkeypatch):
    import tensorflow as tf

    from analogy.training.distribute import _resolver

    monkeypatch.setenv("TF_CONFIG", config({"chief": ["a:1"], "worker": ["b:2", "c:3"]}, {"type": "worker", "index": 1}))
    ours, theirs = _resolver(read_cluster()), tf.distribute.cluster_resolver.TFConfigClusterResolver()
    assert ours.cluster_spec() == theirs.cluster_spec()
    assert (ours.task_type, ours.task_id, ours.rpc_layer) == (theirs.task_type, theirs.task_id, "grpc")

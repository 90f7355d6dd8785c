"""What workers agree on at the end of a training. With several processes it is tested in test_faults.py, and in
tests/torture/test_kills.py, where one of them is killed."""

from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from analogy.errors import UserError
from analogy.evaluation.shares import write_share
from analogy.files.marks import SHARES, kind_of
from analogy.training import workers as module
from analogy.training.distribute import place_of_worker
from analogy.training.workers import Workers

CLUSTER = {"chief": ["a:1"], "worker": ["b:2", "c:3"]}


@pytest.fixture
def chief():
    """The chief of several, who is alone in this process."""
    workers = Workers(tf.distribute.MirroredStrategy(["CPU:0"]), lambda: "step-8")
    workers.many = True
    return workers


@pytest.mark.parametrize(
    ("cluster", "role", "index", "place"),
    [
        (CLUSTER, "chief", 0, (0, 3)), (CLUSTER, "worker", 0, (1, 3)), (CLUSTER, "worker", 1, (2, 3)),
        ({}, "worker", 0, (0, 1)), ({"worker": ["a:1", "b:2"]}, "worker", 1, (1, 2)),
    ],
)  # fmt: skip
def test_the_workers_are_numbered_from_the_chief(cluster, role, index, place):
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec(cluster), task_type=role, task_id=index
    )
    assert place_of_worker(SimpleNamespace(cluster_resolver=resolver)) == place


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ([8, ["a", "b"], "float32"], None),
        ([9, ["a", "b"], "float32"], "would go on from step 8, others from another"),
        ([8, ["a", "c"], "float32"], "has 2 training and test clips, others have other ones"),
        ([8, ["a", "b"], "mixed_bfloat16"], "would compute in float32, others in another precision: .* --precision"),
    ],
)
def test_workers_agree_on_what_they_train(chief, monkeypatch, other, said):
    sent = []
    monkeypatch.setattr(chief, "_means", lambda values, dtype: sent.append(np.array(values, dtype.as_numpy_dtype)) or sent[-1])
    chief.check_agreed(*other)
    monkeypatch.setattr(chief, "_means", lambda values, dtype: (np.array(values, dtype.as_numpy_dtype) + sent[0]) / 2)
    with pytest.raises(UserError, match=said) if said else nullcontext():
        chief.check_agreed(8, ["a", "b"], "float32")


def test_one_process_is_its_own_chief_and_needs_no_folder(tmp_path):
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    assert place_of_worker(strategy) == (0, 1)
    with Workers(strategy, lambda: None).shared_folder(tmp_path) as folder:
        assert folder is None and not list(tmp_path.iterdir())


def test_the_chiefs_folder_is_named_to_all_and_then_removed(chief, tmp_path):
    run = tmp_path / "a run with \xfc"
    run.mkdir()
    with chief.shared_folder(run) as folder:
        assert folder.parent == run and kind_of(folder) == SHARES
        (folder / "0").write_text("a share")
    assert not list(run.iterdir())


def test_where_a_worker_does_not_see_the_run_folder_the_chief_is_alone(chief, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(module.os, "access", lambda *arguments: False)
    with chief.shared_folder(tmp_path) as folder:
        assert folder is None
    assert f"not all workers can write in {tmp_path}: the chief alone measures the test clips" in caplog.text
    assert not list(tmp_path.iterdir())


def test_a_worker_that_is_lost_while_shares_are_measured_is_one_line_and_leaves_no_shares(chief, tmp_path, monkeypatch):
    def lost(values):
        raise tf.errors.UnavailableError(None, None, "failed to connect\nto all addresses")

    with pytest.raises(UserError) as said, chief.shared_folder(tmp_path) as shares:
        write_share(shares / "0", [])
        monkeypatch.setattr(chief, "_sum", lost)
        chief.wait()
    message = "another worker is gone (UnavailableError); newest checkpoint: step-8. Start all again, with --resume"
    assert str(said.value) == message and not list(tmp_path.iterdir())

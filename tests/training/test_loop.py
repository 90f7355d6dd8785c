"""The loop itself, with a system of one number."""

import json
import signal
from types import SimpleNamespace

import keras
import pytest
import tensorflow as tf

from analogy.errors import UserError
from analogy.runs.folder import RunFolder
from analogy.systems.base import System
from analogy.training import loop
from analogy.training.checkpoint import Checkpoints
from analogy.training.loop import Trainer
from analogy.training.stop import Stopped, StopRequest
from analogy.training.trackers import Trackers

SECTION = SimpleNamespace(
    name="sgd", learning_rate=0.25, momentum=0.0, weight_decay=0.0, schedule="exponential", decay=1.0, warmup_steps=0,
    clip_norm=0.0, average=0.0, beta_1=0.9, beta_2=0.9, epsilon=1e-8,
)  # fmt: skip


class Number(System):
    """A weight that descends from 1 to 0, and a layer that nothing trains."""

    def __init__(self, settings):
        super().__init__(settings)
        self.network, self.spare = keras.layers.Dense(1, use_bias=False), keras.layers.Dense(1)
        for layer in (self.network, self.spare):
            layer.build([None, 1])
        self.network.kernel.assign([[1.0]])
        self.models = {"network": self.network, "spare": self.spare}

    def train_batches(self, dataset, context):
        return tf.data.Dataset.from_tensors(tf.ones([2, 1])).repeat()

    def train_step(self, batch):
        with tf.GradientTape() as tape:
            terms = {"loss": 0.5 * tf.square(self.network(batch)[:, 0])}
        return self.descend("network", tape, terms) | {"a_count": tf.constant(1.0)}


@pytest.fixture
def make_trainer():
    def make(steps=3, path=None, **settings):
        training = {
            "steps": steps, "batch_size": 2, "steps_per_call": 2, "log_every": 100, "sample_every": 100,
            "checkpoint_every": 100, "keep_checkpoints": 1, **settings,
        }  # fmt: skip
        settings = SimpleNamespace(training=SimpleNamespace(**training), optimizer=SECTION)
        strategy = tf.distribute.MirroredStrategy(["CPU:0"])
        with strategy.scope():
            system = Number(settings)
            system.prepare_training()
        return Trainer(system, SimpleNamespace(train=[], test=[]), settings, strategy, None, path)

    return make


def test_a_worker_that_does_not_know_the_run_folder_trains_from_the_start(make_trainer):
    trainer = make_trainer()
    trainer.resume()
    assert trainer.checkpoints is None and int(trainer.step.numpy()) == 0
    trainer.train(StopRequest())
    assert int(trainer.step.numpy()) == 3
    assert trainer.system.network.kernel.numpy()[0, 0] == 0.75**3


def test_training_needs_no_resumption_before(make_trainer):
    trainer = make_trainer(steps=1)
    trainer.train(StopRequest())
    assert trainer.system.network.kernel.numpy()[0, 0] == 0.75


def test_a_training_begins_once(make_trainer, monkeypatch):
    begun = []
    trainer = make_trainer(steps=1)
    monkeypatch.setattr(trainer.system, "begin", begun.append)
    trainer.train(StopRequest())
    trainer.settings.training.steps = 2
    trainer.train(StopRequest())
    assert begun == [trainer.dataset] and int(trainer.step.numpy()) == 2


def test_what_a_row_waits_for_outlives_a_checkpoint(make_trainer, tmp_path):
    first = make_trainer(path=tmp_path)
    names, rows = first._run_steps(iter(first._distributed_batches(0)), 2)
    assert names == ["a_count", "network/loss"]
    assert rows.tolist() == [[1.0, 0.5], [1.0, 0.5 * 0.75**2]]
    Checkpoints(tmp_path, first.system, first.step, 1).save({"rows": rows.tolist(), "validated": {"validation/x": 2.0}})
    second = make_trainer(path=tmp_path)
    second.resume()
    assert int(second.step.numpy()) == 2
    assert (second._pending, second._validated) == (rows.tolist(), {"validation/x": 2.0})


def test_only_trained_weights_must_be_finite(make_trainer):
    trainer = make_trainer(steps=1)
    trainer.system.spare.kernel.assign([[float("nan")]])
    trainer.train(StopRequest())
    trainer = make_trainer(steps=1)
    trainer.system.network.kernel.assign([[float("inf")]])
    with pytest.raises(UserError, match="network/loss became inf at step 1"):
        trainer.train(StopRequest())
    with pytest.raises(UserError, match="the weights of network are no longer finite"):
        trainer._save()


def test_a_study_that_fails_leaves_the_figures_and_the_saved_model(make_trainer, tmp_path, monkeypatch, caplog):
    def fail(dataset):
        raise RuntimeError("no pictures")

    trainer = make_trainer()
    trainer.folder = RunFolder.create(tmp_path, "number")
    trainer.trackers = Trackers(trainer.folder.path, [], "number", {})
    monkeypatch.setattr(trainer.system, "study", fail)
    monkeypatch.setattr(trainer.system, "protocol", lambda dataset: "of no clips")
    monkeypatch.setattr(trainer, "_measured_clips", lambda run, shares: [])
    monkeypatch.setattr(loop, "write_figures", lambda *arguments: {"test": {"psnr": 20.0}})
    monkeypatch.setattr(loop, "export_saved_model", lambda system, path: path.mkdir(exist_ok=True))
    trainer.settings.evaluation = SimpleNamespace(frames_per_second=4)
    for _ in range(2):  # a run that is resumed says it once
        trainer.finish()
    assert (trainer.folder.path / "saved_model").is_dir()
    summary = json.loads((trainer.folder.path / "summary.json").read_text())
    assert summary["test"] == {"psnr": 20.0} and summary["protocol"] == "of no clips" and summary["study"] == {}
    assert summary["doubts"] == ["the study of what was learned failed: no pictures"] and summary["doubts"][0] in caplog.text

    def stop(dataset):
        raise Stopped("stopped", signal.SIGTERM)

    monkeypatch.setattr(trainer.system, "study", stop)
    with pytest.raises(Stopped):
        trainer.finish()
    trainer.folder.close()

"""The rows of tests/test_promises.py: an experiment of each system, made tiny, and what is made of it once for all tests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import keras
import pytest
import tensorflow as tf

from analogy.data.batches import ReplicaContext
from analogy.runs.export import export_saved_model
from analogy.settings import find_experiment, load_settings
from analogy.systems import SYSTEMS
from analogy.training.precision import use_precision
from data_prep.datasets import open_dataset

BATCH = 4
POSES = (
    "data.context=3", "data.horizon=4", "data.min_future=4", "data.min_frames=8", "data.actions=[bowl, squat]",
    "network.units=8", "evaluation.clips_per_action=1",
)  # fmt: skip
FRAMES = ("data.image_size=32", "data.actions=[bowl, squat]", "evaluation.clips_per_action=1")
GAN = (*FRAMES, "generator.width=0.125", "discriminator.width=0.125", "discriminator.units=16")
SEQUENCES = ("network.units=8", "data.context=4", "data.horizon=3")
LADDER = (
    "data.image_size=32", "data.context=2", "data.horizon=1", "data.test_count=2", "network.width=0.0625",
)  # fmt: skip
VGG = (
    "data.dataset=moving_shapes", "data.image_size=32", "data.skip=1", "data.stride=1", "data.train_count=null",
    "data.test_count=2", "encoder.width=0.0625",
)  # fmt: skip
FUTURES = ("data.horizon=4", "network.units=8", "evaluation.samples=2")
VAE = (*VGG, "data.context=2", "network.encoder_units=8", "network.latent_size=4", "network.decoder_units=[8]")
KEYPOINTS = (*FRAMES, "network.keypoints=4", "regression_frames=2")
EVERY_TERM = ("loss.latent=1", "loss.latent_relative=true", "loss.image_adversarial=1")


@dataclass(frozen=True)
class Row:
    """experiment: one of the system's. settings: what makes it tiny. predicts_future: it is shown the beginning of a clip and
    says what follows; others look at whole clips. uses: role -> the row whose SavedModel the system builds on."""

    experiment: str
    settings: tuple[str, ...]
    predicts_future: bool = True
    uses: tuple[tuple[str, str], ...] = ()


ROWS = {
    "analogy_gan": Row("analogy_pool3", (*GAN, *EVERY_TERM)),
    "analogy_gan, alternating": Row("analogy_pool3", (*GAN, *EVERY_TERM, "update=alternating")),
    "analogy_masked": Row("analogy_masked", (*FRAMES, "generator.widths=[4, 8]", "generator.work_size=32")),
    "pose_actions": Row("pose_actions", POSES, predicts_future=False),
    "pose_hourglass": Row(
        "pose_hourglass",
        (*FRAMES, "network.channels=16", "network.depth=1", "network.stacks=1", "network.stride=4"),
        predicts_future=False,
    ),
    "pose_lstm": Row("pose_lstm", (*POSES, "network.head=[5]")),
    "pose_lstm, clipped": Row("pose_lstm_villegas", (*POSES, "optimizer.clip_norm=0.01")),
    "pose_residual": Row("pose_lstm_residual_actions", (*POSES, "network.members=2", "data.validation_share=0.25")),
    "keypoints_translator": Row(
        "keypoints_penn_translator",
        (*KEYPOINTS, "network.width=0.0625", "loss.adversarial=0.1", "discriminator.width=0.02", "augmentation.rotation=10"),
        predicts_future=False,
    ),
    "keypoints_flow": Row(
        "keypoints_plus_motion",
        (*FRAMES, *FUTURES, "network.blocks=1", "network.basis=3", "network.sampling_steps=2"),
        uses=(("translator", "keypoints_plus"),),
    ),
    "keypoints_motion": Row(
        "keypoints_penn_motion",
        (*FRAMES, *FUTURES, "network.latent_size=4"),
        uses=(("translator", "keypoints_plus"),),
    ),
    "keypoints_plus": Row(
        "keypoints_plus", (*KEYPOINTS, "network.detector_widths=[4, 8]", "network.widths=[4, 8]"), predicts_future=False
    ),
    "lvln": Row("lvln_three_frame", (*LADDER, "align=paper")),
    "lvln, toy": Row(
        "lvln_toy_net",
        (*LADDER, "data.dataset=moving_shapes", "data.horizon=2", "align=code", "normalise=true", "training_horizon=1"),
    ),
    "lvln_plus": Row("lvln_plus_sharp", (*LADDER, "data.dataset=moving_ball", "data.context=3")),
    "lvln_classifier": Row(
        "lvln_classifier_c4_c13",
        (*LADDER[:3], "data.dataset=moving_ball", "data.test_count=6", "network.units=8"),
        predicts_future=False,
        uses=(("predictor", "lvln, toy"),),
    ),
    "vgg_lstm_next_frame": Row("vgg_lstm_next_frame", (*VGG, "data.horizon=1")),
    "vgg_lstm_next_frame, kept features": Row(
        "vgg_lstm_next_frame",
        (*VGG, "data.horizon=1", "data.dataset=synthetic_actors", "encoder.trained=false", "loss.perceptual=1"),
    ),
    "vgg_lstm_plus": Row("vgg_lstm_plus", (*VGG, "data.context=2", "data.horizon=1", "network.units=4")),
    "vgg_lstm_vae": Row("vgg_lstm_vae", (*VAE, "loss.beta=0.001", "network.scales=3"), predicts_future=False),
    "vgg_lstm_vae_plus": Row(
        "vgg_lstm_vae_plus",
        (*VGG, "data.context=2", "network.units=6", "network.latents=2"),
        predicts_future=False,
    ),
    "seq2seq": Row("seq2seq_noise_l1", (*SEQUENCES, "data.train_count=40", "data.test_count=6", "data.groups_of=3")),
    "convlstm": Row("convlstm_mmnist_l1", (*SEQUENCES, "data.test_count=2")),
    "convlstm, ours": Row("convlstm_plus_mmnist", (*SEQUENCES, "data.test_count=2", "scheduled_sampling=100")),
}
EXPORTED = list({row.experiment: name for name, row in reversed(ROWS.items())}.values())  # one row of each experiment
FORECASTERS = [name for name in EXPORTED if ROWS[name].predicts_future]
QUICK_ROWS = {"pose_lstm", "seq2seq", "lvln_classifier", "vgg_lstm_next_frame", "keypoints_motion"}


def others_are_slow(names: Iterable[str]) -> list:
    """Names of rows as parameters of a test, which is marked slow for all but the quick rows."""
    return [name if name in QUICK_ROWS else pytest.param(name, marks=pytest.mark.slow) for name in names]


class Rows:
    """The dataset, the system, its first batches and the export of each row, made once for all tests."""

    def __init__(self, actors: Path, cache: Path, folder: Path):
        self.actors, self.cache, self.folder = actors, cache, folder
        self._datasets, self._systems, self._batches, self._exports, self._loaded = {}, {}, {}, {}, {}
        self._lent = set()  # rows whose system may have changed

    def settings(self, row: Row, *more: str):
        """The row's settings, and `more` overrides; on the small rendered dataset where people are needed."""
        path = find_experiment(row.experiment)
        small = [f"training.batch_size={BATCH}", "training.precision=float32", f"data.cache={self.cache}"]
        overrides = [*row.settings, *small, *more]
        settings = load_settings(path, SYSTEMS, scale="demo", overrides=overrides)
        if settings.data.dataset == "synthetic_actors":
            overrides += [f"data.folder={self.actors}", "data.dataset=penn_action"]
            settings = load_settings(path, SYSTEMS, scale="demo", overrides=overrides)
        return settings

    def dataset(self, row: Row):
        if row not in self._datasets:
            self._datasets[row] = open_dataset(self.settings(row))
        return self._datasets[row]

    def start(self, row: Row, *more: str):
        """A new system, ready to train, from seed 0."""
        settings = self.settings(row, *more)
        used = {role: self.loaded(ROWS[name]) for role, name in row.uses}
        keras.utils.set_random_seed(0)
        system = SYSTEMS[settings.system].build(settings, used)
        system.prepare_training()
        return system

    def build(self, row: Row, *more: str):
        """As `start`, but no weight is where its initializer left it, so that none is zero or like another."""
        system = self.start(row, *more)
        for number, variable in enumerate(network_variables(system), 1):
            variable.assign(variable + 0.05 * tf.random.stateless_normal(variable.shape, [number, 0]))
        return system

    def system(self, row: Row):
        """The row's system as `build` made it. All tests share it, and each must leave it as it was: `restore`."""
        if row not in self._systems:
            with use_precision("float32"):  # also where a row that builds on this one is built in another precision
                system = self.build(row)
            self._systems[row] = system, [(variable, variable.numpy()) for variable in all_variables(system)]
        self._lent.add(row)
        return self._systems[row][0]

    def batches(self, row: Row) -> list[dict[str, tf.Tensor]]:
        """What the row's system trains on in its first three steps."""
        if row not in self._batches:
            context = ReplicaContext(batch_size=BATCH)
            self._batches[row] = list(self.system(row).train_batches(self.dataset(row), context).take(3))
        return self._batches[row]

    def restore(self) -> None:
        """Set every variable of the systems that were lent back: weights, statistics, slots of optimisers."""
        for row in self._lent:
            system, values = self._systems[row]
            system.use_export(None)
            for variable, value in values:
                variable.assign(value)
        self._lent.clear()

    def loaded(self, row: Row):
        """The row's SavedModel for others to build on, loaded once for each strategy, whose scope makes the variables."""
        key = row, tf.distribute.get_strategy()
        if key not in self._loaded:
            self._loaded[key] = tf.saved_model.load(str(self.export(row)))
        return self._loaded[key]

    def export(self, row: Row) -> Path:
        """The folder of the SavedModel of the row's system."""
        if row not in self._exports:
            system = self.system(row)  # it may export the row that it uses
            folder = self.folder / f"{len(self._exports)}" / "saved_model"
            export_saved_model(system, folder)
            self._exports[row] = folder
        return self._exports[row]


def network_variables(system) -> list:
    return [variable for model in {**system.models, **system.state}.values() for variable in model.variables]


def all_variables(system) -> list:
    return network_variables(system) + [v for optimizer in system.optimizers.values() for v in optimizer.variables]

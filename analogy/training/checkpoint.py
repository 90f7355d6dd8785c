"""Saving and restoring exactly what a run needs to go on as if nothing had happened."""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import tensorflow as tf

from analogy.errors import UserError
from analogy.files import without_wildcards

log = logging.getLogger("analogy")
# What reading a damaged file raises, by which part of it is damaged.
DAMAGED = (tf.errors.OpError, IndexError, RuntimeError)


class Checkpoints:
    """Models, optimisers, the step counter, and the figures not yet written as a row.

    The data position and all noise are functions of (seed, step): the step counter is their state.

    Args:
        folder: where the checkpoints lie.
        system: has `models`, `state` and `optimizers`, all built.
        step: int64 variable.
        keep: how many to keep.
    """

    def __init__(self, folder: Path, system, step: tf.Variable, keep: int):
        self.step, self._folder = step, folder
        self._pending = tf.Variable("{}", dtype=tf.string, trainable=False)
        objects = _named({**system.models, **system.state}) | {
            f"optimizer_{name}": optimizer for name, optimizer in system.optimizers.items()
        }
        self._checkpoint = tf.train.Checkpoint(step=step, pending=self._pending, **objects)
        self._checkpoint.save_counter  # noqa: B018 - TensorFlow makes it when it is asked for; checkpoints have always held it
        self._keep = keep

    @property
    def latest(self) -> str | None:
        """The newest one's path without suffix; it may be damaged."""
        return next(iter(saved_checkpoints(self._folder)), None)

    @property
    def newest_step(self) -> int:
        """The step of the newest one; 0 where there is none."""
        return _step_of(self.latest) if self.latest else 0

    def save(self, pending: dict) -> None:
        """`pending`: what the next metrics row is made of (JSON keeps every bit of a number)."""
        self._pending.assign(json.dumps(pending))
        self._folder.mkdir(parents=True, exist_ok=True)
        # Not by TensorFlow's CheckpointManager: it finds files by patterns, and would miss or delete others than its own.
        with self._writing(), without_wildcards(self._folder) as folder:
            self._checkpoint.write(str(folder / f"step-{int(self.step.numpy())}"))
        for path in saved_checkpoints(self._folder)[self._keep :]:
            for file in _files_of(path):
                file.unlink(missing_ok=True)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except tf.errors.OpError as error:
            raise UserError(
                f"{self._folder}: the checkpoint cannot be written ({_first_line(error)}); "
                "make room there, then go on with --resume"
            ) from error

    def restore(self) -> dict:
        """Restore the newest checkpoint that is whole, if there is any; returns what was pending.

        TensorFlow keeps a checksum of every block and tensor, and reading compares it.

        Raises:
            UserError: it belongs to another architecture, or none of those there are can be read.
        """
        found = saved_checkpoints(self._folder)
        if not found:
            return {}
        misfit = (
            "{}: this checkpoint belongs to another architecture ({}); "
            "resume with the settings of its own run, or start a new one"
        )
        if not _newest_whole(found, lambda path: self._checkpoint.restore(path).assert_consumed(), misfit):
            raise UserError(f"{self._folder}: none of the {len(found)} checkpoints can be read; start a new run")
        return json.loads(self._pending.numpy())

    def remove_leftovers(self) -> None:
        """After `restore`. What a process that was killed while it saved has left behind: half checkpoints, and whole ones that
        are too many. Damaged ones are set aside, so that they take no whole one's place."""
        for leftover in self._folder.glob("step-*_temp"):
            if re.fullmatch(r"step-\d+_temp", leftover.name):
                shutil.rmtree(leftover, ignore_errors=True)
        for part in self._folder.glob("step-*.data-*"):
            if re.fullmatch(r"step-\d+\.data-\d+-of-\d+", part.name) and not part.with_suffix(".index").exists():
                part.unlink(missing_ok=True)
        (self._folder / "checkpoint").unlink(missing_ok=True)  # TensorFlow's note of earlier versions: it would soon be wrong
        saved, restored = saved_checkpoints(self._folder), int(self.step.numpy())
        whole = [path for path in saved if _step_of(path) <= restored]
        for path in set(saved) - set(whole[: self._keep]):
            for file in _files_of(path):
                if path in whole:
                    file.unlink()
                else:
                    file.replace(file.with_name(f"damaged-{file.name}"))


def saved_checkpoints(folder: Path) -> list[str]:
    """The checkpoints in a folder, paths without suffix, newest first: by their files, not by TensorFlow's note of them, which
    may be lost or damaged."""
    steps = [index.stem.removeprefix("step-") for index in folder.glob("step-*.index")]
    return [str(folder / f"step-{step}") for step in sorted((int(s) for s in steps if s.isdigit()), reverse=True)]


def _step_of(path: str) -> int:
    return int(path.rsplit("-", 1)[1])


def _files_of(path: str) -> list[Path]:
    """The files of one checkpoint, that by which it is known first."""
    name = Path(path).name
    parts = [
        file
        for file in Path(path).parent.glob(f"{name}.*")
        if re.fullmatch(r"\.index|\.data-\d+-of-\d+", file.name[len(name) :])
    ]
    return sorted(parts, key=lambda file: file.suffix != ".index")


def load_networks(system, run: Path, names: Sequence[str] | None = None) -> str:
    """Start a system's networks from the newest checkpoint of a run: all of them, or those of these names.

    They are loaded as they were last trained, not as averaged. Returns the checkpoint's path.

    Raises:
        UserError: there is no checkpoint, the system or the run has no network of that name, or its weights do not fit.
    """
    key = "training.start_from"
    if unknown := [name for name in names or () if name not in system.models]:
        raise UserError(f"{key}.networks: there is no network {unknown[0]}; there are {', '.join(system.models)}")
    found = saved_checkpoints(run / "checkpoints")
    models = {name: system.models[name] for name in names or system.models}
    networks = tf.train.Checkpoint(**_named(models))

    def restore(path):
        saved = _saved_networks(path) if names else models
        if missing := [name for name in models if name not in saved]:
            raise UserError(f"{key}.networks: {run} has no network {missing[0]}; it has {', '.join(saved)}")
        networks.restore(path).expect_partial().assert_existing_objects_matched()

    if whole := _newest_whole(found, restore, f"{key}: {{}}: its networks do not fit ({{}})"):
        return whole
    what = "no checkpoint that can be read" if found else "no checkpoint"
    raise UserError(f"{key}: {run}: there is {what}; name another run")


def _newest_whole(paths: list[str], restore: Callable[[str], object], misfit: str) -> str | None:
    """Restore the first of these checkpoints that is not damaged, and return its path. `misfit` says, of a path and a reason,
    that what it holds is not what is asked for. Raises OSError where the disk does not give it."""
    for path in paths:
        for file in _files_of(path):
            # What the disk refuses is not damaged, and TensorFlow does not tell the two apart.
            with suppress(FileNotFoundError), file.open("rb") as opened:
                opened.read(1)
        try:
            with without_wildcards(Path(path).parent) as folder:
                restore(str(folder / Path(path).name))
            return path
        except DAMAGED as error:
            log.warning("%s: this checkpoint is damaged and left out (%s)", path, _first_line(error))
        except (AssertionError, ValueError) as error:
            raise UserError(misfit.format(path, _first_line(error))) from error
    return None


def _saved_networks(path: str) -> list[str]:
    """The names of the networks in a checkpoint."""
    objects = {name.split("/")[0] for name in tf.train.load_checkpoint(path).get_variable_to_shape_map()}
    return sorted(name.removeprefix("model_") for name in objects if name.startswith("model_"))


def _named(models: dict) -> dict[str, tf.Module]:
    """The weights of networks, by name. As plain lists: of layers that a Keras 3 model keeps in lists, TensorFlow's own
    tracking finds none, and a checkpoint of the model would miss them without a word."""
    named = {}
    for name, model in models.items():
        module = named[f"model_{name}"] = tf.Module()
        module.weights = [variable.value for variable in model.variables]
    return named


def _first_line(error: Exception) -> str:
    text = re.sub(r"\{\{.*?\}\}+ ?", "", str(error))  # TensorFlow's names of graph nodes
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[0][:240] if lines else type(error).__name__

"""Checkpoints: everything that a run needs to continue exactly as if it had not been interrupted."""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import tensorflow as tf

from analogy.errors import UserError, first_line
from analogy.files.patterns import without_wildcards
from analogy.optimizers import LossScaling
from analogy.runs.find import MODEL

log = logging.getLogger("analogy")
# The exceptions of TensorFlow for a damaged file; which one depends on the damaged part.
DAMAGED = (tf.errors.OpError, IndexError, RuntimeError)


class Checkpoints:
    """The checkpoints of a run: models, optimisers, the step counter, and the figures of the next row of metrics.jsonl.

    The training data and all noise are functions of (seed, step), so the step counter is enough to restore them.

    Args:
        folder: the folder of the checkpoints.
        system: has `models`, `state` and `optimizers`, all built; where it has `built_for`, a message says it.
        step: int64 variable, the number of steps done.
        keep: the number of checkpoints to keep; older ones are deleted.
    """

    def __init__(self, folder: Path, system, step: tf.Variable, keep: int):
        self.step, self._folder, self._built_for = step, folder, getattr(system, "built_for", "")
        self._pending = tf.Variable("{}", dtype=tf.string, trainable=False)
        self._models, self._optimizers = {**system.models, **system.state}, dict(system.optimizers)
        objects = _named(self._models) | {f"optimizer_{name}": optimizer for name, optimizer in system.optimizers.items()}
        self._checkpoint = tf.train.Checkpoint(step=step, pending=self._pending, **objects)
        self._checkpoint.save_counter  # noqa: B018 - reading it creates this variable, which the checkpoints of earlier versions contain
        self._keep = keep

    @property
    def latest(self) -> str | None:
        """The path of the newest checkpoint, without suffix; None if there is none. It may be damaged."""
        return next(iter(saved_checkpoints(self._folder)), None)

    @property
    def newest_step(self) -> int:
        """The step of the newest checkpoint; 0 if there is none."""
        return _step_of(self.latest) if self.latest else 0

    def save(self, pending: dict) -> None:
        """Write a checkpoint of the present step and delete those that are too many.

        pending: the values for the next row of metrics.jsonl; JSON represents its numbers exactly.

        Raises:
            UserError: the checkpoint cannot be written.
        """
        self._pending.assign(json.dumps(pending))
        self._folder.mkdir(parents=True, exist_ok=True)
        # TensorFlow's CheckpointManager is not used: it finds files by patterns, and could miss files or delete other ones.
        with self._writing(), without_wildcards(self._folder) as folder:
            self._checkpoint.write(str(folder / f"step-{int(self.step.numpy())}"))
        for path in saved_checkpoints(self._folder)[self._keep :]:
            for file in _files_of(path):
                file.unlink(missing_ok=True)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """A context that turns an error of TensorFlow in writing into a UserError."""
        try:
            yield
        except tf.errors.OpError as error:
            raise UserError(
                f"{self._folder}: the checkpoint cannot be written ({first_line(error)}); "
                "make room there, then go on with --resume"
            ) from error

    def restore(self) -> dict:
        """Restore the newest undamaged checkpoint. Returns its `pending` (see `save`), or {} if there is no checkpoint.

        TensorFlow stores a checksum of every block and tensor, and compares it in reading.

        Raises:
            UserError: the checkpoint belongs to another architecture, or none of the checkpoints can be read.
        """
        paths = saved_checkpoints(self._folder)
        if not paths:
            return {}
        here = f"here it is {self._built_for}; " if self._built_for else ""

        def misfit(path, reason):
            return (
                f"{path}: this checkpoint belongs to another architecture ({reason}); {here}"
                "resume with the settings of its own run, or start a new one"
            )

        def restore(path):
            _check_weights(path, self._models)
            _check_scaling(path, self._optimizers)
            self._checkpoint.restore(path).assert_consumed()

        if not _newest_whole(paths, restore, misfit):
            raise UserError(f"{self._folder}: none of the {len(paths)} checkpoints can be read; start a new run")
        return json.loads(self._pending.numpy())

    def remove_leftovers(self) -> None:
        """Clean the folder after `restore`, in case a process was killed while it saved.

        Incomplete checkpoints are deleted, and so are complete ones that are too many. Damaged ones are renamed, so that they
        are not counted among those to keep.
        """
        for leftover in self._folder.glob("step-*_temp"):
            if re.fullmatch(r"step-\d+_temp", leftover.name):
                shutil.rmtree(leftover, ignore_errors=True)
        for part in self._folder.glob("step-*.data-*"):
            if re.fullmatch(r"step-\d+\.data-\d+-of-\d+", part.name) and not part.with_suffix(".index").exists():
                part.unlink(missing_ok=True)
        # An index of TensorFlow, written by earlier versions: nobody updates it now.
        (self._folder / "checkpoint").unlink(missing_ok=True)
        saved, restored = saved_checkpoints(self._folder), int(self.step.numpy())
        whole = [path for path in saved if _step_of(path) <= restored]
        for path in set(saved) - set(whole[: self._keep]):
            for file in _files_of(path):
                if path in whole:
                    file.unlink()
                else:
                    file.replace(file.with_name(f"damaged-{file.name}"))


def saved_checkpoints(folder: Path) -> list[str]:
    """The paths of the checkpoints in a folder, without suffix, newest first.

    They are found by their own files, not by TensorFlow's index file `checkpoint`, which may be lost or damaged.
    """
    steps = [index.stem.removeprefix("step-") for index in folder.glob("step-*.index")]
    return [str(folder / f"step-{step}") for step in sorted((int(s) for s in steps if s.isdecimal()), reverse=True)]


def _step_of(path: str) -> int:
    return int(path.rsplit("-", 1)[1])


def _files_of(path: str) -> list[Path]:
    """The files of one checkpoint. The index, by which `saved_checkpoints` finds it, comes first: it is deleted first."""
    name = Path(path).name
    parts = [
        file
        for file in Path(path).parent.glob(f"{name}.*")
        if re.fullmatch(r"\.index|\.data-\d+-of-\d+", file.name[len(name) :])
    ]
    return sorted(parts, key=lambda file: file.suffix != ".index")


def load_networks(system, run: Path, names: Sequence[str] | None = None) -> str:
    """Load the networks of a system from the newest checkpoint of a run, to start training from them.

    The trained weights are loaded, not their moving averages. A run that has a SavedModel alone, such as a model that comes
    along, gives the networks that it predicts with.

    Args:
        names: the names of the networks to load; None loads all.

    Returns:
        The path of the checkpoint, or of the SavedModel.

    Raises:
        UserError: there is neither, the system or the run has no network of that name, or the weights do not fit.
    """
    key = "training.start_from"
    if unknown := [name for name in names or () if name not in system.models]:
        raise UserError(f"{key}.networks: there is no network {unknown[0]}; there are {', '.join(system.models)}")
    paths = saved_checkpoints(run / "checkpoints")
    if not paths and (run / MODEL).is_dir():
        return load_exported(system, run, names)
    models = {name: system.models[name] for name in names or system.models}
    networks = tf.train.Checkpoint(**_named(models))

    def restore(path):
        saved = _saved_networks(path) if names else models
        if missing := [name for name in models if name not in saved]:
            raise UserError(f"{key}.networks: {run} has no network {missing[0]}; it has {', '.join(saved)}")
        _check_weights(path, models)
        networks.restore(path).expect_partial().assert_existing_objects_matched()

    if whole := _newest_whole(paths, restore, lambda path, reason: f"{key}: {path}: its networks do not fit ({reason})"):
        return whole
    what = "no checkpoint that can be read" if paths else "no checkpoint"
    raise UserError(f"{key}: {run}: there is {what}; name another run")


def load_exported(system, run: Path, names: Sequence[str] | None = None, key: str = "training.start_from") -> str:
    """`load_networks` from the SavedModel of a run, whose weights lie in the order of `system.exported`.

    Where what is exported is a copy of a network, the copy gets the weights too. key: error messages begin with it.
    """
    path = run / MODEL
    named = {id(model): name for name, model in system.models.items()}
    # What is exported may be a copy of a network, such as that of the lowest validation error.
    exported = [named.get(id(model), name) for model, name in zip(system.exported, system.models, strict=False)]
    if missing := [name for name in names or () if name not in exported]:
        raise UserError(f"{key}.networks: {path} has no network {missing[0]}; it has {', '.join(exported)}")
    places = [variable for name in exported for variable in system.models[name].variables]
    copies = [variable for model in system.exported for variable in model.variables]
    wanted = {id(variable) for name in names or exported for variable in system.models[name].variables}
    try:
        with without_wildcards(path) as folder:
            saved = tf.train.load_checkpoint(str(folder / "variables" / "variables"))
            keys = [f"weights/{index}/.ATTRIBUTES/VARIABLE_VALUE" for index in range(len(places))]
            shapes = {name: shape for name, shape in saved.get_variable_to_shape_map().items() if name.startswith("weights/")}
            if shapes != {name: list(place.shape) for name, place in zip(keys, places, strict=True)}:
                raise UserError(f"{key}: {path}: its networks do not fit: they have other weights than those of these settings")
            for name, place, copy in zip(keys, places, copies, strict=True):
                if id(place) in wanted:
                    value = saved.get_tensor(name)
                    place.assign(value)
                    copy.assign(value)
    except DAMAGED as error:
        raise UserError(f"{key}: {path} cannot be read ({first_line(error)}); name another run") from error
    return str(path)


def _newest_whole(paths: list[str], restore: Callable[[str], object], misfit: Callable[[str, str], str]) -> str | None:
    """Restore the first of these checkpoints that is not damaged.

    Args:
        paths: checkpoints, newest first.
        restore: restores the checkpoint at a path.
        misfit: path and reason of a checkpoint that does not fit -> the error message.

    Returns:
        The path of the restored checkpoint; None if all are damaged.

    Raises:
        UserError: a checkpoint does not fit.
        OSError: a file cannot be read from the disk.
    """
    for path in paths:
        for file in _files_of(path):
            # TensorFlow reports a damaged file and an error of the disk alike. Reading a byte here tells them apart.
            with suppress(FileNotFoundError), file.open("rb") as opened:
                opened.read(1)
        try:
            with without_wildcards(Path(path).parent) as folder:
                restore(str(folder / Path(path).name))
            return path
        except DAMAGED as error:
            log.warning("%s: this checkpoint is damaged and left out (%s)", path, first_line(error))
        except (AssertionError, ValueError) as error:
            raise UserError(misfit(path, first_line(error))) from error
    return None


def _check_weights(path: str, models: dict) -> None:
    """Raise a ValueError where networks have other weights than in a checkpoint.

    TensorFlow would notice only some of these cases, in the middle of restoring, and then warn of all that it had not restored.
    """
    shapes = tf.train.load_checkpoint(path).get_variable_to_shape_map()
    for name, model in models.items():
        saved = sum(key.startswith(f"model_{name}/weights/") for key in shapes)
        if saved != len(model.variables):
            raise ValueError(f"{name} has {saved} weights there and {len(model.variables)} here")
        for index, variable in enumerate(model.variables):
            there, here = shapes[f"model_{name}/weights/{index}/.ATTRIBUTES/VARIABLE_VALUE"], list(variable.shape)
            if there != here:
                raise ValueError(f"{variable.path} of {name} has the shape {there} there and {here} here")


def _check_scaling(path: str, optimizers: dict) -> None:
    """Raise a ValueError where an optimiser scales its loss, as in float16, and did not in a checkpoint, or the reverse.

    The numbers of its variables then mean others, which TensorFlow takes for damage.
    """
    saved = tf.train.load_checkpoint(path).get_variable_to_shape_map()
    for name, optimizer in optimizers.items():
        scales = isinstance(optimizer, LossScaling)
        if scales != (f"optimizer_{name}/step_counter/.ATTRIBUTES/VARIABLE_VALUE" in saved):
            mend = "--precision bfloat16 or float32" if scales else "--precision float16"
            raise ValueError(f"its optimiser {name} {'does not scale' if scales else 'scales'} the loss: {mend}")


def _saved_networks(path: str) -> list[str]:
    """The names of the networks in a checkpoint."""
    objects = {name.split("/")[0] for name in tf.train.load_checkpoint(path).get_variable_to_shape_map()}
    return sorted(name.removeprefix("model_") for name in objects if name.startswith("model_"))


def _named(models: dict) -> dict[str, tf.Module]:
    """model_NAME -> a module with the weights of that network.

    The module holds them in a plain list. TensorFlow does not find layers that a Keras 3 model keeps in lists, so a checkpoint
    of the model itself would silently lack their weights.
    """
    named = {}
    for name, model in models.items():
        module = named[f"model_{name}"] = tf.Module()
        module.weights = [variable.value for variable in model.variables]
    return named

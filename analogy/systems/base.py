"""`System`: the contract between a trainable method and the training loop.

The loop never asks for a method by name, and a system never calls the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from analogy.data.selection import first_per_action
from analogy.errors import about
from analogy.optimizers import average_weights, clip_global_norm, held_variables, keeps_averages, make_optimizer
from analogy.predictions.base import Predicted
from analogy.runs.find import endpoint_of, inputs_of
from analogy.runs.uses import check_inputs
from analogy.settings.published import Published, fitting_entries
from analogy.settings.sections import OptimizerSettings, Settings

Function = tf.types.experimental.PolymorphicFunction
ALL = slice(None)


class Column(NamedTuple):
    """One picture of a clip, and the title above it.

    picture: a frame uint8 [H, W, 1 or 3], or heatmaps float [H, W, 13] in 0..1. predicted: the picture is a frame that the
    system predicted.
    """

    title: str
    picture: np.ndarray
    predicted: bool = False


@dataclass(frozen=True)
class Panels:
    """A row of pictures for one clip. split: "train" or "test". clip: its id."""

    split: str
    action: str
    clip: str
    columns: list[Column]


class Study(NamedTuple):
    """What a system looks at after training, beside the figures of its test clips.

    figures: written to summary.json under "study". plots: name -> a picture, uint8 [H, W, 3], which the run's page shows.
    """

    figures: dict
    plots: dict[str, np.ndarray]


class System:
    """A trainable system: networks, losses, optimisers, predictions and endpoints.

    A subclass's constructor first calls this one, and then builds `models`. Models and optimisers are built inside the
    scope of the distribution strategy.

    Attributes:
        models: name -> network. A checkpoint holds these, `state`, the optimisers, and the loop's step counter.
        optimizers: name -> optimiser; filled by `prepare_training`.
        state: name -> model that a checkpoint holds too, but that `training.start_from` of another run must not copy.
        exported: the networks that the endpoints use. A SavedModel holds only these.
        needs: role -> endpoint name, for each run of the setting `uses` that the system builds on. A system with `needs`
            has a constructor of (settings, used), and passes both to this one. The weights of a used SavedModel are not
            among `models`, so nothing trains them; an export contains a copy of it.
        adversaries: names of the optimisers of adversaries (discriminators). Their opponent raises their loss: if it falls
            to zero, training has failed.
        export_notes: one clause for the protocol: which inputs an exported SavedModel lacks, compared with the endpoints
            that predict test clips in this process. Empty where it lacks none.
        built_for: what the sizes of the networks depend on besides the settings, for the message about a checkpoint that does
            not fit: one clause. Empty where it is nothing.
        pooled: whether test figures are means over all windows together, instead of means over clips.
        paints: whether the system predicts frames, so that frame metrics can measure it.

    Args:
        settings: the experiment's settings.
        used: role -> loaded SavedModel, one for each role in `needs`.
    """

    needs: Mapping[str, str] = MappingProxyType({})
    pooled: bool = False
    paints: bool = False

    def __init__(self, settings: Settings, used: Mapping[str, object] | None = None):
        self.settings, self.used = settings, dict(used or {})
        self.models: dict[str, keras.Model] = {}
        self.optimizers: dict[str, keras.optimizers.Optimizer] = {}
        self.state: dict[str, keras.Model] = {}
        self.exported: list[keras.Model] = []
        self.adversaries: tuple[str, ...] = ()
        self.export_notes = self.built_for = ""
        self._loaded = None  # after `use_export`: the SavedModel that predicts instead of this system's networks
        # Without loss scaling, small gradients become zero in float16.
        self.scales_loss = keras.config.dtype_policy().compute_dtype == "float16"

    def used_endpoint(self, role: str, **inputs: Sequence[int | None]) -> Callable:
        """The endpoint of the used run in this role, after a check that it takes these inputs. Call it in the constructor.

        Args:
            role: a key of `needs`.
            inputs: name -> shape that this system will give, with None for a size that varies.

        Raises:
            UserError: the run's endpoint takes other inputs.
        """
        loaded, endpoint = self.used[role], self.needs[role]
        with about(f"uses.{role}: {self.settings.uses.get(role)}"):
            check_inputs(loaded, endpoint, inputs)
        return getattr(loaded, endpoint)

    # ---------------------------------------------------------------- what is trained

    def plan_optimizers(self) -> dict[str, tuple[OptimizerSettings, list[keras.Variable]]]:
        """name -> (the optimiser's section of the settings, the weights that it trains).

        Weights that are in no list are frozen. This default is for a system whose only network is `self.network`.
        """
        return {"network": (self.settings.optimizer, self.network.trainable_variables)}

    def prepare_training(self) -> None:
        """Build the optimisers with all their slots. A subclass also loads pretrained weights here.

        The constructor does neither, so that counting a system's weights needs little memory and no download.
        """
        steps = self.settings.training.steps
        self.optimizers = {
            name: make_optimizer(section, variables, steps=steps, loss_scaling=self.scales_loss)
            for name, (section, variables) in self.plan_optimizers().items()
        }

    def trained_variables(self) -> dict[str, list[keras.Variable]]:
        """Network name -> its weights that an optimiser trains, or will train once `prepare_training` has built it."""
        groups = [held_variables(optimizer) for optimizer in self.optimizers.values()]
        groups = groups or [variables for _, variables in self.plan_optimizers().values()]
        trained = {id(variable) for variables in groups for variable in variables}
        return {name: [v for v in model.variables if id(v) in trained] for name, model in self.models.items()}

    def counted_networks(self) -> dict[str, keras.Model]:
        """name -> network, or part of a network, that is one line in the count of `parameters`."""
        return self.models

    def parameters(self) -> dict[str, int]:
        """Network name -> its number of trained weights; "NETWORK (not trained)" -> its number of frozen weights, if any."""
        trained = {id(variable) for variables in self.trained_variables().values() for variable in variables}
        counts = {}
        for name, network in self.counted_networks().items():
            sizes = {id(variable): int(np.prod(variable.shape)) for variable in network.weights}  # no seeds
            counts[name] = sum(size for key, size in sizes.items() if key in trained)
            if frozen := sum(size for key, size in sizes.items() if key not in trained):
                counts[f"{name} (not trained)"] = frozen
        return counts

    def use_averages(self) -> None:
        """Replace the weights by their moving averages, for each optimiser that keeps averages."""
        for optimizer in self.optimizers.values():
            average_weights(optimizer)

    @contextmanager
    def averaged_weights(self) -> Iterator[None]:
        """Inside this context the networks have the moving averages of their weights. At its end, exactly the weights from
        before are put back."""
        averaging = [o for o in self.optimizers.values() if keeps_averages(o)]
        trained = [(v, v.numpy()) for optimizer in averaging for v in held_variables(optimizer)]
        try:
            self.use_averages()
            yield
        finally:
            for variable, value in trained:
                variable.assign(value)

    # ---------------------------------------------------------------- one way to descend

    def weighted(self, terms: Mapping[str, Callable]) -> dict[str, tf.Tensor]:
        """Terms of the loss with their weights, which the section `loss` names alike: name -> value. A term of weight 0 is not
        computed. terms: name -> function without arguments that gives the term."""
        weights = {name: getattr(self.settings.loss, name) for name in terms}
        return {name: weight * terms[name]() for name, weight in weights.items() if weight}

    def descend(self, name: str, tape: tf.GradientTape, terms: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Take one gradient step with the optimiser `name`. Call it in replica context.

        Args:
            name: the optimiser's name.
            tape: the tape that recorded the computation of `terms`.
            terms: term name -> weighted loss of each of this replica's b examples [b], or the sum of these losses. A loss
                of only one term is named "loss".

        Returns:
            `report(name, terms)`.
        """
        slope = self.loss_scale(name) / self.settings.training.batch_size  # d (scaled mean) / d (value of one example)
        slopes = [tf.ones_like(term) * slope for term in terms.values()]
        gradients = tape.gradient(list(terms.values()), held_variables(self.optimizers[name]), output_gradients=slopes)
        self.apply_gradients(name, gradients)
        return self.report(name, terms)

    def apply_gradients(self, name: str, gradients: Sequence[tf.Tensor]) -> None:
        """Clip the gradients and update the weights: the second part of `descend`.

        Args:
            name: the optimiser's name.
            gradients: this replica's gradients of the loss times `loss_scale(name)`, one for each weight of the optimiser.

        Raises:
            ValueError: a weight has no gradient, so it would never change. Leave it out in `plan_optimizers`.
        """
        optimizer, clip_norm = self.optimizers[name], self.plan_optimizers()[name][0].clip_norm
        variables = held_variables(optimizer)
        if missing := [v.path for v, gradient in zip(variables, gradients, strict=True) if gradient is None]:
            raise ValueError(f"the loss of {name} does not depend on {', '.join(missing)}, which its optimiser is to train")
        if clip_norm:
            gradients = clip_global_norm(gradients, clip_norm * self.loss_scale(name))
        optimizer.apply(gradients, variables)

    def loss_scale(self, name: str):
        """The factor that multiplies an optimiser's loss before differentiation; the optimiser divides by it again.

        1 except in float16, where the optimiser adapts it.
        """
        return tf.cast(self.optimizers[name].dynamic_scale, tf.float32) if self.scales_loss else 1.0

    def mean(self, terms: dict[str, tf.Tensor]):
        """The sum of all terms over this replica's examples, divided by the size of the WHOLE batch (of all replicas), because
        the replicas' gradients are summed."""
        return tf.add_n([tf.reduce_sum(term) for term in terms.values()]) / self.settings.training.batch_size

    def report(self, name: str, terms: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Scalars for the log: NAME/TERM for each term, and NAME/loss, their sum. Each is this replica's share: the mean over
        the whole batch is the sum over replicas."""
        means = {f"{name}/{key}": self.mean({key: term}) for key, term in terms.items()}
        return {**means, f"{name}/loss": tf.add_n(list(means.values()))}

    # ---------------------------------------------------------------- data, figures, pictures, export

    @property
    def published(self) -> list[Published]:
        """The paper's figures that were measured under the same protocol as this run."""
        return fitting_entries(self.settings.published, self.settings)

    def train_batches(self, dataset, context) -> tf.data.Dataset:
        """Endless batches for one replica, a function of (seed, start step, replica) alone; by default the dataset's own.

        context: a ReplicaContext.
        """
        return dataset.batches(context)

    def begin(self, dataset) -> None:
        """What precedes the first step of a training, such as a fit that needs the data. By default nothing. A resumed training
        does not repeat it. Every worker calls it, and must come to the same weights."""

    def train_step(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """One optimisation step in replica context. Returns scalars for the log, as `report` makes them."""
        raise NotImplementedError

    def validate(self, dataset) -> dict[str, float]:
        """Metrics on the validation clips, measured every `training.sample_every` steps. A system may use them to remember its
        best weights. Without validation clips: nothing."""
        return {}

    def selected_clips(self, clips: Sequence) -> list:
        """The clips for pictures: at most `evaluation.clips_per_action` of each action, those of
        `evaluation.preferred_clips` first."""
        evaluation = self.settings.evaluation
        return first_per_action(clips, evaluation.clips_per_action, evaluation.preferred_clips)

    def training_samples(self, dataset) -> Sequence:
        """What is looked at of the data that trained; by default the training clips as they are."""
        return dataset.train

    def sample_panels(self, dataset) -> Iterator[Panels]:
        """Pictures for the run's samples folder, from the same few train and test clips every time."""
        for split, clips in (("train", self.training_samples(dataset)), ("test", dataset.test)):
            for clip in self.selected_clips(clips):
                yield Panels(split, clip.action, clip.id, self.panel_columns(dataset, clip))

    def panel_columns(self, dataset, clip) -> list[Column]:
        """The pictures of one clip for `sample_panels`."""
        raise NotImplementedError

    def training_figures(self, dataset) -> dict[str, dict[str, float]]:
        """Figures of windows of the clips that trained, which summary.json holds apart from those of the test clips: method ->
        metric -> mean. For systems that are to remember their training clips; by default nothing."""
        return {}

    def study(self, dataset) -> Study:
        """What else there is to see in what was learned; by default nothing."""
        return Study({}, {})

    def predict_clips(self, dataset, share: slice = ALL) -> Iterator[Predicted]:
        """The predictions of the test clips, one clip after the other, each over its whole length.

        A long clip comes in parts of one name and action, whose distances go on: see `analogy.predictions.base.Predicted`.

        share: which of them, as a slice of all: `slice(1, None, 4)` is what the second of four workers predicts. Each clip is
            predicted and pictured as it is among all.
        """
        raise NotImplementedError

    def protocol(self, dataset) -> str:
        """One sentence on how the test figures are measured: dataset, split, clips, resolution, context and horizon."""
        raise NotImplementedError

    # ---------------------------------------------------------------- endpoints: every prediction goes through one

    def endpoints(self) -> dict[str, Function]:
        """name -> tf.function with an input_signature, which returns a dict of tensors. The SavedModel exports these."""
        raise NotImplementedError

    def informed_endpoints(self) -> dict[str, Function]:
        """name -> tf.function that predicts test clips in this process; by default the exported endpoints.

        A subclass whose evaluation uses more inputs than its export can take overrides this, and names the difference in
        `export_notes`.
        """
        return self.endpoints()

    @cached_property
    def _own_endpoints(self) -> dict[str, Function]:
        return self.informed_endpoints()

    def has_endpoint(self, name: str) -> bool:
        return name in (self._own_endpoints if self._loaded is None else self._loaded.signatures)

    def endpoint(self, name: str) -> Callable[..., dict[str, tf.Tensor]]:
        """A function of named inputs that returns a dict of tensors: this system's own endpoint, or after `use_export` that of
        the SavedModel. Inputs that the SavedModel's endpoint does not have are dropped. Raises UserError where it has none."""
        if self._loaded is None:
            return self._own_endpoints[name]
        function, specs = endpoint_of(self._loaded, name), inputs_of(self._loaded, name)
        return lambda **inputs: function(**{key: tf.convert_to_tensor(inputs[key], specs[key].dtype) for key in specs})

    def use_export(self, loaded) -> None:
        """From now on, predict with a loaded SavedModel of this system, so that evaluation measures the export itself."""
        self._loaded = loaded

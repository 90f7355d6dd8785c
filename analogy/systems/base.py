"""What a trainable method offers the training loop. The loop knows no method by name; a method knows no loop."""

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
from analogy.optimizers import average_weights, clip_global_norm, held_variables, keeps_averages, make_optimizer
from analogy.predictions.base import Predicted
from analogy.settings.published import Published, fitting_entries
from analogy.settings.sections import OptimizerSettings, Settings

Function = tf.types.experimental.PolymorphicFunction


class Column(NamedTuple):
    """A picture of one clip, uint8 [H, W, 1|3] or heatmaps [H, W, 13], under its title. predicted: it is a frame, and the
    system's own prediction."""

    title: str
    picture: np.ndarray
    predicted: bool = False


@dataclass(frozen=True)
class Panels:
    """A row of pictures for one clip."""

    split: str
    action: str
    clip: str
    columns: list[Column]


class System:
    """The contract. A subclass's constructor calls this one, then builds `models`; the rest are the methods below.

    Models and optimisers are built inside the strategy's scope.

    models, optimizers: named; a checkpoint is exactly these plus the loop's step counter.
    state: what else a checkpoint holds, named: models that another run's `training.start_from` must not take over.
    exported: the networks that the endpoints use; a SavedModel holds no others.
    needs: role -> endpoint, of the runs in `uses` that it builds on. Where there are any, the constructor takes
        (settings, used) and passes both on: role -> loaded SavedModel. Its weights are not among the models, so nothing trains
        them; an export holds it too.
    adversaries: names of optimisers whose loss another network drives up: one that falls to nothing is no success.
    export_notes: what an export is told less than this process when it predicts test clips, for the protocol; or nothing.
    pooled: test figures are means over all windows at once, not over clips.
    paints: it predicts frames, which any metric of frames can measure.

    Args:
        settings: the experiment's. used: what it `needs`.
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
        self.export_notes = ""
        self._loaded = None  # the SavedModel that predicts in place of the networks
        # Small gradients vanish in float16 where the loss is not scaled.
        self.scales_loss = keras.config.dtype_policy().compute_dtype == "float16"

    # ---------------------------------------------------------------- what is trained

    def plan_optimizers(self) -> dict[str, tuple[OptimizerSettings, list[keras.Variable]]]:
        """name -> an optimiser's section of the settings, and the weights it is to train; what no optimiser holds is frozen.
        Here: of a system with one `network`."""
        return {"network": (self.settings.optimizer, self.network.trainable_variables)}

    def prepare_training(self) -> None:
        """Build the optimisers, all slots included; a subclass also loads pretrained weights here. Apart from the constructor,
        so that counting weights costs no memory and no download."""
        steps = self.settings.training.steps
        self.optimizers = {
            name: make_optimizer(section, variables, steps=steps, loss_scaling=self.scales_loss)
            for name, (section, variables) in self.plan_optimizers().items()
        }

    def trained_variables(self) -> dict[str, list[keras.Variable]]:
        """network -> those of its weights that an optimiser holds, or will hold once the optimisers are built."""
        held = [held_variables(optimizer) for optimizer in self.optimizers.values()]
        held = held or [variables for _, variables in self.plan_optimizers().values()]
        held = {id(variable) for variables in held for variable in variables}
        return {name: [v for v in model.variables if id(v) in held] for name, model in self.models.items()}

    def counted_networks(self) -> dict[str, keras.Model]:
        """name -> the networks, or parts of them, whose weights `parameters` counts."""
        return self.models

    def parameters(self) -> dict[str, int]:
        """Numbers of trained weights by network; then, as "NETWORK (not trained)", of those that no optimiser holds."""
        trained = {id(variable) for variables in self.trained_variables().values() for variable in variables}
        counts = {}
        for name, network in self.counted_networks().items():
            sizes = {id(variable): int(np.prod(variable.shape)) for variable in network.variables}
            counts[name] = sum(size for key, size in sizes.items() if key in trained)
            if frozen := sum(size for key, size in sizes.items() if key not in trained):
                counts[f"{name} (not trained)"] = frozen
        return counts

    def use_averages(self) -> None:
        """Go on with the moving averages of the weights, where an optimiser keeps them."""
        for optimizer in self.optimizers.values():
            average_weights(optimizer)

    @contextmanager
    def averaged_weights(self) -> Iterator[None]:
        """Within, the networks hold the moving averages of their weights; afterwards, the weights they had, bit for bit."""
        averaging = [o for o in self.optimizers.values() if keeps_averages(o)]
        trained = [(v, v.numpy()) for optimizer in averaging for v in held_variables(optimizer)]
        try:
            self.use_averages()
            yield
        finally:
            for variable, value in trained:
                variable.assign(value)

    # ---------------------------------------------------------------- one way to descend

    def descend(self, name: str, tape: tf.GradientTape, terms: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """One update of the weights that the optimiser `name` holds, down the gradient of a loss; in replica context.

        Args:
            name: of the optimiser.
            tape: has recorded how `terms` came about.
            terms: the loss, weighted: a value for each example [b], or their sum. A loss of one term calls it "loss".

        Returns:
            `report` of the terms.
        """
        slope = self.loss_scale(name) / self.settings.training.batch_size  # of the scaled `mean`, by every value
        slopes = [tf.ones_like(term) * slope for term in terms.values()]
        gradients = tape.gradient(list(terms.values()), held_variables(self.optimizers[name]), output_gradients=slopes)
        self.apply_gradients(name, gradients)
        return self.report(name, terms)

    def apply_gradients(self, name: str, gradients: Sequence[tf.Tensor]) -> None:
        """The second part of `descend`: clip, then update. gradients: of the loss times `loss_scale`, for each weight that the
        optimiser holds, this replica's share.

        Raises:
            ValueError: a weight has no gradient. It would silently stay as it is: leave it out in `plan_optimizers`.
        """
        optimizer, clip_norm = self.optimizers[name], self.plan_optimizers()[name][0].clip_norm
        variables = held_variables(optimizer)
        if missing := [v.path for v, gradient in zip(variables, gradients, strict=True) if gradient is None]:
            raise ValueError(f"the loss of {name} does not depend on {', '.join(missing)}, which its optimiser is to train")
        if clip_norm:
            gradients = clip_global_norm(gradients, clip_norm * self.loss_scale(name))
        optimizer.apply(gradients, variables)

    def loss_scale(self, name: str):
        """What the loss of an optimiser is multiplied by before its gradients are taken; the optimiser undoes it."""
        return tf.cast(self.optimizers[name].dynamic_scale, tf.float32) if self.scales_loss else 1.0

    def mean(self, terms: dict[str, tf.Tensor]):
        """The sum of terms over the examples, divided by the WHOLE batch: replicas' gradients are summed."""
        return tf.add_n([tf.reduce_sum(term) for term in terms.values()]) / self.settings.training.batch_size

    def report(self, name: str, terms: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Named scalars, this replica's share of the global mean: NAME/TERM of each term, and NAME/loss, their sum."""
        means = {f"{name}/{key}": self.mean({key: term}) for key, term in terms.items()}
        return {**means, f"{name}/loss": tf.add_n(list(means.values()))}

    # ---------------------------------------------------------------- data, figures, pictures, export

    @property
    def published(self) -> list[Published]:
        """What the paper reports under the protocol of this run."""
        return fitting_entries(self.settings.published, self.settings)

    def train_batches(self, dataset, context) -> tf.data.Dataset:
        """Endless per-replica batches, a function of (seed, start step, replica); context: a ReplicaContext."""
        raise NotImplementedError

    def train_step(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """One optimisation step in replica context -> named scalars, each this replica's share of the global mean."""
        raise NotImplementedError

    def validate(self, dataset) -> dict[str, float]:
        """Figures on clips kept back from training, at every `training.sample_every`; a system may keep its best weights by
        them."""
        return {}

    def selected_clips(self, clips: Sequence) -> list:
        """Those of the clips that are looked at: `evaluation.clips_per_action` of each action, the preferred ones first."""
        evaluation = self.settings.evaluation
        return first_per_action(clips, evaluation.clips_per_action, evaluation.preferred_clips)

    def sample_panels(self, dataset) -> Iterator[Panels]:
        """Pictures for the samples folder, from a few fixed train and test clips."""
        for split, clips in (("train", dataset.train), ("test", dataset.test)):
            for clip in self.selected_clips(clips):
                yield Panels(split, clip.action, clip.id, self.panel_columns(dataset, clip))

    def panel_columns(self, dataset, clip) -> list[Column]:
        """One clip's row of `sample_panels`."""
        raise NotImplementedError

    def predict_clips(self, dataset) -> Iterator[Predicted]:
        """The test clips, predicted whole."""
        raise NotImplementedError

    def protocol(self, dataset) -> str:
        """One sentence that says what the test figures mean: data, split, clips, resolution, context, horizon."""
        raise NotImplementedError

    # ---------------------------------------------------------------- endpoints, by which everything is predicted

    def endpoints(self) -> dict[str, Function]:
        """name -> tf.function with an input_signature, outputs by name: what the SavedModel offers."""
        raise NotImplementedError

    def informed_endpoints(self) -> dict[str, Function]:
        """name -> the same endpoint for the test figures of this process. Where it is told more than the exported one can be, a
        subclass takes further inputs here, and says in `export_notes` which an export goes without."""
        return self.endpoints()

    @cached_property
    def _own_endpoints(self) -> dict[str, Function]:
        return self.informed_endpoints()

    def endpoint(self, name: str) -> Callable[..., dict[str, tf.Tensor]]:
        """Inputs by name -> outputs by name: the system's own endpoint, or that of the SavedModel after `use_export`, which
        leaves out the inputs that it does not take."""
        if self._loaded is None:
            return self._own_endpoints[name]
        function, specs = getattr(self._loaded, name), self._loaded.signatures[name].structured_input_signature[1]
        return lambda **inputs: function(**{key: tf.convert_to_tensor(inputs[key], specs[key].dtype) for key in specs})

    def use_export(self, loaded) -> None:
        """Predict by a loaded SavedModel of this system from now on: what is measured is then what was exported."""
        self._loaded = loaded

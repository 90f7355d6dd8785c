"""What a trainable method offers the training loop. The loop knows no method by name; a method knows no loop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import keras
import numpy as np
import tensorflow as tf

from analogy.data.selection import first_per_action
from analogy.optimizers import make_optimizer
from analogy.predictions.base import Predicted
from analogy.settings.published import Published, fitting_entries


@dataclass(frozen=True)
class Panels:
    """A row of pictures for one clip: (title, uint8 [H, W, 1|3]) columns."""

    split: str
    action: str
    clip: str
    columns: list[tuple[str, np.ndarray]]


def count_weights(model: keras.Model) -> int:
    """How many trainable weights a network has."""
    return sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)


class System:
    """The contract. A subclass's constructor takes the settings and builds `models`; the rest are the methods below.

    Models and optimisers are built inside the strategy's scope.

    settings: the experiment's.

    models, optimizers: named; a checkpoint is exactly these plus the loop's step counter.
    state: what else a checkpoint holds, named: models that another run's `training.start_from` must not take over.
    exported: the networks that the endpoints use; a SavedModel holds no others.
    needs: role -> endpoint, of the runs in `uses` that it builds on. Where there are any, the constructor takes
        (settings, used): role -> loaded SavedModel. Its weights are not among the models, so nothing trains them.
    pooled: test figures are means over all windows at once, not over clips.
    paints: it predicts frames, which any metric of frames can measure.
    """

    models: dict[str, keras.Model]
    optimizers: dict[str, keras.optimizers.Optimizer]
    state: dict[str, keras.Model] = {}
    exported: list[keras.Model]
    needs: Mapping[str, str] = {}
    pooled: bool = False
    paints: bool = False

    def prepare_training(self) -> None:
        """Fill in `optimizers`, with all slots built, and load pretrained weights. Apart from the constructor, so that counting
        weights costs no memory and no download. Here: of a system with one `network` and nothing to load."""
        chosen, steps = self.settings.optimizer, self.settings.training.steps
        variables = self.network.trainable_variables
        self.optimizers = {"network": make_optimizer(chosen, variables, steps=steps, loss_scaling=self.half)}

    @cached_property
    def half(self) -> bool:
        """Whether it computes in float16, whose small gradients vanish where the loss is not scaled."""
        return keras.config.dtype_policy().compute_dtype == "float16"

    def _scale(self, name: str):
        """What the loss of an optimiser is multiplied by before its gradients are taken; the optimiser undoes it."""
        return tf.cast(self.optimizers[name].dynamic_scale, tf.float32) if self.half else 1.0

    @property
    def published(self) -> list[Published]:
        """What the paper reports under the protocol of this run."""
        return fitting_entries(self.settings.published, self.settings)

    def parameters(self) -> dict[str, int]:
        """Trainable weights by network."""
        return {name: count_weights(model) for name, model in self.models.items()}

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

    def shown(self, clips: Sequence) -> list:
        """Those of the clips that are looked at: `evaluation.clips_per_action` of each action, the preferred ones first."""
        chosen = self.settings.evaluation
        return first_per_action(clips, chosen.clips_per_action, chosen.preferred_clips)

    def sample_panels(self, dataset) -> Iterator[Panels]:
        """Pictures for the samples folder, from a few fixed train and test clips."""
        for split, half in (("train", dataset.train), ("test", dataset.test)):
            for clip in self.shown(half):
                yield Panels(split, clip.action, clip.id, self.panel_columns(dataset, clip))

    def panel_columns(self, dataset, clip) -> list[tuple[str, np.ndarray]]:
        """One clip's row of `sample_panels`: (title, picture) columns."""
        raise NotImplementedError

    def predict_clips(self, dataset) -> Iterator[Predicted]:
        """The test clips, predicted whole."""
        raise NotImplementedError

    def protocol(self, dataset) -> str:
        """One sentence that says what the test figures mean: data, split, clips, resolution, context, horizon."""
        raise NotImplementedError

    def use_export(self, loaded) -> str:
        """Predict by a loaded SavedModel of this system from now on: what is measured is then what was exported.

        Returns what it is given less than in training, for the protocol; or nothing.
        """
        raise NotImplementedError

    def endpoints(self) -> dict[str, tf.types.experimental.PolymorphicFunction]:
        """name -> tf.function with an input_signature: what the SavedModel offers."""
        raise NotImplementedError

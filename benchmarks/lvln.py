"""Seconds per training step and predicted frames/s of the ladder networks: ours and PyTorch's, which run in turn.

A step is the experiment's: the network is unrolled over the frames; then come loss, backward pass, clipping and AdamW.

--only ours (or PyTorch) measures one alone, ours with its peak memory. --check gives PyTorch our weights and compares what both
compute, in float64 whatever --precision is: in float32, rounding alone moves the gradients of three_frame by a few per cent,
because each of its answers is normalised over few values and fed back. --one-thread gives each of them one thread and measures
processor time: for a machine that others use too, where threads that wait for each other slow PyTorch down more than ours.
--torch-python is an interpreter that has PyTorch (pip install torch==2.13.0); by default the one that runs this.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from functools import partial

import keras
import numpy as np
import tensorflow as tf
from common import parser, time_alternately, use_one_thread
from processes import Process, peak_gigabytes

from analogy.models.rollout import unroll
from analogy.settings import find_experiment, load_settings
from analogy.systems import SYSTEMS
from analogy.systems.lvln.ladder import LadderSystem
from analogy.training.precision import POLICIES, use_precision

# The published counts of all weights. In them, ResNet has its layer of 1000 classes and another one of 10, which nothing uses.
PUBLISHED_PARAMETERS, UNUSED = {"three_frame": 38_132_309, "one_frame": 38_131_469}, 513_000 + 5_130


def make_system(o) -> LadderSystem:
    """The system of the experiment, ready for training, with random weights."""
    values = {"training.batch_size": o.batch, "training.precision": o.precision, "encoder.weights": None}
    values |= {"data.dataset": "moving_shapes", "data.fps": None, "data.curriculum": []}  # needs no files; it is not opened
    settings = load_settings(find_experiment(f"lvln_{o.network}"), SYSTEMS, scale="paper", values=values)
    keras.utils.set_random_seed(0)
    with use_precision(o.precision):
        if o.check:
            keras.config.set_dtype_policy("float64")
        system = LadderSystem(settings)
    if not o.check:
        system.prepare_training()
    return system


class Torch(Process):
    """The same network in PyTorch, in another process."""

    def __init__(self, system: LadderSystem, interpreter: str, *, one_thread: bool):
        settings, adamw = system.settings, system.settings.optimizer
        setup = {
            "one_thread": one_thread,
            "precision": settings.training.precision,
            "batch": settings.training.batch_size,
            "context": system.context,
            "horizon": system.horizon,
            "silent": system.silent,
            "size": settings.data.size,
            "encoder_trained": settings.encoder.trained,
            **settings.loss.model_dump(),
            "adamw": {
                "lr": adamw.learning_rate,
                "betas": (adamw.beta_1, adamw.beta_2),
                "eps": adamw.epsilon,
                "weight_decay": adamw.weight_decay,
            },
            "clip_norm": adamw.clip_norm,
        }
        super().__init__(interpreter, "lvln_torch.py", json.dumps(setup))
        self.parameters = [int(count) for count in self.answer().split()]  # all weights, and those that are trained


def check_parameters(network: str, system: LadderSystem, torch: Torch) -> None:
    """Exit unless both networks have as many weights as the published one."""
    weights = system.network.trainable_variables, system.trained_variables()["network"]
    ours, trained = (sum(int(np.prod(variable.shape)) for variable in variables) for variables in weights)
    published = PUBLISHED_PARAMETERS[network] - UNUSED
    if [ours, trained] != torch.parameters or ours != published:
        sys.exit(f"parameters, all and trained: ours {ours} {trained}, PyTorch {torch.parameters}, published {published}")
    print(f"{ours:,} weights, {trained:,} trained, as in PyTorch")


# ---------------------------------------------------------------- the same weights in both


def torch_arrays(network, value) -> dict[str, np.ndarray]:
    """What belongs to our weights, as PyTorch names and orders it.

    Args:
        network: a Ladder.
        value: weight -> an array of its shape, such as its value or gradient; None for nothing.
    """
    arrays = {}

    def add(name, variable, convert=np.asarray):
        if (array := value(variable)) is not None:
            arrays[name] = convert(np.asarray(array))

    def kernel(array):
        return array.transpose(3, 2, 0, 1)

    def shuffled(array):
        """The last axis i, j, c of `depth_to_space` -> c, i, j of PyTorch's pixel shuffle."""
        return np.swapaxes(array.reshape(*array.shape[:-1], 4, -1), -1, -2).reshape(array.shape)

    def add_convolution(name, layer, reorder=np.asarray):
        add(f"{name}.weight", layer.kernel, lambda array: kernel(reorder(array)))
        if layer.bias is not None:
            add(f"{name}.bias", layer.bias, reorder)

    def add_norm(name, layer):
        add(f"{name}.weight", layer.gamma)
        add(f"{name}.bias", layer.beta)
        add(f"{name}.running_mean", layer.moving_mean)
        add(f"{name}.running_var", layer.moving_variance)

    for name, layer in network.encoder.named_layers().items():
        (add_norm if "bn" in layer.name else add_convolution)(f"encoder.{name}", layer)
    for index, lateral in enumerate(network.laterals):
        name = f"laterals.{index}"
        if lateral.located:
            add(f"{name}.pointwise.maps", lateral.pointwise.maps)
            add_convolution(f"{name}.pointwise.convolution", lateral.pointwise.convolution)
        else:
            add_convolution(f"{name}.pointwise", lateral.pointwise)
        for place, cell in enumerate(lateral.cells):
            add(f"{name}.cells.{place}.gates.weight", cell.gate_kernel, kernel)
            add(f"{name}.cells.{place}.gates.bias", cell.gate_bias)
            add(f"{name}.cells.{place}.candidate.weight", cell.kernel, kernel)
            add(f"{name}.cells.{place}.candidate.bias", cell.bias)
    for name, rise in {"top": network.top, **{f"rises.{index}": rise for index, rise in enumerate(network.rises)}}.items():
        add_convolution(f"{name}.first", rise.first, shuffled)
        add_convolution(f"{name}.second", rise.second)
        if rise.norm:
            add_norm(f"{name}.norm", rise.norm)
    add_convolution("head", network.head.convolution)
    return arrays


def check(system: LadderSystem, torch: Torch, values) -> None:
    """Exit unless both compute the same predictions, gradients and running statistics from the same weights and frames, all in
    float64."""
    variables, k = system.trained_variables()["network"], system.context

    @tf.function
    def compute():
        with tf.GradientTape() as tape:
            cell = partial(system.network, training=True)
            predictions = tf.stack(unroll(cell, values[:, :k], system.horizon, silent=system.silent), 1)
            terms = system._terms(values[:, k:], predictions)
            loss = system.mean({name: tf.cast(term, tf.float64) for name, term in terms.items()})
        return predictions, tape.gradient(loss, variables)

    with tempfile.TemporaryDirectory() as folder:
        weights = torch_arrays(system.network, lambda variable: variable.numpy())
        np.savez(f"{folder}/ours.npz", frames=values.numpy(), **weights)
        torch.ask("compare", folder)
        theirs = dict(np.load(f"{folder}/torch.npz"))
    predictions, gradients = compute()
    gradients = {id(variable): gradient for variable, gradient in zip(variables, gradients, strict=True)}
    ours = torch_arrays(system.network, lambda variable: gradients.get(id(variable)))
    after = torch_arrays(system.network, lambda variable: variable.numpy())
    ours |= {name: array for name, array in after.items() if "running" in name}
    if ours.keys() != theirs.keys() - {"predictions"}:
        sys.exit(f"not in both: {sorted(ours.keys() ^ theirs.keys())}")
    largest = abs(predictions.numpy() - theirs["predictions"]).max()
    relative = {name: np.linalg.norm(array - theirs[name]) / np.linalg.norm(theirs[name]) for name, array in ours.items()}
    worst = max(relative, key=relative.get)
    print(f"largest difference of the predictions: {largest:.1e}")
    print(f"of gradients and running statistics, relative to their norm: {relative[worst]:.1e} ({worst})")
    if largest > 1e-9 or relative[worst] > 1e-6:
        sys.exit("the two networks differ")


def main() -> None:
    options = parser(__doc__, network="three_frame", precision="float32", batch=4, repeats=3, torch_python=sys.executable)
    options.add_argument("--only", choices=("ours", "PyTorch"), help="measure one alone; ours with its peak memory")
    options.add_argument("--check", action="store_true", help="compare what both compute, instead of measuring")
    options.add_argument("--one-thread", action="store_true", help="one thread each, and processor time")
    o = options.parse_args()
    if o.network not in PUBLISHED_PARAMETERS or o.precision not in POLICIES:
        sys.exit(f"--network: one of {', '.join(PUBLISHED_PARAMETERS)}; --precision: one of {', '.join(POLICIES)}")
    if o.one_thread:
        use_one_thread()
    system = make_system(o)
    shape = (o.batch, system.context + system.horizon, *system.frame)
    values = tf.constant(np.random.default_rng(0).uniform(size=shape), tf.float64 if o.check else tf.float32)
    if o.only != "ours":
        torch = Torch(system, o.torch_python, one_thread=o.one_thread)
        check_parameters(o.network, system, torch)
    if o.check:
        return check(system, torch, values)
    update, predict = tf.function(system.train_step), system.endpoint("predict")
    observed = {"frames": tf.cast(255 * values[:, : system.context], tf.uint8), "count": tf.constant(system.horizon)}
    steps = {"ours": lambda: update({"values": values})["network/loss"].numpy()}
    predictions = {"ours": lambda: predict(**observed)["future"].numpy()}
    if o.only != "ours":
        steps["PyTorch"], predictions["PyTorch"] = partial(torch.ask, "step"), partial(torch.ask, "predict")
    names = [o.only] if o.only else list(steps)
    clocks = None
    if o.one_thread:
        clocks = {name: time.process_time if name == "ours" else partial(torch.ask, "cpu_seconds") for name in names}
    seconds = time_alternately({name: steps[name] for name in names}, o.repeats, clocks)
    if o.only == "ours":
        print(f"peak resident memory of training {peak_gigabytes():.2f} GB")
    ahead = time_alternately({name: predictions[name] for name in names}, o.repeats, clocks)
    how = "processor time of one thread" if o.one_thread else "all threads"
    print(f"lvln_{o.network}, {' x '.join(map(str, shape))}, {o.precision}; medians of {o.repeats}; {how}")
    for name in names:
        rate = o.batch * system.horizon / ahead[name]
        print(f"{name:8} {1000 * seconds[name]:9.1f} ms/step   {rate:7.2f} predicted frames/s")
    if not o.only:
        ratios = [times["PyTorch"] / times["ours"] for times in (seconds, ahead)]
        print("ours / PyTorch: {:.2f} x the speed of a step, {:.2f} x that of predictions".format(*ratios))


if __name__ == "__main__":
    main()

"""Seconds and peak memory of a training step of the fourth paper's networks: ours and PyTorch's, which run in turn.

A step is the experiment's, with kept features: LSTMs, the transposed convolution, the squared error, backward pass and Adam.
next_frame and vae stand beside PyTorch; multiscale, the decoder of three scales that did not fit into the paper's memory, is
measured alone.

--only ours (or PyTorch) measures one alone, with the peak memory of its process. --check gives PyTorch our weights, and
compares losses and gradients, in float32; a small --side makes it quick. --one-thread gives each one thread and measures
processor time: for a machine that others use too. --torch-python is an interpreter that has PyTorch
(pip install torch==2.13.0); by default the one that runs this.
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

from analogy.settings import find_experiment, load_settings
from analogy.systems import SYSTEMS
from analogy.training.precision import POLICIES, use_precision

EXPERIMENTS = {
    "next_frame": "vgg_lstm_next_frame",
    "vae": "vgg_lstm_vae_multi_video",
    "multiscale": "vgg_lstm_vae_multiscale",
}
TOLERANCE = 1e-3  # of the largest gradient of a weight, in float32


def make_system(o):
    """The system of the experiment, ready for training, with random weights."""
    values = {"training.batch_size": o.batch, "training.precision": o.precision, "data.image_size": o.side}
    values |= {"encoder.weights": None, "data.dataset": "moving_shapes", "data.train_clips": None}  # needs no files
    values |= {"data.skip": 1, "data.stride": 1}
    settings = load_settings(find_experiment(EXPERIMENTS[o.network]), SYSTEMS, scale="paper", values=values)
    keras.utils.set_random_seed(0)
    with use_precision(o.precision):
        system = SYSTEMS[settings.system].build(settings)
        system.prepare_training()
    return system


def make_batch(system, batch: int) -> dict[str, tf.Tensor]:
    """Noise in the form that the input pipeline makes; features are those of six frames, half of them zeros."""
    data, random = system.settings.data, np.random.default_rng(0)
    length = data.context + data.horizon
    features = 10 * np.maximum(0, random.normal(size=(batch, length, system.features.count(system.frame))))
    return {
        "step": tf.constant(0, tf.int64),
        "position": tf.range(batch),
        "values": tf.constant(random.uniform(size=(batch, length, *system.frame)), tf.float32),
        "features": tf.constant(features, tf.float32),
    }


def start_torch(o, system, batch) -> Process:
    """The same network in PyTorch, in another process."""
    setup = {"network": o.network, "precision": o.precision, "one_thread": o.one_thread, "side": o.side}
    setup |= {"learning_rate": system.settings.optimizer.learning_rate, "epsilon": system.settings.optimizer.epsilon}
    setup["shape"] = batch["features"].shape.as_list()
    return Process(o.torch_python, "vgg_lstm_torch.py", json.dumps(setup))


def torch_arrays(system, value) -> dict[str, np.ndarray]:
    """What belongs to our weights, as PyTorch names and orders it. value: weight -> an array of its shape."""
    arrays = {}

    def add_lstm(name, cell):
        arrays[f"{name}.weight_ih_l0"] = np.asarray(value(cell.kernel)).T
        arrays[f"{name}.weight_hh_l0"] = np.asarray(value(cell.recurrent_kernel)).T
        arrays[f"{name}.bias_ih_l0"] = np.asarray(value(cell.bias))

    def add_dense(name, layer):
        arrays[f"{name}.weight"] = np.asarray(value(layer.kernel)).T
        arrays[f"{name}.bias"] = np.asarray(value(layer.bias))

    if hasattr(system, "network"):
        add_lstm("lstms.0", system.network.cells[0])
        painter = system.network.painter
    else:
        add_lstm("encoder", system.encoder.cell)
        add_dense("mean", system.encoder.mean)
        add_dense("log_variance", system.encoder.log_variance)
        for index, cell in enumerate([*system.decoder.trunk, *system.decoder.tops]):
            add_lstm(f"lstms.{index}", cell)
        painter = system.decoder.painter
    [path] = painter.paths
    arrays["transposed.weight"] = np.asarray(value(path.transposed.kernel)).transpose(3, 2, 0, 1)
    arrays["transposed.bias"] = np.asarray(value(path.transposed.bias))
    return arrays


def check(system, batch, torch: Process) -> None:
    """Exit unless both compute the same loss and gradients from the same weights, features, frames and noise."""
    caught = {}

    def catch(name, tape, terms):
        variables = system.trained_variables()
        variables = [variable for group in variables.values() for variable in group]
        slopes = [tf.ones_like(term) / len(term) for term in terms.values()]
        gradients = tape.gradient(list(terms.values()), variables, output_gradients=slopes)
        caught.update({id(variable): gradient for variable, gradient in zip(variables, gradients, strict=True)})
        return terms

    system.descend = catch
    if hasattr(system, "encoder"):
        sys.modules[type(system).__module__].normal = tf.ones_like  # the same noise in both
    loss = float(system.mean(system.train_step(batch)))
    with tempfile.TemporaryDirectory() as folder:
        weights = torch_arrays(system, lambda variable: variable.numpy())
        frames, features = batch["values"].numpy(), batch["features"].numpy()
        np.savez(f"{folder}/ours.npz", frames=frames, features=features, **weights)
        theirs = torch.ask("compare", folder)
        gradients = dict(np.load(f"{folder}/torch.npz"))
    ours = torch_arrays(system, lambda variable: caught[id(variable)])
    relative = {name: abs(array - gradients[name]).max() / abs(gradients[name]).max() for name, array in ours.items()}
    worst = max(relative, key=relative.get)
    print(f"loss: ours {loss:.7f}, PyTorch {theirs:.7f}")
    print(f"gradients differ by at most {relative[worst]:.1e} of the largest ({worst})")
    if abs(loss - theirs) > TOLERANCE * theirs or relative[worst] > TOLERANCE:
        sys.exit("the two networks differ")


def main() -> None:
    options = parser(__doc__, network="next_frame", precision="float32", batch=4, side=224, repeats=3)
    options.add_argument("--torch-python", default=sys.executable, help=" ")
    options.add_argument("--only", choices=("ours", "PyTorch"), help="measure one alone, with its peak memory")
    options.add_argument("--check", action="store_true", help="compare what both compute, instead of measuring")
    options.add_argument("--one-thread", action="store_true", help="one thread each, and processor time")
    o = options.parse_args()
    if o.network not in EXPERIMENTS or o.precision not in POLICIES:
        sys.exit(f"--network: one of {', '.join(EXPERIMENTS)}; --precision: one of {', '.join(POLICIES)}")
    if o.network == "multiscale" and o.only != "ours":
        sys.exit("--network multiscale is measured alone: add --only ours")
    if o.one_thread:
        use_one_thread()
    system = make_system(o)
    batch = make_batch(system, o.batch)
    torch = None if o.only == "ours" else start_torch(o, system, batch)
    if o.check:
        return check(system, batch, torch)
    update = tf.function(system.train_step)
    steps = {"ours": lambda: update(batch)["network/loss"].numpy()}
    if torch:
        steps["PyTorch"] = partial(torch.ask, "step")
    names = [o.only] if o.only else list(steps)
    clocks = None
    if o.one_thread:
        clocks = {name: time.process_time if name == "ours" else partial(torch.ask, "cpu_seconds") for name in names}
    seconds = time_alternately({name: steps[name] for name in names}, o.repeats, clocks)
    how = "processor time of one thread" if o.one_thread else "all threads"
    shape = " x ".join(map(str, batch["values"].shape))
    print(f"{EXPERIMENTS[o.network]}, {shape}, features kept, {o.precision}; medians of {o.repeats}; {how}")
    for name in names:
        print(f"{name:8} {1000 * seconds[name]:9.1f} ms/step")
    if o.only:
        peak = torch.ask("peak_gigabytes") if torch else peak_gigabytes()
        print(f"peak resident memory {peak:.2f} GB ({peak * 1e9 / 2**30:.2f} GiB)")
    else:
        print(f"ours / PyTorch: {seconds['PyTorch'] / seconds['ours']:.2f} x the speed of a step")


if __name__ == "__main__":
    main()

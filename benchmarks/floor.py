"""How close a training step and a prediction come to the floating-point floor: multiply-adds divided by the processor's peak.

Every convolution and matrix product is counted while the computation runs once without a graph. The peak is that of a large
convolution, measured in the same run. All of it in one thread, in seconds of processor time.
"""

from __future__ import annotations

import math
import os
import time
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf
from common import parser, ready_to_train, use_one_thread
from tensorflow.python.framework import op_callbacks

from analogy.settings import find_experiment, load_settings
from analogy.systems import SYSTEMS

# Experiment -> settings that let it run here: rendered data, and a batch for one thread.
EXPERIMENTS = {
    "analogy_pool3": ["data.dataset=synthetic_actors", "training.batch_size=1"],
    "analogy_masked": ["data.dataset=synthetic_actors", "training.batch_size=4"],
    "pose_lstm": [
        "data.dataset=synthetic_actors",
        "data.actions=all",
        "data.viewpoint=all",
        "data.min_frames=40",
        "data.context=10",
        "data.horizon=30",
        "data.min_future=30",
    ],
    "convlstm_plus_mmnist": ["network.units=72"],
    "lvln_plus": ["data.dataset=moving_shapes", "data.fps=null", "data.test_count=2", "training.batch_size=4"],
    "vgg_lstm_next_frame": [
        "data.dataset=synthetic_actors",
        "data.train_clips=null",
        "data.train_count=4",
        "data.test_count=4",
        "data.skip=2",
        "encoder.weights=null",
        "train_windows=1",
    ],
    "keypoints_plus": ["data.dataset=synthetic_actors", "training.batch_size=4"],
}
DEMO = {"convlstm_plus_mmnist"}  # whose paper scale would fetch data; the network has its published size all the same
FORWARD = ("Conv2D", "Conv3D", "DepthwiseConv2dNative")
STAGES = {name: "convolutions" for name in FORWARD} | {
    "Conv2DBackpropInput": "gradients at inputs",
    "DepthwiseConv2dNativeBackpropInput": "gradients at inputs",
    "Conv2DBackpropFilter": "gradients at kernels",
    "DepthwiseConv2dNativeBackpropFilter": "gradients at kernels",
    "MatMul": "products",
    "BatchMatMulV2": "products",
    "Einsum": "products",
    "BlockLSTM": "fused LSTM",
    "BlockLSTMV2": "fused LSTM",
    "BlockLSTMGrad": "fused LSTM",
    "BlockLSTMGradV2": "fused LSTM",
    "RFFT2D": "Fourier transforms",
    "IRFFT2D": "Fourier transforms",
}


def operations_of(kind: str, inputs, attributes: dict, output) -> float:
    """Floating-point operations of one call; 0 where it has no multiply-adds that are counted."""
    if kind in ("Conv2D", "Conv3D"):
        return 2.0 * math.prod(output.shape) * math.prod(inputs[1].shape[:-1])
    if kind == "DepthwiseConv2dNative":
        return 2.0 * math.prod(output.shape) * math.prod(inputs[1].shape[:2])
    if kind == "Conv2DBackpropInput":
        return 2.0 * math.prod(inputs[2].shape) * math.prod(inputs[1].shape[:-1])
    if kind == "Conv2DBackpropFilter":
        return 2.0 * math.prod(inputs[2].shape) * math.prod(output.shape[:-1])
    if kind.startswith("DepthwiseConv2dNativeBackprop"):
        kernel = output.shape if kind.endswith("Filter") else inputs[1].shape
        return 2.0 * math.prod(inputs[2].shape) * math.prod(kernel[:2])
    if kind == "MatMul":
        return 2.0 * math.prod(output.shape) * inputs[0].shape[0 if attributes.get("transpose_a") else 1]
    if kind == "BatchMatMulV2":
        return 2.0 * math.prod(output.shape) * inputs[0].shape[-2 if attributes.get("adj_x") else -1]
    if kind == "Einsum":
        equation = attributes["equation"]
        equation = equation.decode() if isinstance(equation, bytes) else equation
        terms = equation.partition("->")[0].split(",")
        sides = {
            letter: side for term, x in zip(terms, inputs, strict=True) for letter, side in zip(term, x.shape, strict=True)
        }
        return 2.0 * math.prod(sides.values()) if len(terms) == 2 else 0.0
    if kind.startswith("BlockLSTM"):
        steps, kernel = inputs[1].shape[0] * inputs[1].shape[1], inputs[4].shape
        return (4.0 if "Grad" in kind else 2.0) * steps * math.prod(kernel)
    if kind in ("RFFT2D", "IRFFT2D"):
        real = output if kind == "IRFFT2D" else inputs[0]
        return 2.5 * math.prod(real.shape) * math.log2(math.prod(real.shape[-2:]))
    return 0.0


class Count:
    """What one run of a computation consists of.

    operations: (stage, dtype) -> floating-point operations. seconds: kind of operation -> processor time, with Python's.
    """

    def __init__(self):
        self.operations, self.seconds = Counter(), Counter()
        self._last = time.process_time()

    def __call__(self, kind, inputs, attrs, outputs, op_name=None, graph=None):
        kind = kind.decode() if isinstance(kind, bytes) else kind
        now = time.process_time()
        self.seconds[kind] += now - self._last
        if kind in STAGES:
            output = outputs[0]
            done = operations_of(kind, inputs, dict(zip(attrs[::2], attrs[1::2], strict=True)), output)
            self.operations[STAGES[kind], inputs[-1].dtype.name] += done
        self._last = time.process_time()


@contextmanager
def counted():
    """Computations within this context run operation by operation, and are counted."""
    count = Count()
    tf.config.run_functions_eagerly(True)
    op_callbacks.add_op_callback(count)
    try:
        yield count
    finally:
        op_callbacks.remove_op_callback(count)
        tf.config.run_functions_eagerly(False)


def peaks() -> dict[str, float]:
    """dtype -> operations per second of a large convolution, the best of some runs."""
    measured = {}
    for dtype in (tf.float32, tf.bfloat16):
        x, kernel = tf.ones([4, 56, 56, 256], dtype), tf.ones([3, 3, 256, 256], dtype)
        convolve = tf.function(lambda x, kernel: tf.nn.conv2d(x, kernel, 1, "SAME"))
        measured[dtype.name] = 2.0 * 4 * 56 * 56 * 256 * 9 * 256 / best_seconds(lambda: convolve(x, kernel), 7)  # noqa: B023
    return measured


def best_seconds(action: Callable, repeats: int, clock: Callable[[], float] = time.process_time) -> float:
    """The least processor time of an action, after a first call that is not timed."""
    action()
    times = []
    for _ in range(repeats):
        began = clock()
        action()
        times.append(clock() - began)
    return min(times)


def first_call(system, dataset) -> Callable:
    """The first call of an endpoint that predicting the test clips makes, as a function without arguments."""
    endpoint, calls = system.endpoint, []

    def recorded(name: str):
        def function(**inputs):
            calls.append((name, inputs))
            return endpoint(name)(**inputs)

        return function

    system.endpoint = recorded
    next(iter(system.predict_clips(dataset)))
    system.endpoint = endpoint
    name, inputs = calls[0]
    return lambda: [value.numpy() for value in system.endpoint(name)(**inputs).values()]


def floors_of(count: Count, peak: dict[str, float]) -> Counter:
    """stage -> the shortest time of its operations, in seconds."""
    floors = Counter()
    for (stage, dtype), done in count.operations.items():
        floors[stage] += done / peak["bfloat16" if dtype == "bfloat16" else "float32"]
    return floors


def report(title: str, seconds: float, count: Count, peak: dict[str, float]) -> None:
    """Print the share of the floor, by stage, and where the time goes that is none of it."""
    floors = floors_of(count, peak)
    floor = sum(floors.values())
    total = sum(count.operations.values())
    print(f"{title}: {seconds:.3f} s, {total / 1e9:.1f} GFLOP, floor {floor:.3f} s: {floor / seconds:.0%} of it")
    for stage, value in floors.most_common():
        kinds = [kind for kind, its in STAGES.items() if its == stage]
        alone = sum(count.seconds[kind] for kind in kinds)
        print(f"    {stage:22} floor {value:7.3f} s, without a graph {alone:7.3f} s")
    rest = {kind: value for kind, value in count.seconds.most_common() if kind not in STAGES}
    others = ", ".join(f"{kind} {value:.3f}" for kind, value in list(rest.items())[:6])
    print(f"    other operations without a graph: {sum(rest.values()):.3f} s, of it {others}")


def main() -> None:
    options = parser(__doc__, repeats=3, precision="bfloat16", experiments=",".join(EXPERIMENTS))
    options.add_argument("--set", action="append", default=[], help="change a setting, as in analogy run")
    o = options.parse_args()
    use_one_thread()
    peak = peaks()
    print("peak of one thread:", ", ".join(f"{dtype} {rate / 1e9:.0f} GFLOP/s" for dtype, rate in peak.items()))
    for experiment in o.experiments.split(","):
        changes = [*EXPERIMENTS.get(experiment, ()), f"training.precision={o.precision}", *o.set]
        settings = load_settings(
            find_experiment(experiment), SYSTEMS, scale="demo" if experiment in DEMO else "paper", overrides=changes
        )
        system, dataset, batch = ready_to_train(settings)
        size = settings.training.batch_size
        step = tf.function(system.train_step)
        predict = first_call(system, dataset)
        actions = {f"training step, batch {size}": lambda: [x.numpy() for x in step(batch).values()]}  # noqa: B023
        actions["prediction, one call"] = predict
        if hasattr(system, "pose"):
            pose, places = tf.function(system.pose), [batch[key] for key in ("joints", "visibility", "crop")]
            actions[f"heatmaps of {size} frames"] = lambda: pose(*places).numpy()  # noqa: B023
        for title, action in actions.items():
            seconds = best_seconds(action, o.repeats)
            with counted() as count:
                action()
            report(f"{experiment}, {o.precision}, {title}", seconds, count, peak)


if __name__ == "__main__":
    main()

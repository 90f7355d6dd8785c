"""What tests ask of run folders and of the processes that fill them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np


def at_demo_scale(results: Path, *settings: str) -> list:
    """The options of a run with these settings, KEY=VALUE."""
    return ["--results-dir", results, "--scale", "demo", *(part for setting in settings for part in ("--set", setting))]


def the_run(results: Path) -> Path:
    """The only run below a results folder."""
    (run,) = (path.parent for path in results.glob("*/*/settings.yaml"))
    return run


def finished_run(folder: Path, endpoint: str | None = None, status: str = "finished", factor: float = 2.0) -> Path:
    """A run folder with a summary and, with an endpoint, a SavedModel of one: values [N, 2] -> {"out": factor * values}."""
    import tensorflow as tf

    from analogy.runs.export import write_saved_model

    folder.mkdir(parents=True)
    summary = {"experiment": folder.parent.name, "system": folder.parent.name, "status": status}
    (folder / "summary.json").write_text(json.dumps(summary))
    (folder / "settings.yaml").write_text(f"experiment: {folder.parent.name}\n")
    if endpoint:
        module = tf.Module()
        module.factor = tf.Variable(factor)
        signature = [tf.TensorSpec([None, 2], tf.float32, "values")]
        function = tf.function(lambda values: {"out": module.factor * values}, input_signature=signature)
        setattr(module, endpoint, function)
        write_saved_model(module, {endpoint: function}, folder / "saved_model")
    return folder


def weights(run: Path) -> dict[str, np.ndarray]:
    """Every number of the newest checkpoint that training goes on from."""
    import tensorflow as tf

    from analogy.training.checkpoint import saved_checkpoints

    reader = tf.train.load_checkpoint(saved_checkpoints(run / "checkpoints")[0])
    names = [name for name in reader.get_variable_to_shape_map() if name.startswith(("model_", "optimizer_", "step"))]
    return {name: reader.get_tensor(name) for name in names}


def rows(run: Path) -> list[dict]:
    """The rows of metrics.jsonl, without the time they took."""
    parsed = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in parsed]


def assert_equal_runs(run: Path, undisturbed: Path) -> None:
    """The same weights, rows and samples, bit for bit, and nothing half written."""
    again, whole = weights(run), weights(undisturbed)
    assert set(again) == set(whole) and len(whole) > 3
    for name, value in whole.items():
        np.testing.assert_array_equal(again[name], value, err_msg=name)
    assert rows(run) == rows(undisturbed)
    ours, theirs = ({str(p.relative_to(r)): p.read_bytes() for p in r.rglob("samples/**/*.png")} for r in (run, undisturbed))
    assert set(ours) == set(theirs) and theirs and not [name for name in theirs if ours[name] != theirs[name]]
    assert not list(run.rglob("*.partial*")) and not list(run.rglob("*_temp*"))


def wait_for(condition: Callable[[], object], process: subprocess.Popen, seconds: float = 120) -> None:
    """Until a condition holds, while the process lives."""
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for socket_ in sockets:
        socket_.bind(("127.0.0.1", 0))
    ports = [socket_.getsockname()[1] for socket_ in sockets]
    for socket_ in sockets:
        socket_.close()
    return ports


def start_workers(run_experiment, *options, second: Sequence = (), **how) -> list[subprocess.Popen]:
    """The same experiment in two processes that train together. second: more options, of the second worker alone."""
    workers = [f"127.0.0.1:{port}" for port in free_ports(2)]
    configurations = [{"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}} for index in range(2)]
    return [
        run_experiment(*options, *more, wait=False, env={"TF_CONFIG": json.dumps(configuration)}, **how)
        for configuration, more in zip(configurations, ((), second), strict=True)
    ]


def start_slurm_step(run_experiment, tasks: int, *options, **how) -> list[subprocess.Popen]:
    """The same experiment in several processes with `--cluster slurm`, in the environment that Slurm would give them."""
    step = {
        "SLURM_JOB_ID": str(os.getpid()), "SLURM_STEP_NUM_TASKS": str(tasks), "SLURM_STEP_NODELIST": "localhost",
        "SLURM_STEP_TASKS_PER_NODE": str(tasks), "SLURMD_NODENAME": "localhost",
    }  # fmt: skip
    return [
        run_experiment(
            *options, "--cluster", "slurm", wait=False,
            env={**step, "SLURM_PROCID": str(task), "SLURM_LOCALID": str(task)}, **how,
        )
        for task in range(tasks)
    ]  # fmt: skip


def write_exported_run(folder: Path, experiment: str, *overrides: str) -> Path:
    """A run's folder with settings, summary and SavedModel of networks that were not trained. Returns the folder."""
    import keras

    from analogy.runs.export import export_saved_model
    from analogy.settings import find_experiment, load_settings, write_settings
    from analogy.systems import SYSTEMS

    settings = load_settings(find_experiment(experiment), SYSTEMS, scale="demo", overrides=overrides)
    keras.utils.set_random_seed(0)
    system = SYSTEMS[settings.system].build(settings)
    system.prepare_training()
    export_saved_model(system, folder / "saved_model")
    write_settings(settings, folder / "settings.yaml")
    facts = {"status": "finished", "experiment": experiment, "system": settings.system}
    (folder / "summary.json").write_text(json.dumps(facts))
    return folder

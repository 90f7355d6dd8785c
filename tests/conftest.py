"""Shared fixtures: two logical CPUs, a tiny experiment, a small rendered dataset, the real one where it is present."""

from __future__ import annotations

import fcntl
import gc
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from analogy.settings import find_experiment
from tests.run_folders import the_run

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"

# An LSTM on sines starts and ends in seconds: for what concerns the loop, and no network.
QUICK = ("network.units=8", "data.train_count=40", "data.test_count=6", "data.groups_of=3",
    "training.batch_size=4", "training.log_every=2", "training.checkpoint_every=4", "training.sample_every=1000",
    "training.steps_per_call=2", "training.precision=float32", "training.steps=8",
)  # fmt: skip
# Small enough for a step in milliseconds; every kind of layer is still there.
TINY = (
    "data.actions=[baseball_pitch, bowl, clean_and_jerk]",
    "data.image_size=32", "generator.depth=2", "generator.width=0.125", "discriminator.width=0.125", "discriminator.units=16",
    "training.batch_size=4", "training.log_every=2", "training.checkpoint_every=4", "training.sample_every=1000",
    "training.steps_per_call=2", "training.precision=float32", "training.steps=8",
)  # fmt: skip


def pytest_terminal_summary(terminalreporter):
    """How many tests were skipped, kind by kind: a promise that was not asked for is not a promise kept."""
    skipped = Counter(_reason(report) for report in terminalreporter.stats.get("skipped", []))
    if skipped:
        terminalreporter.section(f"{sum(skipped.values())} tests skipped, of {len(skipped)} kinds")
        for reason, count in skipped.most_common():
            terminalreporter.line(f"{count:4}  {reason}")


def _reason(report) -> str:
    """Why a test was skipped, in one line."""
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ").splitlines()[0]


def pytest_configure():
    """Graphs are many small objects that live long: looking for garbage less often saves a tenth of the time."""
    gc.set_threshold(200_000, 20, 50)


@pytest.fixture(scope="session", autouse=True)
def two_cpus():
    """Two logical CPUs, so that two replicas can be tested anywhere."""
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)


@pytest.fixture(scope="session")
def two_replicas():
    """One strategy for all tests: a second one in a process would reuse the numbers of the first one's reductions."""
    import tensorflow as tf

    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


@contextmanager
def functions_run_eagerly() -> Iterator[None]:
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)


@pytest.fixture
def eagerly():
    """Functions are not traced: for what is asked of numbers, where a graph would only cost time."""
    with functions_run_eagerly():
        yield


@pytest.fixture
def graphs_as_traced():
    """Graphs are not optimised: for two steps that costs more than it saves."""
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    yield
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})


@pytest.fixture
def tiny():
    """tiny("a.b=c", ...) -> settings of a tiny analogy_pool3."""
    from analogy.settings import load_settings
    from analogy.systems import SYSTEMS

    def load(*overrides: str, scale: str = "demo"):
        path = find_experiment("analogy_pool3")
        return load_settings(path, SYSTEMS, scale=scale, overrides=[*TINY, *overrides])

    return load


@pytest.fixture(scope="session")
def actors(tmp_path_factory) -> Path:
    """A small synthetic_actors in Penn Action's layout: each action twice to train and once to test, 8 frames of 64 px."""
    from data_prep.synthetic_actors import write_synthetic_actors

    folder = tmp_path_factory.mktemp("data") / "actors"
    return write_synthetic_actors(folder, seed=1, train_clips=22, test_clips=11, frames=8, size=64)


@pytest.fixture(scope="session")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def prepared(actors, cache):
    """The small dataset, prepared and opened."""
    from analogy.data.prepared import PreparedClips
    from data_prep.penn_action import prepare_penn_action

    return PreparedClips.open(prepare_penn_action(actors, cache / "prepared", name="penn_action"))


@pytest.fixture
def clips(prepared, tiny):
    from analogy.data.clips import ClipDataset

    return ClipDataset(prepared, tiny().data, seed=0)


@pytest.fixture(scope="session")
def penn_action() -> Path:
    """The folder of real clips and labels."""
    return _shared("data/penn_action")


@pytest.fixture(scope="session")
def penn_action_splits() -> Path:
    """The folder of published split files."""
    return _shared("data/penn_action_splits")


@pytest.fixture(scope="session")
def squeezenet() -> Path:
    """The file of a small network with ImageNet weights."""
    return _shared("models/squeezenet") / "squeezenet_v1.0_imagenet.npz"


def _shared(name: str) -> Path:
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"the real data are not here (shared/{name} beside the repository)")
    return folder


def run_options(exp: str | None, tiny: bool) -> list[str]:
    settings = (QUICK if exp == "seq2seq_sins_l1" else TINY) if tiny else ()
    return [*(["--exp", exp] if exp else []), *(part for setting in settings for part in ("--set", setting))]


@pytest.fixture(scope="session")
def run_experiment(cache):
    """run_experiment("--steps", 4, ...) starts experiments/run.py and returns the finished process, or with
    wait=False the running one. tiny: whether the experiment is made small."""

    def run(*options, wait: bool = True, exp: str | None = "analogy_pool3", tiny: bool = True, env: dict | None = None):
        command = [sys.executable, str(ROOT / "experiments" / "run.py"), *run_options(exp, tiny), *map(str, options)]
        environment = {**os.environ, "ANALOGY_CACHE": str(cache), "PYTHONUNBUFFERED": "1", **(env or {})}
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        process = subprocess.Popen(command, env=environment, **streams)
        if not wait:
            return process
        out, err = process.communicate(timeout=900)
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    return run


@pytest.fixture
def run_here(invoke, cache, monkeypatch):
    """`run_experiment` within this process, for what needs no process of its own: it saves the start of TensorFlow."""

    def run(*options, exp: str | None = "analogy_pool3", tiny: bool = True):
        monkeypatch.setenv("ANALOGY_CACHE", str(cache))
        done = invoke("run", *run_options(exp, tiny), *options)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
        return subprocess.CompletedProcess(options, done.exit_code, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="session")
def finished(invoke, cache, actors, tmp_path_factory, worker_id):
    """An undisturbed run of 8 steps, and what it said. All processes that test share one."""
    folder = tmp_path_factory.getbasetemp()
    folder = (folder if worker_id == "master" else folder.parent) / "undisturbed"
    folder.mkdir(exist_ok=True)
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "said").exists():
            options = ("--results-dir", folder / "results", "--data-dir", actors, "--scale", "demo")
            with pytest.MonkeyPatch.context() as environment:
                environment.setenv("ANALOGY_CACHE", str(cache))
                done = invoke("run", *run_options("analogy_pool3", tiny=True), *options)
            assert done.exit_code == 0, done.output
            (folder / "said").write_text(done.stdout)
    return the_run(folder / "results"), (folder / "said").read_text()


@pytest.fixture
def small_disk(tmp_path):
    """small_disk("300k") -> an empty disk of that size, in the place of the one before."""
    folder = tmp_path / "small_disk"
    folder.mkdir()

    def unmount():
        if folder.is_mount():
            # Lazily: this process may still hold a file of it open, TensorBoard's for one.
            subprocess.run(["umount", "--lazy", str(folder)], check=True)

    def mount(size):
        unmount()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("mounting a small disk takes Linux and its administrator's rights")
        return folder

    yield mount
    unmount()


@pytest.fixture(scope="session")
def invoke():
    """invoke("predict", "--run", ...) runs the command of that name in this process -> typer's Result."""
    from importlib import import_module

    from typer.testing import CliRunner

    from analogy.cli.console import app_of

    def run(command: str, *options):
        return CliRunner().invoke(app_of(import_module(f"analogy.cli.{command}").main), [str(option) for option in options])

    return run

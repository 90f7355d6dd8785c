"""Figures go to Weights & Biases and MLflow where they are asked for, into the run folder, and nowhere else."""

import io
import sys
import time
import types
from typing import get_args

import numpy as np
import pytest

from analogy.errors import UserError
from analogy.resolve import resolve_settings
from analogy.training import trackers
from analogy.training.trackers import Trackers, ask_services, check_trackers, run_id

WITHOUT = "the package of the extra `{}` is not installed"


@pytest.fixture(autouse=True)
def no_addresses(monkeypatch):
    for name in ("WANDB_MODE", "WANDB_ERROR_REPORTING", "MLFLOW_TRACKING_URI", "MLFLOW_DISABLE_TELEMETRY"):
        monkeypatch.delenv(name, raising=False)


def track(folder, name, steps, *, measured=True):
    folder.mkdir(parents=True, exist_ok=True)
    opened = Trackers(folder, [name], "my_experiment", {"training.steps": 8, "summary": "s" * 900})
    for step in steps:
        opened.scalars({"network/loss": 1.0 / step}, step)
    opened.image("test/clip", np.zeros([8, 8, 3], np.uint8), steps[-1])
    if measured:
        opened.figures({"psnr": 21.5, "clips": 3, "method": "no number"})
    opened.close()


@pytest.mark.slow
def test_mlflow_writes_a_database_of_the_run_and_a_resumed_run_goes_on(tmp_path):
    pytest.importorskip("mlflow", reason=WITHOUT.format("mlflow"))
    from mlflow.tracking import MlflowClient

    folder = tmp_path / "2026-01-01_000000"
    client = MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")
    track(folder, "mlflow", [2, 4], measured=False)
    (stopped,) = client.search_runs([client.get_experiment_by_name("my_experiment").experiment_id])
    assert stopped.info.status == "KILLED"
    track(folder, "mlflow", [6])
    experiment = client.get_experiment_by_name("my_experiment")
    (run,) = client.search_runs([experiment.experiment_id])
    assert [point.step for point in client.get_metric_history(run.info.run_id, "network/loss")] == [2, 4, 6]
    assert run.data.metrics["test/psnr"] == 21.5 and run.data.params["training.steps"] == "8"
    assert run.data.tags["run_folder"] == run_id(folder)
    assert run.info.status == "FINISHED" and "test/method" not in run.data.metrics


@pytest.mark.slow
def test_wandb_is_offline(tmp_path):
    pytest.importorskip("wandb", reason=WITHOUT.format("wandb"))
    folder = tmp_path / "2026-01-01_000000"
    track(folder, "wandb", [2, 4])
    (offline,) = (folder / "wandb").glob(f"offline-run-*-my_experiment-{run_id(folder)}")
    (log,) = offline.glob("*.wandb")
    until = time.monotonic() + 20
    while b"test/psnr" not in log.read_bytes() and time.monotonic() < until:  # a process of its own writes it
        time.sleep(0.1)
    content = log.read_bytes()
    assert b"network/loss" in content and b"test/psnr" in content and b"training.steps" in content


def test_runs_that_began_in_the_same_second_stay_two(tmp_path):
    folders = [tmp_path / job / "2026-01-01_000000" for job in ("one", "two")]
    for folder in folders:
        folder.mkdir(parents=True)
    one, two = map(run_id, folders)
    assert one != two and one.startswith("2026-01-01_000000-")
    assert run_id(folders[0]) == one, "resumed"
    assert run_id(folders[0].rename(tmp_path / "moved")) == one


def test_each_service_is_told_the_id(tmp_path, monkeypatch):
    told = {}
    for name in ("Wandb", "Mlflow"):
        monkeypatch.setattr(trackers, name, lambda *arguments, name=name: told.setdefault(name, arguments))
    Trackers(tmp_path, ["wandb", "mlflow"], "my_experiment", {})
    assert told == {name: (tmp_path, run_id(tmp_path), "my_experiment", {}) for name in ("Wandb", "Mlflow")}


def test_none_is_used_unless_it_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(trackers, "Wandb", None)
    monkeypatch.setattr(trackers, "Mlflow", None)
    opened = Trackers(tmp_path, [], "my_experiment", {})
    opened.scalars({"loss": 1.0}, 1)
    opened.close()
    assert [path.name for path in tmp_path.iterdir()] == ["tensorboard"]


def test_a_missing_package_is_one_line_before_training(run_here, tmp_path, monkeypatch):
    monkeypatch.setattr(trackers, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"wandb, mlflow is not installed: pip install 'analogy-video\[wandb,mlflow\]'"):
        check_trackers(["wandb", "mlflow"])
    options = ("--set", "training.trackers=[wandb]", "--results-dir", tmp_path)
    done = run_here(*options, exp="seq2seq_sins_l1")
    assert done.returncode == 2 and not list(tmp_path.iterdir())
    assert (
        done.stderr == "error: training.trackers: wandb is not installed: pip install 'analogy-video[wandb]', or leave it out\n"
    )


@pytest.mark.parametrize("mode", ["offlne", "OFFLINE", ""])
def test_a_misspelt_mode_is_one_line_before_training(run_here, tmp_path, monkeypatch, mode):
    monkeypatch.setattr(trackers, "find_spec", lambda name: "installed")
    monkeypatch.setenv("WANDB_MODE", mode)
    options = ("--set", "training.trackers=[wandb]", "--results-dir", tmp_path)
    done = run_here(*options, exp="seq2seq_sins_l1")
    assert done.returncode == 2 and not list(tmp_path.iterdir())
    said = "choose online, offline, shared, disabled, dryrun or run, or unset it"
    assert done.stderr == f"error: WANDB_MODE is {mode!r}: {said}\n"
    check_trackers(["mlflow"])  # which does not read it
    monkeypatch.setenv("WANDB_MODE", "dryrun")
    check_trackers(["wandb"])


class MlflowClient:
    """In the place of MLflow's: it refuses every address but one."""

    def __init__(self, tracking_uri, registry_uri):
        if tracking_uri != "http://there":
            raise ValueError(f"unsupported URI {tracking_uri!r}\nfurther lines")

    def search_experiments(self, max_results):
        return []


@pytest.fixture
def mlflow(monkeypatch):
    for name in ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "MLFLOW_HTTP_REQUEST_TIMEOUT"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setattr(trackers, "find_spec", lambda name: "installed")
    monkeypatch.setitem(sys.modules, "mlflow", types.ModuleType("mlflow"))
    monkeypatch.setitem(sys.modules, "mlflow.tracking", types.SimpleNamespace(MlflowClient=MlflowClient))


@pytest.mark.usefixtures("mlflow")
def test_a_wrong_address_is_one_line_before_the_data_are_prepared(run_here, tmp_path, monkeypatch):
    monkeypatch.setattr("data_prep.datasets.open_dataset", lambda *arguments: pytest.fail("the data were prepared"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "htp://there")
    options = ("--set", "training.trackers=[mlflow]", "--results-dir", tmp_path)
    done = run_here(*options, exp="seq2seq_sins_l1")
    assert done.returncode == 2 and not list(tmp_path.iterdir())
    said = "mlflow cannot be used there (unsupported URI 'htp://there'); mend it, or unset it"
    assert done.stderr == f"error: MLFLOW_TRACKING_URI: {said}\n"
    overrides = ["training.trackers=[mlflow]"]  # nothing is asked where nothing is trained
    assert resolve_settings("seq2seq_sins_l1", results_dir=tmp_path, writes=False, overrides=overrides)


@pytest.mark.usefixtures("mlflow")
def test_mlflow_is_asked_only_where_it_is_used_and_only_at_an_address_of_the_user(monkeypatch):
    ask_services(["mlflow"])
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "htp://there")
    ask_services(["wandb"])
    with pytest.raises(UserError, match="MLFLOW_TRACKING_URI"):
        ask_services(["mlflow"])
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://there")
    ask_services(["mlflow"])


@pytest.fixture
def wandb(monkeypatch):
    """wandb(answer): the service, whose login returns or raises this."""

    def make(answer):
        def login(verify):
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setitem(sys.modules, "wandb", types.SimpleNamespace(login=login))

    monkeypatch.setattr(trackers, "find_spec", lambda name: "installed")
    trackers._ask_wandb.cache_clear()
    yield make
    trackers._ask_wandb.cache_clear()


def test_wandb_without_a_login_is_one_line_before_the_data_are_prepared(wandb, run_here, tmp_path, monkeypatch):
    monkeypatch.setattr("data_prep.datasets.open_dataset", lambda *arguments: pytest.fail("the data were prepared"))
    wandb(RuntimeError("No API key configured.\nfurther lines"))
    monkeypatch.setenv("WANDB_MODE", "online")
    options = ("--set", "training.trackers=[wandb]", "--results-dir", tmp_path)
    done = run_here(*options, exp="seq2seq_sins_l1")
    assert done.returncode == 2 and not list(tmp_path.iterdir())
    assert done.stderr == "error: WANDB_MODE: wandb cannot be used online (No API key configured.); mend it, or unset it\n"


def test_wandb_is_asked_only_where_it_is_used_and_online(wandb, monkeypatch):
    wandb(False)  # the user was asked for a key, and gave none
    ask_services(["wandb"])  # offline
    monkeypatch.setenv("WANDB_MODE", "online")
    ask_services(["mlflow"])
    with pytest.raises(UserError, match=r"WANDB_MODE: wandb cannot be used online \(no login\)"):
        ask_services(["wandb"])
    wandb(True)
    ask_services(["wandb"])


@pytest.mark.extra
def test_wandb_asks_for_a_login(monkeypatch, tmp_path):
    pytest.importorskip("wandb", reason=WITHOUT.format("wandb"))
    for name in ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "WANDB_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setattr("sys.stdin", io.StringIO())  # nobody who could type a key
    trackers._ask_wandb.cache_clear()
    with pytest.raises(UserError, match=r"WANDB_MODE: wandb cannot be used online .*API key"):
        ask_services(["wandb"])


@pytest.mark.extra
def test_the_modes_are_those_of_wandb():
    settings = pytest.importorskip("wandb", reason=WITHOUT.format("wandb")).Settings
    assert set(get_args(settings.model_fields["mode"].annotation)) == set(trackers.WANDB_MODES)


def test_a_service_that_cannot_start_is_one_line(tmp_path, monkeypatch):
    def refuse(*arguments):
        raise RuntimeError("no API key\nfurther lines")

    monkeypatch.setattr(trackers, "Wandb", refuse)
    with pytest.raises(UserError) as refusal:
        Trackers(tmp_path, ["wandb"], "my_experiment", {})
    assert str(refusal.value) == "training.trackers: wandb cannot start (no API key); mend that, or leave it out"


class Service:
    """In the place of a tracker; fails at the call of that name, and has what it was told."""

    def __init__(self, failing: str):
        self.failing, self.told = failing, []

    def __getattr__(self, what):
        def call(*values):
            self.told.append(what)
            if what == self.failing:
                raise ConnectionError("no network\nfurther lines")

        return call


@pytest.mark.parametrize("failing", ["scalars", "image", "figures", "close"])
def test_a_service_that_fails_during_training_is_said_once_and_stops_nothing(failing, tmp_path, monkeypatch, caplog):
    services = {"Wandb": Service(failing), "Mlflow": Service("nothing")}
    for name, service in services.items():
        monkeypatch.setattr(trackers, name, lambda *arguments, service=service: service)
    track = Trackers(tmp_path, ["wandb", "mlflow"], "my_experiment", {})
    for step in (1, 2):
        track.scalars({"loss": 1.0}, step)
        track.image("clip", np.zeros([8, 8, 3], np.uint8), step)
        track.figures({"psnr": 20.0})
    track.close()
    (said,) = caplog.records
    assert said.getMessage().startswith("training.trackers: wandb has failed (no network) and gets no more of this run")
    assert services["Wandb"].told.count(failing) == 1 and services["Wandb"].told[-1] == failing
    assert services["Mlflow"].told == ["scalars", "image", "figures"] * 2 + ["close"]


def test_a_service_that_cannot_start_closes_those_that_have(tmp_path, monkeypatch):
    first = Service("nothing")
    monkeypatch.setattr(trackers, "Wandb", lambda *arguments: first)
    monkeypatch.setattr(trackers, "Mlflow", lambda *arguments: 1 / 0)
    with pytest.raises(UserError, match="mlflow cannot start"):
        Trackers(tmp_path, ["wandb", "mlflow"], "my_experiment", {})
    assert first.told == ["close"]


def test_none_is_opened_where_a_run_cannot_go_on(run_here, tmp_path, monkeypatch):
    def refuse(trainer):
        raise UserError("its checkpoint does not fit")

    monkeypatch.setattr("analogy.training.loop.Trainer.resume", refuse)
    monkeypatch.setattr("analogy.training.run.Trackers", lambda *arguments: pytest.fail("a tracker was opened"))
    done = run_here("--results-dir", tmp_path, "--scale", "demo", exp="seq2seq_sins_l1")
    assert done.returncode == 2 and "its checkpoint does not fit" in done.stderr
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]  # and no folder of a run is left behind

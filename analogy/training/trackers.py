"""Where the figures of a training go beside metrics.jsonl: to TensorBoard always; to Weights & Biases and MLflow where asked.

Each tracker has the same functions. Without an address of the user's own, both services write into the run folder, and nothing
of ours goes to the network: WANDB_MODE=online or MLFLOW_TRACKING_URI ask for it.
"""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from analogy.errors import UserError, first_line
from analogy.runs.folder import write_text

if TYPE_CHECKING:
    import numpy as np

WANDB_MODES = ("online", "offline", "shared", "disabled", "dryrun", "run")  # those that wandb itself knows
WANDB_ONLINE = ("online", "shared", "run")  # of these, those that go to the network
ID = "tracker_id.txt"  # in the run folder, where a service is used
log = logging.getLogger("analogy")


def check_trackers(names: list[str]) -> None:
    """Raise a UserError if the package of a tracker is not installed, or WANDB_MODE is misspelt. names: as for `Trackers`."""
    if missing := [name for name in names if find_spec(name) is None]:
        raise UserError(
            f"training.trackers: {', '.join(missing)} is not installed: pip install 'analogy-video[{','.join(missing)}]', or "
            "leave it out"
        )
    if "wandb" in names and (mode := _wandb_mode()) not in WANDB_MODES:  # wandb says it when the data have been prepared
        raise UserError(f"WANDB_MODE is {mode!r}: choose {', '.join(WANDB_MODES[:-1])} or {WANDB_MODES[-1]}, or unset it")


def ask_services(names: list[str]) -> None:
    """Raise a UserError if a service cannot be used at the user's address: without a login, or where nobody answers.

    Each is asked once in a process. MLflow may make a database there. names: as for `Trackers`.
    """
    if "wandb" in names and (mode := _wandb_mode()) in WANDB_ONLINE:
        _ask_wandb(mode)
    if "mlflow" in names and (address := os.environ.get("MLFLOW_TRACKING_URI")):
        _ask_mlflow(address)


@cache
def _ask_wandb(mode: str) -> None:
    with _said("WANDB_MODE", f"wandb cannot be used {mode}"):
        import wandb

        if not wandb.login(verify=True):  # the user who was asked for a key chose to give none
            raise RuntimeError("no login")


@cache
def _ask_mlflow(address: str) -> None:
    with _said("MLFLOW_TRACKING_URI", "mlflow cannot be used there"):
        _mlflow_client(address).search_experiments(max_results=1)


@contextmanager
def _said(variable: str, what: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # of the service's own kinds: an unknown scheme, no network, no login
        raise UserError(f"{variable}: {what} ({first_line(error)}); mend it, or unset it") from error


def _wandb_mode() -> str:
    return os.environ.get("WANDB_MODE", "offline")


def run_id(folder: Path) -> str:
    """What the services know a run of an experiment by. Its folder keeps it for when it is resumed, also elsewhere.

    The folder's name, a date and time, is not enough: two runs may begin in the same second, in different folders.
    """
    kept = folder / ID
    if not kept.is_file():
        write_text(kept, f"{folder.name}-{secrets.token_hex(4)}")
    return kept.read_text("utf-8")


class Wandb:
    """Weights & Biases. Offline unless WANDB_MODE says otherwise: `wandb sync FOLDER/wandb/offline-run-*` sends it later.

    Args: see `Trackers`; run: its `run_id`.
    """

    def __init__(self, folder: Path, run: str, experiment: str, settings: Mapping[str, object]):
        mode = _wandb_mode()
        if mode != "online":
            os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # it would go to the network
        import wandb

        # A resumed run has the same id. Online it goes on in its own one; offline each part has a folder of its own.
        self._run = wandb.init(
            mode=mode, dir=folder, project="analogy", group=experiment, name=folder.name, id=f"{experiment}-{run}",
            resume="allow" if mode == "online" else None, config=dict(settings),
            settings=wandb.Settings(console="off", silent=True), reinit="create_new",
        )  # fmt: skip
        self._picture, self._measured = wandb.Image, False

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        self._run.log(dict(values), step=step)

    def image(self, name: str, image: np.ndarray, step: int) -> None:
        self._run.log({name: self._picture(image)}, step=step)

    def figures(self, values: Mapping[str, float]) -> None:
        self._run.summary.update(dict(values))
        self._measured = True

    def close(self) -> None:
        self._run.finish(exit_code=0 if self._measured else 1)


def _mlflow_client(address: str):
    # By itself it asks a server that does not answer for minutes, while training waits.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=address, registry_uri=address)


class Mlflow:
    """MLflow, in the file mlflow.db of the run folder unless MLFLOW_TRACKING_URI says otherwise: `mlflow ui
    --backend-store-uri sqlite:///FOLDER/mlflow.db` shows it. It gets the scalars and figures, no pictures.

    Args: see `Wandb`.
    """

    def __init__(self, folder: Path, run: str, experiment: str, settings: Mapping[str, object]):
        address = os.environ.get("MLFLOW_TRACKING_URI")
        if not address:
            os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # it would go to the network
            address = f"sqlite:///{folder.absolute() / 'mlflow.db'}"
        self._client = _mlflow_client(address)
        found = self._client.get_experiment_by_name(experiment)
        number = found.experiment_id if found else self._client.create_experiment(experiment)
        # A resumed run goes on in its own one.
        earlier = self._client.search_runs([number], filter_string=f"tags.run_folder = '{run}'")
        own = earlier[0] if earlier else self._client.create_run(number, run_name=folder.name, tags={"run_folder": run})
        self._run = own.info.run_id
        self._client.update_run(self._run, status="RUNNING")
        self._measured = False
        if not earlier:
            for name, value in settings.items():
                self._client.log_param(self._run, name, str(value)[:500])

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            self._client.log_metric(self._run, name, value, step=step)

    def image(self, name: str, image: np.ndarray, step: int) -> None:
        pass

    def figures(self, values: Mapping[str, float]) -> None:
        self.scalars(values, 0)
        self._measured = True

    def close(self) -> None:
        self._client.set_terminated(self._run, "FINISHED" if self._measured else "KILLED")


class Trackers:
    """All trackers of a run, as one. A service that fails during training is said once and left out; training goes on.

    Args:
        folder: the run folder.
        names: wandb, mlflow: the packages' own names, beside TensorBoard.
        experiment: the experiment's name.
        settings: dotted key -> value.

    Raises:
        UserError: a service cannot start.
    """

    def __init__(self, folder: Path, names: list[str], experiment: str, settings: Mapping[str, object]):
        from analogy.training.tensorboard import TensorBoard  # the settings are checked without TensorFlow

        self._board = TensorBoard(folder / "tensorboard")
        self._services: dict[str, Wandb | Mlflow] = {}
        run = run_id(folder) if names else ""
        for name in names:
            try:
                self._services[name] = {"wandb": Wandb, "mlflow": Mlflow}[name](folder, run, experiment, settings)
            except Exception as error:  # of the services' own kinds: no login, a wrong address, no network
                self.close()
                raise UserError(
                    f"training.trackers: {name} cannot start ({first_line(error)}); mend that, or leave it out"
                ) from error

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Write name -> value. Raises UserError if TensorBoard's file cannot be written."""
        self._board.scalars(values, step)
        self._tell("scalars", values, step)

    def image(self, name: str, image: np.ndarray, step: int) -> None:
        """Write a picture. image: uint8 [H, W, 1 or 3]."""
        self._board.image(name, image, step)
        self._tell("image", name, image, step)

    def figures(self, values: Mapping[str, object]) -> None:
        """Write the test figures: metric -> value. What is no number is left out."""
        self._tell("figures", {f"test/{name}": float(v) for name, v in values.items() if isinstance(v, (int, float))})

    def close(self) -> None:
        """End the run at the services. Without test figures it counts there as stopped, not as finished."""
        self._tell("close")

    def _tell(self, what: str, *values: object) -> None:
        """Call a function of each service."""
        for name, service in list(self._services.items()):
            try:
                getattr(service, what)(*values)
            except Exception as error:  # of the services' own kinds: a full disk, no network, a server that has ended
                del self._services[name]
                log.warning(
                    "training.trackers: %s has failed (%s) and gets no more of this run; metrics.jsonl has all of it",
                    name,
                    first_line(error),
                )

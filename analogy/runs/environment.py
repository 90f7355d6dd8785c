"""The machine and the software that a run uses, for environment.json."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf

PACKAGES = ("analogy-video", "tensorflow", "keras", "numpy", "opencv-python", "tensorflow-datasets", "matplotlib")

# What of the checkout decides a run's figures, as Git's pathspecs.
ROOMS_OF_CODE = (":/analogy", ":/data_prep", ":/experiments")


def describe_environment(strategy: tf.distribute.Strategy | None = None, earlier: Mapping[str, object] | None = None) -> dict:
    """fact -> value: command line, commit, versions of packages, processor, devices; with `strategy`, its name and replicas.

    earlier: the environment of a run before it is resumed. Other commits in it are kept as `earlier_commits`, the oldest first.
    """
    environment = {
        "command": shlex.join(sys.argv),  # so that it can be pasted into a shell
        "commit": _commit(),
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "gpus": [tf.config.experimental.get_device_details(g).get("device_name") for g in _gpus()],
    }
    if strategy:
        environment |= {"strategy": type(strategy).__name__, "replicas": strategy.num_replicas_in_sync}
    known = (earlier or {}).get("earlier_commits")
    commits = [*(known if isinstance(known, list) else []), (earlier or {}).get("commit")]
    before = dict.fromkeys(commit for commit in commits if isinstance(commit, str))
    if others := [commit for commit in before if commit != environment["commit"]]:
        environment["earlier_commits"] = others
    return environment


def _gpus():
    return tf.config.get_visible_devices("GPU")


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    """The commit of this file's Git checkout; "+changes" is added where code differs from the commit, or is in none yet.

    None outside of a checkout. The package may be installed in a folder of another repository, so Git must track this file.
    """
    here = Path(__file__)
    # Within a hook of Git, variables name the repository of that hook.
    variables = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}

    def git(*command: str) -> str:
        done = ["git", "-C", str(here.parent), *command]
        return subprocess.run(done, env=variables, capture_output=True, text=True, check=True, timeout=60).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", here.name)
        commit, changed = git("rev-parse", "HEAD"), git("status", "--porcelain", "--", *ROOMS_OF_CODE)
    except (OSError, subprocess.SubprocessError):
        return None
    return commit + ("+changes" if changed else "")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()

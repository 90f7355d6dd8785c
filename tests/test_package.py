"""What a wheel holds: every file beside the code is named in pyproject.toml, and the commands are all there."""

import ast
from importlib import import_module

import pytest
import typer

from analogy.cli.app import COMMANDS, make_app
from tests.conftest import ROOT


def test_every_file_of_the_package_goes_into_a_wheel():
    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packed = set()
    for package, patterns in project["tool"]["setuptools"]["package-data"].items():
        for pattern in patterns:
            packed |= set((ROOT / package.replace(".", "/")).glob(pattern))
    beside_the_code = {
        path for package in ("analogy", "data_prep") for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix != ".py" and path.parent.name != "__pycache__"
    }  # fmt: skip
    assert beside_the_code == packed and len(packed) > 50
    assert project["project"]["scripts"] == {"analogy": "analogy.cli:main"}


def test_each_command_is_a_file_and_each_script_one_of_them():
    commands = typer.main.get_command(make_app()).commands
    assert tuple(commands) == COMMANDS
    assert {"run", "list", "evaluate", "predict", "compare", "browse", "fetch", "prepare"} <= set(commands)
    for script in ("run", "evaluate", "predict", "compare", "browse", "evaluate_pipeline"):
        text = (ROOT / "experiments" / f"{script}.py").read_text()
        assert f"from analogy.cli.{script} import main" in text and callable(import_module(f"analogy.cli.{script}").main)


def test_every_file_is_written_in_python_3_10():
    for folder in ("analogy", "data_prep", "experiments"):
        for path in (ROOT / folder).rglob("*.py"):
            ast.parse(path.read_text(encoding="utf-8"), str(path), feature_version=(3, 10))

"""All commands under one name."""

from __future__ import annotations

import os
from importlib import import_module

import typer

COMMANDS = ("run", "list", "evaluate", "predict", "compare", "browse", "fetch", "prepare", "evaluate-pipeline")


def make_app() -> typer.Typer:
    """`analogy COMMAND ...`; the modules of the commands import TensorFlow only once their options are found right."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    app = typer.Typer(
        name="analogy",
        help="Published video-prediction systems that train, are measured, and predict.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for name in COMMANDS:
        module = import_module(f"analogy.cli.{name.replace('-', '_')}")
        app.command(name, help=module.__doc__)(module.main)
    return app

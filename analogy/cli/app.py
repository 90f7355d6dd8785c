"""All commands as one program."""

from __future__ import annotations

from importlib import import_module

import typer

from analogy.cli.console import App, set_environment, with_paths

COMMANDS = (
    "run",
    "list",
    "evaluate",
    "predict",
    "compare",
    "browse",
    "fetch",
    "prepare",
    "models",
    "export",
    "evaluate-pipeline",
)


def make_app() -> typer.Typer:
    """The program `analogy COMMAND ...`. The commands import TensorFlow only after checking their options."""
    set_environment()
    app = App(
        name="analogy",
        help="Published video-prediction systems that train, are measured, and predict.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for name in COMMANDS:
        module = import_module(f"analogy.cli.{name.replace('-', '_')}")
        app.command(name, help=module.__doc__)(with_paths(module.main))
    return app

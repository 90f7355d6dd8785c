"""Get the weights that FVD needs, once: python experiments/fetch_i3d.py"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import typer

from analogy.errors import UserError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(help=__doc__)
def main(
    out: Annotated[Path | None, typer.Option(help="Folder for the file; the cache if not given.")] = None,
) -> None:
    from analogy.pretrained.fetch_i3d import fetch_i3d
    from data_prep.datasets import cache_folder

    try:
        print(fetch_i3d(out or cache_folder() / "weights"))
    except (UserError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(2) from error


if __name__ == "__main__":
    app()

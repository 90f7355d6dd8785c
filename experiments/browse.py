"""Serve results/ to a browser on this machine; the page of a run in training follows it.

python experiments/browse.py
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from analogy.errors import UserError
from analogy.visualise.serve import make_server

RESULTS = Path(__file__).parent.parent / "results"
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(help=__doc__)
def main(
    results_dir: Annotated[Path, typer.Option(help="Where runs are.")] = RESULTS,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any that is free.")] = 8000,
) -> None:
    try:
        server = make_server(results_dir, port)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(2) from error
    print(f"open http://127.0.0.1:{server.server_port}/ (Ctrl-C ends)", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


if __name__ == "__main__":
    app()

"""Serve results/ to a browser on this machine; the page of a run in training follows it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from analogy.cli.console import RESULTS, clear_errors


def main(
    results_dir: Annotated[Path, typer.Option(help="Where runs are.")] = RESULTS,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any that is free.")] = 8000,
) -> None:
    from analogy.visualise.serve import make_server

    with clear_errors():
        server = make_server(results_dir, port)
    print(f"open http://127.0.0.1:{server.server_port}/ (Ctrl-C ends)", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()

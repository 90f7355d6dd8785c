"""Show the pages of all runs in a browser on this machine. The page of a run updates while the run trains."""

from __future__ import annotations

from typing import Annotated

import typer

from analogy.cli.console import RESULTS, clear_errors
from analogy.cli.opening import Open, show
from analogy.cli.options import ResultsDir
from analogy.one_line import say


def main(
    results_dir: ResultsDir = RESULTS,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the local web server; 0 selects a free one.")] = 8000,
    open_: Open = None,
) -> None:
    from analogy.visualise.serve import make_server

    with clear_errors():
        server = make_server(results_dir, port)
    say(f"open {(address := f'http://127.0.0.1:{server.server_port}/')} (Ctrl-C ends)")
    show(address, open_)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()

"""The console command `analogy`, with one file for each of its commands. The scripts in experiments/ call the same files."""

import os

from analogy.cli.streams import open_closed_streams

open_closed_streams()
os.environ["MPLBACKEND"] = "agg"  # commands draw into files only; another backend may not be installed, or not exist


def main() -> None:
    """The entry point of the console command `analogy`."""
    from analogy.cli.app import make_app

    make_app()()

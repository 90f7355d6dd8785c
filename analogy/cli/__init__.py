"""The console command `analogy`, with one file for each of its commands. The scripts in experiments/ call the same files."""

from analogy.cli.streams import end_quietly, open_closed_streams

open_closed_streams()
end_quietly()


def main() -> None:
    """The entry point of the console command `analogy`."""
    from analogy.cli.app import make_app

    make_app()()

"""The console command `analogy`, with one file for each of its commands. The scripts in experiments/ call the same files."""

from analogy.cli.interrupts import end_quietly

end_quietly()

from analogy.cli.streams import open_closed_streams  # noqa: E402

open_closed_streams()


def main() -> None:
    """The entry point of the console command `analogy`."""
    from analogy.cli.app import make_app

    make_app()()

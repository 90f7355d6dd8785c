"""The console command `analogy`: one file a command. The scripts in experiments/ are the same commands, one by one."""


def main() -> None:
    """What `analogy` starts."""
    from analogy.cli.app import make_app

    make_app()()

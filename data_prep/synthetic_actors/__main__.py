"""python -m data_prep.synthetic_actors --out DIR: write the synthetic Penn Action."""

from pathlib import Path
from typing import Annotated

import typer

from analogy.errors import UserError
from analogy.one_line import say
from data_prep.synthetic_actors import write_synthetic_actors


def main(
    out: Annotated[Path, typer.Option(help="Folder to write; must not exist yet.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 0,
    train_clips: Annotated[int, typer.Option(help="Number of training clips.")] = 96,
    test_clips: Annotated[int, typer.Option(help="Number of test clips.")] = 24,
    frames: Annotated[int, typer.Option(help="Frames per clip.")] = 40,
    size: Annotated[int, typer.Option(help="Side of the frames in pixels.")] = 160,
    workers: Annotated[int | None, typer.Option(help="Processes; all processors if not given.")] = None,
):
    """Write moving people in Penn Action's own layout: frames/NNNN/NNNNNN.jpg and labels/NNNN.mat."""
    try:
        folder = write_synthetic_actors(
            out,
            seed=seed,
            train_clips=train_clips,
            test_clips=test_clips,
            frames=frames,
            size=size,
            workers=workers,
        )
    except UserError as error:
        say(*(f"error: {line}" for line in error.lines), err=True)
        raise typer.Exit(2) from error
    say(f"{train_clips + test_clips} clips in {folder}")


if __name__ == "__main__":
    typer.run(main)

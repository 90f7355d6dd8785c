"""Command line: `python -m data_prep.penn_action --source DIR --cache DIR`."""

from pathlib import Path
from typing import Annotated

import typer

from analogy.data.prepared import PreparedClips
from analogy.errors import UserError
from data_prep.frame_store.prepare import console
from data_prep.penn_action import prepare_penn_action


def main(
    source: Annotated[Path, typer.Option(help="Folder with frames/NNNN/NNNNNN.jpg and labels/NNNN.mat.")],
    cache: Annotated[Path, typer.Option(help="Folder for prepared data.")],
) -> None:
    """Checks Penn Action and prepares the usable clips for training."""
    try:
        folder = prepare_penn_action(source, cache)
    except UserError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None
    clips = PreparedClips.open(folder).clips
    for split in ("train", "test"):
        chosen = [clip for clip in clips if clip.split == split]
        actions = len({clip.action for clip in chosen})
        frames = sum(clip.length for clip in chosen)
        console.print(f"{split}: {len(chosen)} clips, {frames} frames, {actions} actions", highlight=False)
    typer.echo(folder)


if __name__ == "__main__":
    typer.run(main)

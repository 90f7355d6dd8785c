"""Download trained weights once and verify their checksum: `i3d`, which FVD needs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from analogy.cli.console import clear_errors
from analogy.errors import Mistakes
from analogy.files import check_writable

NAMES = ("i3d",)


def main(
    what: Annotated[str, typer.Argument(metavar="NAME", help=f"One of: {', '.join(NAMES)}.")] = "i3d",
    out: Annotated[Path | None, typer.Option(help="Folder for the file. Default: the cache.")] = None,
) -> None:
    from data_prep.datasets import weights_folder

    with clear_errors(out):
        folder = out or weights_folder()
        with Mistakes() as mistakes:
            if what not in NAMES:
                mistakes.add(f"{what}: there is nothing of that name to fetch; there is {', '.join(NAMES)}")
            with mistakes.noted():
                check_writable(folder, "choose another --out")
        from analogy.pretrained.fetch_i3d import fetch_i3d

        print(fetch_i3d(folder))

"""Download trained weights once and verify their checksum: `i3d`, which FVD needs; `vgg16-hed`, VGG-16 fine-tuned on edges;
`blazepose`, which finds people's poses in videos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from analogy.cli.console import clear_errors
from analogy.errors import Mistakes
from analogy.files.paths import check_writable
from analogy.one_line import say
from analogy.pretrained.fetching import FILES, LICENCES, weights_folder


def main(
    what: Annotated[str | None, typer.Argument(metavar="NAME", help=f"One of: {', '.join(FILES)}.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the file. Default: the cache, where all commands look for it.")
    ] = None,
) -> None:
    with clear_errors(out):
        folder = out or weights_folder()
        with Mistakes() as mistakes:
            if what not in FILES:
                fault = "NAME is missing" if what is None else f"{what}: there is nothing of that name to fetch"
                mistakes.add(f"{fault}; there is {', '.join(FILES)}")
            with mistakes.noted():
                check_writable(folder, "choose another --out")
        from analogy.pretrained.fetch_blazepose import fetch_blazepose
        from analogy.pretrained.fetch_i3d import fetch_i3d
        from analogy.pretrained.fetch_vgg16 import fetch_vgg16_hed

        fetch = {"i3d": fetch_i3d, "vgg16-hed": fetch_vgg16_hed, "blazepose": fetch_blazepose}
        say(f"{fetch[what](folder)}  (licence: {LICENCES[what]})")

"""Showing a result in the browser of a desktop, for the option --open."""

from __future__ import annotations

import os
import sys
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from analogy.one_line import say

Open = Annotated[
    bool | None,
    typer.Option("--open/--no-open", help="Open the result in a browser. Default: where there is a desktop and a terminal."),
]


def has_desktop() -> bool:
    """Whether a browser window can open and somebody sees it: a terminal, a display, and no CI."""
    if os.environ.get("CI") or not sys.stdout.isatty():
        return False
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def show(result: Path | str, wanted: bool | None) -> None:
    """Open a page, or an address, in the browser. A browser that cannot be started is no error.

    wanted: the option --open; None: where there is a desktop.
    """
    if wanted or (wanted is None and has_desktop()):
        address = result if isinstance(result, str) else result.absolute().as_uri()
        try:
            started = webbrowser.open(address)
        except (OSError, webbrowser.Error):
            started = False
        if not started:
            say("no browser can be started here", err=True)

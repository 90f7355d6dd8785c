"""A small web server for results/: to this machine only, and a visitor can change nothing. Pages older than their runs are
written anew before they are sent."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import time
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from analogy.errors import UserError
from analogy.runs.folder import is_running
from analogy.visualise.pages import write_results_page, write_run_page

SOURCES = ("summary.json", "metrics.jsonl", "samples", "test", "plots")  # what a run's page is made from
log = logging.getLogger("analogy")
CHUNK = 1 << 20  # bytes


def make_server(results: Path, port: int) -> ThreadingHTTPServer:
    """Serves `results` at 127.0.0.1:port (0: any free one).

    Raises:
        UserError: there is no such folder, or the port is taken.
    """
    if not results.is_dir():
        raise UserError(f"{results}: no such folder; train a run first, or name another with --results-dir")
    try:
        return ThreadingHTTPServer(("127.0.0.1", port), partial(Handler, directory=str(results.resolve())))
    except OSError as error:
        raise UserError(f"--port {port}: {error.strerror}; choose another") from error


class Handler(SimpleHTTPRequestHandler):
    """GET and HEAD of files below the folder; parts of a file too, without which a browser cannot move about in a video."""

    protocol_version = "HTTP/1.1"

    def handle_one_request(self):
        with contextlib.suppress(ConnectionError):  # a browser that seeks in a video drops what it asked for before
            super().handle_one_request()

    def log_message(self, format, *arguments):
        del format, arguments  # a line for every picture is of no use

    def end_headers(self):
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def send_head(self):
        # The name of this machine, and no other: a web page elsewhere must not reach this server under a name of its own.
        if (self.headers.get("Host") or "").rsplit(":", 1)[0] not in ("127.0.0.1", "localhost"):
            self.send_error(HTTPStatus.FORBIDDEN)
            return None
        root, path = Path(self.directory), Path(self.translate_path(self.path))
        # os.path, which says no where pathlib raises: another user's folder, a link to itself.
        if "\0" in str(path) or not Path(os.path.realpath(path)).is_relative_to(root):  # a link that leads out of the folder
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        if os.path.isdir(path) or path.name == "index.html":
            try:
                refresh(root, path if os.path.isdir(path) else path.parent)
            except Exception as error:  # a page that cannot be written anew is shown as it is
                log.debug("%s: cannot be written anew: %s", path, error)
        elif os.path.isfile(path) and (wanted := self._range(path)):
            return self._send_part(path, *wanted)
        return super().send_head()

    def _range(self, path: Path) -> tuple[int, int] | None:
        """First and last byte of `Range: bytes=a-b`; None where the whole file is wanted, or the range makes no sense."""
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        size = path.stat().st_size
        first, last = (int(found[1]), int(found[2] or size - 1)) if found else (size, 0)
        return (first, min(last, size - 1)) if first < size and first <= last else None

    def _send_part(self, path: Path, first: int, last: int):
        self.send_response(HTTPStatus.PARTIAL_CONTENT)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Range", f"bytes {first}-{last}/{path.stat().st_size}")
        self.send_header("Content-Length", str(last - first + 1))
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        if self.command == "GET":
            with path.open("rb") as file:
                file.seek(first)
                left = last - first + 1
                while left and (part := file.read(min(CHUNK, left))):
                    self.wfile.write(part)
                    left -= len(part)
        return None


def refresh(root: Path, folder: Path) -> None:
    """Write a page anew if what it shows is newer, or a run has ended without a word: that of a run, or the list of all."""
    page = folder / "index.html"
    if folder == root:
        runs = [path for experiment in _folders(root) for path in _folders(experiment)]
        sources, write = [*_folders(root), *(run / "summary.json" for run in runs)], write_results_page
    elif os.path.isfile(folder / "summary.json"):
        runs, sources, write = [folder], [folder / name for name in SOURCES], write_run_page
    else:
        return
    running = frozenset(run for run in runs if is_running(run))
    now, written = time.time(), _changed(page)
    if (written, running) == _written.get(page) and all(_changed(source) <= written for source in sources):
        return
    write(folder)
    if _changed(page) != written:  # a page that is not ours is kept
        os.utime(page, (now, now))  # what has changed while it was written is newer than the page
    _written[page] = _changed(page), running


# When this server last wrote a page, and the runs of it that ran then: a run that is killed changes no file.
_written: dict[Path, tuple[float, frozenset[Path]]] = {}


def _changed(path: Path) -> float:
    """When it last changed; 0 for what is missing or cannot be looked at."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _folders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [Path(entry) for entry in entries if os.path.isdir(entry)]
    except OSError:
        return []

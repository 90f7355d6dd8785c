"""A small web server for the results folder. Only this machine can reach it, and it is read-only for visitors.

A page that is older than its run is written again before it is sent.
"""

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
from analogy.files.paths import no_folder
from analogy.runs.folder import is_running
from analogy.visualise.pages import write_run_page
from analogy.visualise.results_page import write_results_page

SOURCES = ("summary.json", "metrics.jsonl", "samples", "test", "plots")  # a run's page is made from these
log = logging.getLogger("analogy")
CHUNK = 1 << 20  # bytes


def make_server(results: Path, port: int) -> ThreadingHTTPServer:
    """A server of the folder `results` at 127.0.0.1:port. Port 0 is any free port.

    Raises:
        UserError: there is no such folder, or the port is taken.
    """
    if why := no_folder(results):
        raise UserError(f"{results}: {why}; train a run first, or name another with --results-dir")
    try:
        return ThreadingHTTPServer(("127.0.0.1", port), partial(Handler, directory=str(results.resolve())))
    except OSError as error:
        raise UserError(f"--port {port}: {error.strerror}; choose another") from error


class Handler(SimpleHTTPRequestHandler):
    """Answers GET and HEAD for files below the folder. It sends parts of files too, which browsers need to seek in videos."""

    protocol_version = "HTTP/1.1"

    def handle_one_request(self):
        # A browser that seeks in a video closes the connection of its previous request.
        with contextlib.suppress(ConnectionError):
            super().handle_one_request()

    def log_message(self, format, *arguments):
        del format, arguments  # nobody needs a log line for every picture

    def end_headers(self):
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def send_head(self):
        # Accept only the names of this machine. Otherwise a foreign web page could let its own host name point here
        # (DNS rebinding) and read the results.
        if (self.headers.get("Host") or "").rsplit(":", 1)[0] not in ("127.0.0.1", "localhost"):
            self.send_error(HTTPStatus.FORBIDDEN)
            return None
        root, path = Path(self.directory), Path(self.translate_path(self.path))
        # os.path returns False where pathlib raises: for another user's folder, or a link to itself.
        if not _is_below(root, path):
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        if os.path.isdir(path) or path.name == "index.html":
            try:
                refresh(root, path if os.path.isdir(path) else path.parent)
            except Exception as error:  # then the old page is shown
                log.debug("%s: cannot be written anew: %s", path, error)
        elif os.path.isfile(path) and (byte_range := self._range(path)):
            return self._send_part(path, *byte_range)
        return super().send_head()

    def _range(self, path: Path) -> tuple[int, int] | None:
        """First and last byte that a request header `Range: bytes=a-b` asks for; None for the whole file or a bad range."""
        match = re.fullmatch(r"bytes=(\d{1,18})-(\d{0,18})", self.headers.get("Range") or "")
        size = path.stat().st_size
        first, last = (int(match[1]), int(match[2] or size - 1)) if match else (size, 0)
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
                remaining = last - first + 1
                while remaining and (part := file.read(min(CHUNK, remaining))):
                    self.wfile.write(part)
                    remaining -= len(part)
        return None


def _is_below(root: Path, path: Path) -> bool:
    """Whether a path can be that of a file, and no link in it leads out of the folder `root`."""
    try:
        return Path(os.path.realpath(path)).is_relative_to(root)
    except ValueError:  # a NUL, or half of a character
        return False


def refresh(root: Path, folder: Path) -> None:
    """Write the page of a run, or the list of all runs, again if it is out of date.

    It is out of date if a file that it shows is newer, or if a run on it has started or ended since.

    Args:
        root: the results folder. folder: the folder of the page: a run's, or `root` for the list of all runs.
    """
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
        os.utime(page, (now, now))  # files that changed while the page was written are then newer than the page
    _written[page] = _changed(page), running


# page -> when this server last wrote it, and which of its runs were running then. A run that is killed changes no file, so that
# times of files are not enough.
_written: dict[Path, tuple[float, frozenset[Path]]] = {}


def _changed(path: Path) -> float:
    """Time of the last change, in seconds since 1970; 0 where the file is missing or may not be read."""
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

"""The folder of one run: its files, its log, and the lock that keeps other processes from writing to it."""

from __future__ import annotations

import csv
import fcntl
import io
import json
import logging
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import IO

from analogy.errors import UserError
from analogy.files.locks import open_lock, try_lock
from analogy.files.marks import RUN, kind_of, mark_folder
from analogy.files.paths import check_writable
from analogy.files.reading import read_json
from analogy.files.writing import naming, remove_leftovers, replacing
from analogy.one_line import OneLine
from analogy.ownership import check_results_dir, is_run
from analogy.runs.summary import read_rows

log = logging.getLogger("analogy")


def write_text(path: Path, text: str) -> None:
    """Write a text file under a temporary name and rename it, so that a reader never sees a part of it."""
    with replacing(path) as partial:
        # File names may hold bytes that are not valid text. They are escaped, and JSON reads them back.
        partial.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path: Path, content: object) -> None:
    """Write a JSON file, as `write_text` does."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


class LogFile(logging.FileHandler):
    """A log file that drops lines silently when the disk is full.

    The console shows these lines too, and an error in writing a file that the run needs is reported where it is written.
    """

    def handleError(self, record) -> None:
        del record

    def close(self) -> None:
        with suppress(OSError):  # closing tries again to write the lines that failed before
            super().close()


def is_running(run: Path) -> bool | None:
    """Whether a process holds the lock of this run folder.

    None if that cannot be known: the lock file cannot be opened, or the disk does not support locks.
    """
    try:
        with open_lock(run / ".lock", "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)  # a shared lock, released at once, so that a run can still start
    except BlockingIOError:
        return True
    except (FileNotFoundError, NotADirectoryError):  # a copy of a run, or no run at all
        return False
    except OSError:
        return None
    return False


def _lock_patiently(lock: IO) -> bool:
    """Lock a run's folder. Returns whether that succeeded.

    It tries for 0.2 s, because `is_running` in another process may hold the lock for a moment.
    """
    for _ in range(10):
        if try_lock(lock):
            return True
        time.sleep(0.02)
    return False


class RunFolder:
    """The run folder `results/EXPERIMENT/DATE_TIME/`, locked until `close` or the end of this process.

    Args:
        path: the folder; it is made if it is missing.
        kind: RUN or EVALUATION.

    Raises:
        UserError: the folder exists and is not a run, cannot be written, or another process holds its lock.
    """

    def __init__(self, path: Path, kind: str = RUN):
        self.path = path = path.absolute()
        try:
            if path.is_dir() and any(path.iterdir()) and not is_run(path):
                raise UserError(f"{path}: this is not a run folder; name one of results/EXPERIMENT")
            for name in ("checkpoints", "samples", "test", "plots", "tensorboard"):
                (path / name).mkdir(parents=True, exist_ok=True)
            self._lock = open_lock(path / ".lock", "w")  # held until the process ends
        except OSError as error:
            raise UserError(f"{path}: cannot be written: {error.strerror}; choose another --results-dir") from error
        if not _lock_patiently(self._lock):
            raise UserError(f"{path}: another run is using this folder; wait for it to end, or start a new run")
        if kind_of(path) is None:
            mark_folder(path, kind)
        remove_leftovers(path)
        self._handler = LogFile(path / "log.txt", encoding="utf-8", errors="backslashreplace")
        self._handler.setFormatter(OneLine("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S"))
        logging.getLogger("analogy").addHandler(self._handler)
        self._metrics = path / "metrics.jsonl"
        self.summary = self._read_summary()

    @classmethod
    def create(cls, results: Path, experiment: str, kind: str = RUN) -> RunFolder:
        """Make a run folder named by the current time; a second one in the same second gets a suffix. Raises UserError."""
        check_results_dir(results)
        check_writable(results / experiment, "choose another --results-dir")
        stamp = datetime.now().strftime("%Y-%m-%d_%H%M%S")
        for suffix in ("", *(f"_{n}" for n in range(2, 100))):
            path = results / experiment / f"{stamp}{suffix}"
            try:
                path.mkdir(parents=True)
            except FileExistsError:
                continue
            except OSError as error:
                raise UserError(f"{path}: cannot be made: {error.strerror}; choose another --results-dir") from error
            return cls(path, kind)
        raise UserError(f"{results / experiment}: too many runs started in one second")

    def close(self) -> None:
        """Close the log file and release the lock."""
        logging.getLogger("analogy").removeHandler(self._handler)
        self._handler.close()
        self._lock.close()

    def _read_summary(self) -> dict:
        """The summary of a run that continues; empty for a new run, or where the file is damaged and will be written again."""
        try:
            summary = read_json(self.path / "summary.json")
        except (OSError, ValueError):
            return {}
        return summary if isinstance(summary, dict) else {}

    def update_summary(self, **facts) -> None:
        """Set keys of summary.json and write the file."""
        self.summary |= facts
        write_json(self.path / "summary.json", self.summary)

    # ------------------------------------------------------------ metrics

    def rows(self) -> list[dict]:
        """The rows of metrics.jsonl."""
        return list(read_rows(self._text_of_metrics()))

    def _text_of_metrics(self) -> str:
        return self._metrics.read_text(encoding="utf-8", errors="replace") if self._metrics.exists() else ""

    def drop_rows_after(self, step: int) -> None:
        """Remove the rows of metrics.jsonl after this step. A resumed run writes the rows after its checkpoint again."""
        earlier = [line for line in self._text_of_metrics().splitlines() if any(row["step"] <= step for row in read_rows(line))]
        write_text(self._metrics, "".join(f"{line}\n" for line in earlier))

    def add_row(self, row: dict) -> None:
        """Append a row to metrics.jsonl."""
        with naming(self._metrics), open(self._metrics, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def write_metrics_csv(self) -> None:
        """Write metrics.csv: all rows of metrics.jsonl, with the columns of the last one."""
        rows = self.rows()
        if rows:
            text = io.StringIO()
            writer = csv.DictWriter(text, list(rows[-1]), extrasaction="ignore", restval="")
            writer.writeheader()
            writer.writerows(rows)
            write_text(self.path / "metrics.csv", text.getvalue())

"""The files below a folder of a user, without what analogy itself has written there."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

from analogy.files.marks import COMPARISON, EVALUATION, PREDICTION, RUN, kind_of

log = logging.getLogger("analogy")


def files_below(folder: Path, *, predictions: bool = False) -> Iterator[Path]:
    """The files below a folder, without hidden ones. Broken links and pipes are among them: reading them says what they are.

    Runs, evaluations and comparisons below it are passed over: what they have written is no data. So are predictions, unless
    `predictions` are asked for. Links to folders are followed, but each folder is entered once. A folder that cannot be read is
    named in a warning.
    """
    results = {RUN, EVALUATION, COMPARISON} | (set() if predictions else {PREDICTION})
    entered: set[str] = set()

    def warn(error: OSError) -> None:
        log.warning("%s: this folder cannot be read (%s), and is left out", error.filename, error.strerror)

    for place, folders, names in os.walk(folder, onerror=warn, followlinks=True):
        if (real := os.path.realpath(place)) in entered or (place != str(folder) and kind_of(Path(place)) in results):
            folders.clear()
            continue
        entered.add(real)
        folders[:] = sorted(
            (name for name in folders if not name.startswith(".")),
            key=lambda name: (os.path.islink(os.path.join(place, name)), name),  # folders are known by their own names first
        )
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(place, name)

"""Reading archives of weights that others made: a small file can unpack to any size."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from analogy.files.reading import check_regular

LARGEST = 1 << 32  # bytes of unpacked weights, several times those of the largest network that is read


def check_unpacked(archive: zipfile.ZipFile) -> None:
    """Raise ValueError where an archive unpacks to more than LARGEST bytes."""
    if (size := sum(member.file_size for member in archive.infolist())) > LARGEST:
        raise ValueError(f"it unpacks to {size / 1e9:.0f} GB, which are no weights")


def read_npz(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz file by name. Raises OSError; or ValueError for what is no such file, or for one too large."""
    check_regular(path, LARGEST)
    try:
        with zipfile.ZipFile(path) as archive:
            check_unpacked(archive)
        with np.load(path, allow_pickle=False) as file:
            return {name: np.asarray(file[name]) for name in file.files}
    except OSError:
        raise
    except Exception as error:  # zip and NumPy raise many kinds on a foreign file
        raise ValueError(str(error) or type(error).__name__) from error

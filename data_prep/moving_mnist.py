"""Digits for Moving MNIST: the official IDX files, or scikit-learn's small ones; and the standard test file."""

from __future__ import annotations

import gzip
import logging
import struct
from pathlib import Path

import cv2
import numpy as np

from analogy.data.moving_digits import MovingDigits, draw_digits
from analogy.errors import UserError
from analogy.files import locked
from analogy.random_streams import TEST_DIGITS
from data_prep.datasets import cache_folder

TRAIN_IMAGES, TEST_IMAGES = "train-images-idx3-ubyte", "t10k-images-idx3-ubyte"
STANDARD_TEST = "mnist_test_seq.npy"  # uint8 [20, 10000, 64, 64], of Srivastava et al. 2015
IMAGES = 2051  # an IDX file of unsigned bytes with three dimensions
log = logging.getLogger("analogy")


def read_idx_images(path: Path) -> np.ndarray:
    """uint8 [N, H, W] of an IDX file, plain or .gz. Raises UserError."""
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
            content = file.read()
        magic, count, height, width = struct.unpack(">4i", content[:16])
        if magic != IMAGES or min(count, height, width) < 1:
            raise ValueError(f"its first number is {magic}, not {IMAGES}")
        return np.frombuffer(content, np.uint8, count * height * width, 16).reshape(count, height, width)
    except (OSError, EOFError, ValueError, struct.error) as error:
        raise UserError(f"{path}: not an IDX file of images ({error}); fetch it again") from error


def read_digits(folder: Path | None) -> tuple[np.ndarray, np.ndarray, str]:
    """Training and test digits uint8 [N, 28, 28], and what they are.

    Args:
        folder: with the official files, each plain or .gz; where the training images are missing, five sixths of the test
            images train and the rest tests. None: scikit-learn's 1,797 digits of 8 x 8, enlarged; nothing is downloaded.

    Raises:
        UserError: the folder has no such file, or one is damaged.
    """
    if folder is None:
        return _small_digits()
    train, test = (_find(Path(folder), name) for name in (TRAIN_IMAGES, TEST_IMAGES))
    if test is None:
        raise UserError(f"{folder}: there is no {TEST_IMAGES} or {TEST_IMAGES}.gz in this folder (data.folder)")
    images = read_idx_images(test)
    if train is not None:
        return read_idx_images(train), images, "MNIST"
    border = len(images) * 5 // 6
    return (
        images[:border],
        images[border:],
        f"{TRAIN_IMAGES} is missing: {border} digits of MNIST's test set train, the rest tests",
    )


def fetch_digits() -> tuple[np.ndarray, np.ndarray, str]:
    """`read_digits` of what Keras downloads once. Raises UserError where there is no network."""
    import keras

    try:
        # Keras writes the file in place: a second process would read a part of it.
        with locked(cache_folder() / "mnist"):
            (train, _), (test, _) = keras.datasets.mnist.load_data()
    except Exception as error:  # Keras raises no other where it cannot fetch a file
        raise UserError(
            f"MNIST cannot be fetched ({error}); name the folder of its IDX files with --data-dir, or take --scale demo"
        ) from error
    return train, test, "MNIST"


def _find(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)


def _small_digits() -> tuple[np.ndarray, np.ndarray, str]:
    from sklearn.datasets import load_digits

    small = np.rint(load_digits().images * (255 / 16)).astype(np.uint8)  # 0..16
    digits = np.stack([cv2.resize(digit, (20, 20), interpolation=cv2.INTER_LINEAR) for digit in small])
    digits = np.pad(digits, [(0, 0), (4, 4), (4, 4)])  # MNIST's margin
    border = len(digits) * 5 // 6
    return digits[:border], digits[border:], "scikit-learn's 8 x 8 digits, enlarged, in place of MNIST"


def read_standard_test(path: Path) -> np.ndarray:
    """The fixed test file -> uint8 [10000, 20, 64, 64, 1]. Raises UserError."""
    try:
        movies = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise UserError(f"{path}: not a NumPy array ({error}); fetch it again") from error
    if movies.ndim != 4 or movies.shape[0] != 20 or movies.shape[2:] != (64, 64) or movies.dtype != np.uint8:
        raise UserError(f"{path}: {movies.dtype} {movies.shape}, not uint8 [20, N, 64, 64]")
    return movies.transpose(1, 0, 2, 3)[..., None]


def open_moving_mnist(folder: Path | None, cache: Path, settings) -> MovingDigits:
    """Digits that move, drawn anew for every batch; fixed test movies.

    Args:
        folder: see `read_digits`; None: Keras' download, or at demo scale scikit-learn's digits.
        settings: with `data` (a MovieDataSettings), seed and scale.

    Raises:
        UserError: a file is missing or damaged, or the standard test's movies are too short.
    """
    data, length = settings.data, settings.data.context + settings.data.horizon
    train, digits, notes = read_digits(folder) if folder or settings.scale == "demo" else fetch_digits()
    notes += {"published": "; they move as in the report", "standard": "; they move as in the standard set"}[data.split]
    has_test = folder is not None and (folder / STANDARD_TEST).is_file()
    if has_test and data.split != "standard":
        log.info("%s is not used: it is the test of --set data.split=standard", folder / STANDARD_TEST)
    if has_test and data.split == "standard":
        movies, notes = read_standard_test(folder / STANDARD_TEST), f"{notes}; tested on {STANDARD_TEST}"
        if movies.shape[1] < length:
            raise UserError(
                f"{folder / STANDARD_TEST} has {movies.shape[1]} frames a movie, data.context + data.horizon is {length}: "
                "lower them, or take the file out of the folder and test on movies that are drawn"
            )
        test = movies[: data.test_count, :length]
    else:
        drawn = draw_digits(digits, data.split, settings.seed, TEST_DIGITS, data.test_count, length)
        test = np.rint(255.0 * drawn.numpy()).astype(np.uint8)
    log.info("moving_mnist: %s; %d training digits, %d test movies", notes, len(train), len(test))
    return MovingDigits(train, test, motion=data.split, length=length, seed=settings.seed, notes=notes)

"""Moving MNIST: its digits, from the official IDX files or from scikit-learn, and the standard test file."""

from __future__ import annotations

import gzip
import logging
import struct
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf

from analogy.data.doubts import fingerprint
from analogy.data.drawn_movies import DrawnMovies
from analogy.data.movies import Movie
from analogy.data.moving_digits import draw_digits
from analogy.errors import UserError
from analogy.files.locks import locked
from analogy.files.paths import cache_folder
from analogy.files.reading import check_regular
from analogy.random_streams import MOVIES_TO_LOOK_AT, TEST_MOVIES

TRAIN_IMAGES, TEST_IMAGES = "train-images-idx3-ubyte", "t10k-images-idx3-ubyte"
STANDARD_TEST = "mnist_test_seq.npy"  # uint8 [20, 10000, 64, 64], of Srivastava et al. 2015
IMAGES = 2051  # the first number of an IDX file of unsigned bytes with three dimensions
LARGEST_TEST = 2**34  # bytes of the standard test file, twenty times as many as it has
LARGEST = 2**30  # bytes of unpacked images, ten times MNIST's and more: a small .gz can unpack to any size
log = logging.getLogger("analogy")


def read_idx_images(path: Path) -> np.ndarray:
    """Read the images of an IDX file, plain or .gz: uint8 [N, H, W].

    Raises UserError for a missing or damaged file, and for one of more than LARGEST bytes.
    """
    try:
        check_regular(path)
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
            magic, count, height, width = struct.unpack(">4i", file.read(16))
            if magic != IMAGES:
                raise ValueError(f"its first number is {magic}, not {IMAGES}")
            size = count * height * width
            if min(count, height, width) < 1 or size > LARGEST:
                raise ValueError(f"its header says {count} images of {height} x {width}")
            content = file.read(size)
            if file.read(1):  # at the end, gzip compares its checksum too
                raise ValueError("it goes on behind its last image")
        return np.frombuffer(content, np.uint8, size).reshape(count, height, width)
    except (OSError, EOFError, ValueError, struct.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path}: not an IDX file of images ({reason}); fetch it again") from error


def read_digits(folder: Path | None) -> tuple[np.ndarray, np.ndarray, str]:
    """Read the digits.

    Args:
        folder: holds the official files, plain or .gz. Where the training images are missing, the first five sixths of the test
            images are used for training and the last sixth for testing. None: scikit-learn's 1,797 digits of 8 x 8 pixels,
            enlarged; nothing is downloaded.

    Returns:
        Training digits and test digits, uint8 [N, 28, 28] each, and a note that says where they come from.

    Raises:
        UserError: the folder has no test images, or a file is damaged.
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

    small = np.rint(load_digits().images * (255 / 16)).astype(np.uint8)  # scikit-learn's values are 0..16
    digits = np.stack([cv2.resize(digit, (20, 20), interpolation=cv2.INTER_LINEAR) for digit in small])
    digits = np.pad(digits, [(0, 0), (4, 4), (4, 4)])  # MNIST's digits have this margin
    border = len(digits) * 5 // 6
    return digits[:border], digits[border:], "scikit-learn's 8 x 8 digits, enlarged, in place of MNIST"


def read_standard_test(path: Path) -> np.ndarray:
    """Read the standard test file: uint8 [10000, 20, 64, 64, 1]. Raises UserError for a missing or damaged file."""
    try:
        check_regular(path, LARGEST_TEST)
        movies = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # NumPy raises many kinds on a foreign file
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path}: not a NumPy array ({reason}); fetch it again") from error
    if movies.ndim != 4 or movies.shape[0] != 20 or movies.shape[2:] != (64, 64) or movies.dtype != np.uint8:
        raise UserError(f"{path}: {movies.dtype} {movies.shape}, not uint8 [20, N, 64, 64]")
    return movies.transpose(1, 0, 2, 3)[..., None]


def open_moving_mnist(folder: Path | None, cache: Path, settings) -> DrawnMovies:
    """Open Moving MNIST: training movies are generated anew for every batch, test movies are fixed.

    Args:
        folder: see `read_digits`. None: MNIST as Keras downloads it, or at demo scale scikit-learn's digits.
        cache: the folder of prepared data.
        settings: with `data` (a MovieDataSettings), seed and scale.

    Raises:
        UserError: a file is missing or damaged, or the movies of the standard test file are too short.
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
        movies = draw_digits(digits, data.split, settings.seed, TEST_MOVIES, data.test_count, length)
        test = np.rint(255.0 * movies.numpy()).astype(np.uint8)
    log.info("moving_mnist: %s; %d training digits, %d test movies", notes, len(train), len(test))
    return moving_digits(train, test, motion=data.split, length=length, seed=settings.seed, notes=notes)


def moving_digits(digits: np.ndarray, test: np.ndarray, *, motion: str, length: int, seed: int, notes: str) -> DrawnMovies:
    """The dataset of these digits.

    Args:
        digits: uint8 [N, 28, 28], the digits of the training movies.
        test: uint8 [M, k + T, 64, 64, 1], the test movies.
        motion, length, seed: see `draw_digits`.
        notes: text for the protocol.
    """
    digits = tf.constant(digits)

    def draw(step, count):
        return draw_digits(digits, motion, seed, step, count, length)

    def movies(all_frames: np.ndarray, source: str = "") -> list[Movie]:
        return [Movie(f"{index:05d}", "digits", frames, source) for index, frames in enumerate(all_frames)]

    look = np.rint(255.0 * draw(MOVIES_TO_LOOK_AT, 3).numpy()).astype(np.uint8)
    train = movies(look, fingerprint([digits.numpy().tobytes()]))
    return DrawnMovies("moving_mnist", draw, train=train, test=movies(test), notes=notes)

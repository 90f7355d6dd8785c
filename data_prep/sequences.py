"""The sequences of the Seq2Seq LSTM (Coleman): sines, smoothed noise, stock prices."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d

from analogy.data.sequences import SequenceDataset
from analogy.errors import UserError, shortened
from analogy.files.names import visible
from analogy.files.reading import read_regular
from analogy.random_streams import DatasetStream, generator

LENGTH = 50
PUBLISHED_TEST = ("TSLA",)  # files whose names begin with this are the published test set
# First letters of files that are not in the published training set: its pattern [!TSLA]* excludes all four letters.
LEFT_OUT = "TSLA"
DATES = ("timestamp", "time", "date")  # names of the date column in files of Alpha Vantage and Yahoo
PRICES = ("close",)
log = logging.getLogger("analogy")


def make_sines(count: int, seed: int) -> np.ndarray:
    """Sines [count, 50, 1]: (sin(a t + b) + 1) / 2 for t from 0 to 1, with a uniform in 0..4 pi and b uniform in 0..pi."""
    random = generator(seed, DatasetStream.SINES)
    a, b = 4 * np.pi * random.uniform(size=(count, 1)), np.pi * random.uniform(size=(count, 1))
    t = np.linspace(0.0, 1.0, LENGTH)
    return ((np.sin(a * t + b) + 1.0) / 2.0)[..., None]


def make_noise(count: int, seed: int) -> np.ndarray:
    """Uniform noise [count, 50, 1], smoothed by a Gaussian of sigma 1 (edges reflected); each sequence is scaled to 0..1."""
    random = generator(seed, DatasetStream.NOISE)
    smooth = gaussian_filter1d(random.uniform(size=(count, LENGTH)), 1.0, axis=1)
    return _stretched(smooth)[..., None]


def _stretched(values: np.ndarray) -> np.ndarray:
    """Scale each row of [N, L] so that it spans 0..1; no row may be constant."""
    low, high = values.min(1, keepdims=True), values.max(1, keepdims=True)
    return (values - low) / (high - low)


# ---------------------------------------------------------------- the functions that DATASETS names


def open_sines(folder: None, cache: Path, settings) -> SequenceDataset:
    """Sines, made from the seed. Args: settings: with `data` (a SequenceDataSettings) and seed."""
    return _open_generated(make_sines, settings)


def open_noise(folder: None, cache: Path, settings) -> SequenceDataset:
    """Smoothed noise, made from the seed. Args: settings: with `data` (a SequenceDataSettings) and seed."""
    return _open_generated(make_noise, settings)


def open_stocks(folder: Path, cache: Path, settings) -> SequenceDataset:
    """Stock prices from a folder of CSV files, see `read_stocks`. Reading is quick, so nothing is prepared in `cache`."""
    train, test, notes = read_stocks(folder, settings.data.split)
    return _dataset(train, test, settings, notes)


def _open_generated(make: Callable[[int, int], np.ndarray], settings) -> SequenceDataset:
    count = settings.data.train_count
    values = make(count + settings.data.test_count, settings.seed)
    return _dataset(values[:count], values[count:], settings)


def _dataset(train: np.ndarray, test: np.ndarray, settings, notes: str = "") -> SequenceDataset:
    data, length = settings.data, settings.data.context + settings.data.horizon
    log.info("%s: %d training and %d test sequences", data.dataset, len(train), len(test))
    return SequenceDataset(
        data.dataset, train[:, :length], test[:, :length], groups_of=data.groups_of, seed=settings.seed, notes=notes
    )


# ---------------------------------------------------------------- stocks


class Block(NamedTuple):
    """50 successive prices of a stock, oldest first.

    first, last: dates of the first and the last price. prices: [50].
    """

    first: datetime
    last: datetime
    prices: np.ndarray


def read_stocks(folder: Path, split: str) -> tuple[np.ndarray, np.ndarray, str]:
    """Read closing prices in blocks of 50, each scaled to 0..1.

    Args:
        folder: holds CSV files of Alpha Vantage (`timestamp,...,close,...`) or Yahoo (`Date,...,Close,...`), one or more files
            for each symbol. A block never spans two files of a symbol (SYMBOL_year1month2.csv).
        split: "published": the symbols of PUBLISHED_TEST are the test set; symbols whose first letter is in LEFT_OUT are not
            used, and all others are the training set. "chronological": blocks that begin on or after a certain date are the
            test set, and blocks that end before it are the training set. The date is such that about a quarter of the blocks,
            or more if many begin on the same day, are in the test set.

    Returns:
        Training blocks [N, 50, 1], test blocks [M, 50, 1], and a note about what was left out.

    Raises:
        UserError: there is no file, a file has no prices, or the training or test set is empty.
    """
    files = visible(Path(folder).glob("*.csv")) if Path(folder).is_dir() else []
    if not files:
        raise UserError(f"{folder}: there are no CSV files of stock prices in this folder (data.folder)")
    blocks_of: dict[str, list[Block]] = {}
    skipped, constant = 0, 0
    for file in files:
        dates, prices, bad = _read_prices(file)
        skipped += bad
        blocks = prices[: len(prices) // LENGTH * LENGTH].reshape(-1, LENGTH)
        moving = blocks.max(1, initial=0) > blocks.min(1, initial=np.inf)
        constant += int((~moving).sum())
        symbol = blocks_of.setdefault(file.stem.split("_")[0] or file.stem, [])
        for index in np.flatnonzero(moving):
            symbol.append(Block(dates[LENGTH * index], dates[LENGTH * (index + 1) - 1], blocks[index]))
    train, test, unused = (_by_date if split == "chronological" else _by_symbol)(blocks_of)
    splits = [_stretched(np.array(blocks).reshape(-1, LENGTH))[..., None] for blocks in (train, test)]
    for name, blocks in zip(("training", "test"), splits, strict=True):
        if not len(blocks):
            mend = "add older or newer prices" if split == "chronological" else "choose chronological, or add symbols"
            raise UserError(f"{folder}: the {name} half is empty with data.split {split}; {mend}")
    rows = f"{skipped} rows without a price or of a date given before"
    notes = f"{len(files)} files, {rows} and {constant} constant blocks left out"
    notes += f"; {unused}" if unused else ""
    log.info("%s: %s", folder, notes)
    return *splits, notes


def _by_symbol(blocks_of: dict[str, list[Block]]) -> tuple[list[np.ndarray], list[np.ndarray], str]:
    train, test, unused = [], [], []
    for symbol, blocks in blocks_of.items():
        prices = [block.prices for block in sorted(blocks, key=lambda block: block.first)]
        if symbol.startswith(PUBLISHED_TEST):
            test += prices
        elif symbol[0] not in LEFT_OUT:
            train += prices
        else:
            unused.append(symbol)
    return train, test, f"as in the published code, not used: {', '.join(unused)}" if unused else ""


def _by_date(blocks_of: dict[str, list[Block]]) -> tuple[list[np.ndarray], list[np.ndarray], str]:
    """Split at one date for all symbols. Stocks move together, so training on one stock's later prices would reveal others'."""
    blocks = sorted((block for of_symbol in blocks_of.values() for block in of_symbol), key=lambda block: block.first)
    if not blocks:
        return [], [], ""
    border = blocks[min(len(blocks) - len(blocks) // 4, len(blocks) - 1)].first
    train = [block.prices for block in blocks if block.last < border]
    test = [block.prices for block in blocks if block.first >= border]
    across = len(blocks) - len(train) - len(test)
    return train, test, f"the test begins on {border:%Y-%m-%d}, {across} blocks across that date left out"


def _read_prices(file: Path) -> tuple[list[datetime], np.ndarray, int]:
    """Read a CSV file: dates and closing prices [N], oldest first, and the number of rows without a price or of a date given
    before."""
    try:
        rows = list(csv.reader(io.StringIO(read_regular(file).decode("utf-8-sig"), newline="")))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{file}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    head = [name.strip().lower() for name in rows[0]] if rows else []
    columns = [next((head.index(name) for name in names if name in head), None) for names in (DATES, PRICES)]
    if None in columns:
        raise UserError(f"{file}: its first line must name the columns, among them a date (Date, time, timestamp) and Close")
    price_of, bad = {}, 0
    for row in rows[1:]:
        try:
            date, price = datetime.fromisoformat(row[columns[0]].strip()), float(row[columns[1]])
            date = date.replace(tzinfo=None)  # dates with and without a time zone cannot be compared
        except (ValueError, IndexError):
            bad += 1
            continue
        if np.isfinite(price) and price > 0 and date not in price_of:
            price_of[date] = price
        else:
            bad += 1
    if not price_of:
        example = f", such as 2020-01-31 and 10.5; the first is {shortened(','.join(rows[1]), 60)}" if rows[1:] else ""
        raise UserError(f"{file}: there is no row with a date and a price in it{example}")
    dates = sorted(price_of)  # Alpha Vantage puts the newest first
    return dates, np.array([price_of[date] for date in dates]), bad

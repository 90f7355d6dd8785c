"""The sequences of the Seq2Seq LSTM (Coleman; spec seq2seq, section 1.1): sines, smoothed noise, stock prices."""

from __future__ import annotations

import csv
import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d

from analogy.data.sequences import SequenceDataset
from analogy.errors import UserError
from analogy.random_streams import DatasetStream, generator

LENGTH = 50
PUBLISHED_TEST = ("TSLA",)  # the files whose names begin so
LEFT_OUT = "TSLA"  # of training: the published pattern [!TSLA]* drops every file whose first letter is one of these
DATES = ("timestamp", "time", "date")  # columns of Alpha Vantage and of Yahoo
PRICES = ("close",)
log = logging.getLogger("analogy")


def make_sines(count: int, seed: int) -> np.ndarray:
    """[count, 50, 1]: (sin(a t + b) + 1) / 2 with a in 4 pi U(0, 1), b in pi U(0, 1), t from 0 to 1."""
    random = generator(seed, DatasetStream.SINES)
    a, b = 4 * np.pi * random.uniform(size=(count, 1)), np.pi * random.uniform(size=(count, 1))
    t = np.linspace(0.0, 1.0, LENGTH)
    return ((np.sin(a * t + b) + 1.0) / 2.0)[..., None]


def make_noise(count: int, seed: int) -> np.ndarray:
    """[count, 50, 1]: uniform noise, smoothed by a Gaussian of sigma 1 (edges reflected), each sequence stretched to 0..1."""
    random = generator(seed, DatasetStream.NOISE)
    smooth = gaussian_filter1d(random.uniform(size=(count, LENGTH)), 1.0, axis=1)
    return _stretched(smooth)[..., None]


def _stretched(values: np.ndarray) -> np.ndarray:
    """[N, L] -> each row from 0 to 1; no row is constant."""
    low, high = values.min(1, keepdims=True), values.max(1, keepdims=True)
    return (values - low) / (high - low)


# ---------------------------------------------------------------- opened as DATASETS says


def open_sines(folder: None, cache: Path, settings) -> SequenceDataset:
    """Sines, made from the seed. Args: settings: with `data` (a SequenceDataSettings) and seed."""
    return _open_generated(make_sines, settings)


def open_noise(folder: None, cache: Path, settings) -> SequenceDataset:
    """Smoothed noise, made from the seed. Args: settings: with `data` (a SequenceDataSettings) and seed."""
    return _open_generated(make_noise, settings)


def open_stocks(folder: Path, cache: Path, settings) -> SequenceDataset:
    """Stock prices of a folder of CSV files, see `read_stocks`. They are read in a moment: there is nothing to prepare."""
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
    """50 prices of one symbol, oldest first, and the dates of the first and the last."""

    first: datetime
    last: datetime
    prices: np.ndarray


def read_stocks(folder: Path, split: str) -> tuple[np.ndarray, np.ndarray, str]:
    """Closing prices in blocks of 50 -> train and test [N, 50, 1], each block stretched to 0..1, and what was left out.

    Args:
        folder: of CSV files, a symbol in each or more: Alpha Vantage's (`timestamp,...,close,...`) or Yahoo's
            (`Date,...,Close,...`). No block goes on from one file (SYMBOL_year1month2.csv) to the next.
        split: "published": the symbols of PUBLISHED_TEST test, those that the published pattern keeps train; "chronological":
            the blocks of all symbols that begin on one date or later test, about a quarter of them all (more where many begin
            on that date); those that end before it train.

    Raises:
        UserError: no file, a file without prices, or an empty half.
    """
    files = sorted(Path(folder).glob("*.csv")) if Path(folder).is_dir() else []
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
    halves = [_stretched(np.array(half).reshape(-1, LENGTH))[..., None] for half in (train, test)]
    for name, half in zip(("training", "test"), halves, strict=True):
        if not len(half):
            mend = "add older or newer prices" if split == "chronological" else "choose chronological, or add symbols"
            raise UserError(f"{folder}: the {name} half is empty with data.split {split}; {mend}")
    notes = f"{len(files)} files, {skipped} rows without a price and {constant} constant blocks left out"
    notes += f"; {unused}" if unused else ""
    log.info("%s: %s", folder, notes)
    return *halves, notes


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
    """One date for all symbols: they move together, so that one's future would tell another's."""
    blocks = sorted((block for of_symbol in blocks_of.values() for block in of_symbol), key=lambda block: block.first)
    if not blocks:
        return [], [], ""
    border = blocks[min(len(blocks) - len(blocks) // 4, len(blocks) - 1)].first
    train = [block.prices for block in blocks if block.last < border]
    test = [block.prices for block in blocks if block.first >= border]
    across = len(blocks) - len(train) - len(test)
    return train, test, f"the test begins on {border:%Y-%m-%d}, {across} blocks across that date left out"


def _read_prices(file: Path) -> tuple[list[datetime], np.ndarray, int]:
    """Dates and closing prices, oldest first, and how many rows had none."""
    try:
        with open(file, newline="", encoding="utf-8-sig") as opened:
            rows = list(csv.reader(opened))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{file}: cannot be read: {error}") from error
    head = [name.strip().lower() for name in rows[0]] if rows else []
    columns = [next((head.index(name) for name in names if name in head), None) for names in (DATES, PRICES)]
    if None in columns:
        raise UserError(f"{file}: its first line must name the columns, among them a date (Date, time, timestamp) and Close")
    known, bad = [], 0
    for row in rows[1:]:
        try:
            date, price = datetime.fromisoformat(row[columns[0]].strip()), float(row[columns[1]])
            date = date.replace(tzinfo=None)  # some rows may name a time zone, and others not
        except (ValueError, IndexError):
            bad += 1
            continue
        if np.isfinite(price) and price > 0:
            known.append((date, price))
        else:
            bad += 1
    if not known:
        raise UserError(f"{file}: there is no row with a date and a price in it")
    known.sort(key=lambda pair: pair[0])  # Alpha Vantage puts the newest first
    return [date for date, _ in known], np.array([price for _, price in known]), bad

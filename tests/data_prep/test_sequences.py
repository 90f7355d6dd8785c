"""Sines, noise and stocks: their rules, the published figures of trivial predictors, and damaged files."""

import numpy as np
import pytest

from analogy.data.batches import ReplicaContext
from analogy.data.sequences import SequenceDataset
from analogy.errors import UserError
from data_prep.sequences import make_noise, make_sines, read_stocks
from tests.conftest import _shared


def linear(train, test):
    """Mean squared error, at each step, of the best linear map (with a constant) from the first 25 values to the last 25."""
    ones = lambda x: np.concatenate([x[:, :25, 0], np.ones((len(x), 1))], 1).astype(np.float64)  # noqa: E731
    weights = np.linalg.lstsq(ones(train), train[:, 25:, 0].astype(np.float64), rcond=None)[0]
    return np.square(ones(test) @ weights - test[:, 25:, 0]).mean(0)


# Mean squared errors over 40,000 sequences.
@pytest.mark.parametrize(
    ("make", "constant", "last", "best"), [(make_noise, 6.42e-2, 1.21e-1, 6.09e-2), (make_sines, 1.25e-1, 1.99e-1, 4.4e-6)]
)
def test_trivial_predictors_have_the_known_errors(make, constant, last, best):
    values = make(40_000, 0)
    assert values.shape == (40_000, 50, 1) and values.min() >= 0 and values.max() <= 1
    future = values[:, 25:]
    assert np.square(future - 0.5).mean() == pytest.approx(constant, rel=0.02)
    assert np.square(future - values[:, 24:25]).mean() == pytest.approx(last, rel=0.02)
    errors = linear(values[:20_000], values[20_000:])
    assert errors.mean() == pytest.approx(best, rel=0.15)
    if make is make_sines:  # as stored, the best linear map is forty times worse: it magnifies the rounding
        rounded = values.astype(np.float32)
        assert linear(rounded[:20_000], rounded[20_000:]).mean() == pytest.approx(1.8e-4, rel=0.15)
    else:
        np.testing.assert_allclose(errors[[0, 1, 2, -1]], [0.0094, 0.0432, 0.0604, 0.1001], rtol=0.05)
        assert np.all(values.min(1) == 0) and np.all(values.max(1) == 1)


def test_generated_sequences_depend_on_the_seed_alone():
    np.testing.assert_array_equal(make_sines(3, 1), make_sines(3, 1))
    assert not np.array_equal(make_sines(3, 1), make_sines(3, 2))


def test_every_sequence_is_seen_once_an_epoch_and_epochs_differ():
    values = np.arange(10, dtype=np.float32)[:, None, None] * np.ones((1, 4, 1), np.float32)
    dataset = SequenceDataset("counted", values, values, groups_of=4, seed=0)
    assert [len(group.values) for group in dataset.test] == [4, 4, 2]
    batches = [batch["values"][:, 0, 0].numpy() for batch in dataset.batches(ReplicaContext(batch_size=4)).take(10)]
    positions = np.concatenate(batches)
    for epoch in range(4):
        assert sorted(positions[10 * epoch : 10 * epoch + 10]) == list(range(10))
    assert not np.array_equal(positions[:10], positions[10:20])
    later = next(iter(dataset.batches(ReplicaContext(batch_size=4, start_step=2))))
    np.testing.assert_array_equal(later["values"][:, 0, 0], batches[2])  # across the end of an epoch


def write(folder, name, closes, newest_first=False, head="timestamp,open,high,low,close,volume"):
    rows = [f"2020-01-01 {9 + m // 60:02d}:{m % 60:02d}:00,1,1,1,{price},5" for m, price in enumerate(closes)]
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("\n".join([head, *(reversed(rows) if newest_first else rows)]))


def test_minute_prices_are_cut_into_blocks_and_split_as_published(tmp_path):
    rising = np.arange(1, 121)
    for name in ("GOOGL_year1month1.csv", "GOOGL_year1month2.csv", "AAPL.csv", "TSLA.csv"):
        write(tmp_path, name, rising, newest_first=name.startswith("GOOGL"))
    train, test, notes = read_stocks(tmp_path, "published")
    assert train.shape == (4, 50, 1) and test.shape == (2, 50, 1)  # AAPL is dropped, as by the published pattern
    np.testing.assert_allclose(train[1, :, 0], np.linspace(0, 1, 50), atol=1e-6)  # put into order
    assert notes.startswith("4 files, 0 rows") and notes.endswith("not used: AAPL")
    write(tmp_path / "long", "GOOGL.csv", np.arange(1, 410))
    train, test, _ = read_stocks(tmp_path / "long", "chronological")
    assert (len(train), len(test)) == (6, 2)


def test_no_slice_of_a_symbol_trains_on_what_comes_after_the_test(tmp_path):
    for month, closes in (
        (1, 1000 + np.arange(200)),
        (2, 3000 + np.sqrt(np.arange(200))),
    ):  # month 2 of the file names is older
        write(tmp_path, f"GOOGL_year1month{month}.csv", closes)
    older = (tmp_path / "GOOGL_year1month2.csv").read_text().replace("2020-01-01", "2019-12-01")
    (tmp_path / "GOOGL_year1month2.csv").write_text(older.replace("09:07:00", "09:07:00+01:00"))  # one row names a time zone
    train, test, notes = read_stocks(tmp_path, "chronological")
    assert train.shape == (6, 50, 1) and test.shape == (2, 50, 1) and notes.startswith("2 files, 0 rows")
    straight = np.linspace(0, 1, 50)[:, None]
    assert np.abs(train[:4] - straight).max() > 0.01 and np.abs(np.concatenate([train[4:], test]) - straight).max() < 1e-6


def test_no_symbol_trains_on_days_on_which_another_tests(tmp_path):
    """BBB's prices are older than AAA's, except for its third block, which spans the day on which the test set begins."""
    write(tmp_path, "BBB.csv", np.arange(1, 151))
    (tmp_path / "BBB.csv").write_text((tmp_path / "BBB.csv").read_text().replace("2020-01-01 11:", "2021-01-01 23:"))
    write(tmp_path, "AAA.csv", np.sqrt(np.arange(1, 301)))
    (tmp_path / "AAA.csv").write_text((tmp_path / "AAA.csv").read_text().replace("2020-01-01", "2021-01-01"))
    straight = np.linspace(0, 1, 50)[:, None]
    train, test, notes = read_stocks(tmp_path, "chronological")
    assert (len(train), len(test)) == (6, 2) and "2021-01-01, 1 blocks across that date left out" in notes
    assert [np.abs(block - straight).max() < 1e-6 for block in train] == [True, True, False, False, False, False]


def test_real_daily_prices():
    folder = _shared("data/stocks")
    train, test, notes = read_stocks(folder, "chronological")
    assert len(train) + len(test) + 7 == sum(n // 50 for n in (10086, 10275, 5935, 2157, 4109, 8761, 5510, 2634))
    assert "the test begins on 2014-08-29" in notes and "7 blocks across that date left out" in notes
    assert train.min() == 0 and train.max() == 1 and " 1 rows without a price" in notes
    published = read_stocks(folder, "published")
    assert len(published[1]) == 2634 // 50 and len(published[0]) == sum(n // 50 for n in (2157, 4109, 8761, 5510))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "name the columns"),
        (b"a,b\n1,2", "name the columns"),
        (b"Date,Close\nx,y", "no row"),
        (b"Date,Close\n01/31/2020,9\n", r"no row with a date .* such as 2020-01-31 and 10\.5; the first is 01/31/2020,9$"),
        (b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_a_file_without_prices_is_named(tmp_path, content, message):
    (tmp_path / "GOOGL.csv").write_bytes(content)
    with pytest.raises(UserError, match=message) as error:
        read_stocks(tmp_path, "published")
    assert "GOOGL.csv" in str(error.value)


def test_rows_that_stand_twice_count_once(tmp_path):
    """As where two downloads were joined."""
    write(tmp_path, "GOOGL.csv", np.arange(1, 201))
    once = read_stocks(tmp_path, "chronological")
    text = (tmp_path / "GOOGL.csv").read_text()
    (tmp_path / "GOOGL.csv").write_text(text.rstrip("\n") + "\n" + text.partition("\n")[2])
    twice = read_stocks(tmp_path, "chronological")
    for before, now in zip(once[:2], twice[:2], strict=True):
        np.testing.assert_array_equal(before, now)
    assert "200 rows without a price or of a date given before" in twice[2]


def test_no_file_and_an_empty_half(tmp_path):
    with pytest.raises(UserError, match="no CSV files"):
        read_stocks(tmp_path, "published")
    write(tmp_path, "GOOGL.csv", np.arange(1, 61))
    with pytest.raises(UserError, match="test half is empty"):
        read_stocks(tmp_path, "published")

"""Checks all items of a source in parallel.

Outcomes are written to a journal, one JSON line for each item, so that an interrupted check continues where it stopped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TypeVar

from analogy.memory import count_processors
from data_prep.frame_store.source import Checked, Listing, Problem, Source

BAD_NAME = "unreadable name"

Item, Result = TypeVar("Item"), TypeVar("Result")


def check_items(source: Source, listing: Listing, journal: Path, track: Callable[[Iterable, int], Iterable]) -> list[Checked]:
    """Check all items that are not in the journal yet.

    Args:
        source: reads and checks the items.
        listing: the items of the source.
        journal: file of outcomes, which is read first and then appended to.
        track: wraps the stream of outcomes, given their number, to show a progress bar.

    Returns:
        The outcomes of all items, in their order.
    """
    done = read_journal(journal)
    waiting = [item for item in listing.items if item not in done]
    with journal.open("a", encoding="utf-8") as log:
        for checked in track(map_ahead(partial(check_item, source), waiting, count_processors()), len(waiting)):
            log.write(journal_line(checked))
            log.flush()
            done[checked.item] = checked
    return [done[item] for item in listing.items]


def check_item(source: Source, item: str) -> Checked:
    """`Source.check` of an item whose name is text."""
    if (shown := item.encode(errors="surrogateescape").decode(errors="replace")) != item:
        return Checked(item, problems=(Problem(shown, BAD_NAME, shown, "its name is no UTF-8; rename it"),))
    return source.check(item)


def journal_line(checked: Checked) -> str:
    return json.dumps(asdict(checked)) + "\n"


def read_journal(journal: Path) -> dict[str, Checked]:
    """item -> its outcome, for all items in the journal.

    An incomplete last line, from a killed process, is removed. A damaged journal is deleted.
    """
    if not journal.exists():
        return {}
    content = journal.read_bytes()
    complete = content[: content.rfind(b"\n") + 1]
    os.truncate(journal, len(complete))
    try:
        checked = [Checked.from_json(json.loads(line)) for line in complete.splitlines()]
    except (ValueError, TypeError, KeyError):
        journal.unlink()
        return {}
    return {outcome.item: outcome for outcome in checked}


def map_ahead(function: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """Like `map`, but in threads. Results keep their order.

    At most 2 * `threads` results are computed ahead, so that memory does not grow with the number of items. Threads are enough,
    because image decoders release Python's global lock.
    """
    pool = ThreadPoolExecutor(threads)
    waiting = []
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > 2 * threads:
                yield waiting.pop(0).result()
        while waiting:
            yield waiting.pop(0).result()
    finally:
        pool.shutdown(cancel_futures=True)

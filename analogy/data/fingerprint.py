"""A fingerprint of a dataset, part by part: a run keeps it, so that going on with other data is noticed and named."""

from __future__ import annotations

import json
from collections.abc import Callable

from analogy.data.contract import Dataset, Item
from analogy.data.doubts import fingerprint

# Part of a fingerprint -> what has changed where that part differs.
PARTS = {
    "name": "the name of the dataset",
    "notes": "what is noted of the data",
    "train": "which clips train",
    "test": "which clips test",
    "lengths": "the number of frames of a clip",
    "sizes": "the size of frames",
    "actions": "the action of a clip",
    "labels": "the labels of a clip",
    "content": "the frames or values of a clip",
}


def dataset_fingerprint(dataset: Dataset) -> dict[str, str]:
    """The keys of PARTS -> a text that is equal where that part of the data is equal, in any process.

    No frame is decoded: contents are known from when the data were prepared. The parts after `test` cover the clips of both
    halves whatever half they are in, so that a clip that only changes its half changes only `train` and `test`.
    """
    halves = {"train": dataset.train, "test": dataset.test}
    names = {half: [item.id for item in items] for half, items in halves.items()}
    in_both = set(names["train"]) & set(names["test"])  # groups of sequences are numbered in each half
    items = {(item.id, half if item.id in in_both else ""): item for half, items in halves.items() for item in items}

    def of_all(fact: Callable[[Item], object]) -> str:
        return _hash([[*key, fact(items[key])] for key in sorted(items)])

    return {
        "name": dataset.name,
        "notes": dataset.notes,
        **{half: _hash(ids) for half, ids in names.items()},  # in their order, which decides what is drawn
        "lengths": of_all(lambda item: item.length),
        "sizes": of_all(lambda item: item.size),
        "actions": of_all(lambda item: item.action),
        "labels": of_all(lambda item: item.label_fingerprint),
        "content": of_all(lambda item: item.fingerprint),
    }


def changed_parts(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """The parts in which two fingerprints differ, in the order of PARTS; what only one of them has is not compared."""
    return [part for part in PARTS if part in before and part in now and before[part] != now[part]]


def _hash(facts: list) -> str:
    return fingerprint([json.dumps(facts).encode()])

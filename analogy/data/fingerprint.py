"""Fingerprints of datasets. A run stores one, so that resuming it with different data is noticed."""

from __future__ import annotations

import json
from collections.abc import Callable

from analogy.data.contract import Dataset, Item
from analogy.data.doubts import fingerprint

# Part of a fingerprint -> what has changed if that part differs.
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
    """Each key of PARTS, and "pool", -> a text that is equal for equal data, also in another process.

    That of "pool" is equal too where the same clips have other names: clips have changed places, but none has changed.

    No frame is decoded: the fingerprints of the clips were stored when the dataset was prepared. The parts after `test` do not
    depend on whether a clip is used for training or test: moving a clip from one to the other changes only `train` and `test`.
    """
    splits = {"train": dataset.train, "test": dataset.test}
    names = {split: [item.id for item in items] for split, items in splits.items()}
    shared = set(names["train"]) & set(names["test"])  # groups of sequences have the same numbers in training and test
    items = {(item.id, split if item.id in shared else ""): item for split, items in splits.items() for item in items}

    def hash_of_all(fact: Callable[[Item], object]) -> str:
        return _hash([[*key, fact(items[key])] for key in sorted(items)])

    return {
        "name": dataset.name,
        "notes": dataset.notes,
        **{split: _hash(ids) for split, ids in names.items()},  # in their order, on which the random draws depend
        "lengths": hash_of_all(lambda item: item.length),
        "sizes": hash_of_all(lambda item: item.size),
        "actions": hash_of_all(lambda item: item.action),
        "labels": hash_of_all(lambda item: item.label_fingerprint),
        "content": hash_of_all(lambda item: item.fingerprint),
        # Of the clips themselves: several items may be windows of one.
        "pool": _hash(sorted({getattr(item, "clip", item).fingerprint for item in items.values()})),
    }


def changed_parts(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """The parts in which two fingerprints differ, in the order of PARTS. A part that only one of them has is ignored."""
    return [part for part in PARTS if part in before and part in now and before[part] != now[part]]


def _hash(facts: list) -> str:
    return fingerprint([json.dumps(facts).encode()])

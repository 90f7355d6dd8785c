"""Selecting the training clips and the test clips of a dataset."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from pathlib import Path

from analogy.data.doubts import some
from analogy.data.prepared import Clip
from analogy.errors import UserError
from analogy.files.reading import read_regular


def read_split_file(path: Path, known: Container[str] = ()) -> list[str]:
    """The clip ids in a split file, which has one clip per line. A line is one of the `known` ids, in which there may be
    spaces; or its first word is the id or a path, such as `frames/2289 0`. Raises UserError."""
    try:
        lines = [line.strip() for line in read_regular(path).decode("utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: the split file cannot be read: {getattr(error, 'strerror', None) or error}") from error
    return [line if line in known else re.split(r"[/\\]", line.split()[0].rstrip("/\\"))[-1] for line in lines if line]


def absent_clips(clips: Sequence[Clip], *split_files: Sequence[str] | str | None) -> list[str]:
    """A line for each split file (a path) that names clips which are not in the dataset, where they are left out.

    split_files: values of `data.train_clips` and `data.test_clips`; lists of ids and None are passed over.
    """
    present, lines = {clip.id for clip in clips}, []
    for file in split_files:
        names = read_split_file(Path(file), present) if isinstance(file, str) else []
        if absent := [name for name in names if name not in present]:
            lines.append(f"{len(absent)} of {len(names)} clips of {file} are not in the dataset: {some(absent)}")
    return lines


def one_frame_clips(clips: Sequence[Clip]) -> list[str]:
    """A line about the clips of one frame, which are left out; none if there are none."""
    short = [clip.id for clip in clips if clip.length < 2]
    what = "have one frame, in which there is nothing to predict, and are left out"
    return [f"{len(short)} of {len(clips)} clips {what}: {some(short)}"] if short else []


def select_clips(
    clips: Sequence[Clip],
    *,
    actions: Sequence[str] | str = "all",
    train_clips: Sequence[str] | str | None = None,
    test_clips: Sequence[str] | str | None = None,
) -> tuple[list[Clip], list[Clip]]:
    """Select the training clips and the test clips: (train, test), each sorted by clip id.

    Args:
        actions: the actions to use, or "all".
        train_clips, test_clips: a list of ids; or the path of a split file, whose clips that are not in the dataset are
            ignored; None is the dataset's own split.

    Raises:
        UserError: an action or a clip is unknown, there are no training or no test clips, or a clip is in both.
    """
    present_actions = sorted({clip.action for clip in clips})
    if actions != "all":
        if unknown := sorted(set(actions) - set(present_actions)):
            there = ", ".join(present_actions)
            raise UserError(f"data.actions: there is no {', '.join(unknown)} in the dataset; it has {there}")
        clips = [clip for clip in clips if clip.action in actions]
    train = _clips_of_split(clips, "train", train_clips)
    test = _clips_of_split(clips, "test", test_clips)
    if shared := sorted({clip.id for clip in train} & {clip.id for clip in test}):
        raise UserError(
            f"{', '.join(shared[:5])}{' ...' if len(shared) > 5 else ''}: in the training and in the test half; "
            "name others with data.test_clips or data.train_clips"
        )
    return train, test


def _clips_of_split(clips: Sequence[Clip], split: str, selection: Sequence[str] | str | None) -> list[Clip]:
    """The clips for "train" or "test", sorted by id. selection: as in `select_clips`. Raises UserError."""
    usable = {clip.id: clip for clip in clips if clip.length >= 2}
    if selection is None:
        selected = [clip for clip in usable.values() if clip.split == split]
        why = f"no clip of the dataset belongs to its {split} half; name some with data.{split}_clips=[...]"
        if len(usable) < len(clips):
            why = f"{one_frame_clips(clips)[0]}; " + (why if usable else "give clips of two frames or more")
    elif isinstance(selection, str):
        selected = [usable[name] for name in dict.fromkeys(read_split_file(Path(selection), usable)) if name in usable]
        why = f"{selection}: none of the clips of this split file are in the dataset (data.{split}_clips)"
    else:
        short = {clip.id for clip in clips if clip.length < 2}
        for name in selection:
            if name in short:
                raise UserError(f"data.{split}_clips: clip {name} has one frame: there is nothing to predict")
            if name not in usable:
                there = some(sorted(usable)) or "none"
                raise UserError(f"data.{split}_clips: there is no usable clip {name} in the dataset; there are {there}")
        selected = [usable[name] for name in dict.fromkeys(selection)]
        why = f"data.{split}_clips is empty: name at least one clip"
    if not selected:
        raise UserError(f"the {split} split is empty: {why}")
    return sorted(selected, key=lambda clip: clip.id)


def first_per_action(clips: Sequence[Clip], count: int, preferred: Sequence[str] = ()) -> list[Clip]:
    """The first `count` clips of each action. Those with preferred ids come first, in that order; the others follow by id."""
    rank = {name: index for index, name in enumerate(preferred)}
    ordered = sorted(clips, key=lambda clip: (rank.get(clip.id, len(rank)), clip.id))
    first: dict[str, list[Clip]] = {}
    for clip in ordered:
        if len(clips_of_action := first.setdefault(clip.action, [])) < count:
            clips_of_action.append(clip)
    return [clip for action in sorted(first) for clip in first[action]]

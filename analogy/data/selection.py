"""Which clips train and which test."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from analogy.data.prepared import Clip
from analogy.errors import UserError


def read_split_file(path: Path) -> list[str]:
    """Clip ids of a split file with a clip per line, the first word being its id or path (`frames/2289 0`)."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: the split file cannot be read: {error}") from error
    return [line.split()[0].rstrip("/").rsplit("/", 1)[-1] for line in lines if line.strip()]


def select_clips(
    clips: Sequence[Clip],
    *,
    actions: Sequence[str] | str = "all",
    train_clips: Sequence[str] | str | None = None,
    test_clips: Sequence[str] | str | None = None,
) -> tuple[list[Clip], list[Clip]]:
    """(train, test), in order of clip id.

    Args:
        actions: "all", or the actions to keep.
        train_clips, test_clips: None is the dataset's own split; a list of ids; or the path of a split file, of which
            the clips that are not in the dataset are passed over.

    Raises:
        UserError: an unknown action or clip, an empty half, or a clip in both halves.
    """
    known = sorted({clip.action for clip in clips})
    if actions != "all":
        if unknown := sorted(set(actions) - set(known)):
            raise UserError(f"data.actions: there is no {', '.join(unknown)} in the dataset; it has {', '.join(known)}")
        clips = [clip for clip in clips if clip.action in actions]
    train = _half(clips, "train", train_clips)
    test = _half(clips, "test", test_clips)
    if both := sorted({clip.id for clip in train} & {clip.id for clip in test}):
        raise UserError(
            f"{', '.join(both[:5])}{' ...' if len(both) > 5 else ''}: in the training and in the test half; "
            "set both data.train_clips and data.test_clips, without a common clip"
        )
    return train, test


def _half(clips: Sequence[Clip], split: str, wanted: Sequence[str] | str | None) -> list[Clip]:
    usable = {clip.id: clip for clip in clips if clip.length >= 2}
    if wanted is None:
        chosen = [clip for clip in usable.values() if clip.split == split]
        why = f"no clip of the dataset belongs to its {split} half; name some with data.{split}_clips=[...]"
    elif isinstance(wanted, str):
        chosen = [usable[name] for name in dict.fromkeys(read_split_file(Path(wanted))) if name in usable]
        why = f"{wanted}: none of the clips of this split file are in the dataset (data.{split}_clips)"
    else:
        short = {clip.id for clip in clips if clip.length < 2}
        for name in wanted:
            if name in short:
                raise UserError(f"data.{split}_clips: clip {name} has one frame: there is nothing to predict")
            if name not in usable:
                raise UserError(f"data.{split}_clips: there is no usable clip {name} in the dataset")
        chosen = [usable[name] for name in dict.fromkeys(wanted)]
        why = f"data.{split}_clips is empty: name at least one clip"
    if not chosen:
        raise UserError(f"the {split} split is empty: {why}")
    return sorted(chosen, key=lambda clip: clip.id)


def first_per_action(clips: Sequence[Clip], count: int, preferred: Sequence[str] = ()) -> list[Clip]:
    """The first `count` clips of each action: preferred ids in their order, then the others by name."""
    rank = {name: index for index, name in enumerate(preferred)}
    ordered = sorted(clips, key=lambda clip: (rank.get(clip.id, len(rank)), clip.id))
    taken: dict[str, list[Clip]] = {}
    for clip in ordered:
        if len(of_action := taken.setdefault(clip.action, [])) < count:
            of_action.append(clip)
    return [clip for action in sorted(taken) for clip in taken[action]]

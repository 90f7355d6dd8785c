"""Penn Action as a source of the frame store: lists the official folder and finds out which of its clips are usable."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from analogy.data.doubts import count_black, fingerprint, share_outside
from analogy.data.pictures import upright_jpeg
from analogy.data.prepared import Clip, FrameFormat
from analogy.errors import UserError
from data_prep.frame_store import Checked, Problem, prepare_frames
from data_prep.frame_store.prepare import SHARD_BYTES
from data_prep.penn_action.labels import Labels, read_labels

LAYOUT = "frames/NNNN/NNNNNN.jpg and labels/NNNN.mat"

NO_FRAMES = "labels without frames"
NO_LABELS = "frames without labels"
BAD_LABELS = "unreadable labels"
TOO_FEW_FRAMES = "fewer frames than labels"
BAD_FRAME = "unreadable frame"
WRONG_SIZE = "frame size differs from labels"

_START, _SCAN, _END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"  # JPEG markers: start of image, of scan, end of image


def prepare_penn_action(source: Path, cache: Path, *, name: str = "penn_action", shard_bytes: int = SHARD_BYTES) -> Path:
    """Prepare a folder in Penn Action's layout; see `data_prep.frame_store.prepare_frames`.

    Args:
        source: folder with `frames/NNNN/NNNNNN.jpg` and `labels/NNNN.mat`.
        cache: folder of prepared data.
        name: of the dataset, with which the name of the prepared folder begins.
        shard_bytes: the most bytes of encoded frames in a shard.

    Returns:
        The prepared folder.
    """
    return prepare_frames(PennActionSource(Path(source), name), cache, shard_bytes=shard_bytes)


@dataclass(frozen=True)
class PennActionSource:
    """A folder in the official layout. Its JPEG files are stored unchanged, unless their EXIF orientation says to turn them."""

    folder: Path
    name: str = "penn_action"
    layout = LAYOUT
    format = FrameFormat("jpeg", channels=3, labelled=True)

    def items(self) -> dict[str, list[os.DirEntry]]:
        try:
            items = {Path(entry.name).stem: [entry] for entry in _files(self.folder / "labels", ".mat")}
            for entry in os.scandir(self.folder / "frames"):
                if entry.is_dir() and not entry.name.startswith("."):
                    items.setdefault(entry.name, []).extend(_files(Path(entry.path), ".jpg"))
        except OSError as error:
            raise UserError(
                f"{self.folder}: not a readable Penn Action folder ({error.strerror}: {error.filename}); expected {LAYOUT}"
            ) from error
        if not items:
            raise UserError(f"{self.folder}: holds neither labels nor frames; expected {LAYOUT}")
        return dict(sorted(items.items()))

    def check(self, item: str) -> Checked:
        return check_clip(self.folder, item)

    def read(self, item: str) -> Iterator[dict]:
        labels = read_labels(label_path(self.folder, item))
        for frame in range(labels.length):
            yield {
                "image": upright_jpeg(frame_path(self.folder, item, frame).read_bytes()),
                "joints": labels.joints[frame],
                "visibility": labels.visibility[frame],
                "box": labels.boxes[frame],
            }


def _files(folder: Path, suffix: str) -> list[os.DirEntry]:
    files = [entry for entry in os.scandir(folder) if entry.name.endswith(suffix) and not entry.name.startswith(".")]
    return sorted(files, key=lambda entry: entry.name)


def frame_path(source: Path, clip: str, frame: int) -> Path:
    """The JPEG file of a frame. `frame` counts from 0, but the official file names count from 1."""
    return source / "frames" / clip / f"{frame + 1:06d}.jpg"


def label_path(source: Path, clip: str) -> Path:
    return source / "labels" / f"{clip}.mat"


def check_clip(source: Path, clip: str) -> Checked:
    """Check the labels of a clip and decode all its labelled frames."""

    def rejected(*problems: tuple[str, Path, str]) -> Checked:
        listed = (Problem(clip, reason, str(file.relative_to(source)), detail) for reason, file, detail in problems)
        return Checked(clip, problems=tuple(listed))

    labels_file, folder = label_path(source, clip), source / "frames" / clip
    if not labels_file.exists():
        return rejected((NO_LABELS, folder, f"{labels_file.name} is missing"))
    if not folder.is_dir() or not any(folder.glob("*.jpg")):
        return rejected((NO_FRAMES, folder, "the folder is empty" if folder.is_dir() else "the folder is missing"))
    try:
        labels = read_labels(labels_file)
    except UserError as error:
        return rejected((BAD_LABELS, labels_file, str(error)))
    paths = [frame_path(source, clip, frame) for frame in range(labels.length)]
    missing = [path for path in paths if not path.exists()]
    if missing:
        return rejected((TOO_FEW_FRAMES, missing[0], f"{len(missing)} of {labels.length} labelled frames are missing"))
    frames = [_check_frame(path, labels) for path in paths]
    problems = [frame for frame in frames if isinstance(frame, tuple)]
    if problems:
        return rejected(*problems)
    turned = sum(frame.turned for frame in frames)
    usable_clip = Clip(
        id=clip,
        action=labels.action,
        viewpoint=labels.viewpoint,
        split=labels.official_split,
        length=labels.length,
        height=labels.height,
        width=labels.width,
        union_box=labels.union_box,
        notes=f"{turned} frames are turned as their EXIF orientation says; its labels must be of turned frames"
        if turned
        else "",
        fingerprint=fingerprint(frame.digest for frame in frames),
        joints_outside=share_outside(labels.joints, labels.visibility, labels.width, labels.height),
        black_frames=sum(frame.black for frame in frames),
        unlabelled_frames=len([file for file in folder.glob("*.jpg") if file.name[0] != "."]) - len(paths),
        label_fingerprint=fingerprint([labels.joints.tobytes(), labels.visibility.tobytes(), labels.boxes.tobytes()]),
    )
    return Checked(clip, (usable_clip,), image_bytes=sum(path.stat().st_size for path in paths))


@dataclass(frozen=True)
class _Frame:
    """A sound frame. digest: SHA-256 of its file. black: whether it is all black. turned: whether its EXIF data turn it."""

    digest: bytes
    black: bool
    turned: bool


def _check_frame(path: Path, labels: Labels) -> tuple[str, Path, str] | _Frame:
    """Decode a frame: the sound frame, or its problem as (reason, file, detail)."""
    try:
        data = path.read_bytes()
    except OSError as error:
        return BAD_FRAME, path, error.strerror or "cannot be read"
    # A decoder may fill the missing part of a truncated picture with grey and report nothing, so look for the end marker too.
    # It must come after the last scan, because an embedded thumbnail has an end marker of its own.
    if not data.startswith(_START) or data.rfind(_END) <= data.rfind(_SCAN):
        return BAD_FRAME, path, "not a complete JPEG file"
    try:
        # This is the decoder of training. OpenCV's decoder accepts damaged files that this one refuses.
        upright = upright_jpeg(data)
        image = tf.io.decode_jpeg(upright, channels=3)
    except (tf.errors.InvalidArgumentError, OSError, ValueError):
        return BAD_FRAME, path, "does not decode"
    if image.shape[:2] != (labels.height, labels.width):
        size = f"{image.shape[0]}x{image.shape[1]}"
        return WRONG_SIZE, path, f"frame {size}, labels {labels.height}x{labels.width} (height x width)"
    return _Frame(hashlib.sha256(data).digest(), bool(count_black(image.numpy()[None])), turned=upright is not data)

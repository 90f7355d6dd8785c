"""Penn Action as a source of the frame store: lists the official folder and finds out which of its clips are usable."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from analogy.data.doubts import count_black, fingerprint, share_outside
from analogy.data.pictures import DAMAGED, orientation, plain_jpeg
from analogy.data.prepared import Clip, FrameFormat
from analogy.errors import UserError
from analogy.files.names import PICTURES
from analogy.files.reading import NO_FILE, read_regular
from data_prep.frame_store import Checked, Problem, prepare_frames
from data_prep.frame_store.prepare import SHARD_BYTES
from data_prep.penn_action.frame_files import labelled_frames, official_names, picture_files
from data_prep.penn_action.labels import Labels, read_labels

LAYOUT = "frames/NNNN/NNNNNN.jpg and labels/NNNN.mat"

NO_FRAMES = "labels without frames"
NO_LABELS = "frames without labels"
BAD_LABELS = "unreadable labels"
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
    """A folder in the official layout. Its JPEG files are stored unchanged, unless their EXIF orientation says to turn them.

    Frames of other names or formats are read too: see `labelled_frames` and `analogy.data.pictures.plain_jpeg`.
    """

    folder: Path
    name: str = "penn_action"
    layout = LAYOUT
    format = FrameFormat("jpeg", channels=3, labelled=True)

    def items(self) -> dict[str, list[os.DirEntry]]:
        try:
            items = {Path(entry.name).stem: [entry] for entry in _files(self.folder / "labels", (".mat",))}
            for entry in os.scandir(self.folder / "frames"):
                if not entry.name.startswith(".") and os.path.isdir(entry):
                    items.setdefault(entry.name, []).extend(_frames(entry))
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
        labels, folder = read_labels(label_path(self.folder, item)), self.folder / "frames" / item
        files = labelled_frames(folder, picture_files(folder), labels.length)
        for frame, file in enumerate(files):
            yield {
                "image": plain_jpeg(file.read_bytes()),
                "joints": labels.joints[frame],
                "visibility": labels.visibility[frame],
                "box": labels.boxes[frame],
            }


def _frames(folder: os.DirEntry) -> list[os.DirEntry]:
    """The frames in a clip's folder; none where it may not be read, which `check_clip` says."""
    try:
        return _files(Path(folder.path), PICTURES)
    except PermissionError:
        return []


def _files(folder: Path, suffixes: tuple[str, ...]) -> list[os.DirEntry]:
    files = [e for e in os.scandir(folder) if e.name.lower().endswith(suffixes) and not e.name.startswith(".")]
    return sorted(files, key=lambda entry: entry.name)


def label_path(source: Path, clip: str) -> Path:
    return source / "labels" / f"{clip}.mat"


def check_clip(source: Path, clip: str) -> Checked:
    """Check the labels of a clip and decode all its labelled frames."""

    def rejected(*problems: tuple[str, Path, str]) -> Checked:
        listed = (Problem(clip, reason, str(file.relative_to(source)), detail) for reason, file, detail in problems)
        return Checked(clip, problems=tuple(listed))

    labels_file, folder = label_path(source, clip), source / "frames" / clip
    if not os.path.lexists(labels_file):
        return rejected((NO_LABELS, folder, f"{labels_file.name} is missing"))
    if os.path.isdir(folder) and not os.access(folder, os.R_OK | os.X_OK):
        return rejected((NO_FRAMES, folder, "the folder may not be read; allow it"))
    files = picture_files(folder) if os.path.isdir(folder) else []
    if not files:
        there = next((path.name for path in sorted(folder.iterdir())), None) if os.path.isdir(folder) else None
        why = f"holds no picture ({', '.join(PICTURES)}), but {there}" if there else "is empty"
        return rejected((NO_FRAMES, folder, f"the folder {why if os.path.isdir(folder) else 'is missing'}"))
    try:
        labels = read_labels(labels_file)
    except UserError as error:
        return rejected((BAD_LABELS, labels_file, error.without(labels_file)))
    paths = labelled_frames(folder, files, labels.length)
    if isinstance(paths, tuple):
        return rejected(paths)
    frames = [_check_frame(path, labels) for path in paths]
    problems = [frame for frame in frames if isinstance(frame, tuple)]
    if problems:
        return rejected(*problems)
    usable_clip = Clip(
        id=clip,
        action=labels.action,
        viewpoint=labels.viewpoint,
        split=labels.official_split,
        length=labels.length,
        height=labels.height,
        width=labels.width,
        union_box=labels.union_box,
        notes="; ".join(_notes(paths, frames)),
        fingerprint=fingerprint(frame.digest for frame in frames),
        joints_outside=share_outside(labels.joints, labels.visibility, labels.width, labels.height),
        black_frames=sum(frame.black for frame in frames),
        unlabelled_frames=len(files) - len(paths),
        label_fingerprint=fingerprint([labels.joints.tobytes(), labels.visibility.tobytes(), labels.boxes.tobytes()]),
    )
    return Checked(clip, (usable_clip,), image_bytes=sum(path.stat().st_size for path in paths))


def _notes(paths: list[Path], frames: list[_Frame]) -> list[str]:
    """What the user should know of the frames of a usable clip."""
    notes = []
    if paths != official_names(paths[0].parent, len(paths)):
        notes.append("its frames are not called 000001.jpg, 000002.jpg, ..., and are taken in the order of their names")
    if turned := sum(frame.turned for frame in frames):
        notes.append(f"{turned} frames are turned as their EXIF orientation says; its labels must be of turned frames")
    if any(frame.encoded and not frame.turned for frame in frames):
        notes.append("frames that are no JPEG files of grey or RGB pixels are stored as such, of quality 95")
    return notes


@dataclass(frozen=True)
class _Frame:
    """A sound frame.

    digest: SHA-256 of its file. black: whether it is all black. turned: whether its EXIF data turn it. encoded: whether it is
    stored as another JPEG file.
    """

    digest: bytes
    black: bool
    turned: bool
    encoded: bool


def _check_frame(path: Path, labels: Labels) -> tuple[str, Path, str] | _Frame:
    """Decode a frame: the sound frame, or its problem as (reason, file, detail)."""
    try:
        data = read_regular(path)
    except OSError as error:
        if error.errno not in (*NO_FILE, errno.EACCES):
            raise  # it may be sound
        return BAD_FRAME, path, error.strerror or "cannot be read"
    # A decoder may fill the missing part of a truncated picture with grey and report nothing, so look for the end marker too.
    # It must come after the last scan, because an embedded thumbnail has an end marker of its own.
    whole = data.startswith(_START) and data.rfind(_END) > data.rfind(_SCAN)
    if path.suffix.lower() in (".jpg", ".jpeg") and not whole:
        return BAD_FRAME, path, "not a complete JPEG file"
    try:
        # This is the decoder of training. OpenCV's decoder accepts damaged files that this one refuses.
        stored = plain_jpeg(data)
        image = tf.io.decode_jpeg(stored, channels=3)
    except (tf.errors.InvalidArgumentError, *DAMAGED):
        return BAD_FRAME, path, "does not decode"
    encoded = stored is not data
    turned = encoded and orientation(data) != 1
    if image.shape[:2] != (labels.height, labels.width):
        size = f"{image.shape[0]}x{image.shape[1]}{', turned as its EXIF orientation says' if turned else ''}"
        return WRONG_SIZE, path, f"frame {size}; labels {labels.height}x{labels.width} (height x width)"
    return _Frame(hashlib.sha256(data).digest(), bool(count_black(image.numpy()[None])), turned, encoded)

"""What the source folder holds, and which of its clips can be used.

Every clip is checked once, with all its frames decoded. The outcome goes to a journal, one JSON line per clip, so
that an interrupted check continues where it stopped.
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import tensorflow as tf

from analogy.data.doubts import count_black, fingerprint, share_outside
from analogy.errors import UserError
from data_prep.penn_action.labels import Labels, read_labels

FORMAT = "1.2.0"  # of the prepared data; a new number prepares every source anew
LAYOUT = "frames/NNNN/NNNNNN.jpg and labels/NNNN.mat"

NO_FRAMES = "labels without frames"
NO_LABELS = "frames without labels"
BAD_LABELS = "unreadable labels"
TOO_FEW_FRAMES = "fewer frames than labels"
BAD_FRAME = "unreadable frame"
WRONG_SIZE = "frame size differs from labels"

_START, _SCAN, _END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"  # JPEG markers: start of image, of scan, end of image


@dataclass(frozen=True)
class Source:
    """A folder in the official layout: its clips, and a fingerprint of the state of its files."""

    folder: Path
    clips: tuple[str, ...]
    fingerprint: str


@dataclass(frozen=True)
class Problem:
    """Why a clip is left out. `file` is relative to the source folder."""

    clip: str
    reason: str
    file: str
    detail: str


@dataclass(frozen=True)
class CheckedClip:
    """Outcome of a check; the facts are filled in only when there are no problems."""

    id: str
    problems: tuple[Problem, ...] = ()
    action: str = ""
    viewpoint: str = ""
    split: str = ""
    length: int = 0
    height: int = 0
    width: int = 0
    union_box: tuple[int, ...] = field(default=())
    image_bytes: int = 0
    fingerprint: str = ""
    joints_outside: float = 0.0
    black_frames: int = 0
    unlabelled_frames: int = 0
    label_fingerprint: str = ""


def frame_path(source: Path, clip: str, frame: int) -> Path:
    """The JPEG file of a frame; `frame` counts from 0, the official file names from 1."""
    return source / "frames" / clip / f"{frame + 1:06d}.jpg"


def label_path(source: Path, clip: str) -> Path:
    return source / "labels" / f"{clip}.mat"


def scan_source(folder: Path, settings: str) -> Source:
    """Lists the clips and takes the fingerprint: `settings` with the names, sizes and times of all files.

    Raises:
        UserError: the folder does not have the official layout.
    """
    digest = hashlib.sha256(f"{FORMAT} {settings}\n".encode())

    def files(directory: Path, suffix: str) -> list[str]:
        found = [e for e in os.scandir(directory) if e.name.endswith(suffix) and not e.name.startswith(".")]
        for entry in sorted(found, key=lambda entry: entry.name):
            status = entry.stat()
            digest.update(f"{directory.name}/{entry.name} {status.st_size} {status.st_mtime_ns}\n".encode())
        return [entry.name for entry in found]

    try:
        labelled = {Path(name).stem for name in files(folder / "labels", ".mat")}
        framed = {entry.name for entry in os.scandir(folder / "frames") if entry.is_dir() and entry.name[0] != "."}
        for clip in sorted(framed):
            files(folder / "frames" / clip, ".jpg")
    except OSError as error:
        raise UserError(
            f"{folder}: not a readable Penn Action folder ({error.strerror}: {error.filename}); expected {LAYOUT}"
        ) from error
    if not labelled | framed:
        raise UserError(f"{folder}: holds neither labels nor frames; expected {LAYOUT}")
    return Source(folder, tuple(sorted(labelled | framed)), digest.hexdigest())


def check_clips(source: Source, journal: Path, track: Callable[[Iterable, int], Iterable]) -> list[CheckedClip]:
    """Checks every clip that the journal does not hold yet; returns the outcomes of all, sorted by id.

    Args:
        source: the scanned source folder.
        journal: file of outcomes, read first and then appended to.
        track: called with the stream of outcomes and their number, gives them back; for a progress bar.
    """
    done = _read_journal(journal)
    waiting = [clip for clip in source.clips if clip not in done]
    pool = ThreadPoolExecutor(os.cpu_count())  # threads, because TensorFlow decodes outside Python's global lock
    try:
        with journal.open("a", encoding="utf-8") as log:
            for checked in track(pool.map(partial(check_clip, source.folder), waiting), len(waiting)):
                log.write(json.dumps(asdict(checked)) + "\n")
                log.flush()
                done[checked.id] = checked
    finally:
        pool.shutdown(cancel_futures=True)
    return [done[clip] for clip in source.clips]


def _read_journal(journal: Path) -> dict[str, CheckedClip]:
    """The outcomes written so far. A last line cut short by a kill is removed; a damaged journal is dropped."""
    if not journal.exists():
        return {}
    content = journal.read_bytes()
    complete = content[: content.rfind(b"\n") + 1]
    os.truncate(journal, len(complete))
    try:
        lines = [json.loads(line) for line in complete.splitlines()]
        checked = [CheckedClip(**line | {"problems": tuple(Problem(**p) for p in line["problems"])}) for line in lines]
    except (ValueError, TypeError, KeyError):
        journal.unlink()
        return {}
    return {clip.id: clip for clip in checked}


def check_clip(source: Path, clip: str) -> CheckedClip:
    """Checks the labels of a clip and decodes every labelled frame."""

    def rejected(*problems: tuple[str, Path, str]) -> CheckedClip:
        listed = (Problem(clip, reason, str(file.relative_to(source)), detail) for reason, file, detail in problems)
        return CheckedClip(clip, problems=tuple(listed))

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
    return CheckedClip(
        clip,
        action=labels.action,
        viewpoint=labels.viewpoint,
        split=labels.official_split,
        length=labels.length,
        height=labels.height,
        width=labels.width,
        union_box=labels.union_box,
        image_bytes=sum(path.stat().st_size for path in paths),
        fingerprint=fingerprint(frame.digest for frame in frames),
        joints_outside=share_outside(labels.joints, labels.visibility, labels.width, labels.height),
        black_frames=sum(frame.black for frame in frames),
        unlabelled_frames=len([file for file in folder.glob("*.jpg") if file.name[0] != "."]) - len(paths),
        label_fingerprint=fingerprint([labels.joints.tobytes(), labels.visibility.tobytes(), labels.boxes.tobytes()]),
    )


@dataclass(frozen=True)
class _Frame:
    """A frame without a fault."""

    digest: bytes
    black: bool


def _check_frame(path: Path, labels: Labels) -> tuple[str, Path, str] | _Frame:
    """The frame, or what is wrong with it as (reason, file, detail)."""
    try:
        data = path.read_bytes()
    except OSError as error:
        return BAD_FRAME, path, error.strerror or "cannot be read"
    # A decoder may fill the rest of a truncated picture with grey and report nothing, so look for the end marker too.
    # It must follow the last scan: an embedded thumbnail has an end of its own.
    if not data.startswith(_START) or data.rfind(_END) <= data.rfind(_SCAN):
        return BAD_FRAME, path, "not a complete JPEG file"
    try:
        # By the decoder of training: OpenCV's forgives faults that it does not.
        image = tf.io.decode_jpeg(data, channels=3)
    except tf.errors.InvalidArgumentError:
        return BAD_FRAME, path, "does not decode"
    if image.shape[:2] != (labels.height, labels.width):
        found = f"{image.shape[0]}x{image.shape[1]}"
        return WRONG_SIZE, path, f"frame {found}, labels {labels.height}x{labels.width} (height x width)"
    return _Frame(hashlib.sha256(data).digest(), bool(count_black(image.numpy()[None])))


def count_clips(problems: Sequence[Problem]) -> dict[str, int]:
    """Number of clips with each reason, most frequent first."""
    pairs = {(problem.reason, problem.clip) for problem in problems}
    return dict(Counter(reason for reason, _ in sorted(pairs)).most_common())

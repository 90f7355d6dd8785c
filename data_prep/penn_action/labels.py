"""Reads the label files of Penn Action (`labels/NNNN.mat`)."""

import io
import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.io

from analogy.errors import UserError
from analogy.files.reading import read_regular
from analogy.joints import JOINTS

UNKNOWN = 1.0  # a coordinate of a hidden joint whose position is not known, as in the official files
FARTHEST = 10_000  # pixels; boxes farther out are damaged data
TYPES = {*range(1, 8), 9, 12, 13, 16, 17, 18}  # of numbers and of text in a MATLAB file
MATRIX, COMPRESSED = 14, 15  # the types of a variable
FLAGS = [6, 8]  # type and size of the flags, with which each variable begins
LARGEST_UNPACKED = 50_000_000  # bytes; the labels of 10,000 frames have 3 MB
_SPLITS = {1: "train", -1: "test"}
_NAME = re.compile(r"\w[\w -]{0,63}")


@dataclass(frozen=True, eq=False)
class Labels:
    """The labels of one clip of N frames; coordinates are pixels of the original frame.

    Attributes:
        clip: the number of the video, e.g. "0050".
        action: e.g. "baseball_pitch".
        viewpoint: e.g. "back".
        official_split: "train" or "test".
        joints: float32 [N, 13, 2], x then y. A hidden joint carries an arbitrary position.
        visibility: float32 [N, 13], 1 visible or 0 hidden.
        boxes: float32 [N, 4], xmin, ymin, xmax, ymax.
        height, width: size of the frame in pixels.
    """

    clip: str
    action: str
    viewpoint: str
    official_split: str
    joints: np.ndarray
    visibility: np.ndarray
    boxes: np.ndarray
    height: int
    width: int

    @property
    def length(self) -> int:
        """Number of labelled frames, N."""
        return len(self.boxes)

    @property
    def union_box(self) -> tuple[int, int, int, int]:
        """Smallest box around the rounded boxes of all frames: not padded, not clipped to the frame."""
        boxes = np.round(self.boxes)
        return (*map(int, boxes[:, :2].min(axis=0)), *map(int, boxes[:, 2:].max(axis=0)))


def read_variables(content: bytes) -> dict[str, object]:
    """name -> value of the variables of a MATLAB file.

    Each is read alone: where damage has made a type of another one, or lets a variable go on in the next, SciPy reads beyond a
    table, which ends the process. Raises what SciPy raises, a dozen types.
    """
    header, fields = content[:128], {}
    if scipy.io.matlab.matfile_version(io.BytesIO(content))[0] != 1:  # of another version than 5 to 7
        return scipy.io.loadmat(io.BytesIO(content))
    order = ">" if header.endswith(b"MI") else "<"
    place, room = len(header), LARGEST_UNPACKED
    while place + 8 <= len(content):
        kind, size = struct.unpack_from(f"{order}II", content, place)
        variable = content[place : place + 8 + size]
        if kind == COMPRESSED:
            variable = zlib.decompressobj().decompress(variable[8:], room)
            room -= len(variable)
            if room <= 0:
                raise ValueError(f"it unpacks to more than {LARGEST_UNPACKED / 1e6:.0f} MB")
        _check_elements(variable, order)
        fields |= scipy.io.loadmat(io.BytesIO(header + variable))
        place += 8 + size
    return fields


def _check_elements(variable: bytes, order: str) -> None:
    """Raise a ValueError where a variable is other than numbers or a text."""
    kind, _, *flags = struct.unpack_from(f"{order}4I", variable)
    if kind != MATRIX or flags != FLAGS:
        raise ValueError("it holds something other than numbers and texts")
    place = 24  # behind both heads and the flags
    while place + 8 <= len(variable):
        kind, size = struct.unpack_from(f"{order}II", variable, place)
        if kind >> 16:  # at most 4 bytes, which are a part of these 8
            kind, size = kind & 0xFFFF, 0
        if kind not in TYPES:
            raise ValueError(f"it holds an element of type {kind}")
        place += 8 + -(-size // 8) * 8


class _LabelFile:
    """A loaded .mat file. Each field is checked when it is read."""

    def __init__(self, path: Path):
        self.path = path
        try:
            self._fields = read_variables(read_regular(path))
        except NotImplementedError as error:
            raise UserError(f"{path}: is a MATLAB 7.3 file, which is not read; save it with the option -v7") from error
        except Exception as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise self.error(f"is not a readable MATLAB file ({reason})") from error

    def error(self, what: str) -> UserError:
        return UserError(f"{self.path}: {what}; copy the file anew from the Penn Action archive")

    def _field(self, name: str):
        if name not in self._fields:
            raise self.error(f"field '{name}' is missing")
        return self._fields[name]

    def text(self, name: str) -> str:
        value = np.ravel(self._field(name))
        if value.size != 1 or not isinstance(value[0], str) or not value[0].strip():
            raise self.error(f"field '{name}' is not a text")
        text = str(value[0]).strip()
        if not _NAME.fullmatch(text):  # the text becomes the name of a folder
            raise self.error(f"field '{name}' is {text[:40]!r}, not a name of letters, digits, spaces, '-' and '_'")
        return text

    def matrix(self, name: str, columns: int, *, finite: bool = True) -> np.ndarray:
        """The field as float32 [rows >= 1, columns]. finite: whether values that are not are refused."""
        value = np.asarray(self._field(name))
        if np.iscomplexobj(value):
            raise self.error(f"field '{name}' holds complex numbers")
        try:
            # Cast first, because some files store unsigned integers, whose differences would wrap around.
            with np.errstate(over="ignore"):  # too large values become infinite, which is refused below
                value = value.astype(np.float32)
        except (TypeError, ValueError) as error:
            raise self.error(f"field '{name}' is not numeric") from error
        if value.ndim != 2 or value.shape[0] == 0 or value.shape[1] != columns:
            raise self.error(f"field '{name}' has shape {value.shape}, expected (rows, {columns})")
        if finite and not np.isfinite(value).all():
            raise self.error(f"field '{name}' holds values that are not finite")
        return value


def read_labels(path: Path) -> Labels:
    """Read a label file.

    The number of frames N is the smallest of `nframes`, the boxes and the rows of joints, because the three
    disagree in two official files (1154 and 1865).

    Raises:
        UserError: the file is missing or damaged, or a field is missing, ill-shaped or not finite; a hidden joint need not be.
    """
    path = Path(path)
    mat = _LabelFile(path)
    x, y = (mat.matrix(name, JOINTS, finite=False) for name in "xy")
    visibility, boxes = mat.matrix("visibility", JOINTS), mat.matrix("bbox", 4)
    for name, value in (("y", y), ("visibility", visibility)):
        if len(value) != len(x):
            raise mat.error(f"field '{name}' has {len(value)} rows but 'x' has {len(x)}")
    if not np.isin(visibility, (0, 1)).all():
        raise mat.error("field 'visibility' holds values other than 0 and 1")
    for name, value in (("x", x), ("y", y)):
        if not np.isfinite(value[visibility == 1]).all():
            raise mat.error(f"field '{name}' holds values that are not finite, at joints that are visible")
        value[~np.isfinite(value)] = UNKNOWN
    if (boxes[:, 2:].max(0) <= boxes[:, :2].min(0)).any() or np.abs(boxes).max() > FARTHEST:
        raise mat.error(f"field 'bbox' holds boxes without an area, or more than {FARTHEST} pixels away")
    flag = mat.matrix("train", 1)[0, 0]
    if flag not in _SPLITS:
        raise mat.error(f"field 'train' is {flag:g}, expected 1 or -1")
    height, width = (int(side) for side in mat.matrix("dimensions", 3)[0, :2])
    frames = min(int(mat.matrix("nframes", 1)[0, 0]), len(boxes), len(x))
    if min(height, width, frames) < 1:
        raise mat.error(f"fields 'dimensions' and 'nframes' give {frames} frames of {height}x{width} pixels")
    return Labels(
        clip=path.stem,
        action=mat.text("action"),
        viewpoint=mat.text("pose"),
        official_split=_SPLITS[flag],
        joints=np.stack([x, y], axis=-1)[:frames],
        visibility=visibility[:frames],
        boxes=boxes[:frames],
        height=height,
        width=width,
    )

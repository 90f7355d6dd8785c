"""Names: suffixes of videos and pictures, the order of numbered files, names of clips, and of what lies in results/."""

import re
from collections.abc import Container, Iterable
from itertools import chain, count
from pathlib import Path

# Folders and pages in results/, beside the folders of the experiments.
PREDICTIONS = "predictions"
EXPORTS = "exports"
COMPARISONS = "comparisons"
RECOGNISED_ACTIONS = "recognised_actions"
LEADERBOARD = "leaderboard.html"
NO_EXPERIMENTS = (PREDICTIONS, EXPORTS, COMPARISONS, RECOGNISED_ACTIONS, LEADERBOARD, "index.html")

LONGEST_NAME = 150  # bytes; a file system allows 255 for a whole name
# The suffixes by which videos and pictures of users are known.
VIDEOS = (
    ".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".gif", ".mpg", ".mpeg", ".wmv", ".flv", ".ts", ".mts", ".m2ts", ".3gp",
    ".ogv", ".mxf", ".dv", ".y4m", ".apng", ".vob", ".asf", ".m2v", ".f4v", ".mjpeg", ".mjpg",
)  # fmt: skip
PICTURES = (".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff", ".avif")
# With all others that Pillow reads: a picture that is named by itself. In a folder of frames these would be icons and drafts.
NAMED_PICTURES = (
    *PICTURES, ".jpe", ".mpo", ".avifs", ".dib", ".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx", ".tga", ".icb", ".vda", ".vst",
    ".ico", ".icns", ".cur", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".pcx", ".dcx", ".pcd", ".psd", ".qoi", ".dds", ".blp",
    ".sgi", ".rgb", ".rgba", ".bw", ".ras", ".xbm", ".xpm", ".im", ".msp", ".pxr", ".ftc", ".ftu", ".gbr", ".fit", ".fits",
)  # fmt: skip
UNREAD_PICTURES = (
    ".heic", ".heif", ".hif", ".jxl", ".svg", ".svgz", ".pdf", ".eps", ".ps", ".ai", ".wmf", ".emf", ".exr", ".hdr", ".xcf",
    ".kra", ".djvu", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".pef",
)  # fmt: skip


def visible(paths: Iterable[Path]) -> list[Path]:
    """Sorted, without hidden ones: macOS puts a file ._NAME beside each NAME on disks and in archives of others."""
    return sorted(path for path in paths if not path.name.startswith("."))


def by_number(path: Path) -> tuple[list, str]:
    """A sort key for the names of files that puts frame2 before frame10, and 01 always before 1."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", path.name)], path.name


def last_number(path: Path) -> int | None:
    """The last number in a file's name, which of a picture says its place in a video; None where there is none."""
    digits = re.findall(r"\d+", path.stem)
    return int(digits[-1]) if digits else None


def distinct_name(name: str, others: Container[str]) -> str:
    """The name of a clip for messages and for the files of a run that are called by it.

    It is printable, at most LONGEST_NAME bytes long, and none of `others`: a number at its end makes it so.
    """
    printable = "".join(sign if sign.isprintable() else "_" for sign in name)
    short = printable.encode()[:LONGEST_NAME].decode(errors="ignore")
    names = chain([short], (f"{short}~{number}" for number in count(2)))
    return next(candidate for candidate in names if candidate not in others)

"""Whether a video file ends too early, for formats that say nowhere how long they are: what their last bytes show."""

from __future__ import annotations

import os
from enum import Enum
from pathlib import Path

TAIL = 1 << 17  # bytes that are looked at; a page of Ogg has 65,307 at most
TS_PACKET, TS_SYNC = 188, 0x47
# Decoders that make a whole frame of the beginning of one, and say nothing of it.
HIDING = ("hevc", "vvc", "mjpeg", "gif")


class End(Enum):
    """How a file ends. CUT: early. WITHIN: early, and its last packet is a part of a frame."""

    WHOLE, CUT, WITHIN = range(3)


def end_of_file(path: Path, form: str, codec: str, number: int) -> End:
    """How a video file ends, as far as that can be known.

    A transport or program stream (.ts, .mpg) that is cut between two frames looks like a whole one.

    Args:
        form: FFmpeg's name of the format. codec: of the video. number: of the video's stream, by which the file names it.
    """
    if form == "ogg":
        return _of_ogg(_tail(path))
    if form == "gif":
        return End.WHOLE if _tail(path).rstrip(b"\0").endswith(b"\0;") else End.WITHIN
    if form in ("mjpeg", "jpeg_pipe"):
        return End.WHOLE if _tail(path).rstrip(b"\0").endswith(b"\xff\xd9") else End.WITHIN
    if form == "mpegts" and codec in HIDING:
        return _of_transport_stream(_tail(path), number)
    return End.WHOLE


def _tail(path: Path) -> bytes:
    with open(path, "rb") as file:
        file.seek(-min(path.stat().st_size, TAIL), os.SEEK_END)
        return file.read()


def _of_ogg(tail: bytes) -> End:
    """The last page of each stream is marked, and so is the last of the file."""
    page = tail[max(0, tail.rfind(b"OggS")) :]
    segments = page[27 : 27 + page[26]] if len(page) > 26 else b""
    is_whole = bool(segments) and len(segments) == page[26] and len(page) >= 27 + len(segments) + sum(segments)
    return End.WHOLE if is_whole and page[5] & 4 else End.CUT


def _of_transport_stream(tail: bytes, number: int) -> End:
    """A frame is cut into packets of one size, of which the last is filled up: hardly ever is it full by itself."""
    for length in (TS_PACKET, TS_PACKET + 4, TS_PACKET + 16):  # with a time stamp before it, or a checksum behind it
        starts = range(len(tail) - TS_PACKET, -1, -length)
        offset = next((back for back in range(length) if _is_aligned(tail, starts[0] - back, length)), None)
        if offset is None:
            continue
        for start in range(starts[0] - offset, -1, -length):
            if ((tail[start + 1] & 0x1F) << 8 | tail[start + 2]) == number:
                return End.WHOLE if _is_filled_up(tail[start : start + TS_PACKET]) else End.WITHIN
        break
    return End.WHOLE


def _is_filled_up(packet: bytes) -> bool:
    """Whether a packet of a transport stream has bytes that say nothing: its adaptation field is longer than what it holds."""
    if not packet[3] & 0x20:
        return False
    length, flags = packet[4], packet[5]
    needed = 1 + 6 * bool(flags & 0x10) + 6 * bool(flags & 0x08) + bool(flags & 0x04)  # the clock twice, a countdown
    return length == 0 or length > needed


def _is_aligned(tail: bytes, last: int, length: int) -> bool:
    """Whether packets begin at `last` and before it."""
    places = range(last, max(-1, last - 8 * length), -length)
    return len(places) > 1 and all(place >= 0 and tail[place] == TS_SYNC for place in places)


def is_part(path: Path, form: str, place: int | None, size: int) -> bool:
    """Whether a packet is said to reach beyond the end of its file: of DV, the reader fills it up with anything.

    place, size: of the packet in the file.
    """
    return form == "dv" and place is not None and place + size > path.stat().st_size


def is_left_over(path: Path, form: str, place: int | None, size: int) -> bool:
    """Whether a part of a frame follows the last packet (`place`, `size`) of a YUV4MPEG file, which holds nothing else."""
    return form == "yuv4mpegpipe" and place is not None and path.stat().st_size > place + size + len("FRAME\n")

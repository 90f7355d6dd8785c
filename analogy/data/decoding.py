"""Decoding a video file with FFmpeg (by way of PyAV): its frames as people see them, and their time stamps."""

from __future__ import annotations

import math
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import av
import cv2
import imageio_ffmpeg
import numpy as np
from av.codec.context import Flags
from av.error import FFmpegError
from av.stream import Disposition
from av.video.reformatter import VideoReformatter

from analogy.data.file_ends import End, end_of_file, is_left_over, is_part
from analogy.data.pictures import check_pixels, over_white
from analogy.errors import UserError

MEND = "convert it to MP4 (ffmpeg -i IN -c:v libx264 OUT.mp4), or give a folder of its frames"
COPY = "if it is cut off or damaged, copy it anew"
SMALL = 400_000  # pixels of a frame up to which one thread decodes: datasets of small videos read several files at once
# Width of a pixel by its height: a file that says more than the largest is not believed, and up to the least it is a rounded 1.
LARGEST_ASPECT, LEAST_ASPECT = 8.0, 1.02
# Transfer functions (H.273) of videos that players map to the range of an ordinary screen; PyAV lacks the filter for it.
HDR = {16: "PQ", 18: "HLG"}
TONE_MAP = (
    "where that matters, convert it first (ffmpeg -i IN -vf zscale=t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,"
    "tonemap=hable,zscale=t=bt709:m=bt709:r=tv,format=yuv420p OUT.mp4)"
)
PLAYLISTS = ("concat", "hls", "dash", "imf")  # FFmpeg's names of formats that hold the names of other files
# By what name files say that they are pictures of HEIF or AVIF, which are tiles to FFmpeg: it would read one of them alone.
PICTURE_BRANDS = ("heic", "heix", "heim", "heis", "mif1", "miaf", "avif")
LEAST_INTERLACED = 4  # pixels a side: FFmpeg de-interlaces no smaller frames


class Decoded(NamedTuple):
    """Frames uint8 RGB [H, W, 3], their times in seconds, and what the file says of itself.

    rate: frames per second; 0 where the file does not say it. codec: how they are stored, such as "h264".
    """

    frames: list[np.ndarray]
    times: list[float | None]
    rate: float
    codec: str
    notes: list[str]


class _Damage(Exception):
    """A part of the file cannot be decoded."""


def decode_file(path: Path, start: int, count: int | None, keep: Callable[[np.ndarray], np.ndarray]) -> Decoded:
    """Decode at most `count` frames from number `start` on; None decodes all. What `keep` makes of each frame is kept.

    Frames are upright and have square pixels. Interlaced ones are de-interlaced. What is transparent is laid over white. After
    a damaged place nothing more is read; where the beginning is damaged, reading begins at the first whole frame.

    Raises:
        UserError: the file is no video, or one that cannot be decoded.
    """
    try:
        return _decode(path, start, count, keep, threads=True)
    except _Damage:  # threads report it late: read again, to have all frames before it and none after
        return _decode(path, start, count, keep, threads=False)


def stream_file(path: Path) -> Iterator[np.ndarray]:
    """The frames that `decode_file` reads of a whole file, one by one: no more than one is held. Raises as it does."""
    with _open(path) as container:
        stream = _video_stream(path, container, [])
        stream.thread_type = "NONE"
        for frame, _ in _shown(_Packets(path, container, stream, stop_at_damage=True), stream, 0, []):
            yield frame


def _decode(path: Path, start: int, count: int | None, keep: Callable[[np.ndarray], np.ndarray], *, threads: bool) -> Decoded:
    notes: list[str] = []
    with _open(path) as container:
        stream = _video_stream(path, container, notes)
        threads = threads and stream.codec_context.width * stream.codec_context.height > SMALL
        stream.thread_type = "AUTO" if threads else "NONE"
        packets = _Packets(path, container, stream, stop_at_damage=not threads)
        frames, times = [], []
        for frame, time in _shown(packets, stream, start, notes):
            frames.append(keep(frame))
            times.append(time)
            if len(frames) == count:
                break
        else:
            notes += packets.lost(start + len(frames), times[-1] if times else None)
        rate = float(stream.average_rate or 0)
        if packets.transparent:
            notes.append("what is transparent in it is shown as it is stored")
        if packets.passed:
            notes.append(f"its first {packets.passed} frames are damaged or need earlier ones, and are left out")
        if not frames and packets.reason:
            raise UserError(
                f"{path}: its frames ({stream.codec_context.name}) cannot be decoded: {packets.reason}; {COPY}; else {MEND}"
            )
        return Decoded(frames, times, rate, _storage(stream.codec_context), notes)


def _storage(context) -> str:
    """The name of a codec; where it has no losses, but fewer colours than pixels, with the form of these: `ffv1 in yuv420p`."""
    codec, form = context.codec, context.format
    coarse = form is not None and form.chroma_width(8) * form.chroma_height(8) < 64  # of a square of 8 x 8 pixels
    return f"{codec.canonical_name} in {form.name}" if coarse and not codec.lossy else codec.canonical_name


def _shown(packets: _Packets, stream, start: int, notes: list[str]) -> Iterator[tuple[np.ndarray, float | None]]:
    """The frames from number `start` on as people see them, uint8 RGB [H, W, 3], and the time of each in seconds."""
    show = None
    for number, frame in enumerate(_deinterlaced(packets.frames(), notes)):
        if number < start:  # seeking is not exact in every container
            continue
        show = show or _Look(frame, stream, notes)
        yield show(frame), frame.time


def _open(path: Path):
    """Open a file. It may name no other files or addresses, as playlists do. Raises UserError."""
    if path.stat().st_size == 0:
        raise UserError(f"{path}: this file is empty (0 bytes); copy it anew")
    try:
        container = av.open(f"file:{path.absolute()}", options={"protocol_whitelist": "file"}, metadata_errors="replace")
    except (FFmpegError, ValueError) as error:
        raise UserError(f"{path}: this is not a video that FFmpeg can read ({_reason(error)}); {COPY}; else {MEND}") from error
    if container.format.name in PLAYLISTS:  # of files in the same folder
        container.close()
        raise UserError(f"{path}: this is not a video but a list of other files; name one of them, or {MEND}")
    if (brand := container.metadata.get("major_brand")) in PICTURE_BRANDS:
        container.close()
        raise UserError(
            f"{path}: this is not a video but a picture ({brand.upper()}), which is not read; save it as JPEG or PNG"
        )
    return container


def _video_stream(path: Path, container, notes: list[str]):
    """The video of a file, of several the one that players show; a picture on a cover is none. Raises UserError."""
    streams = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if not streams:
        others = sorted({stream.type for stream in container.streams if stream.type != "video"})
        only = f", only {' and '.join(others)}" if others else ""
        raise UserError(f"{path}: there is no video in this file{only}; give a video, or a folder of frames")
    best = container.streams.best("video")
    stream = next((stream for stream in streams if best and stream.index == best.index), streams[0])
    if len(streams) > 1:
        notes.append(f"it holds {len(streams)} videos, of which number {streams.index(stream) + 1} is read")
    if stream.codec_context is None:
        raise UserError(f"{path}: its codec, {_unknown_codec(path)}, is unknown to FFmpeg {av.ffmpeg_version_info}; {MEND}")
    stream.codec_context.flags |= Flags.unaligned  # else what a file crops at the left is cut in steps of 32 pixels
    try:
        check_pixels(stream.codec_context.width, stream.codec_context.height)
    except ValueError as error:
        raise UserError(f"{path}: {error}; make its frames smaller (ffmpeg -i IN -vf scale=1280:-2 OUT.mp4)") from error
    return stream


def _unknown_codec(path: Path) -> str:
    """The letters by which a file names a codec that PyAV does not know: FFmpeg's program says them."""
    program = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-protocol_whitelist", "file", "-i", f"file:{path.absolute()}"]
    said = subprocess.run(program, stdin=subprocess.DEVNULL, capture_output=True, check=False).stderr.decode(errors="replace")
    named = re.search(r"Video: \w+ \(([^\s),]+)", said)
    return named[1] if named else "which has no name"


class _Packets:
    """The packets of a stream as decoded frames, and what of the file could not be read.

    stop_at_damage: end at the first damaged place instead of raising _Damage.
    """

    def __init__(self, path: Path, container, stream, *, stop_at_damage: bool):
        self._path, self._container, self._stream, self._stop = path, container, stream, stop_at_damage
        self.reason = ""  # why decoding ended early
        self._cut = False  # whether the file ends within a frame, or before its end
        self._begun = False  # whether a frame was whole
        self._times: list[int | None] = []  # of the packets until then
        self.passed = 0  # the number of frames at the beginning that cannot be decoded, and are left out
        # Browsers say of every recording that it may be transparent; that it is, its packets say.
        self._may_be_transparent, self.transparent = stream.metadata.get("alpha_mode") == "1", False
        # In AVI, frames that a recorder dropped have numbers, and are counted in the header.
        self._read, self._numbers_are_times = 0, container.format.name == "avi"

    def frames(self) -> Iterator[av.VideoFrame]:
        """The decoded frames, up to the first damaged place. Raises _Damage there, unless it is to stop."""
        try:
            for packet in self._whole_packets():
                self._look_at(packet)
                try:
                    yield from self._frames_of(packet)
                except FFmpegError as error:
                    self.reason = _reason(error)
                    if not self._stop:
                        raise _Damage from error
                if self._begun and self.reason:  # a recording may begin in the middle: what precedes the first frame is passed
                    return
        except FFmpegError as error:  # the file ends within a packet, or the disk fails
            self.reason = _reason(error)

    def _look_at(self, packet: av.Packet) -> None:
        """Note what a packet says of itself."""
        self._read += packet.dts is not None or packet.size > 0
        if self._numbers_are_times and packet.dts is not None:
            self._read = packet.dts + 1
        if not self._begun and not packet.is_discard:
            self._times.append(packet.dts if packet.pts is None else packet.pts)
        self.transparent |= self._may_be_transparent and packet.has_sidedata("matroska_block_additional")

    def _frames_of(self, packet: av.Packet) -> Iterator[av.VideoFrame]:
        """The whole frames that a packet completes. Sets `reason` where one is damaged. Raises FFmpegError."""
        for frame in packet.decode():
            # The decoder has filled in what is damaged, and makes further frames of it.
            if frame.is_corrupt or (self.passed and not self._begun and not frame.key_frame):
                self.reason = "damaged data"
                if self._begun:
                    return
                self.passed += 1
                continue
            if not self._begun and frame.pts is not None:
                # A file whose beginning is cut off: its first packets need a frame that is not there.
                self.passed = sum(time is not None and time < frame.pts for time in self._times)
            self._begun, self.reason = True, ""
            yield frame

    def _whole_packets(self) -> Iterator[av.Packet]:
        """The packets of the stream, without a last one that holds a part of a frame: some decoders make a whole one of it."""
        form = self._container.format.name
        end = end_of_file(self._path, form, self._stream.codec_context.name, self._stream.id)
        held, place, size = None, None, 0
        for packet in self._container.demux(self._stream):
            if not packet.size:  # the end: decoders give what they hold
                if held is not None or end == End.CUT or is_left_over(self._path, form, place, size):
                    self._cut = True
                yield packet
                continue
            if held is not None:
                yield held
            place, size, held = packet.pos, packet.size, packet
            if not (packet.is_corrupt or end == End.WITHIN or is_part(self._path, form, place, size)):
                held = None
                yield packet

    def lost(self, read: int, last: float | None) -> list[str]:
        """A note about frames that the file promises and that cannot be read; none if there are none.

        read: the number of frames until the end. last: the time of the last one in seconds.
        """
        promised, ended = self._stream.frames, self.reason or self._cut
        if promised > self._read or (promised > read and ended):
            return [f"of {promised} frames, those from number {read} on cannot be read"]
        seconds, rate = self._promised_seconds(), float(self._stream.average_rate or 0)
        if seconds and rate and last is not None and last + 3 / rate < seconds:
            return [f"of {seconds:.2f} seconds, those from {last + 1 / rate:.2f} on (frame number {read}) cannot be read"]
        return [f"the frames from number {read} on cannot be read"] if ended else []

    def _promised_seconds(self) -> float | None:
        """Until when the file says that its video lasts, where it says no number of frames (Matroska, WebM, MXF, FLV)."""
        if match := re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", self._stream.metadata.get("DURATION", "")):
            hours, minutes, seconds = map(float, match.groups())
            return 3600 * hours + 60 * minutes + seconds
        if self._container.format.name == "mxf" and self._stream.duration:
            return float(self._stream.duration * self._stream.time_base)
        says_it = self._container.format.name in ("matroska,webm", "flv")
        alone = len(self._container.streams) == 1 and not self._stream.frames and says_it
        return self._container.duration / av.time_base if alone and self._container.duration else None


def _deinterlaced(frames: Iterator[av.VideoFrame], notes: list[str]) -> Iterator[av.VideoFrame]:
    """The same frames; from the first interlaced one on, interlaced frames are de-interlaced (FFmpeg's bwdif)."""
    graph, form = None, None
    for frame in frames:
        if graph is None and not (frame.interlaced_frame and min(frame.width, frame.height) >= LEAST_INTERLACED):
            yield frame
            continue
        if graph is None:
            notes.append("it is interlaced; its frames were de-interlaced")
        if form != (form := (frame.width, frame.height, frame.format.name)):
            if graph is not None:
                yield from _pulled(graph, last=True)
            graph = _deinterlacer(frame)
        graph.push(frame)
        yield from _pulled(graph)
    if graph is not None:
        yield from _pulled(graph, last=True)


def _deinterlacer(frame: av.VideoFrame) -> av.filter.Graph:
    graph = av.filter.Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base)
    bwdif, sink = graph.add("bwdif", "mode=send_frame:deint=interlaced"), graph.add("buffersink")
    source.link_to(bwdif)
    bwdif.link_to(sink)
    graph.configure()
    return graph


def _pulled(graph: av.filter.Graph, last: bool = False) -> Iterator[av.VideoFrame]:
    if last:
        graph.push(None)
    with suppress(BlockingIOError, EOFError):
        while True:
            yield graph.pull()


class _Look:
    """Makes RGB frames of decoded ones: upright, with square pixels, without transparency.

    frame: the first one; how it is turned holds for all.
    """

    def __init__(self, frame: av.VideoFrame, stream, notes: list[str]):
        self._turned = _turning(frame)
        self._convert = VideoReformatter().reformat
        self._form: str | None = None
        self._alpha = False
        aspect = float(stream.sample_aspect_ratio or 0) or 1.0
        if not 1 / LARGEST_ASPECT <= aspect <= LARGEST_ASPECT:
            notes.append(f"it says that its pixels are {aspect:g} times as wide as high, which is not believed")
            aspect = 1.0
        self._aspect = aspect if max(aspect, 1 / aspect) > LEAST_ASPECT else 1.0
        if name := HDR.get(stream.codec_context.color_trc):
            notes.append(
                f"its colours are HDR ({name}) and are not tone-mapped: they are paler here than in a player; {TONE_MAP}"
            )

    def __call__(self, frame: av.VideoFrame) -> np.ndarray:
        if self._form != frame.format.name:
            self._form = frame.format.name
            self._alpha = any(part.is_alpha for part in frame.format.components)
        # A converter is kept, because making one takes longer than the conversion of a small frame.
        if self._alpha:
            rgb = over_white(self._convert(frame, format="rgba", threads=1).to_ndarray())
        else:
            converted = self._convert(frame, format="rgb24", threads=1)
            rgb = converted.to_ndarray() if converted is frame else _array(converted)
        if self._aspect != 1.0:
            height, width = rgb.shape[:2]
            wide = self._aspect > 1
            size = (round(width * self._aspect), height) if wide else (width, round(height / self._aspect))
            rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_LINEAR)
        return self._turned(rgb)


def _array(frame: av.VideoFrame) -> np.ndarray:
    """The pixels of a frame of rgb24, uint8 [H, W, 3], without a copy where its rows lie one after the other."""
    plane, shape = frame.planes[0], (frame.height, frame.width, 3)
    if plane.line_size != 3 * frame.width:
        return frame.to_ndarray()
    return np.frombuffer(plane, np.uint8, math.prod(shape)).reshape(shape)


def _turning(frame: av.VideoFrame):
    """A function that turns and mirrors a picture as the display matrix of this frame says."""
    try:
        data = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # PyAV does not know what else is said of this frame, such as EXIF; then mirroring is not known either
        quarters = round(frame.rotation / 90)
        return lambda rgb: np.ascontiguousarray(np.rot90(rgb, quarters))
    if data is None:
        return lambda rgb: rgb
    a, b, _, c, d, *_ = np.frombuffer(bytes(data), "<i4")[:9].tolist()
    # The point (x, y) is shown at (a x + c y, b x + d y).
    exchanged = abs(b) > abs(a)
    mirrored, upside_down = (c < 0, b < 0) if exchanged else (a < 0, d < 0)

    def turned(rgb: np.ndarray) -> np.ndarray:
        rgb = rgb.swapaxes(0, 1) if exchanged else rgb
        return np.ascontiguousarray(rgb[:: -1 if upside_down else 1, :: -1 if mirrored else 1])

    return turned


def _reason(error: Exception) -> str:
    """FFmpeg's words for an error, without the name of the file."""
    text = getattr(error, "strerror", None) or str(error)
    return text.splitlines()[0].strip()

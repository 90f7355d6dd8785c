"""200 malformed inputs, made from a seed. Each is refused in one line that names the file, or left out, counted and listed, or
can be read after all; none hangs, and none spoils the good files beside it."""

from __future__ import annotations

import io
import json
import signal
import struct
import subprocess
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import cv2
import imageio_ffmpeg
import numpy as np
import pytest
import scipy.io
import tensorflow as tf
from PIL import Image

from analogy.data.clips import ClipDataset
from analogy.data.prepared import PreparedClips
from analogy.data.video import read_video
from analogy.errors import UserError
from analogy.settings import find_experiment, load_settings
from analogy.systems import SYSTEMS
from data_prep.bair import KEY, read_record
from data_prep.moving_mnist import read_idx_images, read_standard_test
from data_prep.penn_action import prepare_penn_action
from data_prep.sequences import read_stocks

SECONDS = 20  # in which every file must be judged
HEIGHT, WIDTH, FRAMES = 24, 40, 3


@contextmanager
def in_time():
    def late(*_):
        raise TimeoutError(f"not judged within {SECONDS} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def fault(read: Callable, path: Path, *, readable: bool) -> str:
    """What is wrong with the reaction to a malformed file; empty where nothing is. readable: the file may turn out readable.

    For stock prices without a whole block, the message names the folder, whose name is the same as the file's.
    """
    try:
        with in_time():
            read(path)
    except UserError as error:
        text = str(error)
        # A file with several faults has a line for each.
        return "" if all(path.stem in line for line in text.splitlines()) else f"{path.name!r}: said {text!r}"
    except Exception as error:
        return f"{path.name!r}: {type(error).__name__}: {error}"
    return "" if readable else f"{path.name!r}: nothing was said"


def spoil(content: bytes, rng: np.random.Generator) -> bytes:
    """The content damaged in one of four ways: cut off, with flipped bits, with a hole of zeros, or with noise in it."""
    spoilt, place = bytearray(content), int(rng.integers(len(content)))
    match int(rng.integers(4)):
        case 0:
            return bytes(spoilt[:place])
        case 1:
            for at in rng.integers(len(content), size=8):
                spoilt[at] ^= 1 << int(rng.integers(8))
        case 2:
            spoilt[place : place + 64] = bytes(len(spoilt[place : place + 64]))
        case 3:
            spoilt[place : place + 64] = rng.bytes(len(spoilt[place : place + 64]))
    return bytes(spoilt)


def write(folder: Path, files: dict[str, bytes]) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in files]


# ---------------------------------------------------------------- 85: frames and labels of Penn Action, prepared together


def jpeg(image: np.ndarray, **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image, options.pop("mode", None)).save(file, options.pop("format", "JPEG"), **options)
    return file.getvalue()


def malformed_frames(rng) -> dict[str, bytes]:
    """40 malformed JPEG files: name of a clip -> its second frame."""
    picture = rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    good = jpeg(picture)
    deep = rng.integers(0, 65536, (HEIGHT, WIDTH), dtype=np.uint16)
    named = {
        "empty": b"",
        "text": b"this is not a picture",
        "a PNG": jpeg(picture, format="PNG"),
        "a GIF": jpeg(picture, format="GIF"),
        "a BMP": jpeg(picture, format="BMP"),
        "sixteen bits": cv2.imencode(".png", deep)[1].tobytes(),
        "CMYK": jpeg(rng.integers(0, 256, (HEIGHT, WIDTH, 4), dtype=np.uint8), mode="CMYK"),
        "grey": jpeg(picture[..., 0]),
        "progressive": jpeg(picture, progressive=True),
        "one pixel": jpeg(picture[:1, :1]),
        "20000 px wide": jpeg(np.zeros((HEIGHT, 20000, 3), np.uint8)),
        "turned": jpeg(picture.transpose(1, 0, 2).copy()),
        "name with spaces ": b"\xff\xd8",
        "ünïcödé 名": b"\xff\xd8\xff\xd9",
        "new\nline": b"\xff\xd8\xff",
        "<script>alert(1)</script>".replace("/", "∕"): b"\xff",
        "twice": good + good,
        "header alone": good[:20],
        "no end": good[:-2],
        "zeros": bytes(len(good)),
    }
    return named | {f"spoilt {index}": spoil(good, rng) for index in range(40 - len(named))}


def label_fields(rng) -> dict:
    corner = rng.uniform(0, 9, (FRAMES, 2))
    return {
        "action": "squat", "pose": "left", "x": rng.uniform(0, WIDTH, (FRAMES, 13)), "y": rng.uniform(0, HEIGHT, (FRAMES, 13)),
        "visibility": np.ones((FRAMES, 13), np.uint8), "train": 1, "bbox": np.concatenate([corner, corner + 9], 1),
        "dimensions": np.array([[HEIGHT, WIDTH, FRAMES]]), "nframes": FRAMES,
    }  # fmt: skip


def mat(fields: dict) -> bytes:
    file = io.BytesIO()
    scipy.io.savemat(file, fields)
    return file.getvalue()


def malformed_labels(rng) -> dict[str, bytes]:
    """45 malformed label files: name of the clip -> its file."""
    good = label_fields(rng)
    nan, infinite = good["x"].copy(), good["y"].copy()
    nan[1, 3], infinite[2, 0] = np.nan, np.inf
    changes = {
        "NaN": {"x": nan}, "infinite": {"y": infinite}, "fewer joints": {"x": good["x"][:, :12]},
        "fewer rows": {"y": good["y"][:2]},
        "no rows": {"x": np.zeros((0, 13))}, "a cube": {"x": np.zeros((FRAMES, 13, 2))}, "text": {"x": "here"},
        "complex": {"bbox": good["bbox"] * 1j}, "three corners": {"bbox": good["bbox"][:, :3]}, "negative": {"nframes": -3},
        "no frames": {"nframes": 0}, "a million": {"nframes": 10**6}, "no size": {"dimensions": np.zeros((1, 3))},
        "split": {"train": 7}, "visible": {"visibility": np.full((FRAMES, 13), 9)}, "nameless": {"action": ""},
        "a number": {"action": 3}, "cells": {"pose": np.array(["left", "right"], object)},
        "backwards": {"bbox": good["bbox"][:, [2, 3, 0, 1]]}, "huge box": {"bbox": good["bbox"] * 1e30},
    }  # fmt: skip
    files = {f"labels {name}": mat(good | change) for name, change in changes.items()}
    files |= {f"labels without {name}": mat({k: v for k, v in good.items() if k != name}) for name in good}
    whole = mat(good)
    files |= {
        "labels empty": b"", "labels zeros": bytes(500), "labels of HDF5": b"\x89HDF\r\n\x1a\n" + bytes(500),
        "labels v7.3": b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(384) + b"\x89HDF\r\n\x1a\n" + bytes(99),
        "labels a picture": jpeg(np.zeros((8, 8, 3), np.uint8)),
    }  # fmt: skip
    return files | {f"labels spoilt {index}": spoil(whole, rng) for index in range(45 - len(files))}


def test_frames_and_labels_that_are_malformed_spoil_no_good_clip(tmp_path, held, tiny):
    rng, source = np.random.default_rng(1), tmp_path / "penn"
    frames, labels = malformed_frames(rng), malformed_labels(rng)
    good = jpeg(rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8))
    for clip in ("0001", "0002", *frames, *labels):
        write(source / "frames" / clip, {f"{n:06d}.jpg": good for n in range(1, FRAMES + 1)})
        fields = label_fields(rng) | ({"train": -1} if clip == "0002" else {})
        write(source / "labels", {f"{clip}.mat": labels.get(clip, mat(fields))})
    for clip, content in frames.items():
        (source / "frames" / clip / "000002.jpg").write_bytes(content)
    with in_time():
        folder = prepare_penn_action(source, tmp_path / "cache")
    prepared = PreparedClips.open(folder)
    clips = ClipDataset(prepared, tiny("data.actions=all").data, seed=0)
    kept = {clip.id for clip in prepared.clips}
    listed = {problem["clip"] for problem in json.loads((folder / "problems.json").read_text())["problems"]}
    assert {"0001", "0002"} <= kept and kept | listed == {"0001", "0002", *frames, *labels} and not kept & listed
    faults = []
    for clip in prepared.clips:  # what is kept must train
        try:
            with in_time():
                clips.load(clip)
        except tf.errors.OpError as error:
            faults.append(f"{clip.id}: {str(error)[-100:]}")
    must_go = {"empty", "text", "a PNG", "a GIF", "a BMP", "sixteen bits", "one pixel", "20000 px wide", "turned",
               "header alone", "no end", "zeros", "labels NaN", "labels infinite", "labels backwards",
               "labels huge box"}  # fmt: skip
    faults += [f"{clip}: kept" for clip in must_go & kept]
    held("frames", len(frames), [fault for fault in faults if not fault.startswith("labels")])
    held("labels", len(labels), [fault for fault in faults if fault.startswith("labels")])
    assert not faults, faults


# ---------------------------------------------------------------- 20: videos


def with_frame_count(avi: bytes, count: int) -> bytes:
    """An AVI file whose two headers claim to have this many frames."""
    changed = bytearray(avi)
    for place in (48, 140):  # dwTotalFrames of avih, dwLength of strh
        assert struct.unpack_from("<I", avi, place) == (6,)
        struct.pack_into("<I", changed, place, count)
    return bytes(changed)


def test_videos(tmp_path, held):
    rng = np.random.default_rng(2)
    whole = tmp_path / "whole.avi"
    writer = cv2.VideoWriter(str(whole), cv2.VideoWriter_fourcc(*"MJPG"), 10, (WIDTH, HEIGHT))
    for frame in rng.integers(0, 256, (6, HEIGHT, WIDTH, 3), dtype=np.uint8):
        writer.write(frame)
    writer.release()
    content = whole.read_bytes()
    hopeless = write(tmp_path / "hopeless", {
        "empty.avi": b"", "text.mp4": b"no video", "header.avi": content[:200], "zeros.avi": bytes(4000), "picture.mp4":
        jpeg(np.zeros((8, 8, 3), np.uint8))[:50],
    })  # fmt: skip
    hopeless.append(tmp_path / "hopeless" / "sound.m4a")
    sound = ["-f", "lavfi", "-i", "sine=duration=1", str(hopeless[-1])]
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), *sound], capture_output=True, check=True)
    faults = [fault(read_video, path, readable=False) for path in (*hopeless, tmp_path / "missing.mp4", tmp_path / "hopeless")]
    odd = {"many.avi": with_frame_count(content, 1000), "few.avi": with_frame_count(content, 2), "sizes.mjpeg": b"".join(
        jpeg(np.zeros((side, 2 * side, 3), np.uint8)) for side in (32, 48, 16))}  # fmt: skip
    spoilt = write(tmp_path / "spoilt", odd | {f"spoilt {index}.avi": spoil(content, rng) for index in range(9)})
    faults += [fault(read_video, path, readable=True) for path in spoilt]
    held("videos", len(faults), faults)
    assert not any(faults), faults


# ---------------------------------------------------------------- 35: settings


def test_settings(tmp_path, held):
    rng = np.random.default_rng(3)
    head = f"base: {find_experiment('analogy_pool3')}\nexperiment: x\n"
    laughs = "a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
    )
    texts = {
        "empty": "", "a list": "- a\n- b\n", "a word": "word", "a number": "3", "tabs": "a:\n\tb: c\n", "open": "a: [1, 2\n",
        "python": "a: !!python/object/apply:os.system ['true']\n", "tag": "a: !thing 3\n", "twice": "a: 1\na: 2\n",
        "itself": "base: itself.yaml\n", "nowhere": "base: nowhere.yaml\n", "binary": "\x00\x01\x02", "laughs": laughs,
        "laughs in place": head + laughs + "data: {actions: *a9}\n", "anchor": "a: &a [*a]\n", "merge": "a: {<<: 3}\n",
        "documents": "a: 1\n---\nb: 2\n", "no system": "experiment: x\n", "base of base": "base: [a]\n",
        "huge": head + "training: {steps: 1" + "0" * 400 + "}\n", "negative": head + "training: {steps: -1}\n",
        "nan": head + "generator_optimizer: {learning_rate: .nan}\n", "infinite": head + "loss: {l2: .inf}\n",
        "text": head + "training: {batch_size: four}\n", "mapping": head + "training: 3\n", "unknown": head + "traning: {}\n",
        "true": head + "training: {steps: true}\n", "null": head + "data: {image_size: null}\n",
        "small": head + "data: {image_size: 2}\n",
        "key": head + "? [1, 2]\n: 3\n",
    }  # fmt: skip
    files = {f"{name}.yaml": text.encode() for name, text in texts.items()}
    files["itself.yaml"] = b"base: itself.yaml\n"
    files |= {f"bytes {index}.yaml": rng.bytes(200) for index in range(35 - len(files))}

    def read(path):
        load_settings(path, SYSTEMS, scale="paper")

    faults = [fault(read, path, readable=False) for path in write(tmp_path, files)]
    held("settings", len(faults), faults)
    assert not any(faults), [fault for fault in faults if fault]


# ---------------------------------------------------------------- 50: stocks, digits, robot arms


def test_stocks(tmp_path, held):
    rng = np.random.default_rng(4)
    rows = "".join(f"2020-01-{1 + day % 28:02d},{100 + day}\n" for day in range(400))
    good = f"Date,Close\n{rows}".encode()
    hopeless = {
        "empty": b"", "head": b"Date,Close\n", "no head": rows.encode(), "no price": b"Date,Open\n2020-01-01,3\n",
        "words": b"Date,Close\n" + b"2020-01-01,dear\n" * 300, "bytes": rng.bytes(500), "zeros": bytes(500),
        "nan": b"Date,Close\n" + b"2020-01-01,nan\n" * 300, "no dates": b"Date,Close\n" + b"soon,3\n" * 300,
        "quotes": b'Date,Close\n"2020-01-01,3\n' * 200, "flat": b"Date,Close\n" + b"2020-01-01,3\n" * 300,
    }  # fmt: skip
    faults = []
    for name, content in hopeless.items():
        (path,) = write(tmp_path / name, {f"{name}.csv": content})
        faults.append(fault(lambda p: read_stocks(p.parent, "chronological"), path, readable=False))
    for index in range(9):
        (path,) = write(tmp_path / f"spoilt {index}", {f"spoilt {index}.csv": spoil(good, rng)})
        faults.append(fault(lambda p: read_stocks(p.parent, "chronological"), path, readable=True))
    held("stocks", len(faults), faults)
    assert not any(faults), [fault for fault in faults if fault]


def test_digits(tmp_path, held):
    rng = np.random.default_rng(5)
    good = np.array([2051, 5, 28, 28], ">i4").tobytes() + rng.bytes(5 * 784)
    hopeless = {
        "empty": b"", "labels": np.array([2049, 5], ">i4").tobytes() + bytes(5), "short": good[:-1], "text": b"digits",
        "negative": np.array([2051, -5, 28, 28], ">i4").tobytes(), "huge": np.array([2051, 2**31 - 1, 28, 28], ">i4").tobytes(),
        "flat": np.array([2051, 5, 0, 28], ">i4").tobytes() + bytes(99), "not.gz": good, "bytes": rng.bytes(300),
    }  # fmt: skip
    faults = [fault(read_idx_images, path, readable=False) for path in write(tmp_path, hopeless)]
    arrays = {
        "pickle.npy": np.array([{}], object),
        "floats.npy": np.zeros((20, 2, 64, 64)),
        "flat.npy": np.zeros((20, 64), np.uint8),
    }
    for name, array in arrays.items():
        np.save(tmp_path / name, array, allow_pickle=True)
    (tmp_path / "cut.npy").write_bytes(b"\x93NUMPY")
    faults += [fault(read_standard_test, tmp_path / name, readable=False) for name in (*arrays, "cut.npy", "missing.npy")]
    faults.append(fault(read_idx_images, write(tmp_path, {"spoilt": spoil(good, rng)})[0], readable=True))
    held("digits", len(faults), faults)
    assert not any(faults), [fault for fault in faults if fault]


def test_records(tmp_path, held):
    rng = np.random.default_rng(6)

    def record(frames: dict[str, bytes]) -> bytes:
        features = {k: tf.train.Feature(bytes_list=tf.train.BytesList(value=[v])) for k, v in frames.items()}
        path = tmp_path / "one"
        with tf.io.TFRecordWriter(str(path)) as writer:
            writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
        return path.read_bytes()

    frame = rng.bytes(64 * 64 * 3)
    good = record({KEY.format(t): frame for t in range(30)})
    hopeless = {
        "empty": b"", "text": b"robot", "zeros": bytes(200), "fewer frames": record({KEY.format(0): frame}),
        "other keys": record({"image": frame}), "short frame": record({KEY.format(t): frame[:-1] for t in range(30)}),
        "cut": good[:-5], "bytes": rng.bytes(900),
    }  # fmt: skip
    faults = [fault(read_record, path, readable=False) for path in write(tmp_path, hopeless)]
    spoilt = write(tmp_path, {f"spoilt {index}": spoil(good, rng) for index in range(7)})
    faults += [fault(read_record, path, readable=False) for path in spoilt]  # records have checksums
    held("records", len(faults), faults)
    assert not any(faults), [fault for fault in faults if fault]


# ---------------------------------------------------------------- 10: calls of a SavedModel


def test_saved_model_calls(finished, held):
    model = tf.saved_model.load(str(finished[0] / "saved_model"))
    specs = model.generate.input_signature if hasattr(model.generate, "input_signature") else None
    frame, joints, visibility = (
        np.zeros((2, 32, 32, 3), np.uint8),
        np.zeros((2, 13, 2), np.float32),
        np.ones((2, 13), np.float32),
    )
    good = {"frame": frame, "joints": joints, "visibility": visibility, "next_joints": joints, "next_visibility": visibility}
    good |= {"crop": np.full((2, 2), 32, np.float32)}
    assert model.generate(**{k: tf.constant(v) for k, v in good.items()})["next_frame"].shape == (2, 32, 32, 3), specs
    changes = {
        "floats": {"frame": frame.astype(np.float32)}, "another size": {"frame": np.zeros((2, 64, 64, 3), np.uint8)},
        "no batch": {"frame": frame[0]}, "grey": {"frame": frame[..., :1]}, "doubles": {"joints": joints.astype(np.float64)},
        "fewer joints": {"joints": joints[:, :12]}, "flat": {"next_joints": joints.reshape(2, 26)},
        "text": {"visibility": "all"},
        "another batch": {"next_joints": joints[:1]}, "nothing": {"crop": None},
    }  # fmt: skip
    faults = []
    for name, change in changes.items():
        with in_time():
            try:
                model.generate(**{k: v if v is None else tf.constant(v) for k, v in (good | change).items()})
                faults.append(f"{name}: nothing was said")
            except (ValueError, TypeError, tf.errors.InvalidArgumentError):
                faults.append("")
    held("SavedModel calls", len(faults), faults)
    assert not any(faults), [fault for fault in faults if fault]


@pytest.fixture(scope="module")
def counts():
    """kind of input -> (number of right reactions, number of inputs); printed at the end."""
    counts: dict[str, tuple[int, int]] = {}
    yield counts
    print("\nmalformed inputs that hold: " + ", ".join(f"{kind} {good} of {total}" for kind, (good, total) in counts.items()))
    print(f"in all {sum(good for good, _ in counts.values())} of {sum(total for _, total in counts.values())}")


@pytest.fixture
def held(counts, record_property):
    """A function (kind, number of inputs, faults) that counts the right reactions."""

    def count(kind: str, total: int, faults: list[str]) -> None:
        counts[kind] = (total - sum(map(bool, faults)), total)
        record_property(f"{kind} that hold", f"{counts[kind][0]} of {total}")

    return count

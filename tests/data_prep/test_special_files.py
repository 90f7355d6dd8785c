"""Pipes, devices, broken and looping links, and folders in the place of files: each is a line, and none is waited for.

They spoil no good file beside them: a dataset lists them in its problems.json.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from analogy.data.pictures import read_picture
from analogy.data.prepared import PreparedClips
from analogy.data.selection import read_split_file
from analogy.data.video import read_video
from analogy.errors import UserError
from analogy.pretrained import archives
from analogy.pretrained.feature_networks import feature_network
from analogy.pretrained.i3d import I3d
from analogy.pretrained.torchvision_resnet import load_resnet18
from analogy.pretrained.vgg16 import load_vgg16
from analogy.settings.loading import read_mapping
from analogy.systems.hierarchical.estimation.tflite import load_model
from analogy.systems.hierarchical.pose_files import read_poses
from data_prep.bair import read_record
from data_prep.frame_store import prepare_frames
from data_prep.kth import KthSource
from data_prep.moving_mnist import read_idx_images, read_standard_test
from data_prep.penn_action import prepare_penn_action
from data_prep.penn_action.labels import read_labels
from data_prep.penn_action.poses import read_pose_clips
from data_prep.sequences import read_stocks
from data_prep.ucf101 import Ucf101Source
from data_prep.videos import VideosSource

ODD = {
    "a pipe": os.mkfifo,
    "a device": lambda path: os.symlink("/dev/zero", path),
    "a broken link": lambda path: os.symlink("/nowhere/at/all", path),
    "a looping link": lambda path: os.symlink(path, path),
    "a folder": os.mkdir,
}
READERS = {
    "picture.png": read_picture,
    "video.mp4": read_video,
    "labels.mat": read_labels,
    "ABC.csv": lambda path: read_stocks(path.parent, "chronological"),
    "images-idx3-ubyte": read_idx_images,
    "images.gz": read_idx_images,
    "mnist_test_seq.npy": read_standard_test,
    "robot.tfrecords": read_record,
    "mine.yaml": read_mapping,
    "split.txt": read_split_file,
    "poses.json": read_poses,
    "poses.npy": read_poses,
    "movenet.tflite": load_model,
    "vgg16.h5": lambda path: load_vgg16(str(path), 1),
    "resnet.pth": lambda path: load_resnet18(str(path)),
    "i3d.npz": lambda path: I3d(path),
    "squeezenet.npz": lambda path: feature_network(str(path)),
}


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("name", READERS)
def test_what_is_no_file_is_a_line_that_names_it(tmp_path, name, kind):
    path = tmp_path / name
    ODD[kind](path)
    with pytest.raises(UserError) as said:
        READERS[name](path)
    assert str(path) in str(said.value) and "\n" not in str(said.value) and "[Errno" not in str(said.value)


def left_out(folder: Path) -> set[str]:
    return {problem["clip"] for problem in json.loads((folder / "problems.json").read_text())["problems"]}


@pytest.mark.parametrize("kind", ODD)
def test_penn_action_lists_them_and_goes_on(actors, tmp_path, kind):
    source = shutil.copytree(actors, tmp_path / "penn")
    names = sorted(path.stem for path in (source / "labels").iterdir())
    spoilt = {"frame": names[0], "label": names[1], "folder": names[2], "no text": "b\udcff"}
    for place in (
        source / "frames" / names[0] / "000002.jpg",
        source / "labels" / f"{names[1]}.mat",
        source / "frames" / names[2],
    ):
        shutil.rmtree(place) if place.is_dir() else place.unlink()
        ODD[kind](place)
    shutil.copytree(source / "frames" / names[3], source / "frames" / "b\udcff")
    shutil.copy(source / "labels" / f"{names[3]}.mat", source / "labels" / "b\udcff.mat")
    folder = prepare_penn_action(source, tmp_path / "cache")
    assert left_out(folder) == {spoilt["frame"], spoilt["label"], spoilt["folder"], "b�"}
    assert {clip.id for clip in PreparedClips.open(folder).clips} == set(names[3:])
    assert len(read_pose_clips(source)) == len(names)  # one is missing, and one name is odd


@pytest.mark.parametrize("kind", ODD)
def test_videos_list_them_and_go_on(tmp_path, kind):
    for folder in ("videos/good", "videos/spoilt"):
        (tmp_path / folder).mkdir(parents=True)
        for number in range(2):
            Image.new("RGB", (32, 32), (9 * number, 0, 0)).save(tmp_path / folder / f"{number}.png")
    ODD[kind](tmp_path / "videos" / "spoilt" / "2.png")
    ODD[kind](tmp_path / "videos" / "odd.mp4")
    folder = prepare_frames(VideosSource(tmp_path / "videos", 16), tmp_path / "cache")
    assert [clip.id for clip in PreparedClips.open(folder).clips] == (["good"] if kind != "a folder" else ["good", "spoilt"])
    assert left_out(folder) == ({"spoilt", "odd.mp4"} if kind != "a folder" else set())


@pytest.mark.parametrize(
    ("source", "name"),
    [(KthSource, "boxing/person01_boxing_d1_uncomp.avi"), (Ucf101Source, "Biking/v_Biking_g01_c01.avi")],
)
def test_a_broken_link_is_a_problem_of_its_video_alone(tmp_path, source, name):
    (tmp_path / name).parent.mkdir()
    (tmp_path / name).symlink_to(".git/annex/objects/gone")
    source = source(tmp_path, 64)
    with pytest.raises(UserError, match=r"no usable clip .*there is no such file"):
        prepare_frames(source, tmp_path / "cache")


def test_a_folder_that_may_not_be_read_is_left_out_alone(actors, tmp_path, monkeypatch):
    """The missing permission is simulated, because tests may run as an administrator, who may read every folder."""
    source = shutil.copytree(actors, tmp_path / "penn")
    theirs = sorted((source / "frames").iterdir())[0]
    real_scandir, real_access = os.scandir, os.access

    def scandir(path="."):
        if str(path) == str(theirs):
            raise PermissionError(13, "Permission denied", str(path))
        return real_scandir(path)

    monkeypatch.setattr(os, "scandir", scandir)
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != theirs and real_access(path, mode))
    folder = prepare_penn_action(source, tmp_path / "cache")
    (problem,) = json.loads((folder / "problems.json").read_text())["problems"]
    assert problem["clip"] == theirs.name and problem["detail"] == "the folder may not be read; allow it"


# ---------------------------------------------------------------- small files that unpack to much, and damaged archives


def png_of(width: int, height: int) -> bytes:
    """The beginning of a PNG file that says it is so large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(11_000, 11_000), (30_000, 30_000), (2**31 - 1, 2**31 - 1)])
def test_a_picture_that_would_fill_the_memory_is_a_line(tmp_path, size):
    (tmp_path / "bomb.png").write_bytes(png_of(*size))
    with pytest.raises(UserError, match=r"bomb.png: this picture cannot be read \(.*; replace it"):
        read_picture(tmp_path / "bomb.png")


def npz(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


def test_archives_that_are_none_or_unpack_to_much_are_a_line(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "LARGEST", 100_000)
    header = (
        b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999,), }".ljust(117) + b"\n"
    )
    np.save(tmp_path / "array.npy", np.zeros(3))
    whole = npz(tmp_path / "whole.npz", a=bytes(3000)).read_bytes()
    files = {
        "bomb": npz(tmp_path / "a.npz", a=bytes(200_000)).read_bytes(),
        "claims": npz(tmp_path / "a.npz", a=header).read_bytes(),
        "pickle": npz(tmp_path / "a.npz", a=b"\x80\x04K\x01.").read_bytes(),
        "cut": whole[:-9],
        "spoilt": whole[:40] + b"\xff" * 9 + whole[49:],
        "array": (tmp_path / "array.npy").read_bytes(),
        "text": b"weights",
        "empty": b"",
    }
    for name, content in files.items():
        path = tmp_path / f"{name}.npz"
        path.write_bytes(content)
        for read in (READERS["i3d.npz"], READERS["squeezenet.npz"]):
            with pytest.raises(UserError, match=f"{name}.npz: .*; ") as said:
                read(path)
            assert "\n" not in str(said.value)


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\x1c\x00\x00\x00TFL3" + bytes(40), b"\xff" * 5000])
def test_an_estimator_that_is_cut_off_is_a_line(tmp_path, content):
    (tmp_path / "cut.tflite").write_bytes(content)
    with pytest.raises(UserError, match=r"cut.tflite: not a TensorFlow Lite model \(.*; fetch the file again"):
        load_model(tmp_path / "cut.tflite")


@pytest.mark.parametrize("name", ["poses.json", "mine.yaml"])
def test_what_is_nested_too_deeply_is_a_line(tmp_path, name):
    (tmp_path / name).write_text("[" * 200_000)
    with pytest.raises(UserError, match=name):
        READERS[name](tmp_path / name)


def test_an_array_that_promises_more_than_it_has_is_a_line(tmp_path):
    np.save(tmp_path / "poses.npy", np.zeros([4, 13, 2]))
    content = (tmp_path / "poses.npy").read_bytes().replace(b"(4, 13, 2)", b"(9**9,13,)"[:10])
    for text in (content, content.replace(b"(9**9,13,)", b"(99999999,"[:10]), content[:200]):
        (tmp_path / "poses.npy").write_bytes(text)
        with pytest.raises(UserError, match=r"poses.npy"):
            read_poses(tmp_path / "poses.npy")

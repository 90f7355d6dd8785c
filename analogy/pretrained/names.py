"""How networks with other people's weights are called in a protocol."""

from __future__ import annotations

from pathlib import Path

KNOWN = {"imagenet": "ImageNet", "hed": "HED"}


def weights_name(network: str, source: str) -> str:
    """The network and where its weights are from, such as `VGG-16 (ImageNet)`. source: a word of the settings, or a file."""
    return f"{network} ({KNOWN.get(source) or Path(source).name})"

"""Fetching the pose estimator BlazePose: two TensorFlow Lite files in the wheel mediapipe on PyPI (Google, Apache-2.0)."""

from __future__ import annotations

from pathlib import Path

from analogy.pretrained.fetching import FILES, Member, take_from_wheel

PACKAGE = "mediapipe==0.10.14"
# The files are the same in the wheels of all systems. This one is fetched everywhere, so that one checksum is enough.
WHEEL_SHA256 = "a807328339e7356fda0bb14df12fedbf1d33bdf81649c5f8666b0026b1cc30b4"
PLATFORM = {"platform": "manylinux2014_x86_64", "python-version": "3.11", "implementation": "cp", "abi": "cp311"}
MEMBERS = {
    "pose_landmark_full.tflite": Member(
        "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
        "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
    ),
    "pose_detection.tflite": Member(
        "mediapipe/modules/pose_detection/pose_detection.tflite",
        "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
    ),
    "LICENSE": Member(
        "mediapipe-0.10.14.dist-info/LICENSE",
        "8707eef0533987efc5b155d64761eeb6e20793f50b9bd1a68dad1cf4719d0ed8",
    ),
}


def fetch_blazepose(folder: Path) -> Path:
    """Download the wheel (36 MB), verify its checksum, and write the two models (9 MB) and their licence to folder/blazepose.

    What is there and whole is not fetched again.

    Returns:
        The folder of the files.

    Raises:
        UserError: there is no network, or the wheel has another checksum.
    """
    target = Path(folder) / FILES["blazepose"]
    take_from_wheel(PACKAGE, WHEEL_SHA256, {target / name: member for name, member in MEMBERS.items()}, platform=PLATFORM)
    return target

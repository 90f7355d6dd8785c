"""The kinds of values that settings have: their limits, and what is made of the text in a YAML file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from analogy.errors import UserError
from analogy.files.names import NO_EXPERIMENTS
from analogy.files.paths import expanded
from analogy.pretrained.fetching import fetched_file

# TensorFlow counts in int32. The limit also catches a typing mistake of many digits.
PositiveInt = Annotated[int, Field(gt=0, lt=2**31)]
NonNegativeInt = Annotated[int, Field(ge=0, lt=2**31)]
# Bounds by sense. What lies beyond is a mistyped number, which would fill the memory or never end.
Units = Annotated[int, Field(gt=0, le=65_536)]  # of a layer: units or channels
Layers = Annotated[int, Field(gt=0, le=100)]  # that are stacked, or members of an ensemble
WidthFactor = Annotated[float, Field(gt=0, le=64)]  # by which a published number of channels is multiplied
FrameCount = Annotated[int, Field(gt=0, le=1000)]  # of a window
ExampleCount = Annotated[int, Field(gt=0, le=10_000_000)]  # that are made or read


def _clip_name(value: object) -> object:
    """A clip id is text, but YAML reads 1198 as a number: make it text again. Ids of Penn Action have four digits."""
    return f"{value:04d}" if isinstance(value, int) and not isinstance(value, bool) else value


ClipId = Annotated[str, BeforeValidator(_clip_name), StringConstraints(min_length=1)]


def _absolute(path: str) -> str:
    """Make a path absolute, so that it means the same file whatever the current folder is. Raises ValueError."""
    try:
        path.encode()
        return str(expanded(path).resolve())
    except UnicodeEncodeError as error:
        raise ValueError("its name is no UTF-8, which settings.yaml cannot keep; rename it, or name a link to it") from error
    except (UserError, RuntimeError) as error:  # the home of an unknown user (~nobody), or a link to itself
        raise ValueError(f"this is no path that can be followed: {error}") from error


FilePath = Annotated[str, AfterValidator(_absolute)]
# A list of clip ids, or the path of a split file with one clip per line. null: the dataset's own split.
Clips = list[ClipId] | FilePath | None


def _absolute_unless(*names: str) -> AfterValidator:
    """Makes paths absolute, and leaves these names as they are."""
    return AfterValidator(lambda path: path if path in names else _absolute(path))


# The path of a file, or `imagenet`: a download.
WeightsFile = Annotated[str, _absolute_unless("imagenet")]
# Weights of VGG-16 (`analogy.pretrained.vgg16.load_vgg16`): `imagenet`, a download; `hed`, of `analogy fetch`; or a path.
Vgg16Weights = Annotated[str, _absolute_unless("imagenet", "hed")]


def vgg16_files(key: str, weights: str | None) -> Iterator[tuple[str, str]]:
    """For `Section.files`: the file that must be there for these weights of VGG-16. None: random ones, which need no file."""
    if weights not in (None, "imagenet"):
        yield key, str(fetched_file("vgg16-hed")) if weights == "hed" else weights


# Pixels of a frame's side: SSIM needs 11, and a mistyped number would fill the memory.
SMALLEST_SIDE, LARGEST_SIDE = 16, 4096


def _folder_name(name: str) -> str:
    """Check an experiment's name: its runs lie in a folder of that name. Raises ValueError."""
    if not name.strip() or name[0] in ".-" or any(sign in "/\\" or not sign.isprintable() for sign in name):
        raise ValueError("it names a folder: choose letters, digits and _, without / or a dot or dash at its beginning")
    if name != name.strip():
        raise ValueError("it names a folder: leave out the spaces around it")
    if len(name.encode()) > 100:
        raise ValueError("it names a folder: choose at most 100 characters")
    if name in NO_EXPERIMENTS:
        raise ValueError(f"results/{name} is kept for {name}: choose another name")
    return name


FolderName = Annotated[str, AfterValidator(_folder_name)]
RunName = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]  # an experiment's name, or a path

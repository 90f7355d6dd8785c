"""The table of all datasets: how each is opened, which files its folder must hold, and whether it can be generated.

Importing this module imports no TensorFlow, so that a wrong name or a wrong folder is refused at once.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, NamedTuple

from analogy.errors import UserError
from analogy.files.listing import files_below
from analogy.files.names import PICTURES, VIDEOS
from analogy.files.paths import cache_folder, check_path, no_folder
from analogy.ownership import refuse_inside_run
from analogy.settings.sections import MovieDataSettings, Settings

if TYPE_CHECKING:
    from analogy.data.contract import Dataset


class Files(NamedTuple):
    """Files that a dataset's folder must hold.

    words: the files' names for messages. patterns: glob patterns below the folder; one of them must match.
    suffixes: instead of patterns, suffixes of which a file anywhere below the folder must have one.
    """

    words: str
    patterns: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()

    def are_in(self, folder: Path) -> bool:
        """Whether the folder holds at least one file that matches a pattern or has a suffix."""
        if self.suffixes:
            return any(path.suffix.lower() in self.suffixes for path in files_below(folder))
        with suppress(OSError):  # a subfolder that may not be read counts as empty
            return any(next(folder.glob(pattern), None) is not None for pattern in self.patterns)
        return False


class Opening(NamedTuple):
    """How a dataset is opened for one kind of data settings (`DatasetSettings.kind`).

    function: "module:name" of a function (folder: Path | None, cache: Path, settings: Settings) -> Dataset. `folder` holds the
        raw dataset, `cache` the prepared data. The function is imported when the dataset is opened.
    files: what the folder must hold; empty where the dataset reads no folder.
    channels: number of channels of its values or frames, 1 or 3, where the dataset decides it and not the settings.
    image_sizes: the sides in pixels that its frames can have; empty where every size is possible.
    splits: the values of `data.split` that it has; empty where it does not read that key.
    follows: the keys of MovieDataSettings with which it can do something beyond their defaults.
    takes_used: whether the function has a fourth parameter, `used`: role -> the loaded SavedModel of each run in `uses`. The
        dataset labels its data with these models.
    """

    function: str
    files: tuple[Files, ...] = ()
    channels: int = 1
    image_sizes: tuple[int, ...] = ()
    splits: tuple[str, ...] = ()
    follows: tuple[str, ...] = ()
    takes_used: bool = False

    def missing(self, folder: Path) -> str | None:
        """The first files that the folder lacks, in words; None where it lacks nothing."""
        return next((files.words for files in self.files if not files.are_in(folder)), None)


class Entry(NamedTuple):
    """The description of a dataset.

    openings: kind of data settings -> how the dataset is opened for them.
    generated: whether it can be generated from the seed, so that it needs no folder.
    complete: whether the generated data are exactly the published data.
    stands_in_for: the published dataset that it replaces where that is missing. A folder, if it is named, holds that one.
    variable: name of an environment variable that names its folder.
    source: "module:name" of what the frame store prepares it from, called with the folder (of a generated dataset, with the
        cache folder in which it is made), and a size where there is a `stored_size`; None where there is nothing to prepare.
    stored_size: (height, width) in pixels in which its frames are usually stored, where the dataset's own is not kept.
    """

    openings: dict[str, Opening]
    generated: bool = False
    complete: bool = False
    stands_in_for: str | None = None
    variable: str | None = None
    source: str | None = None
    stored_size: tuple[int, int] | None = None


_FRAMES = Files("frames/NNNN/NNNNNN.jpg", tuple(f"frames/*/*{end}" for end in (*PICTURES, *map(str.upper, PICTURES))))
_LABELS = Files("labels/NNNN.mat", ("labels/*.mat",))
_PRICES = Files("SYMBOL.csv", ("*.csv",))
_DIGITS = Files("t10k-images-idx3-ubyte or t10k-images-idx3-ubyte.gz", ("t10k-images-idx3-ubyte", "t10k-images-idx3-ubyte.gz"))
_KTH = Files("ACTION/personNN_ACTION_dK_uncomp.avi", ("*/person[0-9][0-9]_*_d[0-9]_uncomp.avi",))
_BAIR_TRAIN = Files("train/*.tfrecords", ("train/*.tfrecords", "softmotion30_44k/train/*.tfrecords"))
_BAIR_TEST = Files("test/*.tfrecords", ("test/*.tfrecords", "softmotion30_44k/test/*.tfrecords"))
_STRIPS = Files("actions/CLASS/NNNNNNNN.jpg", (f"actions/[0134]/{'[0-9]' * 8}.jpg",))
# What every dataset of stored videos can follow, also without a frame rate.
_WINDOWS = ("fit", "skip", "stride", "share", "train_count", "train_clips")
_UCF101 = Files("ACTION/v_ACTION_gXX_cYY.avi", ("*/v_*_g[0-9][0-9]_c[0-9][0-9].[aA][vV][iI]",))
_UCF101_LISTS = Files("ucfTrainTestlist/classInd.txt", ("ucfTrainTestlist/classInd.txt", "../ucfTrainTestlist/classInd.txt"))
_VIDEOS = Files("video (.mp4, .mov, .avi, .mkv, .webm, .gif ...) or folder of pictures", suffixes=VIDEOS + PICTURES)
_TWO_SPLITS = ("published", "standard")
_WHOLE_VIDEOS = (*_WINDOWS, "test_stride", "fps", "leave_out_repeats", "curriculum")

MOST_DRAWN = 1 << 30  # bytes; the standard test set of Moving MNIST takes three quarters of it

DATASETS: dict[str, Entry] = {
    "penn_action": Entry(
        {
            "frames": Opening("data_prep.penn_action.opening:open_frames", (_FRAMES, _LABELS)),
            "pairs": Opening("data_prep.penn_action.opening:open_frames", (_FRAMES, _LABELS)),
            "poses": Opening("data_prep.penn_action.opening:open_poses", (_LABELS,)),
            "movies": Opening("data_prep.penn_action.opening:open_movies", (_FRAMES, _LABELS), channels=3, follows=_WINDOWS),
        },
        variable="ANALOGY_DATA_DIR",
        source="data_prep.penn_action.source:PennActionSource",
    ),
    "synthetic_actors": Entry(
        {
            "frames": Opening("data_prep.synthetic_actors.opening:open_frames", (_FRAMES, _LABELS)),
            "pairs": Opening("data_prep.synthetic_actors.opening:open_frames", (_FRAMES, _LABELS)),
            "poses": Opening("data_prep.synthetic_actors.opening:open_poses", (_LABELS,)),
            "movies": Opening(
                "data_prep.synthetic_actors.opening:open_movies", (_FRAMES, _LABELS), channels=3, follows=_WINDOWS
            ),
        },
        generated=True,
        stands_in_for="penn_action",
        source="data_prep.synthetic_actors.opening:actors_source",
    ),
    "sines": Entry({"sequences": Opening("data_prep.sequences:open_sines")}, generated=True, complete=True),
    "noise": Entry({"sequences": Opening("data_prep.sequences:open_noise")}, generated=True, complete=True),
    "stocks": Entry({"sequences": Opening("data_prep.sequences:open_stocks", (_PRICES,))}),
    "moving_mnist": Entry(
        {"movies": Opening("data_prep.moving_mnist:open_moving_mnist", (_DIGITS,), image_sizes=(64,), splits=_TWO_SPLITS)},
        generated=True,
    ),
    "moving_ball": Entry({"movies": Opening("data_prep.moving_ball:open_moving_ball", channels=3)}, generated=True),
    "moving_shapes": Entry({"movies": Opening("data_prep.moving_shapes:open_moving_shapes", channels=3)}, generated=True),
    "kth": Entry(
        {
            "movies": Opening(
                "data_prep.kth:open_kth",
                (_KTH,),
                splits=_TWO_SPLITS,
                follows=(*_WINDOWS, "fps", "curriculum", "test_persons"),
            )
        },
        source="data_prep.kth:KthSource",
        stored_size=(64, 64),
    ),
    "weizmann": Entry(
        {
            "pairs": Opening("data_prep.weizmann:open_pairs", (_STRIPS,), follows=("test_persons",)),
            "movies": Opening("data_prep.weizmann:open_weizmann", (_STRIPS,), channels=3, follows=(*_WINDOWS, "test_persons")),
        },
        source="data_prep.weizmann:WeizmannSource",
    ),
    "bair": Entry(
        {
            "movies": Opening(
                "data_prep.bair:open_bair",
                (_BAIR_TRAIN, _BAIR_TEST),
                channels=3,
                image_sizes=(64,),
                splits=_TWO_SPLITS,  # it has its own; every run of a ConvLSTM names one of these
                follows=("skip", "share", "train_count", "train_clips"),
            )
        },
        source="data_prep.bair:BairSource",
    ),
    "ucf101": Entry(
        {
            "movies": Opening(
                "data_prep.ucf101:open_ucf101",
                (_UCF101, _UCF101_LISTS),
                channels=3,
                splits=("rec1", "rec2", "rec3", "det24"),
                follows=_WHOLE_VIDEOS,
            )
        },
        source="data_prep.ucf101:Ucf101Source",
        stored_size=(128, 160),
    ),
    "videos": Entry(
        {
            "pairs": Opening("data_prep.videos:open_pairs", (_VIDEOS,)),
            "movies": Opening("data_prep.videos:open_videos", (_VIDEOS,), channels=3, follows=_WHOLE_VIDEOS),
        },
        source="data_prep.videos:VideosSource",
        stored_size=(128, 160),
    ),
}


def open_dataset(settings: Settings, used: Mapping[str, object] | None = None) -> Dataset:
    """Open the dataset that `settings.data` describes; at first use it is prepared.

    Args:
        settings: of the experiment.
        used: role -> the loaded SavedModel of each run in `uses`.

    Raises:
        UserError: see `check_dataset`; or its files are damaged, or it has no training or no test data.
    """
    opening, data = check_dataset(settings), settings.data
    folder = Path(data.folder) if data.folder else None
    arguments = (folder, cache_folder(data.cache) / "prepared", settings, *([used] if opening.takes_used else []))
    return resolve_name(opening.function)(*arguments)


def check_dataset(settings: Settings) -> Opening:
    """Check that the dataset can be opened. This looks at names only, so it is quick and needs no TensorFlow.

    Returns:
        How the dataset opens for these settings.

    Raises:
        UserError: there is no such dataset, it does not go with the system, its folder is missing or of another dataset, or
            there is no home folder for the cache.
    """
    data = settings.data
    opening = find_opening(settings)
    refuse_inside_run(cache_folder(data.cache))
    if isinstance(data, MovieDataSettings):
        _check_movies(data, opening)
        if DATASETS[data.dataset].generated and not DATASETS[data.dataset].source:
            _check_memory(data, opening)
    elif getattr(data, "test_persons", None) is not None and "test_persons" not in opening.follows:
        raise UserError(f"data.test_persons: {data.dataset} is not split by persons; leave it at null")
    if data.folder:
        check_folder(data.dataset, data.kind, Path(data.folder))
    elif not DATASETS[data.dataset].generated:
        raise UserError(
            f"{settings.experiment} at scale {settings.scale} trains on {data.dataset}: name its folder with --data-dir, "
            "or take --scale demo, which needs no dataset"
        )
    return opening


def _check_movies(data: MovieDataSettings, opening: Opening) -> None:
    """Raises UserError where the dataset cannot follow one of the settings of movies."""
    if opening.image_sizes and not (data.size[0] == data.size[1] and data.size[0] in opening.image_sizes):
        sizes = " or ".join(map(str, opening.image_sizes))
        raise UserError(f"data.image_size is {data.image_size}: {data.dataset} has {sizes} pixels")
    if opening.splits and data.split not in opening.splits:
        raise UserError(f"data.split is {data.split}: {data.dataset} has {', '.join(opening.splits)}")
    for key in (*_WHOLE_VIDEOS, "test_persons"):
        value, default = getattr(data, key), MovieDataSettings.model_fields[key].default
        if value != default and key not in opening.follows:
            shown = json.dumps(data.model_dump(mode="json")[key])
            raise UserError(
                f"data.{key} is {shown}: {data.dataset} cannot follow it; leave data.{key} at {json.dumps(default)}"
            )


def _check_memory(data: MovieDataSettings, opening: Opening) -> None:
    """Raises UserError where test movies that are drawn, which stay in memory, would take more than MOST_DRAWN bytes."""
    length, (height, width) = data.context + data.horizon, data.size
    if (drawn := data.test_count * length * height * width * opening.channels) > MOST_DRAWN:
        raise UserError(
            f"data.test_count is {data.test_count}: so many movies of {length} frames of {height} x {width} take "
            f"{drawn / 1e9:.1f} GB, and are drawn in memory: lower it, or data.horizon or data.image_size"
        )


def find_opening(settings: Settings) -> Opening:
    """How the dataset is opened for the system's kind of data settings.

    Raises:
        UserError: there is no such dataset, or it does not go with the system. The message lists the datasets that do.
    """
    data = settings.data
    fitting = [name for name, entry in DATASETS.items() if data.kind in entry.openings]
    if data.dataset not in DATASETS:
        raise UserError(f"data.dataset: there is no dataset {data.dataset}; choose {', '.join(fitting)}")
    if data.dataset not in fitting:
        raise UserError(
            f"data.dataset: {data.dataset} does not go with system {settings.system}; it takes {', '.join(fitting)}"
        )
    return DATASETS[data.dataset].openings[data.kind]


def check_folder(name: str, kind: str, folder: Path) -> None:
    """Check that a folder holds this dataset.

    Args:
        name: a key of DATASETS.
        kind: a key of the dataset's openings.
        folder: the folder to check.

    Raises:
        UserError: the folder is missing, may not be read, or lacks files. The message names the missing files. If the right
            folder is next to this one (inside it, or one of the two around it), the message names that too.
    """
    opening = DATASETS[name].openings[kind]
    if not opening.files:
        raise UserError(f"{folder}: {name} is generated from the seed and reads no folder; leave --data-dir (data.folder) out")
    check_path(folder.absolute())
    if why := no_folder(folder):
        raise UserError(f"{folder}: {why}; name the folder of {name} with --data-dir (data.folder)")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise UserError(f"{folder}: this folder may not be read; allow it, or choose another with --data-dir (data.folder)")
    if (missing := opening.missing(folder)) is None:
        return
    # Files anywhere below are not looked for in the folders around it: one of them may be a whole disk.
    others = () if any(files.suffixes for files in opening.files) else _neighbours(folder)
    right_folder = next((other for other in others if opening.missing(other) is None), None)
    mend = f"; name {right_folder}" if right_folder else ""
    raise UserError(f"{folder}: this is no folder of {name}: there is no {missing} in it{mend}")


def _neighbours(folder: Path) -> list[Path]:
    """Folders that the user may have meant instead of this one: those inside it, then the two around it."""
    inside: list[Path] = []
    with suppress(OSError):
        inside = sorted(path for path in folder.iterdir() if path.is_dir())
    return [*inside, *folder.absolute().parents[:2]]


def folder_from_environment(name: object) -> Path | None:
    """The folder that a dataset's environment variable names, such as $ANALOGY_DATA_DIR for Penn Action; None if unset."""
    entry = DATASETS.get(name) if isinstance(name, str) else None
    folder = os.environ.get(entry.variable) if entry and entry.variable else None
    return Path(folder) if folder else None

"""The SavedModel of a painter gives what the run's own system predicts; tests/test_promises.py asks it of every system."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from analogy.data.clips import LoadedClip
from analogy.errors import UserError
from analogy.files.marks import SAVED_MODEL, mark_folder
from analogy.runs.export import export_saved_model, write_saved_model
from analogy.settings import find_experiment, load_settings
from analogy.systems import SYSTEMS
from tests.conftest import TINY

SIDE, FRAMES = 32, 6
NAMES = ("frame", "joints", "visibility", "next_joints", "next_visibility", "crop")


@pytest.fixture(scope="module")
def clip():
    rng = np.random.default_rng(0)
    return LoadedClip(
        frames=rng.integers(0, 256, (FRAMES, SIDE, SIDE, 3), dtype=np.uint8),
        joints=rng.uniform(0, SIDE, (FRAMES, 13, 2)).astype(np.float32),
        visibility=rng.integers(0, 2, (FRAMES, 13)).astype(np.float32),
        crop=np.tile(np.float32([[90, 70]]), (FRAMES, 1)),  # the endpoints take one crop for both poses
    )


def arguments(clip, references, targets):
    r, t = references, targets
    arrays = clip.frames[r], clip.joints[r], clip.visibility[r], clip.joints[t], clip.visibility[t], clip.crop[r]
    return dict(zip(NAMES, arrays, strict=True))


SYSTEMS_TO_EXPORT = {
    "plain": ("analogy_pool2", ()),
    "skip": ("analogy_pool5_skip", ("generator.depth=4",)),
    "poses beside the image": ("analogy_pool3_input", ("generator.depth=2",)),
    "masked": ("analogy_masked", ("data.image_size=32", "generator.widths=[4, 8]", "generator.work_size=32")),
}


OTHERS = [name for name in SYSTEMS_TO_EXPORT if name != "plain"]


@pytest.fixture(params=["plain", *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)])
def system(request):
    name, overrides = SYSTEMS_TO_EXPORT[request.param]
    if name != "analogy_masked":
        overrides = (*TINY, *overrides)
    settings = load_settings(find_experiment(name), SYSTEMS, scale="demo", overrides=overrides)
    keras.utils.set_random_seed(0)
    built = SYSTEMS[settings.system].build(settings)
    built.prepare_training()
    # Fresh weights paint even grey, which would hide mistakes; much more than 1.5 would saturate to black and white.
    for variable in built.generator.trainable_variables:
        variable.assign(variable * 1.5)
    if name == "analogy_masked":  # its last layer starts at zero
        kernel = built.generator.unet.last.kernel
        kernel.assign(0.3 * keras.random.normal(kernel.shape, seed=1))
    return built


def test_a_savedmodel_paints_the_same_frames(system, clip, tmp_path, eagerly):
    folder, endpoints = tmp_path / "run" / "saved_model", system.endpoints()
    export_saved_model(system, folder)
    assert [path.name for path in folder.parent.iterdir()] == ["saved_model"]
    loaded = tf.saved_model.load(str(folder))
    pairs, targets = np.array([[0, 3], [2, 1], [4, 5]]), np.arange(1, 6)
    cases = {
        "generate": (arguments(clip, pairs[:, 0], pairs[:, 1]), [system.predict(clip, r, np.array([t])) for r, t in pairs]),
        "generate_clip": (arguments(clip, [0], targets), [system.predict(clip, 0, targets)]),
    }
    for endpoint, (given, expected) in cases.items():
        (painted,) = getattr(loaded, endpoint)(**given).values()
        frames = np.concatenate(expected)
        assert frames.std() > 5, "too even a picture to compare"
        assert painted.dtype == np.uint8 and painted.shape == frames.shape
        assert np.abs(painted.numpy().astype(int) - frames.astype(int)).max() <= 1, endpoint
    first, second = cases["generate_clip"][1][0][:2].astype(int)
    assert np.abs(first - second).max() > 5, "the pose must matter, or the order is not tested"
    for name, function in endpoints.items():
        specs = function.input_signature
        assert tuple(spec.name for spec in specs) == NAMES, name
        assert [spec.dtype.name for spec in specs] == ["uint8"] + ["float32"] * 5
        assert specs[3].shape[0] is None and specs[0].shape[1:] == (SIDE, SIDE, 3)


def test_a_new_export_replaces_the_old_one(tmp_path):
    module = tf.Module()
    module.double = tf.function(lambda x: {"twice": 2 * x}, input_signature=[tf.TensorSpec([None], name="x")])
    folder = tmp_path / "saved_model"
    folder.mkdir()
    (folder / "stale").touch()
    (folder / "saved_model.pb").touch()
    with pytest.raises(UserError, match="or delete this one yourself if it is a SavedModel of an earlier version"):
        write_saved_model(module, {"double": module.double}, folder)
    mark_folder(folder, SAVED_MODEL)
    write_saved_model(module, {"double": module.double}, folder)
    assert (folder / "saved_model.pb").is_file() and not (folder / "stale").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["saved_model"]

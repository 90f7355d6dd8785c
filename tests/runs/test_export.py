"""The SavedModel gives what the run's own system predicts, in a process that has nothing of ours."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from analogy.data.clips import LoadedClip
from analogy.runs.export import export_saved_model
from analogy.settings import find_experiment, load_settings
from analogy.systems import SYSTEMS
from tests.conftest import TINY

SIDE, FRAMES = 32, 6
NAMES = ("frame", "joints", "visibility", "next_joints", "next_visibility", "crop")

# Calls both endpoints, as signatures and as methods, on what inputs.npz holds under "CASE/ENDPOINT/INPUT".
STRANGER = """
import sys
import numpy as np
import tensorflow as tf

folder, inputs, outputs = sys.argv[1:]
loaded = tf.saved_model.load(folder)
assert set(loaded.signatures) == {"generate", "generate_clip"}, list(loaded.signatures)
given = np.load(inputs)
painted = {}
for case, endpoint in sorted({tuple(key.split("/")[:2]) for key in given}):
    names = [key.split("/")[2] for key in given if key.startswith(f"{case}/{endpoint}/")]
    arguments = {name: tf.constant(given[f"{case}/{endpoint}/{name}"]) for name in names}
    for way, call in (("signature", loaded.signatures[endpoint]), ("method", getattr(loaded, endpoint))):
        (key, value), = call(**arguments).items()
        painted[f"{case}/{endpoint}/{way}/{key}"] = value.numpy()
np.savez(outputs, **painted)
foreign = {"analogy", "data_prep", "pydantic", "typer", "tensorflow_datasets"} & set(sys.modules)
assert not foreign, foreign
"""


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
    "plain": ("analogy_pool3", ()),
    "skip": ("analogy_pool5_skip", ("generator.depth=4",)),
    "poses beside the image": ("analogy_pool3_input", ()),
    "masked": ("analogy_masked", ("data.image_size=32", "generator.widths=[4, 8]", "generator.work_size=32")),
}


@pytest.fixture(params=SYSTEMS_TO_EXPORT)
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


def test_a_stranger_gets_the_same_frames(system, clip, tmp_path):
    folder = tmp_path / "run" / "saved_model"
    export_saved_model(system, folder)
    assert [path.name for path in folder.parent.iterdir()] == ["saved_model"]

    pairs = np.array([[0, 3], [2, 1], [4, 5]])
    targets = {"T1": np.array([3]), "T5": np.arange(1, 6)}
    cases = {("B3", "generate"): arguments(clip, pairs[:, 0], pairs[:, 1])}
    cases |= {(case, "generate_clip"): arguments(clip, [0], t) for case, t in targets.items()}
    named = {f"{c}/{e}/{name}": array for (c, e), given in cases.items() for name, array in given.items()}
    np.savez(tmp_path / "inputs.npz", **named)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    command = [sys.executable, "-c", STRANGER, str(folder), str(tmp_path / "inputs.npz"), str(tmp_path / "out.npz")]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(command, cwd=elsewhere, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]

    expected = {"B3/generate": np.concatenate([system.predict(clip, r, np.array([t])) for r, t in pairs])}
    expected |= {f"{case}/generate_clip": system.predict(clip, 0, t) for case, t in targets.items()}
    keys = {"generate": "next_frame", "generate_clip": "frames"}
    outputs = np.load(tmp_path / "out.npz")
    assert len(outputs.files) == 6
    for name, frames in expected.items():
        assert frames.std() > 5, "too even a picture to compare"
        for way in ("signature", "method"):
            painted = outputs[f"{name}/{way}/{keys[name.split('/')[1]]}"]
            assert painted.dtype == np.uint8 and painted.shape == frames.shape
            assert np.abs(painted.astype(int) - frames.astype(int)).max() <= 1, f"{name} as {way}"
    one_by_pose = expected["T5/generate_clip"].astype(int)
    assert np.abs(one_by_pose[0] - one_by_pose[1]).max() > 5, "the pose must matter, or the order is not tested"


def test_signatures_name_their_inputs(system):
    for name, function in system.endpoints().items():
        specs = function.get_concrete_function().structured_input_signature[0]
        assert tuple(spec.name for spec in specs) == NAMES, name
        assert [spec.dtype.name for spec in specs] == ["uint8"] + ["float32"] * 5
        assert specs[3].shape[0] is None and specs[0].shape[1:] == (SIDE, SIDE, 3)


def test_a_new_export_replaces_the_old_one(system, tmp_path):
    folder = tmp_path / "saved_model"
    folder.mkdir()
    (folder / "stale").touch()
    (folder / "saved_model.pb").touch()
    (tmp_path / ".saved_model.partial").mkdir()
    export_saved_model(system, folder)
    assert (folder / "saved_model.pb").is_file() and not (folder / "stale").exists()
    assert not (tmp_path / ".saved_model.partial").exists()

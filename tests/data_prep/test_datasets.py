"""DATASETS: each entry is right, wrong folders are refused with clear messages, and a new dataset needs only one entry."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from analogy.data.batches import ReplicaContext
from analogy.data.sequences import SequenceDataset
from analogy.errors import UserError
from analogy.settings import find_experiment, list_experiments, load_settings
from analogy.settings.loading import read_experiment
from analogy.systems import SYSTEMS
from data_prep.datasets import DATASETS, Entry, Opening, check_dataset, check_folder, open_dataset
from tests.conftest import ROOT, _shared

# A file of each dataset that reads a folder, as its authors name it.
OFFICIAL = {
    "penn_action": ("frames/0001/000001.jpg", "labels/0001.mat"),
    "synthetic_actors": ("frames/0001/000001.jpg", "labels/0001.mat"),
    "stocks": ("TSLA.csv",),
    "moving_mnist": ("t10k-images-idx3-ubyte.gz",),
    "kth": ("walking/person01_walking_d1_uncomp.avi",),
    "weizmann": ("actions/0/00000002.jpg",),
    "ucf101": ("YoYo/v_YoYo_g01_c01.avi", "ucfTrainTestlist/classInd.txt"),
    "bair": ("softmotion30_44k/train/traj_0.tfrecords", "softmotion30_44k/test/traj_0.tfrecords"),
}
# A folder of anybody's videos may hold them at any depth, and has no official files.
OPENINGS = [
    (name, kind)
    for name, entry in DATASETS.items()
    for kind, opening in entry.openings.items()
    if opening.files and name != "videos"
]


def settings(experiment, *overrides, scale="paper"):
    return load_settings(find_experiment(experiment), SYSTEMS, scale=scale, overrides=overrides)


def complaint(check, *arguments) -> str:
    with pytest.raises(UserError) as caught:
        check(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def write_official(folder, name):
    for file in OFFICIAL[name]:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()
    return folder


@pytest.mark.parametrize(("name", "kind"), OPENINGS)
def test_a_folder_is_known_by_its_files_and_its_neighbours_are_offered(name, kind, tmp_path):
    opening = DATASETS[name].openings[kind]
    right = write_official(tmp_path / "data" / "right", name)
    check_folder(name, kind, right)
    (tmp_path / "empty").mkdir()
    said = complaint(check_folder, name, kind, tmp_path / "empty")
    assert said == f"{tmp_path / 'empty'}: this is no folder of {name}: there is no {opening.files[0].words} in it"
    assert complaint(check_folder, name, kind, tmp_path / "data").endswith(f" in it; name {right}")
    (inside := right / "notes").mkdir()
    assert complaint(check_folder, name, kind, inside).endswith(f" in it; name {right}")
    for file in OFFICIAL[name][-1:]:
        (right / file).unlink()
    assert f"there is no {opening.files[-1].words} in it" in complaint(check_folder, name, kind, right)


def test_a_missing_folder_a_file_and_a_locked_folder_are_said(tmp_path, monkeypatch):
    assert "there is no such folder; name the folder of kth" in complaint(check_folder, "kth", "movies", tmp_path / "no")
    (tmp_path / "kth.zip").touch()
    assert "a file, not a folder" in complaint(check_folder, "kth", "movies", tmp_path / "kth.zip")
    monkeypatch.setattr("os.access", lambda path, mode: False)  # permissions do not bind an administrator, who may run this
    assert "may not be read" in complaint(check_folder, "kth", "movies", write_official(tmp_path / "locked", "kth"))


def test_files_that_are_nearly_right_are_not_taken(tmp_path):
    (tmp_path / "kth" / "walking").mkdir(parents=True)
    (tmp_path / "kth" / "walking" / "person01_walking_d1.avi").touch()
    assert "no ACTION/personNN_ACTION_dK_uncomp.avi" in complaint(
        check_dataset, settings("convlstm_kth_l1", f"data.folder={tmp_path / 'kth'}")
    )


@pytest.mark.parametrize(
    ("experiment", "folder", "inner"),
    [("convlstm_kth_l1", "kth", "boxing"), ("seq2seq_stocks_l1", "stocks", None), ("convlstm_mmnist_l1", "mnist", None),
     ("analogy_pool3", "penn_action", "frames"), ("pose_lstm", "penn_action", "labels")],
)  # fmt: skip
def test_the_real_folders(experiment, folder, inner):
    real = _shared(f"data/{folder}").resolve()
    check_dataset(settings(experiment, f"data.folder={real}"))
    for wrong in (real.parent, *([real / inner] if inner else [])):
        said = complaint(check_dataset, settings(experiment, f"data.folder={wrong}"))
        assert said.startswith(f"{wrong}: this is no folder of ") and said.endswith(f"; name {real}")
    assert "this is no folder of" in complaint(check_dataset, settings(experiment, f"data.folder={_shared('data/ucf101')}"))


def test_wrong_names_are_refused_with_those_that_go():
    for experiment, name, message in (
        ("seq2seq_sins_l1", "kth", "kth does not go with system seq2seq; it takes sines, noise, stocks"),
        (
            "convlstm_kth_l1",
            "sines",
            "sines does not go with system convlstm; it takes penn_action, synthetic_actors, moving_mnist, "
            "moving_ball, moving_shapes, kth, weizmann, bair, ucf101, videos",
        ),
        ("pose_lstm", "bair", "bair does not go with system pose_lstm; it takes penn_action, synthetic_actors"),
        ("analogy_pool3", "pen_action", "there is no dataset pen_action; choose penn_action, synthetic_actors"),
    ):
        assert complaint(check_dataset, settings(experiment, f"data.dataset={name}")) == f"data.dataset: {message}"
    assert "bair has 64 pixels" in complaint(check_dataset, settings("convlstm_bair_l1", "data.image_size=128"))
    assert "reads no folder" in complaint(check_dataset, settings("seq2seq_sins_l1", "data.folder=/tmp"))
    assert "name its folder with --data-dir" in complaint(check_dataset, settings("convlstm_kth_l1"))


@pytest.mark.parametrize(
    ("experiment", "override", "said"),
    [
        ("convlstm_mmnist_l1", "data.fps=10", "data.fps is 10.0: moving_mnist cannot follow it; leave data.fps at null"),
        ("convlstm_bair_l1", "data.fps=5", "data.fps is 5.0: bair cannot follow it; leave data.fps at null"),
        ("convlstm_bair_l1", "data.stride=2", "data.stride is 2: bair cannot follow it; leave data.stride at 1"),
        ("convlstm_kth_l1", "data.test_stride=2", "kth cannot follow it; leave data.test_stride at null"),
        ("convlstm_kth_l1", "data.split=rec1", "data.split is rec1: kth has published, standard"),
        ("convlstm_kth_l1", "data.leave_out_repeats=true", "leave data.leave_out_repeats at false"),
        ("convlstm_mmnist_l1", "data.image_size=[64, 96]", "moving_mnist has 64 pixels"),
    ],
)
def test_what_a_dataset_cannot_follow_is_said_before_it_is_prepared(experiment, override, said):
    assert said in complaint(check_dataset, settings(experiment, override))


def test_sizes_of_movies_are_kept_as_given_and_must_fit():
    loaded = settings("convlstm_kth_l1", "data.image_size=[64, 96]", "network.patch=4")
    assert loaded.data.size == (64, 96) and loaded.model_dump(mode="json")["data"]["image_size"] == [64, 96]
    assert settings("convlstm_kth_l1").model_dump()["data"]["image_size"] == 64
    for override, said in (("data.image_size=8", "16 pixels"), ("data.image_size=[64, 90]", "must divide both")):
        assert said in complaint(settings, "convlstm_kth_l1", override, "network.patch=4")


def test_every_experiment_trains_on_an_entry():
    for experiment in list_experiments().values():
        content = read_experiment(experiment.path)
        names = [content["data"]["dataset"], content.get("demo", {}).get("data", {}).get("dataset")]
        assert all(name in DATASETS for name in names if name), experiment.path
    for name, entry in DATASETS.items():
        assert entry.generated or not entry.complete
        assert entry.stands_in_for is None or set(DATASETS[entry.stands_in_for].openings) >= set(entry.openings)
        assert all(opening.files or entry.generated for opening in entry.openings.values()), name


def test_a_wrong_folder_is_one_line_before_tensorflow_is_imported(tmp_path):
    arguments = ["run", "convlstm_kth_l1", "--data-dir", str(tmp_path), "--results-dir", str(tmp_path / "results")]
    code = (
        "import sys; from typer.testing import CliRunner; from analogy.cli.app import make_app\n"
        f"done = CliRunner().invoke(make_app(), {arguments!r})\n"
        "print(done.exit_code, 'tensorflow' in sys.modules, done.stderr)"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    said = f"error: {tmp_path}: this is no folder of kth: there is no ACTION/personNN_ACTION_dK_uncomp.avi in it"
    assert process.stdout.strip() == f"2 False {said}", process.stderr


@pytest.mark.parametrize("command", [("evaluate_pipeline",), ("predict", "0001")])
def test_commands_on_people_refuse_a_wrong_folder_first(invoke, command, tmp_path):
    done = invoke(*command, "--data-dir", tmp_path, "--results-dir", tmp_path / "results")
    assert done.exit_code == 2
    said = f"error: {tmp_path}: this is no folder of penn_action: there is no frames/NNNN/NNNNNN.jpg in it"
    assert said in done.stderr.splitlines()  # beside the mistake that there is no run


def open_ramps(folder, cache, settings):
    """A made-up dataset: sequences that rise by a hundredth a step."""
    starts = np.random.default_rng(settings.seed).uniform(0, 0.5, (12, 1))
    values = (starts + 0.01 * np.arange(50))[..., None]
    return SequenceDataset("ramps", values[:8], values[8:], groups_of=2, seed=settings.seed)


def test_a_new_dataset_costs_one_entry(monkeypatch):
    monkeypatch.setitem(DATASETS, "ramps", Entry({"sequences": Opening(f"{__name__}:open_ramps")}, generated=True))
    monkeypatch.setitem(sys.modules, __name__, SimpleNamespace(open_ramps=open_ramps))
    dataset = open_dataset(settings("seq2seq_sins_l1", "data.dataset=ramps"))
    system = SYSTEMS["seq2seq"].build(settings("seq2seq_sins_l1", "data.dataset=ramps", "network.units=4"))
    values = next(iter(system.train_batches(dataset, ReplicaContext(batch_size=3))))["values"].numpy()
    np.testing.assert_allclose(np.diff(values, axis=1), 0.01, atol=1e-6)
    assert values.shape == (3, 50, 1) and len(dataset.test) == 2
    assert "ramps" in complaint(check_dataset, settings("seq2seq_sins_l1", "data.dataset=rmps"))

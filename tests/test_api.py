"""`import analogy`: the five lines of the README, what they refuse, and how quick the import is."""

import subprocess
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

import analogy
from analogy.runs.calling import SavedModel, _fit_all
from analogy.runs.ready import FOLDER as READY_MODELS
from analogy.systems.actions import told_actions
from analogy.visualise.video import write_gif
from tests.run_folders import write_exported_run

SMALL = {"network.units": 4, "data.context": 3, "data.horizon": 2, "data.train_count": 40, "data.test_count": 6,
         "data.groups_of": 3}  # fmt: skip


def test_the_import_brings_nothing_heavy():
    script = (
        "import sys, analogy\n"
        "assert not {'tensorflow', 'keras', 'numpy', 'pydantic'} & set(sys.modules)\n"
        "assert {'train', 'load', 'predict', 'evaluate', 'datasets', 'experiments', 'Run'} <= set(dir(analogy))\n"
        "assert 'analogy_pool3' in analogy.experiments() and 'penn_action' in analogy.datasets()\n"
        "assert issubclass(analogy.UserError, Exception) and not {'tensorflow', 'keras'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with pytest.raises(AttributeError):
        analogy.nothing  # noqa: B018


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    results = tmp_path_factory.mktemp("results")
    return analogy.train("seq2seq_noise_l1", scale="demo", steps=2, set=SMALL, results_dir=results, verbose=False)


def test_five_lines(trained):
    run = trained
    assert run.status == "finished" and run.experiment == "seq2seq_noise_l1" and run.settings.network.units == 4
    assert 0 < run.test["mse"] < 1 and "mse" in run.baseline["linear_map"] and "6 test sequences" in run.protocol
    assert run.page.is_file()
    again = analogy.load(run.folder.parent)
    assert again.folder == run.folder and again.test == run.test
    assert analogy.load("seq2seq_noise_l1", run.folder.parents[1]).folder == run.folder
    values = np.random.default_rng(0).random((5, 3, 1))
    future = again.predict(values)
    assert future.shape == (5, 2, 1) and future.dtype == np.float32
    np.testing.assert_allclose(again.predict(values=values[1]), future[1], atol=1e-6)
    # Its data, drawn again: 6 test sequences in groups of 3. It has no films.
    assert [group.values.shape for group in again.dataset.test] == [(3, 5, 1)] * 2 and again.films == {}


@pytest.mark.slow
def test_training_leaves_the_keras_policy_as_it_was(tmp_path):
    before = keras.config.dtype_policy().name
    small = {**SMALL, "training.precision": "bfloat16"}
    analogy.train("seq2seq_noise_l1", scale="demo", steps=1, set=small, results_dir=tmp_path, verbose=False)
    assert keras.config.dtype_policy().name == before


@pytest.mark.slow
def test_a_run_is_gone_on_with_and_measured_again(trained):
    results = trained.folder.parents[1]
    longer = analogy.train(resume=trained.folder, steps=3, results_dir=results, verbose=False)
    assert longer.folder == trained.folder and longer.settings.training.steps == 3
    measured = analogy.evaluate(longer, results_dir=results)
    assert measured.test["mse"] == pytest.approx(longer.test["mse"], rel=1e-4) and measured.page.is_file()


def test_a_model_that_comes_along_is_loaded_by_its_name(tmp_path):
    run = analogy.load("lvln_plus", tmp_path)
    assert run.folder == READY_MODELS / "lvln_plus" and run.test["psnr"] > run.baseline["copy_last_frame"]["psnr"]


def test_a_video_is_predicted(tmp_path, capsys):
    small = ("data.image_size=16", "data.context=3", "data.horizon=2", "network.units=2", "network.depth=1")
    run = analogy.Run(write_exported_run(tmp_path / "run", "convlstm_mmnist_l1", *small))
    write_gif(
        tmp_path / "mine.gif", 20 * np.arange(6, dtype=np.uint8)[:, None, None, None] * np.ones([1, 16, 16, 3], np.uint8), 10
    )
    folder = analogy.predict(tmp_path / "mine.gif", run, horizon=3, out=tmp_path / "out")
    assert folder == tmp_path / "out" and len(list((folder / "frames").glob("*.png"))) == 3
    assert (folder / "films.gif").is_file() and "PSNR of 3 frames" in capsys.readouterr().out
    with pytest.raises(analogy.UserError, match=r"none\.mp4: there is no such video"):
        analogy.predict(tmp_path / "none.mp4", run)
    for wrong in (0, -3, 2.5):
        with pytest.raises(analogy.UserError, match=f"--horizon {wrong}: give 1 to 1000 frames"):
            analogy.predict(tmp_path / "mine.gif", run, horizon=wrong)


def test_mistakes_are_errors_that_say_how_to_mend_them(trained, tmp_path):
    with pytest.raises(analogy.UserError, match="did you mean analogy_pool3"):
        analogy.train("analogy_pol3")
    with pytest.raises(analogy.UserError, match="name an experiment"):
        analogy.train()
    with pytest.raises(analogy.UserError) as error:
        analogy.train("analogy_pool3", scale="huge", set={"data.crop": "round"}, data_dir=tmp_path / "none")
    assert len(str(error.value).splitlines()) == 3
    with pytest.raises(analogy.UserError, match="neither a run folder nor an experiment"):
        analogy.load("nothing", tmp_path)
    with pytest.raises(analogy.UserError, match="this run predicts no frames of videos; name one that does, such as lvln_plus"):
        analogy.predict(tmp_path, trained)
    with pytest.raises(analogy.UserError, match="there is no beauty"):
        analogy.evaluate(trained, metrics=["beauty"], results_dir=tmp_path)
    with pytest.raises(analogy.UserError, match=r"predict\(values float32 \[any, 3, 1\]\): values has the shape \[4, 1\]"):
        trained.predict(np.zeros([4, 1]))
    with pytest.raises(analogy.UserError, match="no input frames"):
        trained.predict(frames=np.zeros([3, 1]))
    with pytest.raises(analogy.UserError, match=r'metrics: give a list of names: \["psnr"\]'):
        analogy.evaluate(trained, metrics="psnr", results_dir=tmp_path)
    for wrong in (["seed=1"], {1: 2}):
        with pytest.raises(analogy.UserError, match="set: give settings by dotted key"):
            analogy.train("seq2seq_noise_l1", set=wrong, results_dir=tmp_path)
    assert not list(tmp_path.iterdir())
    for wrong in ([[1], [2, 3]], "abc", np.zeros([3, 1], complex)):
        with pytest.raises(analogy.UserError, match="values is no array of numbers"):
            trained.predict(wrong)
    with pytest.raises(analogy.UserError, match=r"values is empty: it has the shape \[0, 3, 1\]"):
        trained.predict(np.zeros([0, 3, 1]))
    with pytest.raises(analogy.UserError, match="there is no endpoint paint; there is predict"):
        trained.predict(np.zeros([3, 1]), endpoint="paint")


def test_a_painter_paints_bytes(tmp_path):
    small = ("data.image_size=32", "generator.widths=[4, 8]", "generator.work_size=32")
    run = analogy.Run(write_exported_run(tmp_path / "run", "analogy_masked", *small))
    rng = np.random.default_rng(0)
    frame, joints = rng.integers(0, 256, (32, 32, 3), np.uint8), rng.uniform(0, 32, (6, 13, 2))
    frames = run.predict(frame=frame, joints=joints[0], next_joints=joints[1:])
    assert frames.shape == (5, 32, 32, 3) and frames.dtype == np.uint8
    # A batch of frames, each with its own next pose, goes to the endpoint for that.
    batch = run.predict(frame=np.stack([frame] * 5), joints=np.stack([joints[0]] * 5), next_joints=joints[1:])
    assert batch.dtype == np.uint8 and np.abs(batch.astype(int) - frames).max() <= 1
    hidden = run.predict(frame=frame, joints=joints[0], next_joints=joints[1:], next_visibility=np.zeros([5, 13]))
    assert (hidden != frames).any()
    with pytest.raises(analogy.UserError, match="frame is float64: give uint8"):
        run.predict(frame=frame / 255, joints=joints[0], next_joints=joints[1:])
    with pytest.raises(analogy.UserError, match=r"frame has the shape \[\]"):
        run.predict(frame=np.uint8(3), joints=joints[0], next_joints=joints[1:])
    with pytest.raises(analogy.UserError, match="next_joints is missing"):
        run.predict(frame=frame, joints=joints[0])


def test_the_missing_input_is_one_that_the_endpoint_has():
    action, joints = tf.TensorSpec([None], tf.int32, "action"), tf.TensorSpec([None, 1, 13, 2], tf.float32, "joints")
    with pytest.raises(analogy.UserError, match=r"^action is missing$"):
        _fit_all({"action": action}, None, {}, {})
    with pytest.raises(analogy.UserError, match=r"^joints is missing$"):
        _fit_all({"action": action, "joints": joints}, None, {}, {})
    fitted = _fit_all({"action": action, "joints": joints}, None, {"joints": np.zeros([2, 1, 13, 2])}, {})
    assert fitted["action"].value.tolist() == [-1, -1]


def test_frames_given_as_bytes_come_back_as_bytes(tmp_path):
    small = ("data.context=2", "data.horizon=3", "network.units=4")
    model = SavedModel(write_exported_run(tmp_path / "run", "convlstm_plus_mmnist", *small))
    frames = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 1), np.uint8)
    future, exact = model.call(frames, {}), model.call(frames.astype(np.float32) / 255, {})
    assert future.shape == (3, 64, 64, 1) and future.dtype == np.uint8 and exact.dtype == np.float32
    np.testing.assert_array_equal(future, np.rint(255 * np.clip(exact, 0, 1)).astype(np.uint8))
    with pytest.raises(analogy.UserError, match=r"values goes from 0 to 200: give 0\.\.1, or uint8"):
        model.call(np.linspace(0, 200, 2 * 64 * 64).reshape(2, 64, 64, 1), {})


@pytest.mark.slow
def test_poses_go_on_for_as_long_as_asked(tmp_path):
    small = ("data.context=4", "data.horizon=6", "data.min_future=2", "network.units=8")
    model = SavedModel(write_exported_run(tmp_path / "run", "pose_lstm_residual", *small))
    joints = np.random.default_rng(0).uniform(0, 60, (4, 13, 2))
    future = model.call(None, {"joints": joints, "box": [0, 0, 60, 60], "size": [64, 64]}, count=7)
    assert future["joints"].shape == (7, 13, 2) and future["visibility"].shape == (7, 13)
    # A batch of joints as uint8: they are pixels, which are not divided by 255.
    batch = {"joints": np.rint(joints)[None], "box": [[0, 0, 60, 60]], "size": [[64, 64]]}
    as_bytes = model.call(None, {**batch, "joints": batch["joints"].astype(np.uint8)}, count=7)
    np.testing.assert_array_equal(as_bytes["joints"], model.call(None, batch, count=7)["joints"])
    with pytest.raises(analogy.UserError, match="count: give whole numbers"):
        model.call(None, {**batch, "count": 2.5})
    for count in (0, -1):
        with pytest.raises(analogy.UserError, match=f"count is {count}: give 1 or more"):
            model.call(None, batch, count=count)


def test_a_classifier_takes_joints_alone(tmp_path):
    run = analogy.Run(write_exported_run(tmp_path / "run", "pose_actions", "network.units=8"))
    scores = run.predict(joints=np.random.default_rng(0).uniform(0, 60, (25, 13, 2)))
    assert scores.shape == (len(run.settings.data.actions),) and scores.sum() == pytest.approx(1.0, abs=1e-3)


def test_the_number_of_an_action_that_the_run_does_not_know():
    """Its networks would predict as if no action were named."""
    asked, run = [], analogy.load("keypoints_plus_motion")
    run.__dict__["_model"] = SimpleNamespace(call=lambda *inputs, **defaults: asked.append(inputs[1]["action"]))
    for action in (-1, 0, 10, [[0], [1]]):
        run.predict(action=action)
    for action, said in ((11, "11"), (-2, "-2"), ([0, 99], "99"), (0.5, "0.5")):
        with pytest.raises(analogy.UserError, match=rf"^action {said}: this run knows 0 baseball_pitch, .*, 10 tennis_serve, "):
            run.predict(action=action)
    assert asked == [-1, 0, 10, [[0], [1]]]
    of_poses = analogy.load("pose_lstm_residual").settings  # of all actions, without their names
    named = SimpleNamespace(data=SimpleNamespace(actions=["bowl"]), network=SimpleNamespace(conditioned=True))
    assert told_actions(of_poses) == () and told_actions(named) == ["bowl"]

"""The command line: what it prints, and one clear line for each mistake."""

import pytest


def test_list_names_every_experiment_with_its_source(run_experiment):
    process = run_experiment("--list", exp=None, tiny=False)
    assert process.returncode == 0
    assert "analogy_pool3" in process.stdout and "source: Yan & Zhang" in process.stdout


def test_dry_run_prints_settings_and_published_parameter_counts(run_experiment, actors):
    process = run_experiment("--dry-run", "--data-dir", actors, tiny=False)
    assert process.returncode == 0, process.stderr
    assert "scale paper" in process.stdout  # auto, and the dataset is there
    assert "discriminator: 207,265,921" in process.stdout and "image_encoder: 1,735,488" in process.stdout
    assert "learning_rate: 5.0e-05" in process.stdout


@pytest.mark.parametrize(
    ("options", "exp", "message"),
    [
        ((), "analogy_pol3", "did you mean analogy_pool3"),
        ((), None, "--exp NAME is missing"),
        (("--set", "training.stepz=3"), "analogy_pool3", "nearest valid one is training.steps"),
        (("--set", "training.steps=many"), "analogy_pool3", "training.steps"),
        (("--set", "data.image_size=60"), "analogy_pool3", "multiples of 8"),
        (("--set", "data.image_size=8"), "analogy_pool3", "at least 16"),
        (("--scale", "paper"), "analogy_pool3", "--data-dir"),
        (("--scale", "huge"), "analogy_pool3", "auto, paper or demo"),
        (("--resume", "nowhere"), None, "not a run folder"),
        (("--data-dir", "/nowhere"), "analogy_pool3", "/nowhere"),
        (("--data-dir", "/nowhere"), "seq2seq_sins_l1", "takes sines, generated from the seed; leave --data-dir out"),
        (("--set", "loss.feature=1", "--set", "loss.feature_weights=no.npy"), "analogy_pool3", "no.npy: there is no such file"),
        (("--devices", "gpu:99"), "analogy_pool3", "--devices gpu:99"),
        (("--devices", "cpu:3"), "analogy_pool3", "multiple of 3"),
    ],
)
def test_a_mistake_is_one_clear_line_and_leaves_nothing(run_experiment, tmp_path, options, exp, message):
    process = run_experiment("--results-dir", tmp_path / "results", *options, exp=exp, tiny=False)
    assert process.returncode == 2
    errors = [line for line in process.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and message in errors[0]
    assert "Traceback" not in process.stderr
    assert not list(tmp_path.rglob("saved_model")) and not list(tmp_path.rglob("*.partial"))


def test_a_results_folder_that_cannot_be_written(run_experiment, tmp_path):
    (tmp_path / "results").write_text("a file where a folder should be")
    process = run_experiment("--results-dir", tmp_path / "results", tiny=False)
    assert process.returncode == 2
    assert "choose another --results-dir" in process.stderr and "Traceback" not in process.stderr


def test_a_short_run_on_the_real_clips(run_experiment, penn_action, tmp_path):
    import json

    clips = ("--set", "data.train_clips=[0050,0280,0544,0992,1198,1370]", "--set", "data.test_clips=[0445,1755]")
    options = ("--data-dir", penn_action, "--scale", "demo", "--results-dir", tmp_path, "--steps", 2)
    process = run_experiment(*options, *clips)
    assert process.returncode == 0, process.stderr
    (run,) = (tmp_path / "analogy_pool3").iterdir()
    summary = json.loads((run / "summary.json").read_text())
    assert [row["clip"] for row in summary["clips"]] == ["0445", "1755"]
    assert summary["test"]["frames"] == 99 + 89
    assert "2318" in process.stdout  # clips with labels but no frames


@pytest.mark.slow
def test_the_demo_beats_copying_the_reference_frame_by_one_decibel(run_experiment, tmp_path):
    import json

    process = run_experiment("--results-dir", tmp_path, tiny=False)
    assert process.returncode == 0, process.stderr
    (run,) = (tmp_path / "analogy_pool3").iterdir()
    summary = json.loads((run / "summary.json").read_text())
    assert summary["test"]["psnr"] >= summary["baseline"]["copy_reference"]["psnr"] + 1.0

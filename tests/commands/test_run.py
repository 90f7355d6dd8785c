"""The command line of `run`: what it prints, and one clear line for each mistake, found before anything starts."""

import json
import os
import shutil
from pathlib import Path

import pytest

import data_prep.datasets
from analogy.resolve import resolve_settings
from analogy.runs.environment import describe_environment
from analogy.runs.find import find_run
from analogy.settings import write_settings
from analogy.training import run as training


@pytest.fixture
def nothing_starts(monkeypatch):
    """Let a test fail where data are opened or a device is asked for."""

    def touched(*args, **kwargs):
        raise AssertionError(f"something has started: {args}")

    monkeypatch.setattr(data_prep.datasets, "open_dataset", touched)
    monkeypatch.setattr(training, "make_strategy", touched)


def errors(done) -> list[str]:
    assert done.exit_code == 2, (done.output, done.exception)
    lines = done.stderr.splitlines()
    assert lines and all(line.startswith("error: ") for line in lines), done.stderr
    return lines


def test_list_names_every_experiment_with_its_source(invoke):
    listed, asked = invoke("list"), invoke("run", "--list")
    assert listed.exit_code == asked.exit_code == 0 and listed.stdout == asked.stdout
    assert "analogy_pool3" in listed.stdout and "source: Yan & Zhang" in listed.stdout
    assert listed.stdout.index("hierarchical:") < listed.stdout.index("analogy_pool3") < listed.stdout.index("seq2seq:")


def test_dry_run_prints_settings_and_published_parameter_counts(invoke, actors):
    done = invoke("run", "--exp", "analogy_pool3", "--dry-run", "--data-dir", actors)
    assert done.exit_code == 0, done.stderr
    assert "scale paper" in done.stdout  # auto, and the dataset is there
    assert "discriminator: 207,265,921" in done.stdout and "image_encoder: 1,735,488" in done.stdout
    assert "learning_rate: 5.0e-05" in done.stdout


@pytest.mark.parametrize(
    ("options", "exp", "message"),
    [
        ((), "analogy_pol3", "did you mean analogy_pool3"),
        ((), None, "--exp NAME is missing"),
        (("--exp", "analogy_pool4"), "analogy_pool3", "name one experiment"),
        (("--set", "training.stepz=3"), "analogy_pool3", "nearest valid one is training.steps"),
        (("--set", "training.steps=many"), "analogy_pool3", "training.steps"),
        (("--set", "data.image_size=60"), "analogy_pool3", "multiples of 8"),
        (("--set", "data.image_size=8"), "analogy_pool3", "at least 16"),
        (("--scale", "paper"), "analogy_pool3", "--data-dir"),
        (("--scale", "huge"), "analogy_pool3", "auto, paper or demo"),
        (("--resume", "nowhere"), None, "not a run folder"),
        (("--data-dir", "/nowhere"), "analogy_pool3", "/nowhere: there is no such folder"),
        (("--data-dir", "{here}"), "seq2seq_sins_l1", "generated from the seed"),
        (("--set", "loss.feature=1", "--set", "loss.feature_weights=no.npy"), "analogy_pool3", "no.npy: there is no such file"),
        (
            ("--set", "loss.feature=1", "--set", "loss.feature_weights=hed"),
            "analogy_pool3",
            "with `analogy fetch vgg16-hed`",
        ),
        (("--set", "data.test_clips=no.txt"), "analogy_pool3", "no.txt: there is no such file"),
        (("--devices", "cpu:3"), "analogy_pool3", "multiple of 3"),
        (("--results-dir", "{here}/file/results"), "analogy_pool3", "choose another --results-dir"),
    ],
)
def test_a_mistake_is_one_clear_line_before_anything_starts(
    invoke, nothing_starts, tmp_path, monkeypatch, options, exp, message
):
    monkeypatch.setenv("ANALOGY_CACHE", str(tmp_path / "empty"))  # as on a machine where nothing was fetched
    (tmp_path / "file").write_text("a file where a folder should be")
    named = [option.format(here=tmp_path) for option in options]
    done = invoke("run", *[exp][: exp is not None], "--results-dir", tmp_path / "results", *named)
    (line,) = errors(done)
    assert message in line
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_all_mistakes_are_said_at_once(invoke, nothing_starts, tmp_path):
    (tmp_path / "file").touch()
    wrong = ("--scale", "huge", "--data-dir", "/nowhere", "--results-dir", tmp_path / "file", "--set", "training.stepz=3")
    lines = errors(invoke("run", "analogy_pool3", *wrong, "--set", "data.crop=round"))
    for message in ("--scale huge", "/nowhere", "choose another --results-dir", "training.stepz", "data.crop"):
        assert sum(message in line for line in lines) == 1, lines
    assert len(lines) == 5


def test_all_mistakes_are_said_though_there_is_no_such_experiment(invoke, nothing_starts, tmp_path):
    lines = errors(invoke("run", "analogy_pol3", "--data-dir", tmp_path / "none", "--set", "steps", "--results-dir", tmp_path))
    assert len(lines) == 3 and "did you mean analogy_pool3" in lines[0] and "none: there is no such folder" in lines[1]
    assert "--set steps: expected KEY=VALUE" in lines[2]


def test_a_cache_in_the_home_of_nobody_is_one_line(invoke, nothing_starts, monkeypatch, tmp_path):
    monkeypatch.setenv("ANALOGY_CACHE", "~nobody_at_all/x")
    for command in (("run", "seq2seq_noise_l1", "--results-dir", tmp_path), ("fetch", "i3d"), ("prepare", "synthetic_actors")):
        (line,) = errors(invoke(*command))
        assert "the cache ($ANALOGY_CACHE): ~nobody_at_all/x: there is no such folder" in line


@pytest.mark.parametrize("name", ["Penn #2", "a: [b] *?", "new\nline", "-x", "'q' \"q\""])
def test_the_folder_of_the_data_may_have_any_name(actors, tmp_path, monkeypatch, name):
    (tmp_path / "Penn").mkdir()  # what YAML would make of the first
    (tmp_path / name).symlink_to(actors)
    monkeypatch.chdir(tmp_path)
    options = {"results_dir": Path("results"), "scale": "demo"}
    settings = resolve_settings("analogy_pool3", data_dir=Path(name), values={"training.steps": 3}, **options)
    assert settings.data.folder == str(actors.resolve()) and settings.data.dataset == "penn_action"
    assert settings.training.steps == 3


def test_a_run_that_is_repeated_takes_the_data_that_its_settings_name(actors, tmp_path, monkeypatch):
    monkeypatch.delenv("ANALOGY_DATA_DIR", raising=False)
    settings = resolve_settings("analogy_pool3", results_dir=tmp_path, scale="demo", data_dir=actors)
    write_settings(settings, tmp_path / "settings.yaml")
    (elsewhere := tmp_path / "elsewhere").symlink_to(actors.parent)
    monkeypatch.setenv("ANALOGY_DATA_DIR", str(elsewhere))
    again = str(tmp_path / "settings.yaml")
    assert resolve_settings(again, results_dir=tmp_path) == settings, "the variable is a default alone"
    moved = shutil.copytree(actors, tmp_path / "moved")
    assert resolve_settings(again, results_dir=tmp_path, data_dir=moved).data.folder == str(moved)


def test_devices_that_are_not_there_are_refused_before_the_data_are_opened(invoke, monkeypatch, tmp_path):
    def touched(settings):
        raise AssertionError("the data were opened")

    monkeypatch.setattr(data_prep.datasets, "open_dataset", touched)
    options = ("--devices", "gpu:14", "--set", "training.batch_size=14", "--results-dir", tmp_path)
    (line,) = errors(invoke("run", "analogy_pool3", *options))
    assert "--devices gpu:14: TensorFlow sees" in line


def test_the_script_takes_the_same_options(run_experiment, tmp_path):
    process = run_experiment("--set", "training.stepz=3", "--results-dir", tmp_path / "results", tiny=False)
    assert process.returncode == 2 and process.stderr.count("\n") == 1
    assert process.stderr.startswith("error: ") and "training.stepz" in process.stderr


@pytest.mark.slow
def test_a_short_run_on_the_real_clips(run_here, penn_action, tmp_path):
    clips = ("--set", "data.train_clips=[0050,0445,0992,1198,1370,1755]", "--set", "data.test_clips=[0280,0544]")
    clips += ("--set", "data.actions=all")
    options = ("--data-dir", penn_action, "--scale", "demo", "--results-dir", tmp_path, "--steps", 2)
    process = run_here(*options, *clips)
    assert process.returncode == 0, process.stderr
    (run,) = (tmp_path / "analogy_pool3").iterdir()
    summary = json.loads((run / "summary.json").read_text())
    assert [row["clip"] for row in summary["clips"]] == ["0280", "0544"]
    assert summary["test"]["frames"] == 39 + 31
    assert "2318" in process.stdout  # clips with labels but no frames


@pytest.mark.slow
def test_the_demo_beats_copying_the_reference_frame_by_one_decibel(run_experiment, tmp_path):
    """`.ci/run` has trained it already, by the README's first command, and names its results folder in TRAINED_DEMO: the newest
    finished run there must be of today's code."""
    results = Path(os.environ.get("TRAINED_DEMO", tmp_path))
    if results == tmp_path:
        process = run_experiment("--results-dir", results, tiny=False)
        assert process.returncode == 0, process.stderr
    run = find_run("analogy_pool3", results, "TRAINED_DEMO")
    environment, summary = (json.loads((run / name).read_text()) for name in ("environment.json", "summary.json"))
    assert environment["commit"] == describe_environment()["commit"]
    assert (summary["status"], summary["scale"]) == ("finished", "demo")
    assert summary["test"]["psnr"] >= summary["baseline"]["copy_reference"]["psnr"] + 1.0

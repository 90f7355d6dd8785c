"""A run that goes on differently says so, or is refused: never as if it had always been so."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path

import pytest

from analogy.errors import UserError
from analogy.resolve import resolve_settings
from analogy.runs.find import find_run, load_endpoint
from analogy.runs.history import (
    check_data,
    check_precision,
    check_settings,
    describe,
    differences_of_data,
    flat_settings,
    go_on,
)
from analogy.settings import find_experiment, load_settings
from analogy.systems import SYSTEMS
from analogy.training.run import run_experiment
from data_prep.datasets import open_dataset

TINY = {
    "data.context": 4, "data.horizon": 3, "data.train_count": 8, "data.test_count": 4, "data.groups_of": 2,
    "network.units": 2, "training.batch_size": 2, "training.steps": 2, "training.log_every": 1, "training.devices": "cpu",
    "training.precision": "float32", "evaluation.clips_per_action": 1,
}  # fmt: skip
DATA = {"name": "noise", "train": "a", "test": "b", "labels": "c"}


def settings(**changes):
    values = {**TINY, **{key.replace("__", "."): value for key, value in changes.items()}}
    return load_settings(find_experiment("seq2seq_noise_l1"), SYSTEMS, scale="demo", values=values)


@pytest.fixture
def run(tmp_path):
    """A run of 12 steps, as far as its history goes."""
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "step-8.index").touch()
    (tmp_path / "checkpoints" / "step-12.index").touch()
    (tmp_path / "settings.yaml").write_text("of the first part")
    write(tmp_path, go_on(tmp_path, settings(), DATA, 0))
    return tmp_path


def write(run: Path, parts: list[dict]) -> None:
    (run / "summary.json").write_text(json.dumps({"parts": parts}))


def test_a_run_that_goes_on_alike_has_one_part(run):
    (part,) = parts = go_on(run, settings(), DATA, 12)
    assert part == {"from_step": 1, "settings": flat_settings(settings()), "dataset": DATA, "changes": []}
    assert part["settings"]["training.batch_size"] == 2 and part["settings"]["seed"] == 0
    assert describe(parts) == "" and not list(run.glob("settings-until*"))


def test_a_run_without_its_checkpoints_is_not_trained_anew_over_its_results(run):
    for index in (run / "checkpoints").iterdir():
        index.rename(index.with_name("step-².index"))  # and what no step is called is none
    for status in ("finished", "interrupted", "running"):
        (run / "summary.json").write_text(json.dumps({"status": status, "steps": 12}))
        with pytest.raises(UserError, match="it has trained 12 steps, and its checkpoints are gone: put them back"):
            check_settings(run, settings())
    (run / "settings.yaml").write_text("seed: 0\n")
    for facts in ({"status": "failed", "steps": 3}, {"status": "running", "steps": 0}, {}):  # before the first checkpoint
        (run / "summary.json").write_text(json.dumps(facts))
        check_settings(run, settings())


def test_what_may_change_is_said(run, caplog):
    changed = settings(training__batch_size=8, optimizer__learning_rate=0.5, data__folder="/elsewhere")
    check_settings(run, changed)
    parts = go_on(run, changed, DATA, 12)
    rate = settings().optimizer.learning_rate
    assert [part["from_step"] for part in parts] == [1, 13] and {"key": "training.batch_size", "before": 2, "now": 8} in parts[
        1
    ]["changes"]
    said = describe(parts)
    assert said == f"; steps 1-12 with optimizer.learning_rate {rate}, training.batch_size 2, from 13 with 0.5, 8" or (
        said == f"; steps 1-12 with training.batch_size 2, optimizer.learning_rate {rate}, from 13 with 8, 0.5"
    )
    assert "from step 13 on: training.batch_size was 2 and is 8" in caplog.text and "data.folder was None" in caplog.text
    assert (run / "settings-until-000012.yaml").read_text() == "of the first part"

    write(run, parts)
    back = go_on(run, settings(training__batch_size=4), DATA, 20)
    assert [part["from_step"] for part in back] == [1, 13, 21]
    assert "; steps 13-20 with training.batch_size 8, " in describe(back)
    # A run that goes on from an earlier checkpoint forgets what came of the later steps.
    assert [part["from_step"] for part in go_on(run, settings(), DATA, 8)] == [1]
    assert [part["from_step"] for part in go_on(run, settings(), DATA, 0)] == [1]


def test_what_a_run_is_called_and_advises_is_no_change(run):
    named = settings(summary="new words", try_next={"seq2seq_noise_l2": "the half"}, train_used=True)
    assert len(go_on(run, named, DATA, 12)) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 7}, "seed was 0 and would be 7"),
        ({"network__units": 3}, "network.units was 2 and would be 3"),
        ({"data__horizon": 5}, "data.horizon was 3 and would be 5"),
        ({"optimizer__name": "adagrad"}, "optimizer.name was adam and would be adagrad"),
        ({"optimizer__average": 0.9}, "optimizer.average was 0.0 and would be 0.9"),
    ],
)
def test_what_must_not_change_is_refused_with_both_values(run, change, said):
    with pytest.raises(UserError) as caught:
        check_settings(run, settings(**change))
    assert str(caught.value) == f"--resume {run}: {said}: leave it as it was in the first 12 steps, or start a new run"
    for index in (run / "checkpoints").iterdir():
        index.unlink()
    check_settings(run, settings(**change))  # nothing was trained yet


@pytest.mark.parametrize(("before", "now", "good"), [("float32", "bfloat16", True), ("float32", "float16", False)])
def test_a_scaled_loss_is_neither_begun_nor_left_midway(run, before, now, good):
    for first, then in ((before, now), (now, before)):
        (run / "summary.json").write_text(json.dumps({"precision": first}))
        with nullcontext() if good else pytest.raises(UserError, match=f"precision was {first} and would be {then}"):
            check_precision(run, then)


def test_settings_that_were_edited_by_hand_are_noticed(run):
    """The file is not what the steps were trained with."""
    (run / "settings.yaml").write_text("seed: 7\n")
    with pytest.raises(UserError, match="seed was 0 and would be 7"):
        check_settings(run, settings(seed=7))


def test_other_clips_are_refused_and_other_labels_are_said(run, caplog):
    check_data(run, settings(), DATA)
    for part, words in (("train", "which clips train"), ("test", "which clips test"), ("name", "the name of the dataset")):
        with pytest.raises(
            UserError, match=f"the data are not those of the first 12 steps: {words} .*differ; go on with the same"
        ):
            check_data(run, settings(), DATA | {part: "other"})
    with pytest.raises(UserError, match=r"which clips train \(data.folder was None and is /elsewhere\) differ"):
        check_data(run, settings(data__folder="/elsewhere"), DATA | {"train": "other"})
    check_data(run, settings(), DATA | {"labels": "other"})
    parts = go_on(run, settings(), DATA | {"labels": "other"}, 12)
    assert describe(parts) == "; from step 13 on with other data: the labels of a clip"
    assert "from step 13 on: the labels of a clip differ from before" in caplog.text


def test_clips_that_have_changed_places_are_refused_and_changed_clips_are_said(run, caplog):
    known = DATA | {"content": "a", "pool": "both"}
    write(run, go_on(run, settings(), known, 0))
    with pytest.raises(UserError, match="the same clips are there under one another's names"):
        check_data(run, settings(), known | {"content": "exchanged"})
    for data in (known, known | {"content": "new", "pool": "new"}, DATA | {"content": "new"}):
        check_data(run, settings(), data)
    go_on(run, settings(), known | {"content": "new", "pool": "new"}, 12)
    assert "the frames or values of a clip differ from before" in caplog.text


def test_other_data_are_said_where_a_run_is_measured_again(run):
    said = "NOT the data of the training: which clips train, which clips test differ"
    other = DATA | {"train": "b", "test": "a"}
    assert differences_of_data(run, other, selected=False) == said and not differences_of_data(run, DATA, selected=False)
    assert differences_of_data(run, other, selected=True) == "NOT the data of the training: which clips train differ"
    assert not differences_of_data(run / "checkpoints", other, selected=False)  # nothing is known of its data


def test_a_run_of_an_earlier_version_goes_on_and_says_what_cannot_be_told(run, caplog):
    caplog.set_level("INFO", logger="analogy")
    (run / "summary.json").write_text("{}")
    (run / "settings.yaml").write_text("seed: 0\ntraining: {batch_size: 2}\npublished: {mse: [1.0]}\n")
    with pytest.raises(UserError, match="seed was 0 and would be 1"):
        check_settings(run, settings(seed=1))
    check_data(run, settings(), DATA)
    parts = go_on(run, settings(training__batch_size=8), DATA, 12)
    assert (
        "kept no fingerprint of its data" in caplog.text
        and describe(parts) == "; steps 1-12 with training.batch_size 2, from 13 with 8"
    )
    assert [part["dataset"] for part in parts] == [{}, DATA]


@pytest.mark.parametrize(
    "parts", [None, 3, "x", [1], [{"from_step": 1}], [{"from_step": "1", "settings": {}, "dataset": {}, "changes": []}]]
)
def test_a_damaged_history_is_none(run, parts):
    write(run, parts)
    assert describe(parts) == ""
    (run / "settings.yaml").write_text("seed: 0\n")
    assert len(go_on(run, settings(), DATA, 12)) == 2


@pytest.mark.slow
def test_a_run_from_start_to_end_and_on(tmp_path, caplog):
    """Two steps, and two more with another batch size: in summary.json, the protocol, the log and on the page. All in a folder
    whose name is a pattern to TensorFlow, and YAML, JSON and HTML to others."""
    tmp_path = tmp_path / "a [b] #c*? 'd' <e>&: \n"
    run = run_experiment(settings(), open_dataset, tmp_path / "results")
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    summary = json.loads((run / "summary.json").read_text())
    assert len(summary["parts"]) == 1 and set(summary["parts"][0]["dataset"]) >= {"name", "train", "test"}
    assert "from 3 with" not in summary["protocol"]

    def going_on(**values):
        return resolve_settings(None, results_dir=tmp_path, resume=run, values=values)

    for key, value in (("seed", 5), ("network.units", 3)):
        with pytest.raises(UserError, match=f"{key} was "):
            going_on(**{key: value})
    with pytest.raises(UserError, match="seed was 0 and would be 5"):  # also where nobody resolved the settings
        run_experiment(settings(seed=5), open_dataset, tmp_path / "results", run)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before

    run_experiment(going_on(**{"training.steps": 4, "training.batch_size": 4}), open_dataset, tmp_path / "results", run)
    summary, words = (
        json.loads((run / "summary.json").read_text()),
        "; steps 1-2 with training.steps 2, training.batch_size 2, from 3 with 4, 4",
    )
    assert [part["from_step"] for part in summary["parts"]] == [1, 3] and summary["protocol"].endswith(words)
    assert words in (run / "index.html").read_text() and "training.batch_size was 2 and is 4" in (run / "log.txt").read_text()
    assert (run / "settings-until-000002.yaml").read_bytes() == before[run / "settings.yaml"]
    assert load_settings(run / "settings.yaml", SYSTEMS, scale="demo").training.batch_size == 4
    assert load_endpoint(run, "predict") and find_run("seq2seq_noise_l1", tmp_path / "results", "--run") == run

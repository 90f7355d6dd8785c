"""A run builds on another: it is found once, opened as a SavedModel, linked on the page, and nothing of it is trained."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import tensorflow as tf

from analogy.api import load
from analogy.errors import UserError
from analogy.evaluation.judge import Measures
from analogy.measure import check_evaluation
from analogy.resolve import resolve_settings, stages
from analogy.runs.find import load_endpoint
from analogy.runs.uses import (
    check_roles,
    checksum,
    doubts_about_used,
    open_used,
    resolve_runs,
    retrained_models,
    untrained_experiments,
    used_models,
)
from analogy.settings import find_experiment, list_experiments, load_settings, write_settings
from analogy.systems import SYSTEMS, Entry
from analogy.systems.seq2seq.seq2seq import Seq2SeqSystem
from analogy.systems.seq2seq.settings import LstmSettings
from analogy.training.checkpoint import saved_checkpoints
from analogy.training.run import run_experiment
from data_prep.datasets import DATASETS, Opening, open_dataset
from tests.run_folders import finished_run, rows

TINY = (
    "data.context=4", "data.horizon=3", "data.train_count=8", "data.test_count=4", "data.groups_of=2", "network.units=2",
    "training.batch_size=2", "training.steps=2", "training.log_every=1", "training.devices=cpu",
    "training.precision=float32", "evaluation.clips_per_action=1",
)  # fmt: skip


class Corrected(Seq2SeqSystem):
    """A system that asks another run for values while it trains."""

    needs = {"corrector": "correct"}

    def __init__(self, settings, used):
        super().__init__(settings)
        self.corrector = used["corrector"]

    def train_step(self, batch):
        corrected = self.corrector.correct(tf.ones([1, 2]))["out"]
        return super().train_step(batch) | {"corrector/value": tf.reduce_mean(corrected)}


@pytest.fixture(autouse=True)
def corrected(monkeypatch):
    monkeypatch.setitem(SYSTEMS, "seq2seq", Entry("seq2seq", LstmSettings, __name__, "Corrected"))


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    results = tmp_path_factory.mktemp("uses") / "results"
    run = finished_run(results / "my corrector" / "2026-01-01_000000", endpoint="correct", factor=3.0)
    (run / "index.html").write_text("")
    finished_run(results / "detector" / "2026-01-01_000000", endpoint="detect")
    finished_run(results / "stopped" / "2026-01-01_000000", status="interrupted")
    return results


def train(given, results, run=None, open_data=open_dataset):
    return run_experiment(resolve_runs(given, results, resumes=bool(run)), open_data, results, run)


def settings(*overrides):
    return load_settings(find_experiment("seq2seq_noise_l1"), SYSTEMS, scale="demo", overrides=[*TINY, *overrides])


@pytest.mark.slow
def test_a_run_uses_another_and_goes_on_with_it(results, tmp_path, caplog):
    """One run from start to end, then a resume: with the same SavedModel, with a changed one, and with none."""
    source = results / "my corrector" / "2026-01-01_000000"
    before = checksum(source)
    run = train(settings("uses.corrector=my corrector"), results)
    stored = load_settings(run / "settings.yaml", SYSTEMS, scale="demo")
    assert stored.uses == {"corrector": str(source)} and [row["corrector/value"] for row in rows(run)] == [3.0, 3.0]
    summary = json.loads((run / "summary.json").read_text())
    assert summary["uses"] == {"corrector": [{"run": str(source), "checksum": before}]}
    link = '<a href="../../my%20corrector/2026-01-01_000000/index.html">my corrector/2026-01-01_000000</a>'
    assert link in (run / "index.html").read_text() and before in (run / "index.html").read_text()
    names = [name for name, _ in tf.train.list_variables(saved_checkpoints(run / "checkpoints")[0])]
    assert names and not [name for name in names if "corrector" in name]

    more = load_settings(run / "settings.yaml", SYSTEMS, scale="demo", overrides=["training.steps=3"])
    kept = tmp_path / "kept"
    shutil.copytree(source, kept)
    shutil.rmtree(source)
    with pytest.raises(
        UserError, match=r"uses\.corrector .*/2026-01-01_000000: there is no such folder; was the run moved or del"
    ):
        train(more, results, run)
    finished_run(source, endpoint="correct", factor=5.0)
    said = f"NOT the uses.corrector of the training: {source} has the checksum {checksum(source)} and had {before}"
    measures = Measures()
    check_evaluation(run=str(run), results_dir=results).subject.open(measures)
    assert [note for note in measures.notes if said in note] and said in load(run).dataset.doubts[-1]
    caplog.clear()
    train(more, results, run)
    assert "uses.corrector: this run began with another SavedModel" in caplog.text and before in caplog.text
    assert [row["corrector/value"] for row in rows(run)] == [3.0, 3.0, 5.0]
    models = json.loads((run / "summary.json").read_text())["uses"]["corrector"]
    assert [model["checksum"] for model in models] == [before, checksum(source)] and before != checksum(source)
    assert "(its page is gone)" in (run / "index.html").read_text()
    shutil.rmtree(source)
    kept.rename(source)


def test_names_become_absolute_paths_once(results, tmp_path, monkeypatch):
    source = results / "my corrector" / "2026-01-01_000000"
    given = settings("uses.corrector=my corrector", "training.start_from=detector")
    resolved = resolve_runs(given, results)
    start = results / "detector" / "2026-01-01_000000"
    assert resolved.uses == {"corrector": str(source)} and resolved.training.start_from.run == str(start)
    write_settings(resolved, tmp_path / "settings.yaml")
    monkeypatch.chdir(tmp_path)
    again = load_settings(tmp_path / "settings.yaml", SYSTEMS, scale="demo")
    assert again == resolved == resolve_runs(again, tmp_path)
    gone = settings(f"training.start_from={tmp_path / 'gone'}", f"uses.corrector={source}")
    assert resolve_runs(gone, results, resumes=True).training.start_from.run == str(tmp_path / "gone")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "seed=1",
            "uses.corrector is missing: seq2seq builds on a run with the endpoint correct; name one, such as --set uses.",
        ),
        ("uses={{corrector: detector, detectr: detector}}", "uses.detectr: seq2seq has no such role; its roles are corrector"),
        ("uses.corrector=nobody", "uses.corrector nobody: neither a run folder nor an experiment in"),
        ("uses.corrector=stopped", "uses.corrector stopped: no finished run in"),
        ("uses.corrector={results}/stopped/2026-01-01_000000", "is interrupted: finish it with --resume"),
        ("uses.corrector=detector", "its SavedModel has no endpoint correct; it has detect: name a run of another system"),
    ],
)
def test_what_cannot_be_used_is_one_line_before_anything_is_opened(results, override, message):
    def no_dataset(*given):
        raise AssertionError("the data must not be opened")

    there = set(results.rglob("*"))
    with pytest.raises(UserError) as error:
        train(settings(override.format(results=results)), results, open_data=no_dataset)
    assert message in str(error.value) and "\n" not in str(error.value) and str(error.value).startswith("uses.")
    assert set(results.rglob("*")) == there


def test_a_system_that_needs_nothing_knows_no_role():
    with pytest.raises(UserError, match=r"uses\.corrector: seq2seq has no such role; it builds on no other run: leave it out"):
        check_roles(settings("uses.corrector=x"), {})


def test_the_command_resolves_in_a_dry_run_too(results, invoke):
    options = [part for setting in TINY for part in ("--set", setting)]
    done = invoke(
        "run",
        "--exp",
        "seq2seq_noise_l1",
        *options,
        "--results-dir",
        results,
        "--dry-run",
        "--set",
        "uses.corrector=my corrector",
    )
    assert done.exit_code == 0 and f"corrector: {results}/my corrector/2026-01-01_000000" in done.stdout, done.output
    done = invoke(
        "run", "--exp", "seq2seq_noise_l1", *options, "--results-dir", results, "--dry-run", "--set", "uses.corrector=detector"
    )
    assert done.exit_code == 2 and done.stderr.startswith("error: uses.corrector: ") and done.stderr.count("\n") == 1


def open_labelled(folder, cache, settings, used):
    return folder, used["corrector"]


def test_a_dataset_can_be_labelled_by_a_used_run(monkeypatch):
    opening = Opening(f"{__name__}:open_labelled", takes_used=True)
    monkeypatch.setitem(DATASETS, "noise", DATASETS["noise"]._replace(openings={"sequences": opening}))
    assert open_dataset(settings(), {"corrector": "loaded"}) == (None, "loaded")


def test_damaged_notes_of_used_runs_are_written_anew(results):
    run = str(results / "my corrector" / "2026-01-01_000000")
    resolved = resolve_runs(settings(f"uses.corrector={run}"), results)
    for before in (None, [], {"corrector": "x"}, {"corrector": [7]}):
        assert used_models(resolved, {"uses": before})["corrector"][-1] == {"run": run, "checksum": checksum(Path(run))}


def test_a_used_run_that_was_trained_again_is_named(results):
    run = str(results / "my corrector" / "2026-01-01_000000")
    resolved = resolve_runs(settings(f"uses.corrector={run}"), results)
    now = checksum(Path(run))

    def lines(*checksums):
        return retrained_models(resolved, {"uses": {"corrector": [{"run": run, "checksum": text} for text in checksums]}})

    assert not lines(now) and not lines("0123456789ab", now) and not lines() and not retrained_models(resolved, {})
    (line,) = lines(now, "0123456789ab")
    assert line.startswith(f"NOT the uses.corrector of the training: {run} has the checksum {now} and had 0123456789ab")


def test_a_used_run_computes_alike_on_two_replicas(results, two_replicas):
    resolved = resolve_runs(settings("uses.corrector=my corrector"), results)
    with two_replicas.scope():
        used = open_used(resolved, Corrected.needs)["corrector"]
    step = tf.function(lambda: two_replicas.run(lambda: used.correct(tf.ones([1, 2]))["out"]))
    assert [value.numpy().tolist() for value in step().values] == [[[3.0, 3.0]]] * 2
    here = load_endpoint(Path(resolved.uses["corrector"]), "correct")
    assert here.correct(tf.ones([1, 2]))["out"].numpy().tolist() == [[3.0, 3.0]]


def test_experiments_that_are_not_trained_yet_come_first(tmp_path, caplog):
    caplog.set_level("INFO", "analogy")
    options = {"results_dir": tmp_path, "scale": "demo", "values": {"training.steps": 2}, "own": {"network.units": 8}}
    runs = stages("keypoints_penn_full", **options)
    first = next(runs)
    assert (first.experiment, first.training.steps) == ("keypoints_penn_translator", 2)
    assert "no run of keypoints_penn_translator in" in caplog.text
    with pytest.raises(UserError, match=r"uses\.translator keypoints_penn_translator: neither a run folder nor"):
        next(runs)  # it was not trained
    with pytest.raises(UserError, match=r"network\.unitz"):  # the own mistakes are found first
        next(stages("keypoints_penn_full", **{**options, "own": {"network.unitz": 8}}))
    with pytest.raises(UserError, match=r"uses\.translator"):  # where a run is to be described, nothing is trained
        resolve_settings("keypoints_penn_full", results_dir=tmp_path, scale="demo")


@pytest.mark.parametrize("given", ["own", "overrides"])
def test_the_data_and_the_seed_reach_every_stage_that_is_trained(tmp_path, given):
    values = {"data.test_clips": ["a", "b"], "data.image_size": 32, "data.flip": True, "data.horizon": 4, "seed": 5}
    chosen = values if given == "own" else ["data.test_clips=[a, b]", "data={image_size: 32, flip: true, horizon: 4}", "seed=5"]
    first = next(stages("keypoints_penn_full", results_dir=tmp_path, scale="demo", **{given: chosen}))
    assert first.experiment == "keypoints_penn_translator" and first.seed == 5
    assert (first.data.test_clips, first.data.image_size, first.data.flip) == (["a", "b"], (32, 32), True)
    assert not hasattr(first.data, "horizon")


def test_an_experiment_file_chooses_the_clips_of_every_stage(tmp_path):
    file, base = tmp_path / "mine.yaml", find_experiment("keypoints_penn_full")
    data = "{train_clips: [a], test_clips: [b], gray: true}"
    file.write_text(f"base: {base}\nexperiment: mine\nseed: 3\ndata: {data}\n")
    first = next(stages(str(file), results_dir=tmp_path, scale="demo"))
    assert first.experiment == "keypoints_penn_translator" and first.seed == 3
    assert (first.data.train_clips, first.data.test_clips, first.data.gray) == (["a"], ["b"], True)


@pytest.mark.parametrize("status", ["interrupted", "running", "failed"])
def test_only_where_there_is_no_run_at_all_a_stage_is_trained(tmp_path, status):
    finished_run(tmp_path / "keypoints_penn_translator" / "2026-01-01_000000", status=status)
    advice = "is (running: wait for it|failed: finish it with --resume|interrupted: finish it with --resume)"
    with pytest.raises(UserError, match=advice):
        next(stages("keypoints_penn_full", results_dir=tmp_path, scale="demo"))


def test_a_used_run_of_other_frames_is_refused(tmp_path):
    run = finished_run(tmp_path / "keypoints_penn_translator" / "2026-01-01_000000", endpoint="translate")
    options = {"results_dir": tmp_path, "scale": "demo"}
    for key, value in (("crop", "full"), ("padding", 9), ("gray", "true")):
        (run / "settings.yaml").write_text(
            f"data: {{crop: consistent, {key}: {value}}}\n".replace("crop: consistent, crop", "crop")
        )
        with pytest.raises(UserError, match=rf"^uses\.translator: .*trained with data\.{key} \w+, which is"):
            next(stages("keypoints_penn_full", **options))
    (run / "settings.yaml").write_text("data: {crop: consistent, gray: false}\n")
    (only,) = stages("keypoints_penn_full", **options)
    assert only.uses["translator"] == str(run)


def test_test_clips_that_did_not_test_the_used_run_are_a_doubt(tmp_path):
    run = finished_run(tmp_path / "translator" / "2026-01-01_000000")
    facts = {"status": "finished", "dataset": "synthetic_actors", "clips": [{"clip": "a"}, {"clip": "b"}]}
    (run / "summary.json").write_text(json.dumps(facts))
    overrides = [f"uses.translator={run}"]
    motion = load_settings(find_experiment("keypoints_penn_full"), SYSTEMS, scale="demo", overrides=overrides)
    clips = [SimpleNamespace(id=name) for name in "abc"]
    (doubt,) = doubts_about_used(motion, clips)
    assert doubt.startswith("1 of 3 test clips are no test clips of uses.translator") and doubt.endswith("too good: c")
    assert doubts_about_used(motion, clips[:2]) == []
    (run / "summary.json").write_text(json.dumps({**facts, "dataset": "penn"}))
    assert doubts_about_used(motion, clips) == []


def test_a_finished_run_is_not_trained_again(results):
    own = {"uses": {"corrector": "my corrector"}, "train_used": True}
    (only,) = stages("seq2seq_noise_l1", results_dir=results, scale="demo", own=own)
    assert Path(only.uses["corrector"]).is_dir()


@pytest.mark.parametrize("scale", ["paper", "demo"])
def test_what_an_experiment_uses_is_trained_first_where_there_is_none(tmp_path, scale):
    everything = [load_settings(find_experiment(name), SYSTEMS, scale=scale) for name in list_experiments()]
    building = [settings for settings in everything if settings.uses]
    assert {settings.system for settings in building} >= {"keypoints_flow", "keypoints_motion", "lvln_classifier"}
    assert all(untrained_experiments(settings, tmp_path) == list(settings.uses.values()) for settings in building)

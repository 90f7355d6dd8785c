"""The table of all demos: a run counts only with the settings of today's demo, and what was not run is named."""

import json

import pytest
import typer

from analogy.runs.ready import ready_models
from analogy.settings import find_experiment, list_experiments, load_settings, write_settings
from analogy.systems import SYSTEMS
from experiments.demos import OUT, KeptRows, demos, lines, main, row_of

SUMMARY = {
    "status": "finished", "dataset": "sines", "steps": 3440, "seconds": {"total": 87.0}, "test": {"mse": 2e-4, "clips": 7000},
    "baseline": {"last_value": {"mse": 0.2}, "linear_map": {"mse": 1e-4}},
}  # fmt: skip


def write_run(folder, *overrides, experiment="seq2seq_sins_l1"):
    folder.mkdir(parents=True)
    settings = load_settings(find_experiment(experiment), SYSTEMS, scale="demo", overrides=overrides)
    write_settings(settings, folder / "settings.yaml")
    (folder / "summary.json").write_text(json.dumps({"experiment": experiment, **SUMMARY}))


def test_a_row_has_the_figure_beside_each_baseline_and_the_time(tmp_path):
    write_run(tmp_path / "seq2seq_sins_l1" / "2026-01-01_000000", "training.log_every=7")
    (names,) = (names for names in demos().values() if "seq2seq_sins_l1" in names)
    assert names == ("seq2seq_sins_l1", "seq2seq_true_depth_l1"), "of a depth of 1 both are the same network"
    steps, reached, beside, measured, time = row_of(names, [tmp_path])
    assert (steps, measured, time) == ("3,440", "sines, 7,000 clips", "1 min 27 s")
    assert reached == "MSE **0.000200**" and beside == "last value 0.200000 (wins); linear map 0.000100 (LOSES)"
    table = "\n".join(lines({names: None for names in demos().values()} | {names: ("1", "2", "3", "4", "5")}, "T."))
    assert (
        "| `seq2seq_sins_l1`, `seq2seq_true_depth_l1` | 1 | 2 | 3 | 4 | 5 |" in table
        and "Not run: " in table
        and "\nT.\n" in table
    )
    for name in list_experiments():
        assert table.count(f"`{name}`") == 1, name


def test_every_row_of_the_documentation_is_of_a_demo_of_today():
    assert KeptRows.read(OUT, "rows of demos").rows.keys() <= demos().keys(), "run experiments/demos.py again"


@pytest.mark.parametrize("other", ["training.steps=7", "evaluation.clips_per_action=77"])
def test_a_run_that_learned_or_was_measured_otherwise_does_not_count(tmp_path, other):
    write_run(tmp_path / "seq2seq_sins_l1" / "2026-01-01_000000", other)
    assert row_of(("seq2seq_sins_l1",), [tmp_path]) is None


@pytest.mark.parametrize(
    ("weights", "measured"),
    [("imagenet", "sines, 7,000 clips"), ("hed", "sines, 7,000 clips; VGG-16 (HED)"), ("/of/mine.npy", None)],
)
def test_other_weights_of_vgg16_are_named(tmp_path, weights, measured):
    name = "analogy_pool4_fix2"
    write_run(tmp_path / name / "2026-01-01_000000", f"generator.pretrained_weights={weights}", experiment=name)
    row = row_of((name,), [tmp_path])
    assert (row and row[3]) == measured


def test_a_run_that_started_from_a_model_of_the_package_counts_and_one_from_another_run_does_not(tmp_path):
    name = "analogy_masked_few"
    folder, ready = tmp_path / name, ready_models()["analogy_masked"].run
    write_run(folder / "2026-01-01_000000", f"training.start_from={folder / '2025-01-01_000000'}", experiment=name)
    assert row_of((name,), [tmp_path]) is None
    write_run(folder / "2026-01-02_000000", f"training.start_from={ready}", experiment=name)
    assert row_of((name,), [tmp_path])


def test_a_row_is_kept_while_its_settings_stay(tmp_path, capsys):
    results, out = tmp_path / "results", tmp_path / "demos.md"
    write_run(results / "seq2seq_sins_l1" / "2026-01-01_000000")
    main(results_dir=[results], times="On a desk.", out=out)
    first = out.read_text()
    (tmp_path / "nothing").mkdir()
    main(results_dir=[tmp_path / "nothing"], out=out)  # the run is gone
    assert out.read_text() == first and "MSE **0.000200**" in first and "On a desk." in first
    kept = json.loads((tmp_path / "demos.json").read_text())
    other = {"times": "", "rows": {"of other settings": next(iter(kept["rows"].values()))}}
    (tmp_path / "demos.json").write_text(json.dumps(other))
    with pytest.raises(typer.Exit):
        main(results_dir=[tmp_path / "nothing"], out=out)
    (tmp_path / "demos.json").write_text("{")
    with pytest.raises(typer.Exit):
        main(results_dir=[results], out=out)
    assert "demos.json: it does not hold rows of demos" in capsys.readouterr().err
    (tmp_path / "demos.json").write_text('{"mine": 1}')  # of somebody else
    with pytest.raises(typer.Exit):
        main(results_dir=[results], run="seq2seq_sins_l1", out=out)  # before anything is trained
    assert (tmp_path / "demos.json").read_text() == '{"mine": 1}' and "training" not in capsys.readouterr().err


def test_what_cannot_be_trained_or_written_is_said_before_anything_is_trained(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("analogy.train", lambda *values, **options: pytest.fail("a demo was trained"))
    (mine := tmp_path / "mine.yaml").write_text("base: seq2seq_sins_l1\nsummary: s\nstepz: 3\n")
    with pytest.raises(typer.Exit):
        main(results_dir=[tmp_path], run=f"seq2seq_sins_l1, {mine}, seq2seq_nix", out=tmp_path / "demos.md")
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2 and "stepz" in said[0] and "seq2seq_nix" in said[1]
    for out, why in ((tmp_path, "this file is no table of demos"), (mine / "demos.md", f"cannot be made: {mine} is a file")):
        with pytest.raises(typer.Exit):
            main(results_dir=[tmp_path], run="seq2seq_sins_l1", out=out)
        assert why in capsys.readouterr().err


def test_without_any_run_nothing_is_written(tmp_path, capsys):
    with pytest.raises(typer.Exit):
        main(results_dir=[tmp_path], out=tmp_path / "demos.md")
    assert not (tmp_path / "demos.md").exists()
    assert "no finished run of a demo" in capsys.readouterr().err

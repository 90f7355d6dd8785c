"""`experiments/claims.py` with two tiny arms."""

import importlib.util
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from analogy.resolve import resolve_settings
from analogy.settings import find_experiment, load_settings, write_settings
from analogy.systems import SYSTEMS
from tests.conftest import ROOT
from tests.run_folders import finished_run

PLAN = {
    "claims_of": "two small networks",
    "columns": ["mse", "sharpness_ratio"],
    "scale": "demo",
    "steps": 2,
    "overrides": [
        "network.units=4", "data.context=2", "data.horizon=2", "data.test_count=3", "training.precision=float32",
        "training.sample_every=1000", "evaluation.clips_per_action=1",
    ],
    "arms": {"plain": {"exp": "convlstm_mmnist_l1"}, "ours": {"exp": "convlstm_plus_mmnist"}},
    "claims": [
        ["Q6", "ours is blurrier", "sharpness_ratio(ours) < sharpness_ratio(plain)"],
        ["Q3", "it wins", "psnr(copy) < psnr(ours)"],
    ],
}  # fmt: skip


@pytest.fixture
def claims(monkeypatch):
    spec = importlib.util.spec_from_file_location("claims", ROOT / "experiments" / "claims.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "claims", module)  # where its dataclass looks
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def start(claims, cache, actors, monkeypatch):
    """start(plan, folder, ...) runs the script in this process; the runs that it starts have processes of their own."""
    monkeypatch.setenv("ANALOGY_CACHE", str(cache))
    monkeypatch.setenv("ANALOGY_DATA_DIR", str(actors))

    def run(plan, folder, *options):
        done = CliRunner().invoke(claims.app, ["--plan", str(plan), "--results-dir", str(folder), *options])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
        return done

    return run


@pytest.mark.slow
def test_arms_are_trained_once_claims_are_judged_and_a_failed_run_stops_no_other(start, tmp_path):
    broken = {"exp": "convlstm_mmnist_l1", "set": ["training.devices=gpu:64", "training.batch_size=64"]}
    plan = tmp_path / "plan.yaml"
    plan.write_text(yaml.safe_dump({**PLAN, "arms": {"broken": broken, **PLAN["arms"]}}))
    process = start(plan, tmp_path / "claims", "--seeds", "1", "--jobs", "2")
    assert process.exit_code == 2 and "runs failed" in process.stderr and "broken-0.log" in process.stderr
    table = (tmp_path / "claims" / "claims.md").read_text()
    assert table.startswith("# Published claims of two small networks, measured\n")
    assert "| arm | seeds | mse | sharpness_ratio |" in table
    assert "broken, seed 0:" in process.stdout and "FAILED" in process.stdout and "ours, seed 0:" in process.stdout
    assert "| broken | 0 |" in table and "| plain | 1 |" in table and "| ours: copy last frame | 1 |" in table
    assert sum(line.startswith(("| Q6 | ours is blurrier", "| Q3 | it wins")) for line in table.splitlines()) == 2
    assert "not measured" not in table

    plan.write_text(yaml.safe_dump(PLAN))
    again = start(plan, tmp_path / "claims", "--seeds", "1")
    assert again.exit_code == 0 and "seed 0:" not in again.stdout  # nothing is trained twice
    other = start(plan, tmp_path / "claims", "--seeds", "1", "--minutes", "0", "--set", "network.units=5")
    assert other.exit_code == 2 and "no run" in other.stderr  # the finished ones had another weight


def test_all_mistakes_in_arms_and_claims_are_named_with_the_plan(start, tmp_path):
    plan, arms = tmp_path / "plan.yaml", {"nowhere": {"exp": "convlstm_nix"}, **PLAN["arms"]}
    plan.write_text(
        yaml.safe_dump({**PLAN, "arms": arms, "claims": [["", "", "psnr(nobody) < 3"], ["", "", "sharpnes(ours) < 3"]]})
    )
    process = start(plan, tmp_path / "claims")
    assert process.exit_code == 2 and [line.split(";")[0] for line in process.stderr.splitlines()] == [
        f"error: {plan}: arms.nowhere: --exp convlstm_nix: there is no experiment of that name",
        f"error: {plan}: claim 'psnr(nobody) < 3': there is no arm nobody",
        f"error: {plan}: claim 'sharpnes(ours) < 3': there is no metric sharpnes",
    ]
    assert not (tmp_path / "claims").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stepz": 3}, "unknown setting stepz; the nearest valid one is steps"),
        ({"steps": None}, "steps: Input should be a valid integer (got None)"),
        ({"claims_of": ...}, "claims_of is missing"),
        ({"columns": ["mse", "sharpnes"]}, "columns: there is no metric sharpnes; there are psnr"),
        ({"arms": {"ours": {"set": []}}}, "arms.ours.exp is missing"),
        (
            {"arms": {"ours": {"exp": "convlstm_plus_mmnist", "sett": []}}},
            "unknown setting arms.ours.sett; the nearest valid one is arms.ours.set",
        ),
        ({"arms": {"ours": 3}}, "arms.ours: expected `key: value` settings, found 3"),
        ({"claims": [["Q6", "mse(ours) < 3"]]}, "claims[0][2] is missing"),
        ({"measured_on": "frames"}, "measured_on: Input should be 'clips' or 'training_clips' (got 'frames')"),
    ],
)
def test_a_key_that_is_wrong_or_missing_is_one_line(start, tmp_path, change, message):
    plan = tmp_path / "plan.yaml"
    plan.write_text(yaml.safe_dump({key: value for key, value in {**PLAN, **change}.items() if value is not ...}))
    done = start(plan, tmp_path / "claims")
    assert done.exit_code == 2 and done.stderr.startswith(f"error: {plan}: {message}") and done.stderr.count("\n") == 1
    assert not (tmp_path / "claims").exists()


def test_a_baseline_has_its_own_name_and_an_arm_without_runs_has_none(claims):
    runs = {seed: {"test": {"mse": 1.0 + seed}, "baseline": {"linear_map": {"mse": 3.0}, "last_value": {}}} for seed in (0, 1)}
    table = claims._arm_table({"plain": runs, "none": {}}, ["mse"], "clips")
    assert table.splitlines()[2:] == ["| plain | 2 | 1.500 ± 0.500 |", "| plain: linear map | 2 | 3.000 |", "| none | 0 |  |"]


def test_odd_runs_do_not_count_and_stop_nothing(claims, tmp_path, monkeypatch):
    monkeypatch.delenv("ANALOGY_DATA_DIR", raising=False)
    plan, runs = claims.Plan(claims.PlanFile.model_validate(PLAN), tmp_path, ()), tmp_path / "plain-0" / "convlstm_mmnist_l1"
    for name, content in (("1", b"\0" * 99), ("2", b"summary: 2024-13-45"), ("3", b"a: &a {b: *a}"), ("4", b"\xff")):
        (runs / name).mkdir(parents=True)
        (runs / name / "settings.yaml").write_bytes(content)
    (runs / "5").symlink_to(runs / "5")
    values = {"training.steps": 2, "seed": 0}
    path = find_experiment("convlstm_mmnist_l1")
    settings = load_settings(path, SYSTEMS, scale="demo", values=values, overrides=PLAN["overrides"])
    for name, summary in (("6", '{"status": "finished", "steps": 2}'), ("7", '{"status": [1]}'), ("8", "[]"), ("9", "")):
        write_settings(settings, runs / name / "settings.yaml")
        (runs / name / "summary.json").write_text(summary)
    assert [folder.name for folder in plan.runs("plain", 0)] == ["6", "7", "8", "9"]
    assert plan.finished("plain", 0) == {"status": "finished", "steps": 2} and plan.finished("plain", 1) is None


def test_an_arm_that_starts_from_another_run_is_known_again_whatever_its_prose(claims, tmp_path, monkeypatch):
    monkeypatch.delenv("ANALOGY_DATA_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    finished_run(tmp_path / "first" / "run")
    arm = {"exp": "convlstm_mmnist_l1", "set": ["training.start_from=first/run"]}
    plan = claims.Plan(claims.PlanFile.model_validate({**PLAN, "arms": {"tuned": arm}, "claims": []}), tmp_path / "claims", ())
    values = {"training.steps": 2, "seed": 0, "try_next": {"convlstm_plus_mmnist": "other words"}, "published": []}
    for name, more in (("1", []), ("2", ["training.start_from=null"]), ("3", ["seed=1"])):
        run = finished_run(tmp_path / "claims" / "tuned-0" / "convlstm_mmnist_l1" / name)
        options = {"results_dir": tmp_path, "writes": False, "scale": "demo", "values": values}
        settings = resolve_settings(arm["exp"], overrides=[*PLAN["overrides"], *arm["set"], *more], **options)
        write_settings(settings, run / "settings.yaml")
    assert [folder.name for folder in plan.runs("tuned", 0)] == ["1"] and plan.finished("tuned", 0)


def test_files_and_runs_that_an_arm_lacks_are_named_before_anything_is_trained(start, tmp_path):
    arms = {
        "tuned": {"exp": "convlstm_mmnist_l1", "set": ["training.start_from=nowhere_at_all"]},
        "pretrained": {"exp": "vgg_lstm_next_frame", "set": ["encoder.weights=/nowhere.h5", "encoder.width=1"]},
    }
    (plan := tmp_path / "plan.yaml").write_text(yaml.safe_dump({**PLAN, "arms": arms, "overrides": [], "claims": []}))
    done = start(plan, tmp_path / "claims")
    assert done.exit_code == 2 and [line[: line.index("nowhere")] for line in done.stderr.splitlines()] == [
        f"error: {plan}: arms.pretrained: encoder.weights: /",
        f"error: {plan}: arms.tuned: training.start_from ",
    ]
    assert not (tmp_path / "claims").exists()


@pytest.mark.parametrize(("name", "arms"), [("claims.yaml", 9), ("claims_lvln.yaml", 9), ("claims_vgg_lstm.yaml", 10)])
def test_the_plans_of_the_repository_can_be_read(claims, tmp_path, monkeypatch, name, arms):
    monkeypatch.delenv("ANALOGY_DATA_DIR", raising=False)
    plan = claims.Plan.read(ROOT / "experiments" / name, tmp_path, [])
    assert len(plan.arms) == arms and len(plan.file.claims) >= 10


@pytest.mark.parametrize("there", ["precious", "# Published claims of other networks, measured\n"])
def test_a_table_of_a_user_or_of_another_plan_is_kept_before_anything_is_trained(start, tmp_path, there):
    (plan := tmp_path / "plan.yaml").write_text(yaml.safe_dump(PLAN))
    (table := tmp_path / "claims.md").write_text(there)
    done = start(plan, tmp_path)
    said = "this file is no table of these claims, and is not replaced; choose another --results-dir"
    assert done.exit_code == 2 and done.stderr == f"error: {table}: {said}\n"
    assert table.read_text() == there and {path.name for path in tmp_path.iterdir()} == {"claims.md", "plan.yaml"}


def test_runs_and_table_go_below_the_results_of_the_current_folder_by_the_name_of_the_plan(claims, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(yaml.safe_dump(PLAN))
    (table := Path("results", "mine", "claims.md")).parent.mkdir(parents=True)
    table.write_text("precious")
    assert CliRunner().invoke(claims.app, ["--plan", "mine.yaml"]).stderr.startswith(f"error: {table}: this file is no table")


def test_a_stop_says_how_to_go_on(start, claims, tmp_path, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(claims, "_run", stopped)
    (plan := tmp_path / "plan.yaml").write_text(yaml.safe_dump(PLAN))
    done = start(plan, tmp_path / "claims")
    assert done.exit_code == 130 and done.stderr.endswith("stopped; start again to go on\n") and "Traceback" not in done.stderr

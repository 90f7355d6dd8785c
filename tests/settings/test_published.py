"""What papers report: read from YAML, kept apart from runs of another protocol, refused where it does not fit."""

import pytest
import yaml

from analogy.errors import UserError
from analogy.settings import find_experiment, list_experiments, load_settings, settings_text, write_settings
from analogy.settings.published import fitting_entries, summary_rows
from analogy.systems import SYSTEMS

SINES = {"metric": "mse", "protocol": "200 sequences"}


def load(tmp_path, *published, scale="paper", overrides=()):
    """An experiment on sines, 25 future values, with these published results."""
    base = find_experiment("seq2seq_plus_sins")
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump({"base": str(base), "experiment": "mine", "published": list(published)}))
    return load_settings(file, SYSTEMS, scale=scale, overrides=overrides)


def test_a_number_a_horizon_and_a_curve_are_read_and_written(tmp_path):
    entries = [
        {**SINES, "figure": 0.25, "only_with": {"data.dataset": "sines"}},
        {**SINES, "horizon": [0.1] * 25},
        {"metric": "network/loss", "protocol": "mean of an epoch", "curve": [[0, 3.0], [344, 1.5]]},
    ]
    settings = load(tmp_path, *entries)
    assert [entry.form for entry in settings.published] == ["figure", "horizon", "curve"]
    assert settings.published[2].curve == [(0, 3.0), (344, 1.5)] and "null" not in settings_text(settings).split("seed")[0]
    write_settings(settings, tmp_path / "settings.yaml")
    assert load_settings(tmp_path / "settings.yaml", SYSTEMS, scale="paper") == settings
    assert summary_rows(settings.published, settings)[0] == {**SINES, "figure": 0.25, "differs": []}


@pytest.mark.parametrize(
    ("override", "scale", "why"),
    [
        ("seed=3", "paper", []),
        ("data.train_count=5", "paper", ["data.train_count is 5, not 22000"]),
        ("data.split=chronological", "paper", ["data.split is chronological, not published"]),
        ("data.train_count=22000", "demo", ["scale is demo, not paper"]),
    ],
)
def test_a_run_of_another_protocol_is_told_why_it_stands_apart(tmp_path, override, scale, why):
    only_with = {"data.split": "published", "data.train_count": 22000}
    settings = load(tmp_path, {**SINES, "figure": 0.25, "only_with": only_with}, scale=scale, overrides=[override])
    (entry,) = settings.published
    assert entry.differences(settings) == why and fitting_entries([entry], settings) == ([] if why else [entry])
    assert summary_rows([entry], settings)[0]["differs"] == why


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({**SINES, "horizon": [0.1] * 24}, "mse has 24 figures for 25 future steps"),
        ({**SINES, "horizon": [0.1] * 24, "only_with": {"data.horizon": 20}}, "mse has 24 figures for 20 future steps"),
        ({**SINES, "figure": 0.1, "horizon": [0.1] * 25}, "give one of figure"),
        (SINES, "give one of figure"),
        ({"metric": "mes", "figure": 0.1, "protocol": "x"}, "there is no metric mes; the nearest one is mse"),
        ({"metric": "mse", "figure": 0.1}, "published[0].protocol is missing"),
        ({**SINES, "figure": ".nan"}, "published[0].figure"),
        ({**SINES, "figures": 0.1}, "unknown setting published[0].figures"),
        ({**SINES, "figure": 0.1, "only_with": {"data.splt": "x"}}, "there is no setting data.splt"),
        ({"metric": "network/loss", "protocol": "x", "curve": [[5, 1.0], [5, 2.0]]}, "steps of a curve must rise"),
        ({"metric": "network/loss", "protocol": "x", "curve": [[5]]}, "published[0].curve"),
    ],
)
def test_a_mistake_is_one_clear_line_at_loading(tmp_path, entry, message):
    with pytest.raises(UserError) as error:
        load(tmp_path, entry)
    assert message in str(error.value) and str(error.value).count("\n") == 0


def test_one_figure_for_one_protocol(tmp_path):
    with pytest.raises(UserError, match="mse figure stands twice"):
        load(tmp_path, {**SINES, "figure": 0.1}, {**SINES, "figure": 0.2})
    load(tmp_path, {**SINES, "figure": 0.1}, {**SINES, "figure": 0.2, "only_with": {"data.split": "chronological"}})


@pytest.mark.parametrize(
    ("name", "override", "shown"),
    [
        ("convlstm_kth_l1", "seed=1", True),
        ("convlstm_kth_l1", "data.test_persons=[1]", False),
        ("convlstm_kth_l1", "data.horizon=12", False),
        ("seq2seq_sins_l1", "seed=1", True),
        ("seq2seq_sins_l1", "data.split=chronological", False),
    ],
)
def test_settings_of_older_runs_hold_the_figures_alone(tmp_path, name, override, shown):
    settings = load_settings(find_experiment(name), SYSTEMS, scale="paper", overrides=["data.folder=x", override])
    stored = yaml.safe_load(settings_text(settings))
    figures = next(entry["horizon"] for entry in stored["published"] if "horizon" in entry)
    stored["published"] = {"mse": figures}
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(stored))
    older = load_settings(tmp_path / "settings.yaml", SYSTEMS, scale="paper")
    assert older.published[0].horizon == figures and bool(fitting_entries(older.published, older)) == shown


def test_every_listed_result_fits_its_own_experiment():
    counts = {}
    for name in list_experiments():
        settings = load_settings(find_experiment(name), SYSTEMS, scale="paper", overrides=["data.folder=x"])
        # The curves of the ladder network belong to its published code's alignment, which is not our default.
        if aligned := [f"align={entry.only_with['align']}" for entry in settings.published if "align" in entry.only_with]:
            settings = load_settings(find_experiment(name), SYSTEMS, scale="paper", overrides=["data.folder=x", *aligned])
        assert fitting_entries(settings.published, settings) == settings.published, name
        for entry in settings.published:
            counts[entry.form] = counts.get(entry.form, 0) + 1
    assert counts == {"horizon": 18, "figure": 14, "curve": 19}

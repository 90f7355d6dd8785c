"""A paper's number, horizon and training curve on the page of a run; results of another protocol are not compared."""

import json
import re

import pytest

from analogy.visualise.pages import write_run_page
from analogy.visualise.plots import group_curves
from analogy.visualise.published import published_curves, published_rows

PUBLISHED = [
    {"metric": "mse", "figure": 0.02, "protocol": "as Table 1 prints it", "differs": []},
    {"metric": "mse", "horizon": [0.01, 0.05], "protocol": "200 windows", "differs": []},
    {"metric": "network/loss", "curve": [[10, 0.5], [20, 0.25]], "protocol": "mean of an epoch", "differs": []},
    {"metric": "ssim", "figure": 0.9, "protocol": "other persons", "differs": ["data.split is standard, not published"]},
]  # fmt: skip
SUMMARY = {"status": "finished", "test": {"mse": 0.025, "ssim": 0.8}, "published": PUBLISHED}


def page_of(folder):
    write_run_page(folder)
    return (folder / "index.html").read_text()


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "mine" / "2026-01-01_000000"
    (folder / "test").mkdir(parents=True)
    (folder / "summary.json").write_text(json.dumps(SUMMARY))
    rows = [{"step": step, "network/loss": 1.0 / step} for step in (10, 20)]
    (folder / "metrics.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    methods = {"prediction": {"mse": [0.02, 0.03]}, "published": {"mse": [0.01, 0.05]}}
    horizon = {"distance": [1, 2], "frames": [4, 4], "methods": methods, "bands": {}}
    (folder / "test" / "horizon.json").write_text(json.dumps(horizon))
    return folder


def test_a_number_a_horizon_and_a_curve_are_on_the_page_with_their_protocol(run):
    page = page_of(run)
    table = re.search(r'<section id="published">.*?</section>', page, re.S)[0]
    words = " ".join(re.sub(r"<[^>]+>", " ", table).split())
    assert "MSE over the test set 0.020000 0.025000 −0.005000 LOSES as Table 1 prints it" in words
    assert "MSE mean of 2 future steps 0.030000 0.025000 +0.005000 wins 200 windows" in words
    assert "network/loss while training, 2 values up to step 20 in the curves beside it mean of an epoch" in words
    charts = {chart["title"]: chart for chart in json.loads(re.search(r'id="curve-data">(.*?)</script>', page, re.S)[1])}
    lines = {line["name"]: line["points"] for line in charts["network"]["lines"]}
    assert lines["loss, published"] == [[10, 0.5, None], [20, 0.25, None]] and lines["loss"][0][1] == 0.1
    assert {line["name"] for line in charts["MSE (lower is better)"]["lines"]} == {"prediction", "published"}


def test_a_figure_of_another_protocol_is_not_beside_ours(run):
    (row,) = [row for row in published_rows(SUMMARY) if row.differs]
    assert row.label == "SSIM" and row == published_rows(SUMMARY)[-1]
    table = re.search(r'<section id="published">.*?</section>', page_of(run), re.S)[0]
    assert "another protocol: data.split is standard, not published" in table and "0.8000" not in table


def test_a_curve_of_another_protocol_is_not_said_to_be_drawn(run):
    apart = {**PUBLISHED[2], "differs": ["training.batch_size is 2, not 4"]}
    (run / "summary.json").write_text(json.dumps({**SUMMARY, "published": [apart]}))
    page = page_of(run)
    assert "another protocol: training.batch_size is 2, not 4" in page and "in the curves" not in page
    assert "loss, published" not in page


def test_a_curve_of_another_protocol_or_of_what_was_not_logged_is_not_drawn():
    apart = {"published": [{**PUBLISHED[2], "differs": ["training.batch_size is 2, not 4"]}]}
    assert published_curves(apart) == {} and published_curves(SUMMARY) == {"network/loss": {10: 0.5, 20: 0.25}}
    rows = [{"step": 10, "generator/loss": 1.0}]
    assert group_curves(rows, published_curves(SUMMARY)) == group_curves(rows)


@pytest.mark.parametrize(
    "broken", [None, {"mse": [1.0]}, [3], [{"metric": "mse"}], [{"metric": "mse", "figure": "high"}], [{"curve": [1, 2]}]]
)
def test_a_damaged_summary_has_no_such_table(run, broken):
    (run / "summary.json").write_text(json.dumps({**SUMMARY, "published": broken}))
    assert 'id="published"' not in page_of(run)

"""summary.json and metrics.jsonl: what is of a wrong type is missing and said, and nothing that they hold is an exception."""

from __future__ import annotations

import json
import time

import pytest

from analogy.runs.reading import read_run
from analogy.runs.summary import read_rows, read_summary
from analogy.visualise.pages import write_run_page


def test_values_of_a_wrong_type_are_missing_and_said():
    table = {
        "experiment": "pool3", "status": 7, "steps": "many", "seed": True, "replicas": None, "mine": {"kept": 1},
        "test": {"psnr": 20, "ssim": float("nan"), "mse": "low", "mae": 10**400, "best": float("inf")},
        "baseline": {"copy": {"psnr": 19.5}, "broken": 3}, "seconds": [1], "doubts": ["dark", 5],
        "clips": [{"clip": "1"}, "2"], "uses": {"detector": [{"run": "/a", "checksum": 3}], "other": {}},
    }  # fmt: skip
    summary, faults = read_summary(table)
    assert (summary.experiment, summary.status, summary.steps, summary.seed) == ("pool3", "", None, None)
    assert summary.test == {"psnr": 20, "best": float("inf")} and summary.model_extra == {"mine": {"kept": 1}}
    assert summary.baseline == {"copy": {"psnr": 19.5}, "broken": {}} and summary.seconds == {}
    assert summary.doubts == ["dark", ""] and summary.clips == [{"clip": "1"}, {}]
    assert [model.run for model in summary.uses["detector"]] == ["/a"] and summary.uses["other"] == []
    assert "summary.json: steps: expected a number, found 'many'" in faults
    assert "summary.json: test: expected a number, found 'low'" in faults
    wrong = {"status", "steps", "seed", "test", "baseline", "seconds", "doubts", "clips", "checksum", "uses"}
    assert {fault.split(": ")[1] for fault in faults} == wrong and len(faults) == len(wrong) + 1  # two of the test figures


@pytest.mark.parametrize(
    "table", [{}, {"test": None}, {key: [[]] for key in ("experiment", "test", "uses", "actions", "clips")}]
)
def test_nothing_in_it_is_an_exception(table):
    summary, _ = read_summary(table)
    assert summary.experiment == "" and summary.test == {} and summary.uses == {} and summary.actions == {}


def test_the_page_of_a_run_says_what_is_missing(tmp_path):
    run = tmp_path / "mine" / "2026-01-01_000000"
    run.mkdir(parents=True)
    (run / "summary.json").write_text(json.dumps({"status": "finished", "steps": "<many>", "seed": 0, "test": {"psnr": 20}}))
    write_run_page(run)
    page = (run / "index.html").read_text()
    assert "summary.json: steps: expected a number, found &#39;&lt;many&gt;&#39;" in page
    assert "seed 0" in page and "20.00" in page and read_run(run).status == "finished"


def test_rows_without_a_step_and_values_that_are_no_numbers_are_left_out():
    whole = {"step": 2, "seconds": 0.5, "a/loss": 1.0, "b": None, "c": "x"}
    lines = [
        json.dumps(whole),
        '{"step": "2"}',
        '{"step": true}',
        "[1]",
        '{"a/loss": 1}',
        '{"step": 4, "a/loss": NaN}',
        '{"step": 6',
    ]
    rows = list(read_rows("\n".join(lines)))
    assert rows[0] == {"step": 2, "seconds": 0.5, "a/loss": 1.0} and list(rows[0]) == ["step", "seconds", "a/loss"]
    assert [row["step"] for row in rows] == [2, 4] and rows[1]["a/loss"] != rows[1]["a/loss"]


def test_many_rows_are_read_in_a_moment():
    text = "\n".join(json.dumps({"step": step, "seconds": 1.0} | {f"part/{n}": 0.5 for n in range(10)}) for step in range(5000))
    began = time.perf_counter()
    assert sum(1 for _ in read_rows(text)) == 5000
    assert time.perf_counter() - began < 2.0

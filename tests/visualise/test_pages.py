"""The pages: figures are there, links hold, names are escaped, and damaged folders are listed rather than fatal."""

import json
import shutil
from html.parser import HTMLParser
from urllib.parse import unquote

import numpy as np
import pytest

from analogy.errors import UserError
from analogy.files.locks import try_lock
from analogy.visualise import results_page
from analogy.visualise.pages import write_run_page
from analogy.visualise.panels import write_panels
from analogy.visualise.results_page import write_results_page
from analogy.visualise.video import write_mp4
from analogy.visualise.wording import compare, decimal, duration, short_count

NASTY = "odd \"é\" <b>'#1' & 50%?"
SUMMARY = {
    "experiment": "analogy_pool3",
    "summary": "A reference frame and two poses give the future frame.",
    "source": "Villegas et al. 2017, https://arxiv.org/abs/1704.05831",
    "system": "analogy_gan",
    "dataset": "synthetic_actors",
    "scale": "demo",
    "status": "finished",
    "steps": 2000,
    "seed": 7,
    "seconds": {"total": 3912.4, "train": 3600.0},
    "parameters": {"image_encoder": 1_735_488, "decoder": 1_735_491},
    "protocol": "Mean over frames, then over clips.",
    "test": {"psnr": 24.31, "ssim": 0.8712, "clips": 2, "frames": 20},
    "baseline": {"copy_reference": {"psnr": 22.1, "ssim": 0.8801}},
    "clips": [
        {"clip": NASTY, "action": "squat", "psnr": 25.0, "ssim": 0.9, "baseline_psnr": 22.0, "baseline_ssim": 0.91},
        {"clip": "gone", "action": "squat", "psnr": 21.0, "ssim": 0.8, "baseline_psnr": 22.0, "baseline_ssim": 0.79},
    ],
}
HORIZON = {"distance": [1, 2], "frames": [20, 18], "methods": {"prediction": {"psnr": [26.54, None]}}}


class Links(HTMLParser):
    """Collects href and src of every element, and the alt of every image."""

    def __init__(self, html):
        super().__init__()
        self.targets, self.alts = [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.targets += [attributes[name] for name in ("href", "src") if name in attributes]
        if tag == "img":
            self.alts.append(attributes.get("alt"))


def write_run(folder, summary=SUMMARY):
    folder.mkdir(parents=True)
    picture = np.zeros([16, 16, 3], np.uint8)
    for step in (500, 1500):
        for split in ("train", "test"):
            write_panels(folder / f"samples/step-{step:06d}/{split}/squat/{NASTY}.png", [("x_t", picture)])
    write_panels(folder / "plots/losses.png", [("losses", picture)])
    write_mp4(folder / "test/squat" / f"{NASTY}.mp4", picture[None], fps=5)
    write_panels(folder / "test/squat" / f"{NASTY}.png", [("its frames", picture)])
    (folder / "test/horizon.json").write_text(json.dumps(HORIZON))
    (folder / "settings.yaml").write_text("steps: 2000 # <script>\n")
    (folder / "environment.json").write_text(json.dumps({"python": "3.11", "devices": ["/cpu:0"]}))
    (folder / "log.txt").write_text("log")
    (folder / "saved_model").mkdir()
    (folder / "summary.json").write_text(json.dumps(summary))
    write_run_page(folder)


def page(folder):
    return (folder / "index.html").read_text(encoding="utf-8")


def assert_links_hold(folder):
    links = Links(page(folder))
    local = [target for target in links.targets if not target.startswith(("https://arxiv.org", "data:"))]
    assert local
    for target in local:
        assert "://" not in target and (folder / unquote(target)).exists(), target
    assert None not in links.alts


@pytest.fixture
def results(tmp_path):
    write_run(tmp_path / "results" / "analogy_pool3" / "2026-11-21_142530")
    write_results_page(tmp_path / "results")
    return tmp_path / "results"


def test_a_page_says_what_to_try_next(tmp_path):
    write_run(tmp_path / "results" / "analogy_pool3" / "run", {**SUMMARY, "try_next": {"analogy_masked": "25 dB & more"}})
    html = page(tmp_path / "results" / "analogy_pool3" / "run")
    assert "<code>analogy run analogy_masked</code>" in html and "25 dB &amp; more" in html


def test_run_page_states_the_figures(results):
    html = page(results / "analogy_pool3" / "2026-11-21_142530")
    for text in ["24.31 dB", "22.10 dB", "+2.21 dB", "wins", "−0.0089", "LOSES", "2,000", "1 h 05 min", "3.47 million"]:
        assert text in html
    for text in ["Mean over frames, then over clips.", "finished", "26.54", "better than the baseline on 1 of 2 clips"]:
        assert text in html
    assert html.index('data-step="1500"') < html.index('data-step="500"')
    assert 'href="https://arxiv.org/abs/1704.05831"' in html


def test_a_page_of_very_many_clips_shows_those_with_a_video(tmp_path, monkeypatch):
    monkeypatch.setattr("analogy.visualise.pages.MOST_CLIPS", 2)
    rows = [{"clip": f"{number:04d}", "action": "a", "psnr": 20.0, "baseline_psnr": 19.0} for number in range(5)]
    write_run(tmp_path / "run", SUMMARY | {"clips": [*rows, *SUMMARY["clips"]]})
    html = page(tmp_path / "run")
    assert "2 of 7 clips are shown" in html and html.count('<li class="card clip"') == 2
    assert "squat / " in html and "PSNR: better than the baseline on 6 of 7 clips" in html


def test_a_metric_that_the_baseline_lacks_is_not_compared_by_action(tmp_path):
    (baseline,) = list(SUMMARY["baseline"])[:1]
    actions = {
        action: {"prediction": {"psnr": psnr, "pck_10": 0.4}, baseline: {"psnr": 20.0}}
        for action, psnr in (("bowl", 21.0), ("squat", 19.0))
    }
    write_run(tmp_path / "run", SUMMARY | {"test": {**SUMMARY["test"], "pck_10": 0.4}, "actions": actions})
    html = page(tmp_path / "run")
    assert "PSNR: better than the baseline on 1 of 2 actions" in html and "PCK@0.1: better than the baseline" not in html


def test_what_looks_wrong_is_said_as_text(tmp_path):
    write_run(tmp_path / "run", SUMMARY | {"doubts": ["look at the data: <script>alert(1)</script> has black frames"]})
    html = page(tmp_path / "run")
    assert "look at the data: &lt;script&gt;alert(1)&lt;/script&gt; has black frames" in html and "<script>alert" not in html


def test_figures_of_clips_that_trained_stand_apart(tmp_path):
    write_run(tmp_path / "without")
    assert "clips that trained" not in page(tmp_path / "without")
    figures = {"prediction": {"psnr": 31.26, "collapse_index": 0.125}, "copy_last_frame": {"psnr": 22.0}}
    write_run(tmp_path / "run", SUMMARY | {"training_clips": figures})
    html = page(tmp_path / "run")
    for text in ["On the clips that trained", "31.26 dB", "0.125", "copy last frame", "Collapse index"]:
        assert text in html


def test_figures_of_other_metrics_are_shown_and_explained(tmp_path):
    clip = {"clip": "0001", "action": "squat", "psnr": 25.0, "baseline_psnr": 22.0, "ghosting": 12.34, "baseline_ghosting": 9.0}
    test = {"psnr": 25.0, "sharpness_ratio": 0.9, "ghosting": 12.34}
    baseline = {"copy_reference": {"psnr": 22.0, "sharpness_ratio": 1.0, "ghosting": 9.0}}
    write_run(tmp_path / "run", SUMMARY | {"test": test, "baseline": baseline, "clips": [clip]})
    html = page(tmp_path / "run")
    for text in ["0.900", "Sharpness ratio", "−3.3 levels", "What the figures mean", "mean absolute Laplacian"]:
        assert text in html
    assert 'Ghosting <span class="number">12.3 levels</span>' in html and "period 2" not in html


def test_links_hold_and_every_picture_has_an_alt(results):
    assert_links_hold(results)
    assert_links_hold(results / "analogy_pool3" / "2026-11-21_142530")


def test_names_are_escaped_and_quoted(results):
    html = page(results / "analogy_pool3" / "2026-11-21_142530")
    assert "<b>" not in html and "&lt;b&gt;" in html and "# &lt;script&gt;" in html
    for suffix in ("mp4", "png"):  # the video, and the picture of its frames
        assert f'src="test/squat/odd%20%22%C3%A9%22%20%3Cb%3E%27%231%27%20%26%2050%25%3F.{suffix}"' in html


def test_results_page_lists_runs_newest_first_and_survives_damage(results):
    write_run(results / "analogy_pool3" / "2026-11-22_000000", SUMMARY | {"status": "interrupted"})
    damaged = {
        "2026-11-20_000001": "{",
        "2026-11-20_000002": "[1]",
        "2026-11-20_000003": '{"test": 3, "baseline": [], "clips": {}, "seconds": "x", "parameters": null, "seed": {}}',
        "2026-11-20_000004": '{"test": {"psnr": Infinity, "ssim": NaN}, "baseline": {"last": {"psnr": Infinity}}}',
        "2026-11-20_000005": None,
        "2026-11-20_000006": b"\xff\xfe",
    }
    for name, summary in damaged.items():
        folder = results / "broken & <odd>" / name
        folder.mkdir(parents=True)
        if summary is not None:
            (folder / "summary.json").write_bytes(summary if isinstance(summary, bytes) else summary.encode())
        write_run_page(folder)
    (results / "README.md").write_text("not a run")
    write_results_page(results)
    html = page(results)
    links = [f"analogy_pool3/{name}/index.html" for name in ("2026-11-22_000000", "2026-11-21_142530")]
    links += [f"broken%20%26%20%3Codd%3E/{name}/index.html" for name in sorted(damaged, reverse=True)]
    positions = [html.index(link) for link in links]
    assert positions == sorted(positions)
    assert html.count(">unreadable<") == 4 and "summary.json is missing" in html and "summary.json is broken" in html
    assert "∞ dB" in html and "interrupted" in html and "<odd>" not in html
    assert_links_hold(results)


def test_a_run_in_training_shows_what_there_is(tmp_path):
    folder = tmp_path / "seq2seq" / "2026-11-21_142530"
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text(json.dumps({"status": "running", "steps": 40}))
    (folder / "test").mkdir()
    (folder / "test" / "horizon.json").write_text('{"distance": 3}')
    (folder / "environment.json").write_text("{")
    with open(folder / ".lock", "w") as lock:  # as its process holds it
        assert try_lock(lock)
        write_run_page(folder)
    html = page(folder)
    assert ">running<" in html and "<h1>seq2seq <" in html
    for heading in ["Protocol", "Test clips", "Plots", "Samples", "How it was made"]:
        assert f"<h2>{heading}" not in html


def test_pictures_come_before_the_protocol_while_a_run_trains_and_after_it(results, tmp_path):
    write_run(tmp_path / "run", {**SUMMARY, "status": "running", "clips": [], "test": {}, "baseline": {}})
    shutil.rmtree(tmp_path / "run" / "test")  # no clip is measured yet
    write_run_page(tmp_path / "run")
    training, finished = page(tmp_path / "run"), page(results / "analogy_pool3" / "2026-11-21_142530")
    for html, pictures in ((training, "Samples during training"), (finished, "Test clips")):
        assert html.index(pictures) < html.index("<h2>Protocol</h2>") and html.count("Samples during training") == 1


def test_a_run_folder_without_a_page_is_linked_itself(tmp_path):
    (tmp_path / "experiment" / "run").mkdir(parents=True)
    write_results_page(tmp_path)
    assert 'href="experiment/run"' in page(tmp_path)


def test_an_empty_results_folder_and_a_missing_one(tmp_path):
    write_results_page(tmp_path)
    assert "No runs yet" in page(tmp_path)
    for write in (write_run_page, write_results_page):
        with pytest.raises(UserError, match="no such folder"):
            write(tmp_path / "missing")


@pytest.mark.parametrize(
    ("name", "score", "baseline", "gain", "verdict"),
    [
        ("psnr", 24.31, 22.1, "+2.21 dB", "wins"),
        ("psnr", 22.1, 24.31, "−2.21 dB", "LOSES"),
        ("psnr", 22.101, 22.1, "±0.00 dB", "ties"),
        ("psnr", float("inf"), float("inf"), "±0.00 dB", "ties"),
        ("lpips", 0.2, 0.3, "+0.1000", "wins"),
        ("ghosting", 21.04, 20.0, "−1.0 levels", "LOSES"),
        ("sharpness_ratio", 0.9, 1.0, "", ""),  # sharper is not better
        ("unknown", 1.0, 2.0, "", ""),
        ("psnr", 24.31, None, "", ""),
    ],
)
def test_the_verdict_knows_which_direction_is_better(name, score, baseline, gain, verdict):
    comparison = compare(name, score, baseline)
    assert (comparison.gain_text, comparison.verdict) == (gain, verdict)


def test_numbers_read_well():
    assert [duration(seconds) for seconds in (None, 0.42, 9.96, 59.7, 187, 7500, 360000)] == (
        ["", "0.4 s", "10 s", "1 min 00 s", "3 min 07 s", "2 h 05 min", "4 d 04 h"]
    )
    assert [short_count(count) for count in (950, 1_200, 14_714_688)] == ["950", "1.2 thousand", "14.7 million"]
    assert [decimal(value, 2) for value in (None, -1.0, float("inf"))] == ["", "−1.00", "∞"]


def test_the_list_has_columns_that_say_something():
    frames, sequences = {"psnr": 20.0, "ssim": 0.5, "mse": 0.01, "collapse_index": 0.7}, {"mse": 0.02}
    assert results_page._columns([frames]) == ["psnr", "ssim"], (
        "the error says what PSNR says; the index has no better direction"
    )
    assert set(results_page._columns([frames, sequences, {"pose_mse": 0.1}])) == {"psnr", "ssim", "mse", "pose_mse"}

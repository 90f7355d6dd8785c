"""The pages in a real browser, headless Chromium: no error in its console, and everything on them works."""

import json
import re
import shutil
import threading
import time
import urllib.error
import urllib.request

import cv2
import numpy as np
import pytest

from analogy.systems import SYSTEMS
from analogy.systems.movie_prediction import write_films_page
from analogy.visualise.comparison import write_comparison
from analogy.visualise.pages import write_run_page
from analogy.visualise.panels import write_picture
from analogy.visualise.results_page import write_results_page
from analogy.visualise.serve import make_server
from analogy.visualise.video import column_boxes, side_by_side, write_mp4

pytestmark = pytest.mark.slow  # a browser starts, and waits for pages
SIZES = {"desk": (1280, 900), "phone": (390, 800)}


@pytest.fixture(scope="module")
def browser():
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def visit(browser):
    """A function: visit(url, "desk", "dark") loads a page. At the end its console must hold no error."""
    pages, problems = [], []

    def go(url, size="desk", scheme="light"):
        width, height = SIZES[size]
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
        page.on("console", lambda message: problems.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(url)
        pages.append(page)
        return page

    yield go
    for page in pages:
        page.close()
    assert problems == []


def clip_row(folder, name, psnr):
    truth = np.stack([np.full((32, 32, 3), 25 * t, np.uint8) for t in range(8)])
    columns = [("truth", truth), ("prediction", 255 - truth)]
    write_mp4(folder / "test" / "squat" / f"{name}.mp4", side_by_side(columns), 8)
    boxes = {title: box for (title, _), box in zip(columns, column_boxes(columns), strict=True)}
    row = {"clip": name, "action": "squat", "frames": 7, "psnr": psnr, "baseline_psnr": 20.0}
    return {**row, "columns": boxes, "video": {"frames": 8, "fps": 8}}


def write_run(folder, psnrs=(21.0, 25.0, 23.0, 18.0), **more):
    folder.mkdir(parents=True)
    rows = [clip_row(folder, f"<script>{i}", psnr) for i, psnr in enumerate(psnrs)]
    summary = {"experiment": folder.parent.name, "status": "finished", "steps": 100, "test": {"psnr": float(np.mean(psnrs))}}
    summary |= {"baseline": {"copy_reference": {"psnr": 20.0}}, "clips": rows, **more}
    (folder / "summary.json").write_text(json.dumps(summary))
    lines = [
        json.dumps({"step": 10 * s, "generator/loss": 1 / (1 + s), "generator/l2": 0.5, "poser/loss": s**-4.0})
        for s in range(1, 41)
    ]
    (folder / "metrics.jsonl").write_text("\n".join(lines))
    curves = {
        "prediction": {"psnr": [22.0, 21.5, None], "ssim": [0.9, 0.8, 0.7]},
        "copy_reference": {"psnr": [21.0, 20.0, 19.0]},
    }
    bands = {"prediction": {"psnr": [0.5, 0.6, None], "ssim": [0.02, 0.02, 5.0]}}
    horizon = {"distance": [1, 2, 3], "frames": [4, 4, 4], "methods": curves, "bands": bands}
    (folder / "test" / "horizon.json").write_text(json.dumps(horizon))
    (folder / "settings.yaml").write_text(f"experiment: x\ntraining: {{steps: {len(str(folder))}, batch_size: 4}}\nloss: a<b\n")
    write_run_page(folder)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    root = tmp_path_factory.mktemp("browsed") / "results"
    write_run(root / "pool3" / "2026-11-21_100000")
    write_run(root / "pool3_wide" / "2026-11-21_110000", psnrs=(22.0, 26.0, 21.0, 19.0))
    write_results_page(root)
    return root


def url(folder):
    return (folder / "index.html").as_uri()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_load_and_fit(visit, results, size, scheme):
    for folder in (results, results / "pool3" / "2026-11-21_100000"):
        page = visit(url(folder), size, scheme)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "wider than the screen"
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, colour[4:-1].split(","))) < 300) == (scheme == "dark")


def test_runs_are_filtered_sorted_and_their_settings_compared(visit, results):
    page = visit(url(results))
    names = lambda: page.locator("#runs tbody tr:visible td.name a").all_inner_texts()  # noqa: E731
    assert names() == ["pool3_wide", "pool3"]  # newest first
    psnr = page.locator("#runs th button", has_text=re.compile("^PSNR$"))
    psnr.click()
    assert names() == ["pool3_wide", "pool3"]
    psnr.click()
    assert names() == ["pool3", "pool3_wide"]
    page.locator("#runs th", has_text="PSNR").locator("button", has_text="gain").click()
    assert names() == ["pool3_wide", "pool3"]
    page.fill("#filter", "wide")
    assert names() == ["pool3_wide"] and page.inner_text("#count") == "1 of 2 runs"
    page.fill("#filter", "")
    for pick in page.locator(".pick").all():
        pick.check()
    assert page.locator("#difference tbody tr").all_inner_texts()[0].split("\t")[0] == "training.steps"
    assert page.locator("#difference tbody tr").count() == 1
    assert "analogy compare --run results/pool3_wide/" in page.inner_text("#difference code")


def brightness(page, clip, column):
    """The brightness in the middle of a canvas, from a screenshot: a page from disk may not read its own canvas."""
    shot = page.locator(".clip").nth(clip).locator("canvas").nth(column).screenshot()
    picture = cv2.imdecode(np.frombuffer(shot, np.uint8), cv2.IMREAD_GRAYSCALE)
    return int(picture[picture.shape[0] // 2, picture.shape[1] // 2])


def wait_for_brightness(page, clip, column, expected):
    """A browser shows the frame it sought when it is decoded: at most ten seconds later."""
    for _ in range(50):
        if (shown := brightness(page, clip, column)) == pytest.approx(expected, abs=12):
            return
        page.wait_for_timeout(200)
    assert shown == pytest.approx(expected, abs=12), (clip, column)


def test_players_move_in_step(visit, results):
    page = visit(url(results / "pool3" / "2026-11-21_100000"))
    page.locator("#clip-cards").scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('.clip video').readyState >= 2")
    play = page.locator("#play")
    if play.inner_text() == "Pause":
        play.click()
    assert play.inner_text() == "Play"
    for frame in (0, 5):
        page.locator("#frame").evaluate("(s, f) => { s.value = f; s.dispatchEvent(new Event('input')); }", frame)
        for clip in (0, 1):
            wait_for_brightness(page, clip, 0, 25 * frame)
            wait_for_brightness(page, clip, 1, 255 - 25 * frame)
    page.locator("h2").first.click()
    page.keyboard.press("ArrowLeft")
    assert page.inner_text("#position") == "5 / 8"
    page.select_option("#speed", "4")
    page.keyboard.press(" ")
    page.wait_for_function("document.querySelector('#position').textContent !== '5 / 8'")
    assert play.inner_text() == "Pause"


def test_best_median_and_worst_clips(visit, results):
    page = visit(url(results / "pool3" / "2026-11-21_100000"))
    captions = lambda: page.locator("#clip-cards > li:visible .caption a").all_inner_texts()  # noqa: E731
    assert [text[-1] for text in captions()] == ["1", "2", "3"]  # a page of many clips begins with three of them
    page.select_option("#show", "")
    assert len(captions()) == 4 and captions()[0] == "squat / <script>0"
    page.select_option("#order", "psnr down")
    assert [text[-1] for text in captions()] == ["1", "2", "0", "3"]
    page.select_option("#show", "psnr down")
    assert [text[-1] for text in captions()] == ["1", "2", "3"]
    assert page.locator(".place:visible").all_inner_texts() == ["best", "median", "worst"]
    page.select_option("#show", "")
    assert len(captions()) == 4


def test_curves_are_zoomed_and_hidden(visit, results):
    page = visit(url(results / "pool3" / "2026-11-21_100000"))
    charts = page.locator(".chart")
    assert charts.locator("h3").all_inner_texts() == ["generator", "poser", "PSNR (dB)", "SSIM"]
    losses = charts.first
    losses.scroll_into_view_if_needed()
    ticks = lambda: losses.locator("text").all_text_contents()  # noqa: E731
    before = ticks()
    assert "100" in before and "400" in before
    box = losses.locator("svg").first.bounding_box()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 60)
    assert "step 2" in losses.inner_text()
    page.mouse.down()
    page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 60)
    page.mouse.up()
    assert "100" not in ticks() and ticks() != before
    losses.locator("svg").first.dblclick()
    assert ticks() == before
    losses.focus()
    page.keyboard.press("+")
    assert ticks() != before
    page.keyboard.press("0")
    assert ticks() == before
    losses.get_by_role("button", name="l2").click()
    assert losses.locator("path.line").count() == 1
    assert charts.nth(2).locator("path.band").count() == 1
    heights = "path => [path.getBBox().height, path.ownerSVGElement.height.baseVal.value]"
    line, whole = charts.nth(3).locator("path.line").evaluate(heights)
    assert 0.4 * whole < line < 0.6 * whole  # one band of three is 50 times as wide as the line is high
    band, whole = charts.nth(2).locator("path.band").evaluate(heights)
    assert band < whole  # it is not cut off


def test_a_comparison_plays(visit, results, tmp_path):
    folders = sorted(results.glob("pool3*/*"))
    write_comparison(folders, tmp_path / "out", SYSTEMS)
    page = visit(url(tmp_path / "out"))
    page.wait_for_function("document.querySelector('.clip video').readyState >= 2")
    assert page.locator("article").first.locator("canvas").count() == 3


# ---------------------------------------------------------------- the server


@pytest.fixture
def server(results):
    server = make_server(results, 0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def get(address, **headers):
    with urllib.request.urlopen(urllib.request.Request(address, headers=headers)) as answer:
        return answer.status, answer.read()


def test_videos_can_be_sought_over_the_server(visit, server):
    page = visit(f"{server}/pool3/2026-11-21_100000/index.html")
    page.locator("#clip-cards").scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('.clip video').readyState >= 2")
    page.locator("#frame").evaluate("s => { s.value = 6; s.dispatchEvent(new Event('input')); }")
    wait_for_brightness(page, 0, 0, 150)


def test_the_server_gives_parts_and_only_what_is_in_the_folder(server, results):
    address = f"{server}/pool3/2026-11-21_100000/summary.json"
    whole = (results / "pool3" / "2026-11-21_100000" / "summary.json").read_bytes()
    assert get(address) == (200, whole) and get(address, Range="bytes=3-9") == (206, whole[3:10])
    assert get(address, Range="bytes=10-") == (206, whole[10:])
    (results.parent / "secret").write_text("secret")
    (results / "way_out").symlink_to(results.parent)
    for path in ("/../secret", "/%2e%2e/secret", "/way_out/secret", "/%2e%2e%00/secret"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            get(server + path)
    with pytest.raises(urllib.error.HTTPError, match="403"):
        get(server, Host="evil.example")
    for method in ("POST", "PUT", "DELETE"):
        with pytest.raises(urllib.error.HTTPError, match="501"):
            urllib.request.urlopen(urllib.request.Request(address, data=b"x", method=method))
    (results / "way_out").unlink()


def test_a_page_is_as_new_as_its_run(server, results):
    run = results / "pool3" / "2026-11-21_100000"
    summary = json.loads((run / "summary.json").read_text())
    time.sleep(0.05)
    (run / "summary.json").write_text(json.dumps({**summary, "steps": 123456}))
    for path in ("/", "/pool3/2026-11-21_100000/"):
        assert b"123,456" in get(server + path)[1]


def test_a_logarithmic_chart_has_its_marks_at_every_zoom(visit, results):
    page = visit(url(results / "pool3" / "2026-11-21_100000"))
    chart = page.locator(".chart", has_text="poser")
    marks = lambda: chart.locator("svg text[text-anchor=end]").all_text_contents()[:-1]  # noqa: E731
    assert len(marks()) >= 3 and {"0.1", "0.01"} & set(marks())  # from 1 to 4e-7
    chart.focus()
    for _ in range(6):
        page.keyboard.press("+")
        assert len(marks()) >= 2
    chart.locator(".legend button").first.click()  # nothing is shown: the page's fixture fails on any console error
    chart.locator(".legend button").first.click()


@pytest.mark.parametrize(("height", "width"), [(220, 110), (64, 96)])
def test_the_first_screen_of_a_prediction_shows_it(visit, tmp_path, height, width):
    films = [(title, np.zeros((3, height, width, 3), np.uint8)) for title in ("truth", "poses", "prediction")]
    facts = {"made_by": "x", "start": 0, "observed": 1, "horizon": 2, "figures": [], "lines": []}
    write_films_page(tmp_path, "films.mp4", films, 10.0, [], source=tmp_path / "mine.mp4", **facts)
    for view in visit(url(tmp_path), "desk").locator("canvas").all():
        box = view.bounding_box()
        assert box["y"] + box["height"] < 840 and box["width"] / box["height"] == pytest.approx(width / height, rel=0.02)


def test_pages_of_runs_without_videos_load(visit, tmp_path):
    training, sequences = tmp_path / "x" / "2026-11-21_120000", tmp_path / "x" / "2026-11-21_130000"
    for folder, rows in ((training, []), (sequences, [{"clip": "000", "action": "sines", "frames": 25, "mse": 0.1}])):
        (folder / "test" / "sines").mkdir(parents=True)
        (folder / "summary.json").write_text(json.dumps({"experiment": "x", "status": "running", "clips": rows}))
        write_picture(folder / "test" / "sines" / "000.png", np.zeros((32, 32, 3), np.uint8))
        write_run_page(folder)
        page = visit(url(folder))
        assert page.locator(".player").is_hidden()
    assert page.locator("#clip-cards img").count() == 1

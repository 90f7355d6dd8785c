"""Seconds to write the list of many runs, and to load, sort and filter it in headless Chromium."""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path

from analogy.settings import find_experiment, load_settings, write_settings
from analogy.systems import SYSTEMS
from analogy.visualise.results_page import write_results_page

CONFIG = find_experiment("analogy_pool3")


def make_runs(results: Path, count: int) -> None:
    """Write minimal run folders: a summary and settings, which differ a little from run to run."""
    settings = load_settings(CONFIG, SYSTEMS, scale="demo")
    write_settings(settings, results / "settings.yaml")
    text = (results / "settings.yaml").read_text()
    for index in range(count):
        run = results / f"analogy_pool{2 + index % 4}" / f"2026-11-{1 + index % 28:02d}_{index:06d}"
        run.mkdir(parents=True)
        psnr = 18 + index % 97 / 10
        summary = {"experiment": run.parent.name, "status": "finished", "steps": 1000 + index, "seed": index, "scale": "demo"}
        summary |= {"test": {"psnr": psnr, "ssim": 0.8}, "baseline": {"copy_reference": {"psnr": 20.0, "ssim": 0.7}}}
        (run / "summary.json").write_text(
            json.dumps({**summary, "dataset": "synthetic_actors", "seconds": {"total": 60 + index}})
        )
        (run / "settings.yaml").write_text(text.replace("seed: 0", f"seed: {index}"))
    (results / "settings.yaml").unlink()


def seconds(action) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, nargs="+", default=[50, 500])
    for count in parser.parse_args().runs:
        with tempfile.TemporaryDirectory() as folder:
            results = Path(folder)
            make_runs(results, count)
            times = {"write": seconds(lambda results=results: write_results_page(results))}
            page = results / "index.html"
            size = page.stat().st_size / 1e6
            if chromium := shutil.which("chromium") or shutil.which("chromium-browser"):
                times |= browse(page, chromium)
        print(f"{count} runs, {size:.2f} MB: " + ", ".join(f"{name} {duration:.2f} s" for name, duration in times.items()))


def browse(page: Path, chromium: str) -> dict[str, float]:
    """Seconds to load the page, to sort it, and to filter it in Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1280, "height": 900})
        tab.goto("about:blank")
        times = {
            "load": seconds(lambda: tab.goto(page.as_uri())),
            "sort": seconds(lambda: tab.locator("#runs th button").nth(5).click()),
            "filter": seconds(lambda: tab.fill("#filter", "pool3 finished")),
        }
        browser.close()
    return times


if __name__ == "__main__":
    main()

"""README and docs/: links lead somewhere, pages are listed, dependencies have reasons. `make docs` builds the site."""

import os
import re
import runpy
from pathlib import Path

import pytest
import setuptools
import yaml

from tests.conftest import ROOT

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)")  # to a file, without an anchor
LARGEST_PICTURE = 1_000_000  # bytes, of a moving picture of the README


@pytest.mark.parametrize(
    "page", [*PAGES, *map(ROOT.joinpath, ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/README.md"))],
    ids=lambda page: str(page.relative_to(ROOT)),
)  # fmt: skip
def test_links_lead_to_files(page):
    missing = [link for link in LINK.findall(page.read_text("utf-8")) if not (page.parent / link).exists()]
    assert not missing, "no such files"


def test_every_page_is_in_the_index_and_in_the_navigation():
    listed = {DOCS / link for link in LINK.findall((DOCS / "index.md").read_text("utf-8"))}
    assert set(PAGES) - {DOCS / "index.md"} <= listed
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))
    assert {str(page.relative_to(DOCS)) for page in PAGES} == set(_pages(settings["nav"]))


def _pages(part):
    """The files of a part of the navigation."""
    if isinstance(part, str):
        return [part]
    return [page for below in (part.values() if isinstance(part, dict) else part) for page in _pages(below)]


def test_every_dependency_has_its_reason():
    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"], *(name for names in project["optional-dependencies"].values() for name in names)]
    rows = (DOCS / "dependencies.md").read_text("utf-8").split("\n\n`tensorflow-addons`")[0].splitlines()
    given = {_plain(word) for row in rows if row.startswith("|") for word in re.findall(r"[\w-]+", row.split("|")[1])}
    names = {_plain(re.match(r"[\w-]+", name)[0]) for name in wanted}
    assert len(names) > 30 and names <= given


def _plain(name):
    """A package's name, as PyPI compares them."""
    return name.lower().replace("_", "-")


def test_the_readme_is_short_and_begins_with_pictures():
    text = (ROOT / "README.md").read_text("utf-8")
    assert len(text.splitlines()) <= 130
    first_screen = text.splitlines()[:25]
    pictures = [ROOT / link for line in first_screen if line.startswith("![") for link in LINK.findall(line)]
    assert [path.name for path in pictures] == ["person.gif", "five_papers.gif"]
    assert all(path.stat().st_size < LARGEST_PICTURE for path in pictures)
    assert any(line.startswith("pip install") for line in first_screen)
    assert any(line.startswith("analogy predict") for line in first_screen)


def test_the_first_block_of_two_commands_has_two_lines():
    section = (ROOT / "README.md").read_text("utf-8").split("\n## Two commands\n")[1]
    block = section.split("```sh\n")[1].split("\n```")[0]
    assert len(block.splitlines()) == 2


@pytest.mark.parametrize("repository", ["", "https://example.org/owner/name/"])
def test_pypi_shows_the_pictures_where_the_repository_is_known(monkeypatch, repository):
    given = {}
    monkeypatch.setattr(setuptools, "setup", given.update)
    monkeypatch.setenv("ANALOGY_REPOSITORY", repository)
    runpy.run_path(str(ROOT / "setup.py"))
    text = given["long_description"]
    if not repository:
        assert text == (ROOT / "README.md").read_text("utf-8")
        return
    assert "](https://example.org/owner/name/raw/main/docs/images/person.gif)" in text
    assert "](https://example.org/owner/name/blob/main/docs/first_steps.md)" in text
    assert not LINK.findall(text) and "](http://dreamdragon.github.io/PennAction/)" in text


@pytest.mark.extra
def test_links_out_of_docs_come_along_to_the_site(monkeypatch):
    pytest.importorskip("mkdocs", reason="the site needs `pip install -e .[docs]`")
    hooks = runpy.run_path(str(ROOT / "mkdocs_hooks.py"))
    assert hooks["_place"](DOCS / "api" / "settings.md") == "api/settings.md"
    assert hooks["_place"](ROOT / "benchmarks" / "README.md") == "files/benchmarks/README.md"
    assert hooks["_place"](ROOT / "none.md") is None and hooks["_place"](Path(os.sep, "etc", "hostname")) is None

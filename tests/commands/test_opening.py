"""Results open by themselves where there is a desktop, and nowhere else."""

import webbrowser
from types import SimpleNamespace

import pytest

from analogy.cli import opening
from analogy.cli.opening import has_desktop, show


@pytest.fixture
def desktop(monkeypatch):
    """A terminal and a display, no CI. Returns the addresses that were opened."""
    opened = []
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(opening, "sys", SimpleNamespace(platform="linux", stdout=SimpleNamespace(isatty=lambda: True)))
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or True)
    return opened


def test_a_page_opens_on_a_desktop_unless_it_is_not_wanted(desktop, tmp_path):
    show(tmp_path / "a page.html", None)
    show("http://127.0.0.1:8000/", None)
    show(tmp_path / "another.html", False)
    assert desktop == [f"{tmp_path.as_uri()}/a%20page.html", "http://127.0.0.1:8000/"]


@pytest.mark.parametrize("lacks", ["display", "terminal", "freedom from CI"])
def test_without_a_desktop_it_opens_only_where_asked_for(desktop, monkeypatch, tmp_path, lacks):
    if lacks == "display":
        monkeypatch.delenv("DISPLAY")
        monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    elif lacks == "terminal":
        opening.sys.stdout.isatty = lambda: False
    else:
        monkeypatch.setenv("CI", "true")
    assert not has_desktop()
    show(tmp_path / "page.html", None)
    assert not desktop
    show(tmp_path / "page.html", True)
    assert len(desktop) == 1


@pytest.mark.parametrize("raises", [True, False])
def test_a_browser_that_cannot_start_is_a_line(desktop, monkeypatch, tmp_path, capsys, raises):
    def fail(address):
        if raises:
            raise webbrowser.Error("no browser")
        return False

    show(tmp_path / "page.html", None)
    assert not capsys.readouterr().err
    monkeypatch.setattr(webbrowser, "open", fail)
    show(tmp_path / "page.html", None)
    assert "no browser can be started here" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["run", "compare", "predict", "browse"])
def test_the_commands_have_the_option(invoke, command):
    assert "--open" in invoke(command, "--help").output

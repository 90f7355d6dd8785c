"""Who may import whom: lower floors of the package know nothing of the higher ones."""

from __future__ import annotations

import ast
import graphlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = ("analogy", "data_prep", "experiments")


def imports(source: str, package: str = "") -> Iterator[str]:
    """Dotted names of everything imported anywhere in a file, also inside functions; `package` is the file's own."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*parents, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def within(name: str, *roots: str) -> bool:
    return any(name == root or name.startswith(root + ".") for root in roots)


def edges(*places: str) -> list[tuple[str, str]]:
    """(file, imported name) of the given packages and modules; each place must have some."""
    names = []
    for place in places:
        path = ROOT / place
        files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
        own = [
            (str(file.relative_to(ROOT)), name)
            for file in files
            for name in imports(file.read_text(encoding="utf-8"), ".".join(file.relative_to(ROOT).parent.parts))
        ]
        assert own, f"{place} imports nothing: has it moved?"
        names += own
    return names


def test_the_reader_of_imports_sees_every_form():
    source = "import a.b as c\nfrom analogy import losses\ndef f():\n from . import x\n from ..data.clips import Clip"
    expected = {"a.b", "analogy.losses", "analogy.models.x", "analogy.data.clips.Clip"}
    assert set(imports(source, "analogy.models")) == expected
    assert within("analogy.models.vgg", "analogy.models") and not within("analogy.models_too", "analogy.models")


# Every room of the house, the lowest floor first: a room imports from its own floor and those below.
FLOORS = (
    ("environment", "errors", "files", "graphs", "joints", "memory", "one_line", "ownership", "random_streams"),
    ("models", "losses", "optimizers", "metrics"),
    ("data", "settings", "runs", "pretrained"),
    ("data_prep",),
    ("visualise",),
    ("predictions",),
    ("systems",),
    ("evaluation",),
    ("leaderboard",),
    ("training",),
    ("resolve", "measure", "quantise"),
    ("api",),
    ("cli",),
)
FLOOR_OF = {room if room == "data_prep" else f"analogy.{room}": floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def room_of(name: str) -> str:
    """analogy.data.video.read_video -> analogy.data; data_prep.kth -> data_prep."""
    return "data_prep" if within(name, "data_prep") else ".".join(name.split(".")[:2])


@pytest.mark.parametrize("place", ["analogy/models", "analogy/losses.py", "analogy/optimizers.py"])
def test_mathematics_needs_only_tensorflow_and_keras(place):
    ours = ("analogy.models", "analogy.joints", "analogy.errors")
    allowed = ("keras", "tensorflow", "numpy", *ours, *sys.stdlib_module_names)
    assert [edge for edge in edges(place) if not within(edge[1], *allowed)] == []


def edges_of(room: str) -> list[tuple[str, str]]:
    """(file, imported name) of a room, which is a package or a module."""
    place = room.replace(".", "/")
    if room in ("analogy.one_line", "analogy.joints"):
        return []  # they import nothing
    return edges(place if (ROOT / place).is_dir() else f"{place}.py")


def test_no_room_imports_upward():
    upward = []
    for room, floor in FLOOR_OF.items():
        for file, name in edges_of(room):
            if within(name, "experiments") or FLOOR_OF.get(room_of(name), 0) > floor:
                upward.append((file, name))
    assert upward == []


def test_no_circle_between_rooms():
    wants = {room: {room_of(name) for _, name in edges_of(room)} & set(FLOOR_OF) - {room} for room in FLOOR_OF}
    graphlib.TopologicalSorter(wants).prepare()  # raises CycleError, with the rooms of the circle


def test_a_paper_knows_no_other_paper():
    papers = sorted(folder.name for folder in (ROOT / "analogy" / "systems").iterdir() if (folder / "__init__.py").is_file())
    assert {"hierarchical", "seq2seq"} <= set(papers)
    for paper in papers:
        others = [f"analogy.systems.{other}" for other in papers if other != paper]
        assert [edge for edge in edges(f"analogy/systems/{paper}") if within(edge[1], *others)] == []


def test_every_room_has_a_floor():
    package = ROOT / "analogy"
    rooms = {path.name for path in package.iterdir() if (path / "__init__.py").is_file()}
    rooms |= {path.stem for path in package.glob("*.py") if path.stem != "__init__"}
    assert {f"analogy.{room}" for room in rooms} | {"data_prep"} == set(FLOOR_OF)


def test_nobody_imports_the_commands():
    assert [edge for edge in edges("analogy", "data_prep") if within(edge[1], "experiments")] == []

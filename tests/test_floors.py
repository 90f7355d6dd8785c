"""Who may import whom: lower floors of the package know nothing of the higher ones."""

from __future__ import annotations

import ast
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
    found = []
    for place in places:
        path = ROOT / place
        files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
        own = [
            (str(file.relative_to(ROOT)), name)
            for file in files
            for name in imports(file.read_text(encoding="utf-8"), ".".join(file.relative_to(ROOT).parent.parts))
        ]
        assert own, f"{place} imports nothing: has it moved?"
        found += own
    return found


def test_the_reader_of_imports_sees_every_form():
    source = "import a.b as c\nfrom analogy import losses\ndef f():\n from . import x\n from ..data.clips import Clip"
    seen = {"a.b", "analogy.losses", "analogy.models.x", "analogy.data.clips.Clip"}
    assert set(imports(source, "analogy.models")) == seen
    assert within("analogy.models.vgg", "analogy.models") and not within("analogy.models_too", "analogy.models")


@pytest.mark.parametrize("place", ["analogy/models", "analogy/losses.py", "analogy/optimizers.py"])
def test_mathematics_needs_only_tensorflow_and_keras(place):
    ours = ("analogy.models", "analogy.joints", "analogy.errors")
    allowed = ("keras", "tensorflow", "numpy", "h5py", *ours, *sys.stdlib_module_names)
    assert [edge for edge in edges(place) if not within(edge[1], *allowed)] == []


@pytest.mark.parametrize("part", ["data", "metrics", "visualise"])
def test_tools_know_only_themselves(part):
    allowed = (f"analogy.{part}", "analogy.joints", "analogy.errors", "analogy.files")
    ours = [edge for edge in edges(f"analogy/{part}") if within(edge[1], *OURS)]
    assert [edge for edge in ours if not within(edge[1], *allowed)] == []


def test_systems_do_not_know_who_trains_them():
    assert [edge for edge in edges("analogy/systems") if within(edge[1], "analogy.training")] == []


def test_packages_do_not_know_who_uses_them():
    assert [edge for edge in edges("analogy", "data_prep") if within(edge[1], "experiments")] == []
    assert [edge for edge in edges("analogy") if within(edge[1], "data_prep")] == []

"""What mkdocs.yml cannot say: files beside docs/ to which a page links come along with the site.

A page of text, such as benchmarks/README.md, becomes a page of the site; any other file is copied. Both lie in `files/`.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from mkdocs.structure.files import File, Files, InclusionLevel

ROOT = Path(__file__).parent
LINK = re.compile(r"(?<=\]\()(?!\w+:|#)([^)#\s]+)")  # the path of a link to a file of the repository


def on_files(files: Files, config) -> Files:
    """Add every file outside of docs/ to which a page links, or to which such a file links."""
    waiting = [ROOT / "docs" / page.src_uri for page in files.documentation_pages()]
    while waiting:
        page = waiting.pop()
        for link in LINK.findall(page.read_text("utf-8")):
            path = Path(os.path.normpath(page.parent / link))
            place = _place(path)
            if place is None or place in files.src_uris:
                continue
            files.append(File.generated(config, place, abs_src_path=str(path), inclusion=InclusionLevel.NOT_IN_NAV))
            if path.suffix == ".md":
                waiting.append(path)
    return files


def on_page_markdown(markdown: str, page, **_) -> str:
    """Let links lead to the files in the site. What leads nowhere stays, and MkDocs complains."""
    place = page.file.src_uri
    source = ROOT / place.removeprefix("files/") if place.startswith("files/") else ROOT / "docs" / place

    def moved(link: re.Match) -> str:
        target = _place(Path(os.path.normpath(source.parent / link[0])))
        return os.path.relpath(target, os.path.dirname(place) or ".") if target else link[0]

    return LINK.sub(moved, markdown)


def _place(path: Path) -> str | None:
    """Where a file of the repository lies in the site; None where there is no such file."""
    if not path.is_file() or not path.is_relative_to(ROOT):
        return None
    place = path.relative_to(ROOT).as_posix()
    return place.removeprefix("docs/") if place.startswith("docs/") else f"files/{place}"

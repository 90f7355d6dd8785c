"""Writing an HTML page from a template in templates/. It opens from disk, without a server or a network."""

import logging
import os
from collections.abc import Mapping
from datetime import datetime
from math import isfinite
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2

from analogy.files.writing import replacing
from analogy.runs.reading import read_text
from analogy.visualise.wording import duration, short_count, whole

log = logging.getLogger("analogy")

# What pages of earlier versions, which did not name their generator, held.
_EARLIER = {
    "results.html": 'id="filter" placeholder="experiment, dataset',
    "run.html": '<a href="../../index.html">All runs</a>',
}


def write_page(path: Path, template: str, page: Mapping[str, Any]) -> None:
    """Write a page. An existing file that this program did not write is kept, and a warning is logged.

    template: name of a file in templates/. page: the variables that the template uses.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,  # a misspelt variable is an error, so that tests find it
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = {"duration": duration, "short_count": short_count, "whole": whole, "url": _url, "sort_key": _sort_key}
    environment.filters |= filters
    generator = f"analogy, {template}"
    if not _is_ours(path, template, generator):
        log.warning("%s: this page is not ours, and is kept; move it away to have ours there", path)
        return
    html = environment.get_template(template).render(page, generator=generator, now=f"{datetime.now():%Y-%m-%d %H:%M}")
    with replacing(path) as temporary:
        # File names may hold bytes that are not text. They are shown as "?", but their links are right (see `_url`).
        temporary.write_bytes(html.encode("utf-8", errors="replace"))


def _is_ours(path: Path, template: str, generator: str) -> bool:
    """Whether a page may be replaced: there is none yet, or it was made from the same template."""
    if not os.path.lexists(path):
        return True
    text = read_text(path)
    return f'content="{generator}"' in text or _EARLIER.get(template, generator) in text


def _url(path: Path) -> str:
    """A path as a relative link. Each part is quoted, so that spaces, quotes, #, ? and undecodable bytes are allowed."""
    return "/".join(quote(os.fsencode(part), safe="") for part in path.parts)


def _sort_key(value: float | None) -> str:
    """The text by which the page's script sorts: a plain number, or empty, which the script puts last."""
    return "" if value is None else repr(value) if isfinite(value) else ("Infinity" if value > 0 else "-Infinity")

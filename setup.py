"""Packaging lives in pyproject.toml. Only the long description is made here, from the README.

PyPI shows the README without the repository around it, so that its pictures and links need the repository's address on the web:
`ANALOGY_REPOSITORY=https://github.com/OWNER/NAME python -m build`. Without it they stay as they are.
"""

import os
import re
from pathlib import Path

from setuptools import setup

# ](path) of a link, and ![text](path) of a picture, to a file of the repository.
LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!\w+:|#)([^)\s]+)\)")


def absolute(text: str, repository: str) -> str:
    """The text with links to files of the repository made absolute. repository: its address on the web, or ""."""
    if not repository:
        return text
    return LINK.sub(lambda m: f"{m[1]}[{m[2]}]({repository}/{'raw' if m[1] else 'blob'}/main/{m[3]})", text)


readme = (Path(__file__).parent / "README.md").read_text("utf-8")
setup(
    long_description=absolute(readme, os.environ.get("ANALOGY_REPOSITORY", "").rstrip("/")),
    long_description_content_type="text/markdown",
)

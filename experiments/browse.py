"""Serve results/ to a browser on this machine; the page of a run in training follows it.

python experiments/browse.py
"""

from analogy.cli.browse import main
from analogy.cli.console import app_of

app = app_of(main)

if __name__ == "__main__":
    app()

"""Serve the results folder to a browser on this machine. The page of a run that trains updates itself.

python experiments/browse.py
"""

from analogy.cli.browse import main
from analogy.cli.console import app_of

app = app_of(main)

if __name__ == "__main__":
    app()

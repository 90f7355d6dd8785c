"""Run an experiment by its name: prepare data, train, evaluate, export, and write pages.

python experiments/run.py --exp analogy_pool3
"""

from analogy.cli.console import app_of
from analogy.cli.run import main

app = app_of(main)

if __name__ == "__main__":
    app()

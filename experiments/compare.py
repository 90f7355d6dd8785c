"""Compare finished runs on the test clips that they share: a page with players in step, and tables as Markdown.

python experiments/compare.py --run analogy_pool3 --run analogy_pool4
"""

from analogy.cli.compare import main
from analogy.cli.console import app_of

app = app_of(main)

if __name__ == "__main__":
    app()

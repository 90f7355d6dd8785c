"""Download the weights that FVD needs; once is enough: python experiments/fetch_i3d.py"""

import sys

from analogy.cli.console import app_of
from analogy.cli.fetch import main

app = app_of(main)

if __name__ == "__main__":
    app(["i3d", *sys.argv[1:]])

"""Evaluate a finished run, an exported SavedModel, or a folder of predicted videos, with any metric.

python experiments/evaluate.py --run results/analogy_masked/RUN --metrics psnr,ssim,fvd
"""

from analogy.cli.console import app_of
from analogy.cli.evaluate import main

app = app_of(main)

if __name__ == "__main__":
    app()

"""Evaluate the whole method: frames that are generated from true, from predicted, and from estimated and predicted poses.

python experiments/evaluate_pipeline.py --pose-run results/pose_lstm_residual/RUN --paint-run results/analogy_masked/RUN
"""

from analogy.cli.console import app_of
from analogy.cli.evaluate_pipeline import main

app = app_of(main)

if __name__ == "__main__":
    app()

"""How good is the whole method? Frames from true, predicted, and estimated and predicted poses, against the distance in time.

python experiments/evaluate_pipeline.py --pose-run results/pose_lstm_residual/RUN --paint-run results/analogy_masked/RUN
"""

from analogy.cli.console import app_of
from analogy.cli.evaluate_pipeline import main

app = app_of(main)

if __name__ == "__main__":
    app()

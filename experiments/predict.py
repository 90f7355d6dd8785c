"""Predict the frames that follow the observed frames of any video: poses are estimated and predicted, then frames generated.

python experiments/predict.py VIDEO --poses movenet --models FOLDER
"""

from analogy.cli.console import app_of
from analogy.cli.predict import main

app = app_of(main)

if __name__ == "__main__":
    app()

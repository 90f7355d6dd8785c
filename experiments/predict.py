"""From a few observed frames of any video to the frames that follow: poses are estimated, predicted, and painted.

python experiments/predict.py VIDEO --poses movenet --models FOLDER
"""

from analogy.cli.console import app_of
from analogy.cli.predict import main

app = app_of(main)

if __name__ == "__main__":
    app()

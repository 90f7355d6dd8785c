"""Train the models that come along with the package again, from nothing, and put them in their place (`make models`)."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import analogy
from analogy.runs.ready import ready_models, take_over


def main() -> None:
    for name, model in ready_models().items():
        with tempfile.TemporaryDirectory() as folder:
            run = analogy.train(name, scale=model.summary["scale"], results_dir=Path(folder))
            take_over(run.folder, model.run)
            print(f"{name}: {run.test}", file=sys.stderr)


if __name__ == "__main__":
    main()

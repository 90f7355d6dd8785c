"""Does training a ladder network help the recognition of actions from its states? Train it, and classifiers, and compare.

python experiments/lvln_classifiers.py --dataset synthetic_actors
python experiments/lvln_classifiers.py --dataset weizmann --data-dir DIR --persons "0, 1" --persons "2, 3" --persons "4, 5, 6"
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

import analogy
from analogy.cli.console import app_of, clear_errors
from analogy.cli.continuing import finished_run, persons_of_folds
from analogy.errors import Mistakes
from analogy.one_line import say
from analogy.ownership import check_text_output, write_our_text
from analogy.resolve import resolve_settings
from analogy.settings.loading import parse_override
from analogy.visualise.tables import markdown_table

PREDICTOR = "lvln_three_frame"
# Networks with random weights. The steps change no weight, but measure the running statistics of batch normalisation.
UNTRAINED = {"optimizer.learning_rate": 1e-12, "training.steps": 50}
HEADS = {"states of C4": "lvln_classifier_c4", "C1 to C3": "lvln_classifier_c13", "C4 and C1 to C3": "lvln_classifier_c4_c13"}
PIXELS, COMMONEST = "the last frame's pixels alone", "nothing: the commonest action"


def main(
    dataset: Annotated[str, typer.Option(help="Videos with actions: weizmann, kth, synthetic_actors ...")],
    data_dir: Annotated[Path | None, typer.Option(help="The dataset's folder; none where it is generated.")] = None,
    persons: Annotated[list[str] | None, typer.Option(help="The persons that test in a fold; once for each fold.")] = None,
    scale: Annotated[str, typer.Option(help="paper or demo.")] = "demo",
    predictor_steps: Annotated[int, typer.Option(min=1, help="Updates of the predictor.")] = 300,
    set_: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE: other settings of all runs.")] = None,
    predictor_set: Annotated[list[str] | None, typer.Option(help="KEY=VALUE: settings of the predictors alone.")] = None,
    results_dir: Annotated[Path, typer.Option(help="Where runs and table are written.")] = Path("results/lvln_classifiers"),
) -> None:
    """In each fold, train the predictor, make an untrained one, and train each classifier on the states of both, and one on the
    pixels. Without --persons there is one fold, the dataset's own split. Start it again to go on with what was stopped."""
    with clear_errors(results_dir):
        common = {"data.dataset": dataset, **dict(map(parse_override, set_ or []))}
        predictors = dict(map(parse_override, predictor_set or []))
        check_settings({**common, **persons_of_folds(persons)[0]}, predictors, results_dir, scale=scale, data_dir=data_dir)
        written = results_dir / dataset / "classifiers.md"
        check_text_output(written, table({}), "table of classifiers", "move it away, or choose another --results-dir")
        recognised: dict[str, list[list[float]]] = {}  # what is read -> for each fold, whether each test window was recognised
        for number, tested in enumerate(persons_of_folds(persons)):
            fold = results_dir / dataset / f"fold_{number}"

            def train(name: str, exp: str, values: dict, fold=fold, tested=tested) -> analogy.Run:
                values = {**common, **tested, **values}
                return finished_run(exp, fold / name, scale=scale, data_dir=data_dir, set=values)

            settings = {"trained": {"training.steps": predictor_steps}, "untrained": UNTRAINED}
            used = {
                name: {"uses.predictor": str(train(name, PREDICTOR, {**predictors, **values}).folder)}
                for name, values in settings.items()
            }
            for state, values in used.items():
                for title, exp in HEADS.items():
                    read(recognised, f"{title}, {state} predictor", train(f"heads_{state}", exp, values))
            pixels = train("pixels", HEADS["states of C4"], {**used["trained"], "network.features": "pixels"})
            read(recognised, PIXELS, pixels)
            read(recognised, COMMONEST, pixels, "baseline_")
        text = table(recognised)
        write_our_text(written, text)
        say(*text.splitlines())


def check_settings(common: dict, predictors: dict, results: Path, **options) -> None:
    """Check the settings of the predictor and of the classifiers before the first is trained. Raises UserError.

    common: dotted key -> value, of all runs. predictors: of the predictors alone.
    """
    every = {PREDICTOR: predictors, **{exp: {"train_used": True} for exp in HEADS.values()}}  # the predictor is not there yet
    with Mistakes() as mistakes:
        for exp, values in every.items():
            with mistakes.noted():
                values = {**common, **values}
                resolve_settings(exp, results_dir=results, writes=False, values=values, stages_follow=True, **options)


def read(recognised: dict, what: str, run: analogy.Run, prefix: str = "") -> None:
    """Add a fold to `recognised`: 1.0 for each test window that was recognised, 0.0 for the others."""
    clips = json.loads((run.folder / "summary.json").read_text(encoding="utf-8"))["clips"]
    recognised.setdefault(what, []).append([clip[f"{prefix}accuracy"] for clip in clips])


def table(recognised: dict[str, list[list[float]]]) -> str:
    """A Markdown table: the accuracy of each classifier over the test windows of all folds, and of each fold."""
    head = ["it reads", "windows", "accuracy", "of each fold"]
    lines = []
    for what, parts in recognised.items():
        windows = np.concatenate(parts)
        lines.append([what, str(len(windows)), f"{windows.mean():.1%}", " / ".join(f"{np.mean(part):.1%}" for part in parts)])
    return "\n".join(markdown_table(head, lines)) + "\n"


app = app_of(main)

if __name__ == "__main__":
    app()

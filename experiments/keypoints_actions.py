"""Is the action recognised that generated videos were asked for? By a linear read-out of I3D's logits, beside true videos.

python experiments/keypoints_actions.py --run keypoints_plus_motion
python experiments/keypoints_actions.py --run results/fold_0/NAME/DATE --run results/fold_1/NAME/DATE     # folds, pooled
"""

from __future__ import annotations

from functools import reduce
from operator import add
from pathlib import Path
from typing import Annotated

import typer

from analogy.cli.console import RESULTS, app_of, clear_errors
from analogy.errors import UserError
from analogy.files.marks import RECOGNISED
from analogy.files.names import RECOGNISED_ACTIONS
from analogy.measure import check_evaluation
from analogy.one_line import say
from analogy.ownership import check_output, replacing_folder
from analogy.runs.folder import write_json
from analogy.systems.keypoints.settings import GENERATORS
from analogy.visualise.panels import write_picture
from analogy.visualise.plots import confusion_matrix
from analogy.visualise.tables import markdown_table

TITLES = {
    "truth": "true videos",
    "true_keypoints": "the first frame, translated to the true keypoints",
    "generated": "generated videos, asked for their clip's action",
    "still": "the first frame, repeated",
    "shuffled": "true frames in another order",
    "asked_for": "generated videos, every action asked for",
    "transferred": "the first frame, moved as a true clip of every action",
    "chance": "chance",
}


def main(
    run: Annotated[list[str], typer.Option(help="A run of a motion generator, or an experiment's name; once for each fold.")],
    samples: Annotated[int, typer.Option(min=1, help="Generated videos of each test picture and action.")] = 1,
    data_dir: Annotated[Path | None, typer.Option(help="The dataset's folder, if it has moved since training.")] = None,
    results_dir: Annotated[Path, typer.Option(help="The folder of the runs; the table is written to it.")] = RESULTS,
) -> None:
    """Fit the read-out on the true futures of each run's training clips, recognise the test clips' true and generated futures,
    and write RESULTS/recognised_actions/EXPERIMENT: table.md, figures.json and confusion.png."""
    with clear_errors(results_dir):
        plans = [check_evaluation(run=name, data_dir=data_dir, metrics=["fvd"], results_dir=results_dir) for name in run]
        for name, plan in zip(run, plans, strict=True):
            if plan.subject.settings.system not in GENERATORS:
                raise UserError(
                    f"--run {name}: it is a run of {plan.subject.settings.system}; name one of {' or '.join(GENERATORS)}"
                )
        if len({tuple(plan.subject.settings.data.actions) for plan in plans}) > 1:
            raise UserError("--run: these runs know different actions; name folds of one experiment")
        folder = results_dir / RECOGNISED_ACTIONS / plans[0].subject.settings.experiment
        check_output(folder, RECOGNISED)
        outcome = reduce(add, [recognised(plan, samples) for plan in plans])
        write_outcome(folder, outcome, run, samples)
        say(*table(outcome, len(run), samples).splitlines())


def write_outcome(folder: Path, outcome, runs: list[str], samples: int) -> None:
    """Write table.md, figures.json and confusion.png. The folder's mark says that it is no run."""
    with replacing_folder(folder, RECOGNISED) as replacement:
        partial = replacement.partial
        (partial / "table.md").write_text(table(outcome, len(runs), samples), encoding="utf-8")
        write_json(
            partial / "figures.json", {"runs": runs, "samples": samples, "actions": outcome.actions, **outcome.accuracies()}
        )
        if outcome.counts:
            write_picture(partial / "confusion.png", confusion_matrix(outcome.counts["asked_for"], outcome.actions))


def recognised(plan, samples: int):
    """The `Recognition` of one run. plan: its checked evaluation. samples: generated videos of each picture and action."""
    from rich.progress import track

    from analogy.evaluation.judge import Measures
    from analogy.pretrained.i3d import I3d
    from analogy.systems.keypoints.recognition import recognise_futures

    system, dataset, *_ = plan.subject.open(Measures())
    return recognise_futures(
        system, dataset, I3d(plan.selection.weights).logits, lambda clips: track(clips, "recognising clips"), samples
    )


def table(outcome, runs: int, samples: int) -> str:
    """A Markdown table of the shares of videos that were recognised, with the protocol."""
    shares = {**outcome.accuracies(), "chance": 1.0 / len(outcome.actions)}
    counted = {name: len(right) for name, right in outcome.right.items()}
    counted |= {name: int(counts.sum()) for name, counts in outcome.counts.items()}
    lines = [[TITLES[name], str(counted.get(name, "")), f"{shares[name]:.1%}"] for name in TITLES if name in shares]
    protocol = (
        f"{len(outcome.actions)} actions; ridge regression on I3D's logits (Kinetics-400) of the true futures of the training "
        f"clips and of their mirror images; {samples} sample(s) of each test picture and action; {runs} run(s), each with its "
        "own test clips"
    )
    return "\n".join([*markdown_table(["videos", "number", "recognised"], lines), "", protocol, ""])


app = app_of(main)

if __name__ == "__main__":
    app()

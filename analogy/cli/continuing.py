"""For scripts that train many runs and are started again to go on with what was stopped."""

from __future__ import annotations

from pathlib import Path

import analogy


def finished_run(experiment: str, results: Path, **options) -> analogy.Run:
    """The newest run of an experiment in this folder. Where there is none, it is trained; where it has not finished, resumed.

    Args:
        experiment: its name.
        results: the folder of its runs, which are taken as they are: runs with other settings belong into another folder.
        options: of `analogy.train`, for a new run.
    """
    runs = sorted(path.parent for path in (results / experiment).glob("*/settings.yaml"))
    if not runs:
        return analogy.train(experiment, results_dir=results, **options)
    run = analogy.Run(runs[-1])
    return run if run.status == "finished" else analogy.train(resume=run.folder, results_dir=results)

"""Write a run's network for other programs: a SavedModel, TensorFlow Lite (LiteRT) or ONNX, one file for each endpoint."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from analogy.cli.console import RESULTS, clear_errors
from analogy.errors import Mistakes
from analogy.ownership import EXPORT, check_output

# format -> the packages that it needs beside ours.
FORMATS = {"savedmodel": (), "tflite": (), "onnx": ("tf2onnx", "onnx", "onnxruntime")}


def main(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A finished run, its experiment, or a model that comes along.")],
    format: Annotated[str, typer.Option(help=f"One of: {', '.join(FORMATS)}.")] = "savedmodel",
    out: Annotated[Path | None, typer.Option(help="Folder for the files. Default: results/exports/EXPERIMENT_FORMAT.")] = None,
    batch: Annotated[int, typer.Option(min=1, max=1024, help="tflite: the number of examples that a file takes.")] = 1,
    results_dir: Annotated[Path, typer.Option(help="The folder of the runs.")] = RESULTS,
) -> None:
    with clear_errors(out or results_dir):
        from analogy.runs.find import run_of, saved_model_of
        from analogy.runs.ready import run_or_ready

        with Mistakes() as mistakes:
            if format not in FORMATS:
                mistakes.add(f"--format {format}: there is no such format; there is {', '.join(FORMATS)}")
            if batch != 1 and format in FORMATS and format != "tflite":
                mistakes.add(f"--batch {batch} is for --format tflite: other files take any number of examples; leave it out")
            if missing := [name for name in FORMATS.get(format, ()) if find_spec(name) is None]:
                mistakes.add(f"--format {format} needs {', '.join(missing)}: pip install 'analogy-video[{format}]'")
            with mistakes.noted():
                folder = run_or_ready(run, results_dir, "export")
                source = saved_model_of(folder)
                out = out or results_dir / "exports" / f"{_name(run_of(source))}_{format}"
                check_output(out, EXPORT, [folder])
        from analogy.runs.formats import export_run

        export_run(folder, format, out, batch)
        print(f"written to {out}; endpoints.json lists the names, shapes and types")


def _name(folder: Path) -> str:
    """The experiment of a run's folder EXPERIMENT/DATE_TIME, or the name of any other folder."""
    return folder.parent.name if (folder / "summary.json").is_file() and folder.name[:1].isdigit() else folder.name

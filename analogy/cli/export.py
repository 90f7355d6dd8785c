"""Write a run's network for other programs: a SavedModel, TensorFlow Lite (LiteRT) or ONNX, one file for each endpoint."""

from __future__ import annotations

from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from analogy.cli.console import RESULTS, clear_errors
from analogy.cli.options import ResultsDir
from analogy.errors import Mistakes, UserError
from analogy.files.marks import EXPORT
from analogy.files.names import EXPORTS
from analogy.one_line import say
from analogy.ownership import check_output


class Format(NamedTuple):
    """What the options must know of a format; `analogy.runs.formats` writes it.

    packages: that it needs beside ours. converted: whether its files hold operations of another runtime, which may lack
    bfloat16.
    """

    packages: tuple[str, ...] = ()
    converted: bool = True


FORMATS = {
    "savedmodel": Format(converted=False),
    "tflite": Format(),
    "onnx": Format(packages=("tf2onnx", "onnx", "onnxruntime")),
}


def main(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A finished run: its folder, its experiment, or a model of `analogy models`.")
    ],
    format: Annotated[str, typer.Option(help=f"One of: {', '.join(FORMATS)}.")] = "savedmodel",
    out: Annotated[Path | None, typer.Option(help="Folder for the files. Default: results/exports/EXPERIMENT_FORMAT.")] = None,
    batch: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1024,
            help="With tflite: the number of examples in a call, which a file fixes. Default: 1, or 8 with --quantise.",
        ),
    ] = None,
    quantise: Annotated[
        str | None,
        typer.Option(
            help="With tflite: int8 computes convolutions in 8 bits. Nothing is written where that is not faster, or loses "
            "more than 0.1 dB on the run's test clips."
        ),
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="With --quantise: the folder of the run's data, if it has moved.")
    ] = None,
    results_dir: ResultsDir = RESULTS,
) -> None:
    with clear_errors(out or results_dir):
        from analogy.runs.find import run_of, saved_model_of
        from analogy.runs.ready import run_or_ready

        with Mistakes() as mistakes:
            with mistakes.noted():
                _check_options(format, batch, quantise, data_dir)
            with mistakes.noted():
                folder = run_or_ready(run, results_dir, "export")
                source = saved_model_of(folder)
                name = "_".join([_name(run_of(source)), format, *([quantise] if quantise else [])])
                out = out or results_dir / EXPORTS / name
                check_output(out, EXPORT, [folder])
                if quantise:
                    from analogy.measure import check_evaluation
                    from analogy.runs.history import trained_steps

                    if not trained_steps(folder):
                        raise UserError(f"--quantise needs a run's checkpoint, and {folder} has none; name a run of your own")
                    plan = check_evaluation(run=str(folder), data_dir=data_dir, results_dir=results_dir)
        if quantise:
            from analogy.quantise import export_int8

            written = export_int8(plan.subject, out, batch)
        else:
            from analogy.runs.formats import export_run
            from analogy.training.in_float32 import in_float32

            with in_float32(folder) if FORMATS[format].converted else nullcontext() as model:
                written = export_run(folder, format, out, batch or 1, model=model)
        say(f"written to {written}; endpoints.json lists the names, shapes and types")


def _check_options(format: str, batch: int | None, quantise: str | None, data_dir: Path | None) -> None:
    """Check what fits which format. Raises UserError: one line for each mistake."""
    if format not in FORMATS:
        raise UserError(f"--format {format}: there is no such format; there is {', '.join(FORMATS)}")
    with Mistakes() as mistakes:
        if batch not in (None, 1) and format != "tflite":
            mistakes.add(f"--batch {batch} is for --format tflite: other files take any number of examples; leave it out")
        if quantise not in (None, "int8"):
            mistakes.add(f"--quantise {quantise}: there is int8 alone")
        if quantise and format != "tflite":
            mistakes.add(f"--quantise is for --format tflite, not for {format}; leave it out")
        if data_dir and not quantise:
            mistakes.add("--data-dir has no meaning without --quantise; leave it out")
        if missing := [name for name in FORMATS[format].packages if find_spec(name) is None]:
            mistakes.add(f"--format {format} needs {', '.join(missing)}: pip install 'analogy-video[{format}]'")


def _name(folder: Path) -> str:
    """The experiment of a run's folder EXPERIMENT/DATE_TIME, or the name of any other folder."""
    return folder.parent.name if (folder / "summary.json").is_file() and folder.name[:1].isdigit() else folder.name

"""Measure the animations that Kim et al. (2019) published, their own and others' predictions, by this package's metrics.

python experiments/published_animations.py FOLDER     # of {penn,nemo,mgif}_{real,ours,li,...}.gif and *_start.png
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from analogy.cli.console import app_of, clear_errors
from analogy.data.pictures import read_picture
from analogy.data.video import read_video
from analogy.errors import UserError
from analogy.predictions.frames import PredictedFrames
from analogy.visualise.tables import markdown_table
from data_prep.video_source import fit_frame

METRICS = ("psnr", "ssim", "sharpness_ratio")
METHODS = {"ours": "Kim", "li": "Li", "wichers": "Wichers", "villegas": "Villegas"}


def main(
    folder: Annotated[Path, typer.Argument(help="NAME_real.gif, NAME_start.png and NAME_{ours,li,wichers,villegas}.gif.")],
):
    """Print PSNR, SSIM and sharpness of each animation beside its start picture copied. It is not said which true frames the 16
    of Li et al. belong to; they are compared with the first 16. The truth is made as small as a smaller prediction."""
    with clear_errors():
        names = sorted(path.name.removesuffix("_real.gif") for path in folder.glob("*_real.gif"))
        if not names:
            raise UserError(f"{folder}: there is no NAME_real.gif in this folder")
        lines = []
        for name in names:
            truth, start = np.stack(read_video(folder / f"{name}_real.gif").frames), read_picture(folder / f"{name}_start.png")
            for method, title in METHODS.items():
                if (path := folder / f"{name}_{method}.gif").is_file():
                    figures = measured(start, truth, np.stack(read_video(path).frames))
                    lines += [[name, title, *cells(figures["prediction"])], [name, "start copied", *cells(figures["copy"])]]
        typer.echo("\n".join(markdown_table(["data", "method", "frames", "PSNR", "SSIM", "sharpness ratio"], lines)))


def measured(start: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
    """Method -> metric -> [T]. start: uint8 [H, W, 3]. truth, prediction: uint8 [T, H, W, 3]; the longer one is cut, start and
    truth are brought to the size of the prediction."""
    length, size = min(len(truth), len(prediction)), prediction.shape[1:3]
    start, *truth = (fit_frame(frame, size, "squeeze") for frame in (start, *truth[:length]))
    clip = PredictedFrames(
        clip="", action="", distance=np.arange(1, length + 1), observed_frames=start[None], truth=np.stack(truth),
        prediction=prediction[:length], baseline=np.repeat(start[None], length, 0), baseline_name="copy",
    )  # fmt: skip
    return clip.measure()


def cells(figures: dict[str, np.ndarray]) -> list[str]:
    psnr, ssim, sharpness = (float(np.nanmean(figures[name])) for name in METRICS)
    return [str(len(figures["psnr"])), f"{psnr:.2f} dB", f"{ssim:.3f}", f"{sharpness:.2f}"]


app = app_of(main)

if __name__ == "__main__":
    app()

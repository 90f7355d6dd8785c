"""Writing what `analogy predict VIDEO --poses` has predicted: films, pictures, poses, and a page."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from analogy.data.video import Video, write_pictures
from analogy.files.marks import PREDICTION
from analogy.ownership import replacing_folder
from analogy.runs.ready import name_of
from analogy.systems.hierarchical.pose_files import write_poses
from analogy.systems.movie_prediction import (
    FILES,
    ending_lines,
    figure_lines,
    figures_beside_truth,
    filled_up,
    write_films_page,
)
from analogy.visualise.skeletons import GREEN, ORANGE, draw_skeleton
from analogy.visualise.video import write_gif, write_mp4

GIF_SIDE = 400  # pixels


class Prediction(NamedTuple):
    """joints [k + T, 13, 2] in pixels of the video, and visibility [k + T, 13], of the observed and then the future frames;
    frames uint8 [T, h, w, C]: the future frames within the area `box` (x_min, y_min, x_max, y_max) of the video."""

    joints: np.ndarray
    visibility: np.ndarray
    frames: np.ndarray
    box: tuple[int, int, int, int]


def write_prediction(request, video: Video, prediction: Prediction, lines: list[str]) -> tuple[Path, list[str]]:
    """Write prediction.mp4, prediction.gif, frames/, joints.json, beside.mp4 and index.html. If one of them fails, nothing is
    written.

    beside.mp4 has the truth if there is one, the poses and the prediction, side by side.

    Args:
        request: of `video_prediction`. lines: for the page, what the user should know.

    Returns:
        The folder where all lies, and further lines: how long the video goes on, and the figures beside its frames.
    """
    horizon = len(prediction.frames)
    observed = len(prediction.joints) - horizon
    x_min, y_min, x_max, y_max = prediction.box
    view = (slice(None), slice(None)) if request.full_frame else (slice(y_min, y_max), slice(x_min, x_max))
    last = video.frames[observed - 1]
    predicted = np.stack([_paste_crop(last, frame, prediction.box)[view] for frame in prediction.frames])
    shown = np.stack([frame[view] for frame in video.frames])
    truth = shown[observed:]
    figures = figures_beside_truth(
        truth, {"prediction": predicted, "last frame copied": np.repeat(last[view][None], horizon, 0)}
    )
    ends = ending_lines(len(truth), horizon)
    columns = [("poses", _draw_poses(video, prediction, view)), ("prediction", np.concatenate([shown[:observed], predicted]))]
    if len(truth):
        columns.insert(0, ("truth", filled_up(shown, observed + horizon)))
    with replacing_folder(request.folder, PREDICTION, new=request.new) as replacement:
        partial = replacement.partial
        write_mp4(partial / "prediction.mp4", predicted, video.rate)
        write_gif(partial / "prediction.gif", _shrink(predicted), video.rate)
        write_pictures(partial / "frames", predicted)
        facts = {"observed_frames": observed, "box": prediction.box, "frames_per_second": video.rate}
        write_poses(partial / "joints.json", prediction.joints, prediction.visibility, **facts)
        files = [*FILES, ("prediction.gif", "as GIF"), ("joints.json", "the poses")]
        write_films_page(
            partial, "beside.mp4", columns, video.rate, files, source=Path(request.source),
            made_by=f"poses of {name_of(request.predictor.run)}, and frames of {name_of(request.painter.run)}",
            start=request.start, observed=observed, horizon=horizon, figures=figures, measured=len(truth),
            lines=[*lines, *ends],
        )  # fmt: skip
    return replacement.folder, ends + figure_lines(figures, len(truth))


def _shrink(frames: np.ndarray) -> np.ndarray:
    """Frames [T, H, W, C] resized to at most GIF_SIDE pixels per side. A larger GIF takes minutes to write."""
    scale = GIF_SIDE / max(frames.shape[1:3])
    if scale >= 1:
        return frames
    return np.stack([cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) for frame in frames])


def _paste_crop(frame: np.ndarray, crop: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """A copy of the frame [H, W, 3] whose area `box` is replaced by the painted crop [h, w, C]."""
    x_min, y_min, x_max, y_max = box
    crop = cv2.resize(crop, (x_max - x_min, y_max - y_min), interpolation=cv2.INTER_LINEAR)
    whole = frame.copy()
    whole[y_min:y_max, x_min:x_max] = crop if crop.ndim == 3 else crop[..., None]
    return whole


def _draw_poses(video: Video, prediction: Prediction, view) -> np.ndarray:
    """All poses drawn on darkened frames, uint8 [k + T, h, w, 3]: observed poses in green on their own frames, future poses in
    orange on the last observed frame. view: the slices of rows and columns that are written."""
    observed, pictures = len(prediction.joints) - len(prediction.frames), []
    for index, (pose, visibility) in enumerate(zip(prediction.joints, prediction.visibility, strict=True)):
        frame = video.frames[min(index, observed - 1)] // 2
        draw_skeleton(frame, pose, visibility, GREEN if index < observed else ORANGE, width=max(2, len(frame) // 240))
        pictures.append(frame[view])
    return np.stack(pictures)

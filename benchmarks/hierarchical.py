"""The whole hierarchical pipeline, as `analogy predict VIDEO --poses` runs it, by stage, beside the floating-point floor.

One thread, processor time, with that of ffmpeg. The networks have the paper's sizes and random weights, and are called as
exported. The video is rendered. `--models FOLDER` adds BlazePose's stage. Parts of a painter's work (indented) are timed alone.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import cv2
import keras
import numpy as np
import tensorflow as tf
from common import parser, use_one_thread
from floor import best_seconds, counted, floors_of, peaks

from analogy.data.video import read_video
from analogy.memory import keep_freed_memory
from analogy.models.pixels import to_unit
from analogy.runs.export import export_saved_model
from analogy.settings import find_experiment, load_settings
from analogy.systems import SYSTEMS
from analogy.systems.hierarchical.background import observe
from analogy.systems.hierarchical.composition import recomposed
from analogy.systems.hierarchical.estimation.tflite import open_estimator
from analogy.systems.hierarchical.estimation.tracking import track_person
from analogy.systems.hierarchical.networks import limbs
from analogy.systems.hierarchical.pipeline import Pipeline
from analogy.systems.hierarchical.video_output import Prediction, write_prediction
from analogy.systems.hierarchical.video_prediction import painted_frames
from analogy.training.precision import use_precision
from analogy.visualise.video import write_mp4
from data_prep.penn_action.labels import read_labels
from data_prep.synthetic_actors import write_synthetic_actors


def processor_time() -> float:
    """Seconds, of this process and of those that it has started and that have ended."""
    return time.process_time() + sum(os.times()[2:4])


def make_system(experiment: str, precision: str):
    settings = load_settings(
        find_experiment(experiment),
        SYSTEMS,
        scale="paper",
        overrides=["data.dataset=synthetic_actors", f"training.precision={precision}"],
    )
    keras.utils.set_random_seed(0)
    with use_precision(precision):
        return SYSTEMS[settings.system].build(settings, {})


def rendered_video(folder: Path, size: int, length: int):
    """Render a clip: the video file, its joints [N, 13, 2] and their visibility [N, 13]."""
    write_synthetic_actors(folder / "actors", train_clips=1, test_clips=1, frames=length, size=size, workers=1)
    labels = read_labels(folder / "actors" / "labels" / "0001.mat")
    write_mp4(folder / "video.mp4", np.stack(read_video(folder / "actors" / "frames" / "0001").frames), 25)
    return folder / "video.mp4", labels.joints, labels.visibility


def parts_of_painter(system, frame, pose, future, crop) -> dict[str, Callable]:
    """Name -> a part of a painter's work on one batch of its pictures, as a function without arguments."""
    count = system.settings.evaluation.frames_per_call
    targets = [tf.constant(values[:count]) for values in future]
    crops = tf.repeat(crop, count, 0)
    if system.settings.system == "analogy_gan":
        encode, pose_maps = tf.function(system.encode), tf.function(system.pose)
        reference, maps = encode(frame, *pose, crop), pose_maps(*targets, crops)
        paint = tf.function(system.generator.paint)
        return {
            "encoding the frame, once": lambda: encode(frame, *pose, crop)[0].numpy(),
            f"heat maps of {count} poses": lambda: pose_maps(*targets, crops).numpy(),
            f"painting {count} frames": lambda: paint(reference, maps).numpy(),
        }
    image = tf.repeat(to_unit(frame), count, 0)
    places = [tf.repeat(value, count, 0) for value in (*pose, crop)] + [*targets, crops]
    choose = tf.function(limbs.choices)
    chosen, generator = choose(image, *places), system.generator
    correct, whole = tf.function(generator._corrections), tf.function(generator)
    return {
        f"moved limbs and background, {count} frames": lambda: [value.numpy() for value in choose(image, *places)],
        f"the same at {generator.work_size} px, and the U-Net": lambda: correct(image, places, chosen).numpy(),
        f"all, with mixing, {count} frames": lambda: whole([image, *places]).numpy(),
    }


def stages(pipeline: Pipeline, painter, video: Path, joints, visibility, length: int, folder: Path) -> dict[str, Callable]:
    """Stage -> a function without arguments. A name that begins with a space is of a part of the stage before."""
    k, whole = pipeline.context, read_video(video, count=length)
    frames = whole.frames
    horizon, reference = np.int32(length - k), frames[k - 1]
    size, observed = np.array(reference.shape[1::-1], np.int32), (joints[:k], visibility[:k])
    pose = joints[k - 1], visibility[k - 1]

    def forecast():
        return [value.numpy() for value in pipeline.forecast(*observed, size, np.int32(-1), horizon)]

    future = forecast()
    box = pipeline.crop(np.concatenate([observed[0], future[0]]), np.concatenate([observed[1], future[1]]), size).numpy()

    def paint():
        return painted_frames(pipeline, reference, pose, future, box)

    def outlined():
        return recomposed(painted, observe(frames[:k], *observed), pipeline.view, box, *poses)

    painted, poses = paint(), [np.concatenate([now[None], later]) for now, later in zip(pose, future, strict=True)]
    result = Prediction(
        *(np.concatenate(parts) for parts in zip(observed, future, strict=True)), painted, tuple(int(edge) for edge in box)
    )
    run = SimpleNamespace(run=Path("experiment/run"))
    request = SimpleNamespace(
        folder=folder / "out", new=False, full_frame=False, source=str(video), predictor=run, painter=run, start=0
    )
    crop = tf.constant(np.float32(box[2:] - box[:2])[None])
    scale = np.array(pipeline.image_size[::-1]) / (box[2:] - box[:2])
    inside = (np.float32((pose[0] - box[:2]) * scale)[None], pose[1][None])
    targets = (np.float32((future[0] - box[:2]) * scale), future[1])
    parts = parts_of_painter(painter, pipeline.view(reference, box)[None], inside, targets, crop)
    return {
        "reading the video": lambda: read_video(video, count=length),
        f"predicting {horizon} poses": forecast,
        f"painting {horizon} frames": paint,
        **{f"  {name}": action for name, action in parts.items()},
        "the outline and the background": outlined,
        "writing films, pictures, page": lambda: write_prediction(request, whole, result, []),
    }


def main() -> None:
    options = parser(
        __doc__, repeats=3, precision="bfloat16", poses="pose_lstm_residual", painters="analogy_masked,analogy_pool3",
        size=320, models="",
    )  # fmt: skip
    o = options.parse_args()
    use_one_thread()
    cv2.setNumThreads(1)
    keep_freed_memory()
    peak = peaks()
    print("peak of one thread:", ", ".join(f"{dtype} {rate / 1e9:.0f} GFLOP/s" for dtype, rate in peak.items()))
    predictor = make_system(o.poses, "float32")
    for name in o.painters.split(","):
        with tempfile.TemporaryDirectory() as temporary:
            measure(predictor, make_system(name, o.precision), Path(temporary), peak, o)


def measure(predictor, painter, folder: Path, peak: dict[str, float], o) -> None:
    """Print a row for each stage."""
    length = predictor.context + predictor.horizon
    video, joints, visibility = rendered_video(folder, o.size, length)
    for name, system in (("poses", predictor), ("painter", painter)):
        export_saved_model(system, folder / name / "saved_model")
    pipeline = Pipeline(*(folder / name / "saved_model" for name in ("poses", "painter")))
    actions = stages(pipeline, painter, video, joints, visibility, length, folder)
    if o.models:
        estimator, observed = open_estimator("blazepose", Path(o.models)), read_video(video, count=predictor.context).frames
        actions["estimating poses (BlazePose)"] = lambda: track_person(observed, estimator)
    seconds = {stage: best_seconds(action, o.repeats, processor_time) for stage, action in actions.items()}
    whole = sum(value for stage, value in seconds.items() if not stage.startswith(" "))
    # An exported function is no longer counted operation by operation: the system's own is the same.
    pipeline.poses = SimpleNamespace(predict=predictor.endpoints()["predict"])
    pipeline.painter = SimpleNamespace(generate_clip=painter.endpoints()["generate_clip"])
    title = f"{o.poses}, {painter.settings.experiment} ({o.precision}, {painter.image_size}), a video of {o.size} px"
    print(f"{title}, {length} frames: {whole:.2f} s in all")
    for stage, action in actions.items():
        with counted() as count:
            if stage.startswith((" ", "pred", "paint")):
                action()
        floor, total = sum(floors_of(count, peak).values()), sum(count.operations.values())
        share = f"{total / 1e9:8.2f} GFLOP, {floor / seconds[stage]:4.0%} of the floor" if total > 1e6 else ""
        print(f"{stage:50} {1000 * seconds[stage]:8.1f} ms {seconds[stage] / whole:6.1%} {share}", flush=True)
        if share:
            slowest = Counter(count.seconds).most_common(6)
            print(" " * 10 + "without a graph: " + ", ".join(f"{kind} {1000 * value:.1f}" for kind, value in slowest))


if __name__ == "__main__":
    main()

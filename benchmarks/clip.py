"""Frames per second of generating a clip from one frame: by generate_clip, by calls of generate, by the plain baseline."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from baseline import Baseline
from common import make_settings, make_system, parser, random_batch, time_alternately


def main() -> None:
    options = parser(__doc__, frames=32, image_size=224, width=1.0, repeats=3, precision="float32")
    o = options.parse_args()
    # The discriminator is not used; with one unit it is small.
    settings = make_settings(
        data__image_size=o.image_size, training__precision=o.precision, generator__width=o.width, discriminator__units=1
    )
    ours, plain = make_system(settings, optimizers=False).endpoints(), Baseline(settings, train=False)
    batch = random_batch(o.frames, o.image_size)
    reference = {"frame": batch["image"][:1], **{key: batch[key][:1] for key in ("joints", "visibility", "crop")}}
    poses = {key: batch[key] for key in ("next_joints", "next_visibility")}
    each = [{key: value[t : t + 1] for key, value in poses.items()} for t in range(o.frames)]
    ways = {
        f"baseline, {o.frames} calls": lambda: [plain.generate(**reference, **pose).numpy() for pose in each],
        f"generate, {o.frames} calls": lambda: [ours["generate"](**reference, **p)["next_frame"].numpy() for p in each],
        "generate_clip, 1 call": lambda: ours["generate_clip"](**reference, **poses)["frames"].numpy(),
    }
    medians = time_alternately(ways, o.repeats)
    slowest = medians[next(iter(ways))]
    print(f"{o.frames} frames, {o.image_size} px, width {o.width}, {o.precision} (baseline: float32)")
    for name, seconds in medians.items():
        print(f"{name:22} {o.frames / seconds:8.2f} frames/s   {slowest / seconds:5.2f} x baseline")


if __name__ == "__main__":
    main()

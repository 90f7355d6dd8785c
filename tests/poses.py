"""Made-up pose clips, and settings of tiny pose predictors."""

import numpy as np

from analogy.data.poses import PoseClip
from analogy.settings import find_experiment, load_settings
from analogy.systems import SYSTEMS

TINY = (
    "data.context=4", "data.horizon=6", "data.min_future=6", "data.min_frames=10", "data.viewpoint=all",
    "data.test_clips=null", "data.train_clips=null", "data.actions=[squat, bowl]", "training.batch_size=4",
)  # fmt: skip
SMALL = {"pose_lstm": ("network.units=8", "network.head=[5]"), "pose_residual": ("network.units=8", "network.members=2")}


def pose_settings(name, *overrides, scale="paper"):
    return load_settings(find_experiment(name), SYSTEMS, scale=scale, overrides=overrides)


def tiny_settings(name, *overrides):
    small = SMALL[pose_settings(name).system]
    return pose_settings(name, *TINY, *small, *overrides)


def made_up_clips(count=6, frames=(10, 24), seed=0):
    """Clips of joints that wander about; some are hidden for a while, and then stored at the corner."""
    rng = np.random.default_rng(seed)
    clips = []
    for index in range(count):
        n = frames[0] + (frames[1] - frames[0]) * index // max(1, count - 1)
        start = rng.uniform(40, 160, (1, 13, 2))
        joints = (start + np.cumsum(rng.normal(0, 2, (n, 13, 2)), 0)).astype(np.float32)
        visibility = np.ones([n, 13], np.float32)
        hidden = rng.integers(1, 13)
        visibility[n // 3 : n // 2, hidden] = 0
        joints[visibility == 0] = 1
        box = tuple(int(edge) for edge in (*joints.min((0, 1)), *(joints.max((0, 1)) + 1)))
        clips.append(
            PoseClip(
                id=f"{index:04d}",
                action=("squat", "bowl")[index % 2],
                viewpoint=("left", "front")[index % 2],
                split="test" if index % 3 == 2 else "train",
                joints=joints,
                visibility=visibility,
                union_box=box,
                width=240,
                height=200,
            )
        )
    return clips

"""The actions by their Penn Action names, each with its rhythm and the views it is filmed from."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from data_prep.synthetic_actors import exercises, sports
from data_prep.synthetic_actors.keyframes import Act
from data_prep.synthetic_actors.skeleton import Body

# Degrees the person turns to their left from facing the camera. 'left' shows the person's left side: facing image left.
VIEWS = {"front": 0.0, "right": 90.0, "back": 180.0, "left": 270.0}
ALL_VIEWS = tuple(VIEWS)
SIDE_VIEWS, FACING_VIEWS = ("left", "right"), ("front", "back")  # where only these show the motion


@dataclass(frozen=True)
class Motion:
    """perform(body, phase, rng); `period` is the range of frames per repetition, or None for an action done once."""

    perform: Callable
    period: tuple | None
    views: tuple = ALL_VIEWS
    lying: bool = False
    handed: bool = False


MOTIONS = {
    "baseball_pitch": Motion(sports.baseball_pitch, None, handed=True),
    "bowl": Motion(sports.bowl, None, handed=True),
    "clean_and_jerk": Motion(exercises.clean_and_jerk, None),
    "golf_swing": Motion(sports.golf_swing, None, handed=True),
    "jump_rope": Motion(exercises.jump_rope, (12, 19)),
    "jumping_jacks": Motion(exercises.jumping_jacks, (14, 26), FACING_VIEWS),
    "pullup": Motion(exercises.pullup, (20, 34), FACING_VIEWS),
    "pushup": Motion(exercises.pushup, (18, 30), SIDE_VIEWS, lying=True),
    "situp": Motion(exercises.situp, (24, 38), SIDE_VIEWS, lying=True),
    "squat": Motion(exercises.squat, (20, 36)),
    "tennis_serve": Motion(sports.tennis_serve, None, handed=True),
}


def perform(action: str, body: Body, frames: int, rng: np.random.Generator) -> tuple[Act, str]:
    """One performance of `frames` frames, turned to the camera, and the name of the view."""
    motion = MOTIONS[action]
    time = np.arange(frames)
    if motion.period:
        phase = rng.uniform(0, 1) + time / rng.uniform(*motion.period)
    else:  # the whole action fits the clip, after a wait of its own
        start, duration = rng.uniform(0.0, 0.06), rng.uniform(0.88, 1.0)
        phase = np.clip((time / max(frames - 1, 1) - start) / duration, 0, 1)
    act = motion.perform(body, phase, rng)
    if motion.handed and rng.random() < 0.2:
        act = act.mirrored()
    view = motion.views[rng.integers(len(motion.views))]
    yaw = np.radians(VIEWS[view] + rng.uniform(-24, 24))
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    return act.turned(turn), view

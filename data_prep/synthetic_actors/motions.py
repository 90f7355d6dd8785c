"""The table of actions: for each name in Penn Action the motion, its rhythm, and the views from which it is shown."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from data_prep.synthetic_actors import exercises, sports
from data_prep.synthetic_actors.keyframes import Act
from data_prep.synthetic_actors.skeleton import Body

# How far the person is turned to their left, in degrees; at 0 they face the camera. 'left' shows the person's left side, so
# they face the left border of the image.
VIEWS = {"front": 0.0, "right": 90.0, "back": 180.0, "left": 270.0}
ALL_VIEWS = tuple(VIEWS)
SIDE_VIEWS, FACING_VIEWS = ("left", "right"), ("front", "back")  # for motions that other views would not show


@dataclass(frozen=True)
class Motion:
    """An action.

    perform: function (body, phase, rng) -> Act.
    period: (fewest, most) frames of a repetition; None for an action that is done once.
    views: keys of VIEWS. lying: whether the person lies. handed: whether left-handed persons do it mirrored.
    """

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
    """A random performance of an action with `frames` frames, turned as the camera sees it, and the name of the view."""
    motion = MOTIONS[action]
    time = np.arange(frames)
    if motion.period:
        phase = rng.uniform(0, 1) + time / rng.uniform(*motion.period)
    else:  # the action is done once, after a short wait, and fits into the clip
        start, duration = rng.uniform(0.0, 0.06), rng.uniform(0.88, 1.0)
        phase = np.clip((time / max(frames - 1, 1) - start) / duration, 0, 1)
    act = motion.perform(body, phase, rng)
    if motion.handed and rng.random() < 0.2:
        act = act.mirrored()
    view = motion.views[rng.integers(len(motion.views))]
    yaw = np.radians(VIEWS[view] + rng.uniform(-24, 24))
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    return act.turned(turn), view

"""The exercises of Penn Action. Each function takes (body, phase [T], rng) and returns an Act in the person frame.

Phases 0 to 1 are one repetition, or the whole of an action that is done once. Lengths are in metres and angles in degrees. Key
poses are in leg, arm or body lengths, so that they fit every body.
"""

import numpy as np

from data_prep.synthetic_actors import key_poses
from data_prep.synthetic_actors.keyframes import (
    CORK,
    RUBBER,
    STEEL,
    Act,
    Prop,
    barbell,
    left_right,
    still,
    swing,
    track,
)
from data_prep.synthetic_actors.skeleton import along, build_figure, build_trunk, pair, pelvis_over_feet

KNEES_FORWARD = pair(0.25, 0, 1)
TOES_FORWARD = pair(0.3, 0, 1)
PLATE_COLOURS = ((50, 50, 52), (60, 60, 160), (150, 80, 40), (70, 120, 60))


def draw_plate_colour(rng):
    return PLATE_COLOURS[rng.integers(len(PLATE_COLOURS))]


def jumping_jacks(body, phase, rng):
    """The hands go from the thighs to over the head while the feet jump apart."""
    width, top = rng.uniform(0.34, 0.46) * body.leg, rng.uniform(158, 172)
    opened = track(phase, {0.0: 0.0, 0.5: 1.0}, loop=True)
    hop = rng.uniform(0.05, 0.1) * body.leg * np.sin(2 * np.pi * phase) ** 2
    feet = pair(body.hip + width * opened, body.ankle + hop, 0)
    pelvis = pelvis_over_feet(body, feet, 0.985 - 0.03 * np.cos(4 * np.pi * phase) + hop / body.leg)
    trunk = build_trunk(body, pelvis, lean=3)
    angle = np.radians(10 + (top - 10) * opened)
    hands = trunk.from_shoulders(0.97 * body.arm * pair(np.sin(angle), -np.cos(angle), 0.08))
    figure = build_figure(
        body, trunk, hands=hands, feet=feet, elbows=pair(0.1, 0, -1), knees=KNEES_FORWARD, toes=TOES_FORWARD, gaze=2
    )
    return Act(figure, ())


def squat(body, phase, rng):
    """Down until the thighs are level, and up again, with a bar on the shoulders or with the arms stretched forward."""
    loaded = rng.random() < 0.6
    depth = track(phase, {0.0: 0.0, 0.08: 0.0, 0.5: 1.0}, loop=True) * rng.uniform(0.85, 1.0)
    feet = still(pair(rng.uniform(0.17, 0.25) * body.leg, body.ankle, 0), len(phase))
    pelvis = pelvis_over_feet(body, feet, 0.98 - 0.56 * depth, z=-0.02 - 0.32 * body.leg * depth)
    trunk = build_trunk(body, pelvis, lean=4 + 36 * depth)
    if loaded:
        bar = trunk.on_chest([0, 0.005, -0.055 * body.height])[:, None]
        hands = bar + pair(1.75 * body.shoulder, 0, 0)
        elbows = pair(0.4, -1, -0.5)
    else:
        lift = np.radians(12 + 76 * depth)
        hands = trunk.shoulders + 0.96 * body.arm * pair(0.06, -np.cos(lift), np.sin(lift))
        elbows = pair(0.6, -1, -0.2)
    figure = build_figure(
        body, trunk, hands=hands, feet=feet, elbows=elbows, knees=pair(0.5, 0, 1), toes=pair(0.5, 0, 1), gaze=8 * depth
    )
    return Act(figure, barbell(figure, body, draw_plate_colour(rng)) if loaded else ())


def jump_rope(body, phase, rng):
    """Jumps over a rope. Phase 0 is the landing; half a turn later the rope passes under the feet."""
    lift = rng.uniform(0.15, 0.24) * body.leg
    hop = lift * track(phase, {0.0: 0, 0.12: 0, 0.5: 1, 0.88: 0}, loop=True)
    give = track(phase, {0.0: 1, 0.25: 0, 0.75: 0}, loop=True)
    feet = pair(body.hip, body.ankle + hop, 0)
    pelvis = pelvis_over_feet(body, feet, 0.98 - 0.07 * give + hop / body.leg, z=-0.01)
    trunk = build_trunk(body, pelvis, lean=3 + 4 * give)
    turn = 2 * np.pi * phase
    circle = [0.42 + 0 * turn, -0.62 + 0.08 * np.cos(turn), 0.22 - 0.1 * np.sin(turn)]
    hands = trunk.from_shoulders(body.arm * pair(*circle))
    toes = pair(0.15 + 0 * hop, -0.9 * hop / lift, 1)
    figure = build_figure(
        body, trunk, hands=hands, feet=feet, elbows=pair(0.2, -0.4, -1), knees=KNEES_FORWARD, toes=toes, gaze=4
    )
    grips = figure.fingertips
    share = np.linspace(0, 1, 17)[:, None]
    chord = grips[:, :1] * (1 - share) + grips[:, 1:] * share  # [T, 17, 3]
    reach = grips[:, :, 1].mean(axis=1) - 0.01  # the rope just clears the floor
    bow = np.stack([0 * turn, np.cos(turn), -np.sin(turn)], -1) * reach[:, None]
    rope = chord + np.sin(np.pi * share) ** 0.5 * bow[:, None]
    return Act(figure, (Prop("rope", rope, 0.009, CORK if rng.random() < 0.5 else RUBBER),))


def pullup(body, phase, rng):
    """From hanging with straight arms until the chin is over the bar."""
    time = len(phase)
    pull = track(phase, {0.0: 0.0, 0.1: 0.0, 0.5: 1.0, 0.58: 1.0}, loop=True) * rng.uniform(0.9, 1.0)
    grip = rng.uniform(1.35, 1.8) * body.shoulder
    palm = 0.055 * body.height  # wrist to bar
    bar = body.ankle + 1.06 * body.leg + body.torso + body.arm + palm
    below = palm + (0.975 - 0.72 * pull) * body.arm  # shoulders under the bar
    lean = -4 - 8 * pull
    sway = 0.02 * body.height * np.sin(2 * np.pi * phase + rng.uniform(0, 6))
    neck = np.stack([0 * pull, bar - below, sway - 0.06 * body.height * pull], -1)
    up = np.stack([0 * pull, np.cos(np.radians(lean)), np.sin(np.radians(lean))], -1)
    trunk = build_trunk(body, neck - body.torso * up, lean=lean)
    hands = still(pair(grip, bar - palm, 0), time)
    tuck = rng.uniform(0.12, 0.45)
    drop = pair(0.0, -(0.97 - 0.35 * tuck - 0.1 * pull), -(0.1 + 0.7 * tuck + 0.1 * pull))
    feet = trunk.hips + body.leg * drop
    figure = build_figure(
        body,
        trunk,
        hands=hands,
        feet=feet,
        elbows=pair(0.7, -1, 0.15),
        knees=pair(0.1, 0, 1),
        toes=(0, -0.8, 0.6),
        gaze=-12 - 8 * pull,
    )
    half_width = 0.42 * body.height
    posts = [Prop("rod", still([[x, 0, 0], [x, bar, 0]], time), 0.031, STEEL) for x in (half_width, -half_width)]
    return Act(figure, (Prop("rod", still([[half_width, bar, 0], [-half_width, bar, 0]], time), 0.017, STEEL), *posts))


def pushup(body, phase, rng):
    """The body is straight from ankles to shoulders; hands and toes stay on the floor."""
    time = len(phase)
    dip = track(phase, {0.0: 0.0, 0.06: 0.0, 0.5: 1.0}, loop=True) * rng.uniform(0.85, 1.0)
    grip, wrist = rng.uniform(1.2, 1.5) * body.shoulder, 0.03 * body.height
    ankle = 0.1 * body.height
    shoulder = wrist + (0.95 - 0.62 * dip) * body.arm
    line = 0.985 * body.leg + body.torso  # ankle to shoulder, one straight line
    rise = np.arcsin((shoulder - ankle) / line)
    feet = still(pair(body.hip, ankle, -0.5 * line), time)
    sag = rng.uniform(-3, 4)
    up = np.stack([0 * rise, np.sin(rise), np.cos(rise)], -1)
    trunk = build_trunk(body, feet.mean(axis=1) + 0.985 * body.leg * up, lean=90 - np.degrees(rise) + sag)
    hands = still(pair(grip, wrist, trunk.neck[:, 2].max() + 0.02 * body.height), time)
    figure = build_figure(
        body,
        trunk,
        hands=hands,
        feet=feet,
        elbows=pair(0.75, 0.3, -0.8),
        knees=pair(0.05, -1, 0.1),
        toes=(0, -1, 0.35),
        gaze=62 - np.degrees(rise),
    )
    return Act(figure, ())


def situp(body, phase, rng):
    """From lying on the back to sitting, with bent knees; the hands are at the ears or reach forward."""
    time = len(phase)
    sit = track(phase, {0.0: 0.0, 0.08: 0.0, 0.5: 1.0, 0.56: 1.0}, loop=True)
    lean = -86 + (86 + rng.uniform(5, 22)) * sit
    pelvis = still([0, 0.075 * body.height, 0], time)
    feet = still(pair(1.3 * body.hip, body.ankle, rng.uniform(0.6, 0.78) * body.leg), time)
    trunk = build_trunk(body, pelvis, lean=lean)
    gaze = lean + 14 + 6 * sit
    if rng.random() < 0.5:  # hands at the ears
        hands = trunk.neck[:, None] + along(trunk.chest[:, None], pair(1.35 * body.head, 0.085 * body.height, 0.01))
        elbows = along(trunk.chest[:, None], pair(1, 0.1, 0.5))
    else:  # arms reach forward over the knees
        hands = trunk.from_shoulders(0.94 * body.arm * pair(0.05, -0.35, 0.94))
        elbows = along(trunk.chest[:, None], pair(1, -0.3, -0.3))
    figure = build_figure(
        body, trunk, hands=hands, feet=feet, elbows=elbows, knees=pair(0.15, 1, 0.3), toes=pair(0.15, 0, 1), gaze=gaze
    )
    half_width, far = 0.2 * body.height, 1.05 * (body.torso + 0.15 * body.height)
    corners = [[half_width, 0, -far], [-half_width, 0, -far], [-half_width, 0, 0.25], [half_width, 0, 0.25]]
    mat = still(corners, time)
    return Act(figure, (Prop("mat", mat, 0.0, tuple(int(v) for v in rng.integers(50, 150, 3))),))


def clean_and_jerk(body, phase, rng):
    """The bar is pulled from the floor, caught on the shoulders, and after standing up and a dip pushed overhead."""
    low = rng.uniform(0.46, 0.52)
    keys = {
        0.0: low,
        0.08: low,
        0.3: 0.98,
        0.4: 0.62,
        0.52: 0.98,
        0.6: 0.98,
        0.67: 0.86,
        0.76: 0.9,
        0.84: 0.985,
        1: 0.985,
    }
    height = track(phase, keys)
    lean = track(phase, {0.0: 56, 0.08: 56, 0.3: -4, 0.4: 14, 0.52: 2, 1: 2})
    back = track(phase, {0.0: -0.3, 0.08: -0.3, 0.3: 0, 0.4: -0.22, 0.52: 0, 1: 0})
    feet = still(pair(rng.uniform(0.14, 0.2) * body.leg, body.ankle, 0), len(phase))
    trunk = build_trunk(body, pelvis_over_feet(body, feet, height, z=back * body.leg), lean=lean)
    bar = swing(phase, key_poses.CLEAN_BAR)
    hands = trunk.neck[:, None] + body.arm * bar[:, None] + pair(1.4 * body.shoulder, 0, 0)
    left_elbow = track(phase, key_poses.CLEAN_LEFT_ELBOW)
    figure = build_figure(
        body,
        trunk,
        hands=hands,
        feet=feet,
        elbows=left_right(left_elbow, left_elbow * [-1, 1, 1]),
        knees=pair(0.45, 0, 1),
        toes=pair(0.4, 0, 1),
        gaze=0.35 * lean - 4,
    )
    return Act(figure, barbell(figure, body, draw_plate_colour(rng)))

"""The ball games of Penn Action, right-handed and done once: phase 0 is the ready stance, 1 the end of the follow-through.

Functions take and return the same as those of exercises.py. The person faces +z; balls fly to +z, but the golf ball to +x.
"""

from dataclasses import replace

import numpy as np

from data_prep.synthetic_actors import key_poses
from data_prep.synthetic_actors.keyframes import RUBBER, STEEL, WOOD, Act, Prop, left_right, still, swing, track
from data_prep.synthetic_actors.skeleton import along, build_figure, build_trunk, pair, pelvis_over_feet, rotation, unit

LEATHER, YELLOW, WHITE = (90, 120, 190), (90, 230, 220), (235, 235, 235)  # BGR
# phase -> phase that slows down overarm throws, relative to the rest of the action. At real speed an arm would jump from one
# frame to the next in a clip of 40 frames.
SLOWED = {0.32: 0.38, 0.84: 0.8}


def flying_ball(phase, hand, release: float, speed, radius: float, colour, gravity: float = 0.0):
    """A ball that is in the `hand` [T, 3] until `release` and then flies at `speed` [3], in metres per unit of phase."""
    first = int(np.argmax(phase >= release)) if (phase >= release).any() else len(phase) - 1
    since = np.maximum(phase - phase[first], 0.0)[:, None]
    flight = hand[first] + since * np.asarray(speed) - [0, gravity, 0] * since**2
    flight[:, 1] = np.maximum(flight[:, 1], radius)
    return Prop("ball", np.where(since > 0, flight, hand)[:, None], radius, colour)


def golf_swing(body, phase, rng):
    """Address, backswing, impact and a high finish."""
    time = len(phase)
    width = rng.uniform(0.2, 0.27) * body.leg
    drive = track(phase, {0.0: 0, 0.1: 0, 0.45: -1, 0.6: 0.2, 0.85: 1, 1: 1})
    heel = track(phase, {0.0: 0, 0.58: 0, 0.85: 1, 1: 1})
    feet = still(pair(width, body.ankle, 0), time).copy()
    feet[:, 1] += heel[:, None] * [-0.06 * body.leg, 0.07 * body.leg, 0.03 * body.leg]
    yaw = np.where(drive < 0, 35, 62) * drive
    lean = track(phase, {0.0: 30, 0.55: 30, 0.85: 2, 1: 0})
    height = track(phase, {0.0: 0.93, 0.45: 0.92, 0.62: 0.95, 0.85: 0.985, 1: 0.985})
    shift = track(phase, {0.0: 0.0, 0.4: -0.05, 0.62: 0.08, 0.85: 0.13, 1: 0.13}) * body.leg
    pelvis = pelvis_over_feet(body, feet, height, x=shift, z=-0.0055 * lean * body.leg, yaw=yaw)
    trunk = build_trunk(body, pelvis, lean=0, yaw=yaw, twist=np.where(drive < 0, 55, 40) * drive)
    # The spine leans over the ball however the hips are turned, so lean and yaw are applied in the reverse of the usual order.
    trunk = retip(body, trunk, rotation("x", lean))
    knuckles = trunk.on_chest(body.arm * swing(phase, key_poses.GOLF_GRIP))
    shaft = unit(along(trunk.chest, swing(phase, key_poses.GOLF_SHAFT)))
    figure = build_figure(
        body,
        trunk,
        hands=left_right(knuckles - 0.03 * shaft, knuckles + 0.04 * shaft),
        feet=feet,
        elbows=left_right(*(along(trunk.chest, vector) for vector in ((0.7, -0.8, -0.2), (-0.7, -0.8, -0.2)))),
        knees=pair(0.2, 0, 1),
        toes=pair(0.35, 0, 1),
        gaze=lean + 12,
        look=track(phase, {0.0: 0, 0.64: 0, 0.85: 72, 1: 78}),
    )
    hold = figure.fingertips.mean(axis=1)
    head = hold + 0.48 * body.height * shaft
    ball = still([0.04, 0.02, head[0, 2]], time)
    props = (
        Prop("rod", np.stack([hold - 0.1 * shaft, head], 1), 0.011, STEEL),
        Prop("ball", head[:, None], 0.035, RUBBER),
        flying_ball(phase, ball, 0.6, (60, 25, 0), 0.025, WHITE),
    )
    return Act(figure, props)


def retip(body, trunk, tip):
    """The trunk with its spine rotated around the pelvis by `tip` [T, 3, 3], in world axes. The hips stay level."""
    neck = trunk.pelvis + along(tip, trunk.neck - trunk.pelvis)
    chest = tip @ trunk.chest
    shoulders = neck[:, None] + along(chest[:, None], pair(body.shoulder, 0, 0))
    return replace(trunk, spine=tip @ trunk.spine, chest=chest, neck=neck, shoulders=shoulders)


def tennis_serve(body, phase, rng):
    """Toss of the ball, trophy pose, a hit at full stretch, and a step into the court."""
    phase = track(phase, {0.0: 0.0, **SLOWED, 1: 1.0})
    yaw = track(phase, {0.0: -62, 0.3: -75, 0.45: -70, 0.62: 0, 0.8: 28, 1: 25})
    lean = track(phase, {0.0: 6, 0.3: -6, 0.46: -14, 0.62: 12, 0.8: 36, 1: 20})
    lift = track(phase, {0.0: 0, 0.5: 0, 0.61: 0.1, 0.72: 0, 1: 0}) * body.leg
    front = track(phase, {0.0: (0.02, 0, 0.26), 0.55: (0.02, 0, 0.26), 0.72: (0.03, 0, 0.34), 1: (0.03, 0, 0.34)})
    rear = track(phase, key_poses.SERVE_REAR_FOOT)
    feet = left_right(front, rear) * body.leg
    feet[..., 1] += body.ankle + lift[:, None]
    height = track(phase, {0.0: 0.96, 0.3: 0.93, 0.46: 0.82, 0.6: 0.985, 0.75: 0.93, 1: 0.95}) + lift / body.leg
    along_court = track(phase, {0.0: 0.0, 0.4: -0.03, 0.62: 0.16, 0.85: 0.28, 1: 0.27}) * body.leg
    pelvis = pelvis_over_feet(body, feet, height, z=along_court, yaw=yaw)
    trunk = build_trunk(body, pelvis, yaw=yaw, lean=lean, side=track(phase, {0.0: 0, 0.3: 6, 0.46: 12, 0.62: -10, 1: 0}))
    left = swing(phase, key_poses.SERVE_LEFT_HAND)
    right = swing(phase, key_poses.SERVE_RIGHT_HAND)
    aim = swing(phase, key_poses.SERVE_RACKET)
    figure = build_figure(
        body,
        trunk,
        hands=trunk.from_shoulders(body.arm * left_right(left, right)),
        feet=feet,
        elbows=left_right(*(along(trunk.chest, vector) for vector in ((0.6, -0.8, -0.3), (-1, -0.5, -0.4)))),
        knees=along(rotation("y", yaw), [0, 0, 1])[:, None] + pair(0.1, 0, 0),
        toes=along(rotation("y", 0.6 * yaw), [0, 0, 1])[:, None] + pair(0.1, 0, 0),
        gaze=track(phase, {0.0: 0, 0.3: -32, 0.6: -30, 0.8: 12, 1: 4}),
        look=0.45 * yaw,
    )
    grip, aim = figure.fingertips[:, 1], unit(along(trunk.chest, aim))
    throat, centre = grip + 0.14 * body.height * aim, grip + 0.24 * body.height * aim
    face = np.cross(aim, along(trunk.chest, [1.0, 0.2, 0.1]))
    toss = toss_ball(phase, figure.fingertips[:, 0], centre)
    props = (
        Prop("rod", np.stack([grip - 0.08 * aim, throat], 1), 0.016, WOOD),
        Prop("hoop", np.stack([centre, centre + face], 1), 0.1 * body.height, WOOD),
        Prop("ball", toss[:, None], 0.035, YELLOW),
    )
    return Act(figure, props)


def toss_ball(phase, hand, racket, release: float = 0.37, contact: float = 0.62):
    """Positions of the ball [T, 3]: in the hand, then on an arc up and down to the racket, then away over the net."""
    first, hit = (int(np.argmin(np.abs(phase - moment))) for moment in (release, contact))
    share = np.clip((phase - phase[first]) / max(phase[hit] - phase[first], 1e-6), 0, 1)[:, None]
    arc = hand[first] + share * (racket[hit] - hand[first]) + [0, 1.4, 0] * (share * (1 - share))
    away = racket[hit] + np.maximum(phase - phase[hit], 0)[:, None] * [4.0, -8.0, 60.0]
    ball = np.where(phase[:, None] < phase[first], hand, np.where(phase[:, None] <= phase[hit], arc, away))
    ball[ball[:, 2] > 3.0] = np.nan
    return ball


def baseball_pitch(body, phase, rng):
    """Wind-up with a high knee, a long stride, and an overarm throw."""
    kick = rng.uniform(0.6, 0.85)
    phase = track(phase, {0.0: 0.0, **SLOWED, 1: 1.0})
    yaw = track(phase, {0.0: -60, 0.12: -75, 0.3: -95, 0.5: -70, 0.64: 5, 0.8: 30, 1: 25})
    lean = track(phase, {0.0: 2, 0.3: -6, 0.5: -4, 0.64: 18, 0.8: 52, 1: 40})
    left = track(phase, key_poses.PITCH_LEFT_FOOT) * [1, kick, 1]
    right = track(phase, key_poses.PITCH_RIGHT_FOOT)
    feet = left_right(left, right) * body.leg
    feet[..., 1] += body.ankle
    height = track(phase, {0.0: 0.97, 0.3: 0.95, 0.52: 0.8, 0.66: 0.78, 0.82: 0.82, 1: 0.86})
    forward = track(phase, {0.0: 0.0, 0.3: -0.04, 0.52: 0.36, 0.66: 0.55, 0.82: 0.66, 1: 0.7}) * body.leg
    pelvis = pelvis_over_feet(body, feet, height, z=forward, yaw=yaw)
    trunk = build_trunk(body, pelvis, yaw=yaw, lean=lean, side=track(phase, {0.0: 0, 0.5: 8, 0.64: -12, 1: -4}))
    glove = swing(phase, key_poses.PITCH_LEFT_HAND)
    throw = swing(phase, key_poses.PITCH_RIGHT_HAND)
    figure = build_figure(
        body,
        trunk,
        hands=trunk.from_shoulders(body.arm * left_right(glove, throw)),
        feet=feet,
        elbows=left_right(*(along(trunk.chest, vector) for vector in ((0.8, -0.8, -0.1), (-0.9, -0.6, -0.3)))),
        knees=along(rotation("y", 0.75 * yaw), [0, 0, 1])[:, None] + pair(0.1, 0.1, 0),
        toes=along(rotation("y", 0.6 * yaw), [0, -0.15, 1])[:, None] + pair(0.05, 0, 0),
        gaze=track(phase, {0.0: 4, 0.6: 2, 0.82: 18, 1: 5}),
        look=track(phase, {0.0: -25, 0.3: -35, 0.6: 0, 1: 0}),
    )
    palm = figure.fingertips
    props = (
        flying_ball(phase, palm[:, 1], 0.68, (0, -3, 60), 0.038, WHITE),
        Prop("ball", palm[:, :1], 0.075, LEATHER),
    )
    return Act(figure, props)


def bowl(body, phase, rng):
    """Two steps and a slide; the right arm swings the ball like a pendulum and lets it roll away."""
    yaw = track(phase, {0.0: 0, 0.4: -18, 0.66: 4, 1: 6})
    lean = track(phase, {0.0: 8, 0.25: 16, 0.45: 34, 0.68: 46, 1: 34})
    left = track(phase, key_poses.BOWL_LEFT_FOOT)
    right = track(phase, key_poses.BOWL_RIGHT_FOOT)
    feet = left_right(left, right) * body.leg
    feet[..., 1] += body.ankle
    height = track(phase, {0.0: 0.97, 0.28: 0.93, 0.5: 0.78, 0.66: 0.68, 0.85: 0.72, 1: 0.76})
    forward = track(phase, {0.0: -0.04, 0.1: 0.0, 0.28: 0.26, 0.5: 0.58, 0.66: 0.74, 1: 0.76}) * body.leg
    pelvis = pelvis_over_feet(body, feet, height, z=forward, yaw=yaw)
    trunk = build_trunk(body, pelvis, yaw=yaw, lean=lean, side=track(phase, {0.0: 0, 0.5: 6, 0.7: 8, 1: 4}))
    # The right arm swings in a vertical plane, which the trunk's lean does not tilt: 0 degrees is down, 90 degrees is forward.
    right_angle = np.radians(track(phase, {0.0: 62, 0.12: 66, 0.28: 0, 0.44: -78, 0.5: -76, 0.64: 8, 0.82: 118, 1: 128}))
    bent = track(phase, {0.0: 0.5, 0.12: 0.62, 0.26: 0.98, 0.7: 0.98, 1: 0.8})
    right_arm = np.stack([0 * bent - 0.14, -np.cos(right_angle), np.sin(right_angle)], -1) * bent[:, None]
    left_arm = swing(phase, key_poses.BOWL_LEFT_HAND)
    figure = build_figure(
        body,
        trunk,
        hands=trunk.shoulders + body.arm * left_right(left_arm, right_arm),
        feet=feet,
        elbows=pair(0.4, -0.6, -0.7),
        knees=pair(0.1, 0, 1),
        toes=pair(0.1, 0, 1),
        gaze=track(phase, {0.0: 10, 0.6: 6, 1: 2}),
    )
    palm = figure.fingertips[:, 1] + [0, -0.02, 0.03]
    colour = tuple(int(value) for value in rng.integers(40, 200, 3))
    return Act(figure, (flying_ball(phase, palm, 0.66, (0, 0, 9), 0.105, colour, gravity=30),))

"""The body: bone lengths, the trunk, and limbs that follow from the positions of hands and feet (inverse kinematics).

The person frame is in metres: x points to the person's left, y up from the floor, z to where the person faces. Every array
covers a whole clip, time first; an axis of size 2 for a pair is always (left, right). Arms and legs are computed from the
targets of hands and feet, so that feet on the floor do not slide and bones always keep their length.
"""

from dataclasses import dataclass, fields

import numpy as np

from analogy.joints import MIRRORED

LONGEST_REACH = 0.998  # share of a limb's length; a fully straight limb would not define the plane in which it bends


@dataclass(frozen=True)
class Body:
    """The sizes of a person in metres. `shoulder` and `hip` are half widths; `build` is a factor for all thicknesses."""

    height: float
    build: float
    shoulder: float
    hip: float
    torso: float
    upper_arm: float
    forearm: float
    thigh: float
    shin: float
    ankle: float
    foot: float
    head: float

    @property
    def arm(self):
        return self.upper_arm + self.forearm

    @property
    def leg(self):
        return self.thigh + self.shin

    @classmethod
    def draw(cls, rng: np.random.Generator):
        """A random adult. Each size is the average share of the body's height, varied by a few per cent."""
        height = rng.uniform(1.52, 1.95)
        long_legs = rng.normal(0, 0.02)
        broad = rng.uniform(0.92, 1.1)

        def part(share, spread=0.02):
            return height * share * float(np.clip(rng.normal(1, spread), 1 - 2 * spread, 1 + 2 * spread))

        return cls(
            height=height,
            build=rng.uniform(0.86, 1.22),
            shoulder=part(0.112) * broad,
            hip=part(0.056),
            torso=part(0.285) * (1 - long_legs),
            upper_arm=part(0.172),
            forearm=part(0.150),
            thigh=part(0.245) * (1 + long_legs),
            shin=part(0.243) * (1 + long_legs),
            ankle=height * 0.045,
            foot=part(0.115, 0.04),
            head=part(0.062, 0.04),
        )


@dataclass(frozen=True)
class Trunk:
    """Pelvis, spine and shoulders.

    pelvis, neck: points [T, 3]. hips, shoulders: pairs of points [T, 2, 3].
    spine, chest: axes [T, 3, 3], whose columns point left, up and to the front.
    """

    pelvis: np.ndarray
    spine: np.ndarray
    chest: np.ndarray
    neck: np.ndarray
    hips: np.ndarray
    shoulders: np.ndarray

    def on_chest(self, offset):
        """World positions of points that are `offset` [..., 3] away from the neck, in metres along the chest's axes."""
        return self.neck + along(self.chest, offset)

    def from_shoulders(self, offset):
        """World positions [T, 2, 3] that are `offset` [..., 2, 3] away from the shoulders, in metres along the chest's axes."""
        return self.shoulders + along(self.chest[:, None], offset)


@dataclass(frozen=True)
class Figure:
    """The body in all frames.

    joints: [T, 13, 3], in Penn Action's order. fingertips, heels, toes: [T, 2, 3]. neck, pelvis: [T, 3].
    spine, chest, head: axes [T, 3, 3], as in `Trunk`.
    """

    joints: np.ndarray
    fingertips: np.ndarray
    heels: np.ndarray
    toes: np.ndarray
    neck: np.ndarray
    pelvis: np.ndarray
    spine: np.ndarray
    chest: np.ndarray
    head: np.ndarray

    @property
    def wrists(self):
        return self.joints[:, 5:7]

    def mirrored(self):
        """The mirror image, for example of a left-handed person: x changes its sign, and left and right are exchanged."""
        flip = np.array([-1.0, 1.0, 1.0])
        twin = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in ("spine", "chest", "head"):
                value = flip[:, None] * value * flip
            elif field.name == "joints":
                value = value[:, MIRRORED] * flip
            else:
                value = (value[:, ::-1] if value.ndim == 3 else value) * flip
            twin[field.name] = value
        return Figure(**twin)

    def turned(self, matrix):
        """The figure, rotated by `matrix` [3, 3] around the origin on the floor."""
        turned = {}
        for field in fields(self):
            value = getattr(self, field.name)
            turned[field.name] = matrix @ value if field.name in ("spine", "chest", "head") else value @ matrix.T
        return Figure(**turned)


def along(axes, offset):
    """The vectors `offset` [..., 3], given along `axes` [..., 3, 3], in world coordinates."""
    return (axes @ np.asarray(offset, float)[..., None])[..., 0]


def rotation(axis: str, degrees):
    """Right-handed rotation matrices [..., 3, 3] around 'x' (leans forward), 'y' (turns left) or 'z' (tilts right)."""
    angle = np.radians(np.asarray(degrees, float))
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix = np.zeros((*angle.shape, 3, 3))
    matrix[...] = np.eye(3)
    matrix[..., i, i] = matrix[..., j, j] = np.cos(angle)
    matrix[..., j, i] = np.sin(angle)
    matrix[..., i, j] = -np.sin(angle)
    return matrix


def pair(x, y, z):
    """A left vector (x, y, z) and its mirror image on the right: [..., 2, 3]. x, y, z are scalars or [T]."""
    x, y, z = np.broadcast_arrays(np.asarray(x, float), y, z)
    return np.stack([np.stack([x, y, z], -1), np.stack([-x, y, z], -1)], -2)


def unit(vectors):
    """Vectors [..., 3] scaled to length 1."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def pelvis_over_feet(body: Body, feet, height, x=0.0, z=0.0, yaw=0.0):
    """The pelvis [T, 3] above the feet; it is lowered where a leg would otherwise not reach its foot.

    Args:
        body: the person's sizes.
        feet: [T, 2, 3], positions of the ankles in metres.
        height: of the pelvis above standing ankles, in leg lengths, scalar or [T].
        x, z: of the pelvis in metres. yaw: in degrees. Scalars or [T].
    """
    time = len(feet)
    pelvis = np.stack([np.broadcast_to(v, time) for v in (x, body.ankle + np.asarray(height) * body.leg, z)], -1)
    hips = pelvis[:, None] + along(rotation("y", np.broadcast_to(yaw, time))[:, None], pair(body.hip, 0, 0))
    across = np.linalg.norm((hips - feet)[..., [0, 2]], axis=-1)
    reach = LONGEST_REACH * body.leg
    highest = feet[..., 1] + np.sqrt(np.maximum(reach**2 - across**2, (0.2 * reach) ** 2))
    pelvis[:, 1] = np.minimum(pelvis[:, 1], highest.min(axis=1))
    return pelvis


def build_trunk(body: Body, pelvis, *, yaw=0.0, lean=0.0, side=0.0, twist=0.0) -> Trunk:
    """The trunk above `pelvis` [T, 3]. Angles are in degrees, scalars or [T].

    yaw: turns the whole trunk to the left. lean: bends it forward; 90 is face down. side: tilts it to the person's right.
    twist: turns the shoulders to the left, relative to the hips.
    """
    yaw, lean, side, twist = (np.broadcast_to(angle, len(pelvis)) for angle in (yaw, lean, side, twist))
    spine = rotation("y", yaw) @ rotation("x", lean) @ rotation("z", side)
    chest = spine @ rotation("y", twist)
    neck = pelvis + along(spine, [0, body.torso, 0])
    return Trunk(
        pelvis=pelvis,
        spine=spine,
        chest=chest,
        neck=neck,
        hips=pelvis[:, None] + along(spine[:, None], pair(body.hip, 0, 0)),
        shoulders=neck[:, None] + along(chest[:, None], pair(body.shoulder, 0, 0)),
    )


def bend(root, target, upper: float, lower: float, pole):
    """The middle joint and the end of a limb of two bones, [..., 3] each.

    The limb goes from `root` to `target`, or towards it if it is out of reach. The middle joint points to the direction `pole`.
    upper, lower: lengths of the bones in metres.
    """
    reach = np.linalg.norm(target - root, axis=-1, keepdims=True)
    direction = (target - root) / np.maximum(reach, 1e-9)
    reach = np.clip(reach, 1.05 * abs(upper - lower) + 0.1 * upper, LONGEST_REACH * (upper + lower))
    forward = (upper**2 - lower**2 + reach**2) / (2 * reach)
    sideways = np.sqrt(np.maximum(upper**2 - forward**2, 0))
    pole = pole - (pole * direction).sum(-1, keepdims=True) * direction
    return root + forward * direction + sideways * unit(pole), root + reach * direction


def build_figure(body: Body, trunk: Trunk, *, hands, feet, elbows, knees, toes, gaze, look=0.0) -> Figure:
    """Compute arms, legs and head for a trunk.

    Args:
        body: the person's sizes.
        trunk: of all frames.
        hands, feet: [T, 2, 3], targets of wrists and ankles in metres.
        elbows, knees: [2, 3] or [T, 2, 3], the directions in which these joints point.
        toes: [2, 3] or [T, 2, 3], the directions of the feet.
        gaze, look: pitch (positive is down) and yaw (positive is left) of the head in degrees, relative to the world and not
            to the trunk; scalars or [T].
    """
    time = len(trunk.pelvis)
    elbow, wrist = bend(trunk.shoulders, hands, body.upper_arm, body.forearm, np.asarray(elbows, float))
    knee, ankle = bend(trunk.hips, feet, body.thigh, body.shin, np.asarray(knees, float))
    toes = unit(np.broadcast_to(np.asarray(toes, float), ankle.shape))
    # The sole is perpendicular to the toes, and the ankle is between sole and shin: the sole is below the ankle of a standing
    # person, and behind the ankle on tiptoe.
    shin = unit(ankle - knee)
    sole = unit(shin - (shin * toes).sum(-1, keepdims=True) * toes)
    head = rotation("y", np.broadcast_to(look, time)) @ rotation("x", np.broadcast_to(gaze, time))
    skull = trunk.neck + along(trunk.spine, [0, 0.045 * body.height, 0]) + along(head, [0, 1.05 * body.head, 0.01])
    joints = [skull[:, None], trunk.shoulders, elbow, wrist, trunk.hips, knee, ankle]
    return Figure(
        joints=np.concatenate(joints, axis=1),  # [T, 13, 3]
        fingertips=wrist + 0.095 * body.height * unit(wrist - elbow),
        heels=ankle + 0.6 * body.ankle * sole - 0.18 * body.foot * toes,
        toes=ankle + 0.6 * body.ankle * sole + 0.75 * body.foot * toes,
        neck=trunk.neck,
        pelvis=trunk.pelvis,
        spine=trunk.spine,
        chest=trunk.chest,
        head=head,
    )

"""A person's appearance (body, clothes, colours), and the parts that are painted to show the person in a frame."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from data_prep.synthetic_actors.canvas import (
    CIRCLE,
    LIGHT,
    Camera,
    Canvas,
    Part,
    disc,
    draw_colour,
    paint_all,
    shade,
    tube,
)
from data_prep.synthetic_actors.skeleton import Body, Figure, along

# Numbers of the parts on the owner map (see `Canvas`); pairs are (left, right).
HEAD, TORSO = 1, 2
UPPER_ARM, FOREARM, THIGH, SHIN = (3, 4), (5, 6), (7, 8), (9, 10)
# Half width and half depth of the trunk, as shares of the person's height, at levels from the crotch (-0.07) to the neck (1).
TRUNK_LEVELS = np.array([-0.07, 0.06, 0.42, 0.74, 0.93, 1.03])
TRUNK_WIDTHS = np.array([0.062, 0.088, 0.072, 0.092, 0.095, 0.045])
TRUNK_DEPTHS = np.array([0.050, 0.062, 0.052, 0.064, 0.052, 0.032])
TRUNK_LAYERS = (1.0, 0.78, 0.45)  # relative widths of the dark, the lit and the brightest layer
ARM_RADII, LEG_RADII = np.array([0.030, 0.024, 0.0185]), np.array([0.050, 0.034, 0.023])  # at the joints, of the height
# Added to a part's depth, in metres: an arm at the depth of the trunk is drawn over it, and a thigh under the shirt. Without
# this they would flicker.
ARM_BIAS, LEG_BIAS = 0.03, -0.03
SKINS = (
    (205, 219, 241),
    (172, 194, 234),
    (140, 172, 220),
    (105, 140, 198),
    (72, 105, 160),
    (50, 75, 120),
    (38, 54, 88),
)
HAIRS = ((28, 26, 30), (38, 48, 70), (50, 78, 120), (92, 150, 200), (60, 70, 150), (160, 160, 165))


@dataclass(frozen=True)
class Actor:
    """A person's appearance; colours are BGR.

    sleeve, leg: lengths of the sleeves and of the trouser legs in bones from the trunk: 0.6 covers a part of the upper arm or
        the thigh, 2 covers the whole limb.
    """

    body: Body
    skin: tuple
    hair: tuple
    hair_style: str
    shirt: tuple
    pattern: str
    accent: tuple
    sleeve: float
    trousers: tuple
    leg: float
    shoes: tuple

    @classmethod
    def draw(cls, rng: np.random.Generator):
        """A random person. Sizes and colours are continuous random values, so that no two persons are the same."""
        skin, hair = SKINS[rng.integers(len(SKINS))], HAIRS[rng.integers(len(HAIRS))]
        return cls(
            body=Body.draw(rng),
            skin=shade(skin, rng.uniform(0.93, 1.05)),
            hair=shade(hair, rng.uniform(0.8, 1.2)),
            hair_style=str(rng.choice(["short", "short", "long", "bun", "cap", "bald"])),
            shirt=draw_colour(rng, (0.35, 0.95), (0.2, 0.55)),
            pattern=str(rng.choice(["plain", "stripe", "hoops", "logo"])),
            accent=draw_colour(rng, (0.0, 0.9), (0.25, 1.0)),
            sleeve=float(rng.choice([0.0, 0.55, 0.7, 2.0])),
            trousers=draw_colour(rng, (0.1, 0.7), (0.08, 0.35)),
            leg=float(rng.choice([0.75, 0.9, 2.0, 2.0])),
            shoes=draw_colour(rng, (0.0, 0.7), (0.2, 0.95)),
        )


def cut(start, end, radii, first: float, last: float):
    """The section [first, last] of a tapered segment, as shares of its length: its (start, end, radii)."""
    radius = [radii[0] + (radii[1] - radii[0]) * share for share in (first, last)]
    return start + first * (end - start), start + last * (end - start), tuple(radius)


def limb_parts(camera: Camera, points, radii, owners, skin, cloth, covered: float, bias: float) -> list[Part]:
    """The parts of an arm or a leg: two bones, of which the first `covered` bones are under cloth.

    points: [3, 3], the ends of the bones. radii: [3], at these points. owners: part numbers of the bones.
    """
    parts = []
    for bone in (0, 1):
        start, end, pair_of_radii = points[bone], points[bone + 1], radii[bone : bone + 2]
        layers = [tube(camera, start, end, pair_of_radii, skin, owners[bone])]
        reach = float(np.clip(covered - bone, 0, 1))
        if reach > 0:
            first, last, wide = cut(start, end, pair_of_radii, 0, reach)
            layers = layers if reach < 1 else []
            layers.append(tube(camera, first, last, (wide[0] * 1.08, wide[1] * 1.16), cloth, owners[bone]))
        parts.append(Part((start[2] + end[2]) / 2 + bias, paint_all(layers)))
    return parts


def arm_and_leg_parts(actor: Actor, figure: Figure, t: int, camera: Camera) -> list[Part]:
    """The parts of arms with hands and of legs with shoes."""
    girth, parts = actor.body.build * actor.body.height, []
    for side in (0, 1):
        shoulder, elbow, wrist, hip, knee, ankle = figure.joints[t, 1 + side :: 2]
        fingertip, heel, toe = figure.fingertips[t, side], figure.heels[t, side], figure.toes[t, side]
        hand = tube(camera, wrist, fingertip, (0.0185 * girth, 0.02 * girth), actor.skin, FOREARM[side])
        shoe = tube(camera, heel, toe, (0.022 * girth, 0.018 * girth), actor.shoes, SHIN[side])
        parts.append(Part((wrist[2] + fingertip[2]) / 2 + ARM_BIAS, hand))
        parts.append(Part((ankle[2] + toe[2]) / 2, shoe))
        arm, owners = [shoulder, elbow, wrist], (UPPER_ARM[side], FOREARM[side])
        parts += limb_parts(camera, arm, girth * ARM_RADII, owners, actor.skin, actor.shirt, actor.sleeve, ARM_BIAS)
        leg, owners = [hip, knee, ankle], (THIGH[side], SHIN[side])
        parts += limb_parts(camera, leg, girth * LEG_RADII, owners, actor.skin, actor.trousers, actor.leg, LEG_BIAS)
    return parts


def trunk_rings(actor: Actor, figure: Figure, t: int, levels, camera: Camera):
    """Outlines of the trunk in the image, [3, L, 16, 2], at `levels` [L] from 0 at the pelvis to 1 at the neck.

    The first axis is the layers: the whole trunk, and the two lit layers inside it.
    """
    girth = actor.body.build * actor.body.height
    sizes = [girth * np.interp(levels, TRUNK_LEVELS, shares) for shares in (TRUNK_WIDTHS, TRUNK_DEPTHS)]
    flat = np.zeros((len(levels), 16))
    ring = np.stack([sizes[0][:, None] * CIRCLE[:, 0], flat, sizes[1][:, None] * CIRCLE[:, 1]], -1)  # [L, 16, 3]
    turned = np.clip(levels, 0, 1)[:, None, None]
    axes = (1 - turned) * figure.spine[t] + turned * figure.chest[t]
    centres = figure.pelvis[t] + np.outer(levels, figure.neck[t] - figure.pelvis[t])
    outline = ring @ axes.swapaxes(1, 2)
    image, scales = camera.project(np.stack([centres[:, None] + shrink * outline for shrink in TRUNK_LAYERS]))
    towards_light = 0.05 * actor.body.height * (1 - np.array(TRUNK_LAYERS))[:, None, None, None] * LIGHT
    return image + scales[..., None] * towards_light


def trunk_part(actor: Actor, figure: Figure, t: int, camera: Camera) -> Part:
    """The part of the trunk: shirt with its pattern and upper trousers, painted as stacked elliptic sections."""
    bands = [(-0.07, 0.14, actor.trousers), (0.08, 1.03, actor.shirt)]
    patterns = {"stripe": [(0.55, 0.7)], "hoops": [(0.2, 0.3), (0.45, 0.55), (0.7, 0.8)]}
    bands += [(*span, actor.accent) for span in patterns.get(actor.pattern, [])]

    def paint(canvas: Canvas):
        stacks = []
        for low, high, colour in bands:
            inner = TRUNK_LEVELS[(low < TRUNK_LEVELS) & (high > TRUNK_LEVELS)]
            stacks.append((trunk_rings(actor, figure, t, np.array([low, *inner, high]), camera), colour))
        # Paint layer by layer. If each band were shaded alone, the trunk would look like a string of beads.
        for layer, (tone, owner) in enumerate(((0.84, TORSO), (0.97, None), (1.07, None))):
            for rings, colour in stacks:
                for section in pairwise(rings[layer]):
                    canvas.hull(np.concatenate(section), shade(colour, tone), owner)
        front = figure.chest[t][:, 2]
        if actor.pattern == "logo" and front[2] > 0.3:
            spot = figure.pelvis[t] + 0.68 * (figure.neck[t] - figure.pelvis[t]) + 0.055 * actor.body.height * front
            (centre,), (scale,) = camera.project(spot[None])
            canvas.hull(disc(centre, 0.032 * actor.body.height * scale), actor.accent)

    return Part(float((figure.neck[t, 2] + figure.pelvis[t, 2]) / 2), paint)


def head_part(actor: Actor, figure: Figure, t: int, camera: Camera) -> Part:
    """The part of neck, face and hair. When the head is turned away, the hair is painted over the face."""
    radius, axes, skull = actor.body.head, figure.head[t], figure.joints[t, 0]

    def place(offset):
        return skull + along(axes, radius * np.array(offset))

    def lump(start, end, wide, narrow, colour):
        """A tapered capsule between two points. Points and radii are in head radii, along the head's axes."""
        return tube(camera, place(start), place(end), (wide * radius, narrow * radius), colour, HEAD)

    hair, cap = actor.hair, actor.accent
    styles = {
        "bald": ([], []),
        "short": (
            [((0, 0.3, -0.15), (0, 0.1, -0.25), 0.88, 0.85, hair)],
            [((-0.3, 0.72, 0.3), (0.3, 0.72, 0.3), 0.34, 0.34, hair)],
        ),
        "long": (
            [((0, 0.25, -0.15), (0, 0.0, -0.3), 0.95, 0.98, hair), ((0, -0.1, -0.5), (0, -1.2, -0.6), 0.8, 0.55, hair)],
            [],
        ),
        "bun": (
            [((0, 0.28, -0.15), (0, 0.1, -0.2), 0.9, 0.9, hair), ((0, 0.7, -0.9), (0, 0.75, -0.95), 0.4, 0.4, hair)],
            [],
        ),
        "cap": ([((0, 0.38, -0.1), (0, 0.3, -0.2), 0.86, 0.86, cap)], [((0, 0.5, 0.3), (0, 0.42, 1.2), 0.5, 0.3, cap)]),
    }
    behind, over = ([lump(*shape) for shape in shapes] for shapes in styles[actor.hair_style])
    neck_radii = (0.028 * actor.body.height, 0.024 * actor.body.height)
    neck = tube(camera, figure.neck[t], skull, neck_radii, shade(actor.skin, 0.92), HEAD)
    face = lump((0, 0.12, 0), (0, -0.3, 0.1), 0.9, 0.68, actor.skin)
    facing = axes[2, 2]  # 1 when the person looks into the camera
    layers = [neck, *behind, face, *over] if facing > -0.15 else [neck, *over, face, *behind]

    def eyes(canvas: Canvas):
        for x in (-0.32, 0.32):
            (eye,), (scale,) = camera.project(place((x, 0.02, 0.85))[None])
            canvas.hull(disc(eye, 0.11 * radius * scale), (35, 30, 30))

    return Part(float(skull[2]) + 0.01, paint_all([*layers, eyes] if facing > 0.25 else layers))


def actor_parts(actor: Actor, figure: Figure, t: int, camera: Camera) -> list[Part]:
    """All parts of the person in frame `t`, in no particular order."""
    return [
        trunk_part(actor, figure, t, camera),
        head_part(actor, figure, t, camera),
        *arm_and_leg_parts(actor, figure, t, camera),
    ]

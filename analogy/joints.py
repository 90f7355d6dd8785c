"""The 13 joints of Penn Action, in its order.

In synthetic_actors left and right are the person's own. The published labels do not keep to their names: in 97 % of the front
views joint 1 lies to the left of joint 2 in the image, which makes it the right shoulder.
"""

NAMES = (
    "head", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip
JOINTS = len(NAMES)

# The joint that each one becomes in a mirror.
MIRRORED = (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11)

# What is drawn as a line (spec 2.1, which has no hip line); the head hangs from the middle of the shoulders.
LIMBS = ((1, 2), (1, 3), (3, 5), (2, 4), (4, 6), (1, 7), (7, 9), (9, 11), (2, 8), (8, 10), (10, 12))
NECK = (1, 2)

"""The 13 joints of Penn Action, in the order of its labels.

In the dataset synthetic_actors, left and right are the person's own. Penn Action's labels differ from their names: in 97 % of
the front views, joint 1 ("left_shoulder") lies to the left of joint 2 in the image, so it is the person's right shoulder.
"""

NAMES = (
    "head", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip
JOINTS = len(NAMES)

# For each joint, the joint of the other side, which it becomes in a mirrored image.
MIRRORED = (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11)

# Pairs of joints that pictures connect by a line (no line between the hips). The head is connected to the middle of
# the two NECK joints.
LIMBS = ((1, 2), (1, 3), (3, 5), (2, 4), (4, 6), (1, 7), (7, 9), (9, 11), (2, 8), (8, 10), (10, 12))
NECK = (1, 2)

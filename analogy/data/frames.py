"""A stored frame -> a cropped and resized image for a network, with joints in pixels of that image."""

from __future__ import annotations

import cv2
import numpy as np
import tensorflow as tf

from analogy.data.prepared import Clip, PreparedClips
from analogy.errors import UserError
from analogy.joints import JOINTS, MIRRORED


def central_square(height: int, width: int) -> tuple[int, int, int, int]:
    """The largest square in the middle of a frame: (x_min, y_min, x_max, y_max)."""
    side = min(height, width)
    x_min, y_min = (width - side) // 2, (height - side) // 2
    return x_min, y_min, x_min + side, y_min + side


def padded_box(box, padding: int, height: int, width: int) -> tuple[int, int, int, int]:
    """A box (x_min, y_min, x_max, y_max), widened by `padding` pixels and clipped to the frame. Sides are at least 1 pixel."""
    x_min, y_min, x_max, y_max = (round(float(edge)) for edge in box)
    x_min, y_min = (min(max(edge - padding, 0), limit - 1) for edge, limit in ((x_min, width), (y_min, height)))
    return x_min, y_min, max(min(x_max + padding, width), x_min + 1), max(min(y_max + padding, height), y_min + 1)


def in_channels(frame: np.ndarray, channels: int) -> np.ndarray:
    """A frame uint8 RGB [H, W, 3] -> the same, or where one channel is wanted its luma [H, W, 1]."""
    return frame if channels == 3 else cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)[..., None]


class FrameReader:
    """Decodes, crops and resizes stored frames. Only the pixels within the crop are decoded.

    Args:
        prepared: the prepared dataset.
        crop: "consistent" (one box for the whole clip), "per_frame" (the box of each frame), "full" (the whole frame) or
            "centre" (the largest square in the middle).
        padding: width of the margin around the box, in pixels of the source frame.
        image_size: (H, W) of the result; the aspect ratio is not kept.
        gray: one channel of luma instead of RGB.

    Raises:
        UserError: the crop needs labels, which the dataset does not have.
    """

    def __init__(self, prepared: PreparedClips, *, crop: str, padding: int, image_size: tuple[int, int], gray: bool):
        self.prepared, self.crop, self.padding, self.image_size, self.gray = prepared, crop, padding, image_size, gray
        if not self.labelled and crop not in ("full", "centre"):
            raise UserError(f"data.crop is {crop}: {prepared.name} has no boxes around people; choose full or centre")

    @property
    def labelled(self) -> bool:
        """Whether the frames have joints. Otherwise all joints are hidden, and the crop is "full" or "centre"."""
        return self.prepared.format.labelled

    @property
    def signature(self) -> dict[str, tf.TensorSpec]:
        """The shapes and types of what `decode` returns."""
        return {
            "image": tf.TensorSpec([*self.image_size, 1 if self.gray else 3], tf.uint8),
            "joints": tf.TensorSpec([JOINTS, 2]),
            "visibility": tf.TensorSpec([JOINTS]),
            "crop": tf.TensorSpec([2]),
        }

    def clip_boxes(self, clips: list[Clip]) -> np.ndarray:
        """The crop of each clip, int32 [N, 4] in source pixels. For "per_frame" it is the whole frame, the limit of boxes."""
        if self.crop == "centre":
            return np.array([central_square(clip.height, clip.width) for clip in clips], np.int32)
        whole = [(0, 0, clip.width, clip.height) for clip in clips]
        if self.crop != "consistent":
            return np.array(whole, np.int32)
        return np.array([padded_box(c.union_box, self.padding, c.height, c.width) for c in clips], np.int32)

    def read(self, records):
        """Record numbers int64 [n] -> serialized records, string [n]."""
        return self.prepared.read_in_graph(records)

    def decode(self, serialized, clip_box, mirrored=False, exchange_joints=True) -> dict[str, tf.Tensor]:
        """Decode one record.

        Args:
            serialized: the record, string scalar.
            clip_box: [4], from `clip_boxes`.
            mirrored: bool, or bool tensor: whether to mirror the frame and its joints.
            exchange_joints: in mirroring, also exchange left and right joints.

        Returns:
            image: uint8 [H, W, C]. joints: float32 [13, 2] in pixels of that image. visibility: float32 [13].
            crop: float32 [2], (width, height) of the crop in source pixels.
        """
        record = self.prepared.parse(serialized)
        box = self._frame_box(record["box"], clip_box) if self.crop == "per_frame" else clip_box
        x_min, y_min, x_max, y_max = tf.unstack(box)
        crop = tf.cast(tf.stack([x_max - x_min, y_max - y_min]), tf.float32)  # (w, h)
        image = self.prepared.decode_part(record["image"], box)
        image = tf.image.resize(image, self.image_size, antialias=True)  # as Pillow's bilinear
        if self.gray and self.prepared.format.channels == 3:
            image = tf.image.rgb_to_grayscale(image)
        elif not self.gray and self.prepared.format.channels == 1:
            image = tf.image.grayscale_to_rgb(image)
        image = tf.saturate_cast(tf.round(image), tf.uint8)
        height, width = self.image_size
        origin = tf.cast(tf.stack([x_min, y_min]), tf.float32)
        if not self.labelled:
            record |= {"joints": tf.zeros([JOINTS, 2]), "visibility": tf.zeros([JOINTS])}
        joints = (record["joints"] - origin) * tf.constant([width, height], tf.float32) / crop
        visibility = record["visibility"]
        if mirrored is not False:
            image, joints, visibility = tf.cond(
                mirrored,
                lambda: _mirror(image, joints, visibility, exchange_joints),
                lambda: (image, joints, visibility),
            )
        return {"image": image, "joints": joints, "visibility": visibility, "crop": crop}

    def _frame_box(self, box, limits):
        """The frame's own box, padded and clipped, int32 [4]: `padded_box` for tensors in a graph."""
        low, high = tf.round(box[:2]), tf.round(box[2:])
        limit = tf.cast(limits[2:], tf.float32)  # (w, h)
        low = tf.clip_by_value(low - self.padding, 0.0, limit - 1.0)
        high = tf.maximum(tf.minimum(high + self.padding, limit), low + 1.0)
        return tf.cast(tf.concat([low, high], 0), tf.int32)


def _mirror(image, joints, visibility, exchange_joints: bool):
    width = tf.cast(tf.shape(image)[1], tf.float32)
    joints = tf.stack([width - 1.0 - joints[:, 0], joints[:, 1]], -1)
    if exchange_joints:
        joints, visibility = tf.gather(joints, MIRRORED), tf.gather(visibility, MIRRORED)
    return tf.reverse(image, [1]), joints, visibility

"""The whole method on one video: k observed poses and the last observed frame -> future poses -> future frames.

Both steps are the exported SavedModels of finished runs.
"""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from analogy.errors import UserError
from analogy.graphs import graph_function
from analogy.joints import JOINTS
from analogy.runs.export import write_saved_model
from analogy.runs.find import inputs_of, load_endpoint, run_of
from analogy.settings.loading import read_experiment

# The crop is larger than the box around the joints, because joints lie inside the body: on each side, by this share of the
# box's longer side.
MARGIN = 0.15
SMALLEST_CROP = 16.0  # pixels
FAR = 1e9  # larger than any coordinate in pixels


def _shape_of(loaded, endpoint: str, name: str) -> list[int]:
    """The shape of the input `name` of a SavedModel's endpoint; None for sizes that are not fixed."""
    return inputs_of(loaded, endpoint)[name].shape.as_list()


def _crop_setting(run: Path) -> str:
    """The setting `data.crop` of a run; "consistent" for a SavedModel that does not lie in a run's folder."""
    settings = run_of(run) / "settings.yaml"
    return read_experiment(settings)["data"]["crop"] if settings.is_file() else "consistent"


class Pipeline(tf.Module):
    """A pose predictor and a painter, joined. Frames are uint8 RGB of any size; joints are in pixels of the frame.

    Attributes:
        context: k, the number of observed poses that the pose predictor reads.
        image_size: (H, W) of the painted crops.
        whole_frames: whether the painter was trained on whole frames, instead of crops around the person.

    Args:
        pose_run, paint_run: folders of finished runs, or of their SavedModels.

    Raises:
        UserError: a folder has no SavedModel with the endpoint that is needed.
    """

    def __init__(self, pose_run: Path, paint_run: Path):
        super().__init__()
        self.poses = load_endpoint(pose_run, "predict")
        self.painter = load_endpoint(paint_run, "generate_clip")
        joints = _shape_of(self.poses, "predict", "joints")
        if len(joints) != 4:
            raise UserError(f"{pose_run}: this SavedModel is both steps already; name the run of a pose predictor")
        self.context = joints[1]
        self.whole_frames = _crop_setting(paint_run) == "full"
        _, *self.image_size, self.channels = _shape_of(self.painter, "generate_clip", "frame")
        k = self.context
        self.predict = graph_function(
            self._predict,
            input_signature=[
                tf.TensorSpec([None, None, 3], tf.uint8, "frame"),
                tf.TensorSpec([k, JOINTS, 2], tf.float32, "joints"),
                tf.TensorSpec([k, JOINTS], tf.float32, "visibility"),
                tf.TensorSpec([], tf.int32, "action"),
                tf.TensorSpec([], tf.int32, "count"),
            ],
        )
        self.forecast = graph_function(self._forecast, reduce_retracing=True)
        self.paint = graph_function(self._paint, reduce_retracing=True)
        self.view = graph_function(self._view, reduce_retracing=True)
        self.crop = graph_function(self._crop, reduce_retracing=True)

    def _predict(self, frame, joints, visibility, action, count):
        """Predict `count` future poses and frames.

        Args:
            frame: the last observed frame, uint8 [H, W, 3].
            joints [k, 13, 2], visibility [k, 13]: the observed poses, in pixels of the frame.
            action: int32, or -1 where it is unknown.
            count: int32.

        Returns:
            frames uint8 [count, h, w, C], which show the area `box` int32 [4] (x_min, y_min, x_max, y_max) of the frame; and
            the future joints [count, 13, 2] with their visibility [count, 13].
        """
        size = tf.gather(tf.shape(frame), [1, 0])  # width, height
        future, future_visibility = self._forecast(joints, visibility, size, action, count)
        box = self._crop(tf.concat([joints, future], 0), tf.concat([visibility, future_visibility], 0), size)
        frames = self._paint(frame, joints[-1], visibility[-1], future, future_visibility, box)
        return {"frames": frames, "joints": future, "visibility": future_visibility, "box": box}

    def _forecast(self, joints, visibility, size, action, count):
        """k observed poses -> future joints [count, 13, 2] and their visibility [count, 13]. size: (width, height) of the
        frame."""
        box = tf.cast(crop_box(joints, visibility, size, margin=0.1), tf.float32)
        inputs = {"joints": joints, "visibility": visibility, "box": box, "size": tf.cast(size, tf.float32), "action": action}
        predicted = self.poses.predict(**{name: value[None] for name, value in inputs.items()}, count=count)
        return predicted["joints"][0], predicted["visibility"][0]

    def _crop(self, joints, visibility, size):
        """The area to paint, int32 [4]: the whole frame or the box around all poses, whichever the painter was trained on."""
        whole = tf.concat([tf.zeros_like(size), size], 0)
        return whole if self.whole_frames else crop_box(joints, visibility, size)

    def _view(self, frame, box):
        """The area `box` of a frame, resized to the painter's input: uint8 [h, w, C]."""
        x_min, y_min, x_max, y_max = tf.unstack(box)
        picture = tf.image.resize(frame[y_min:y_max, x_min:x_max], self.image_size, antialias=True)
        if self.channels == 1:
            picture = tf.image.rgb_to_grayscale(picture)
        return tf.ensure_shape(tf.saturate_cast(tf.round(picture), tf.uint8), [*self.image_size, self.channels])

    def _paint(self, frame, joints, visibility, next_joints, next_visibility, box):
        """Paint T target poses from a reference frame, within the area `box`: uint8 [T, h, w, C].

        joints [13, 2], visibility [13]: the pose in the reference frame. next_joints [T, 13, 2], next_visibility [T, 13].
        """
        x_min, y_min, x_max, y_max = tf.unstack(box)
        crop = tf.cast(tf.stack([x_max - x_min, y_max - y_min]), tf.float32)
        height, width = self.image_size
        scale = tf.constant([width, height], tf.float32) / crop
        origin = tf.cast(tf.stack([x_min, y_min]), tf.float32)
        return self.painter.generate_clip(
            frame=self._view(frame, box)[None],
            joints=((joints - origin) * scale)[None],
            visibility=visibility[None],
            next_joints=(next_joints - origin) * scale,
            next_visibility=next_visibility,
            crop=crop[None],
        )["frames"]

    def export(self, folder: Path) -> None:
        """Write both steps as one SavedModel with the endpoint `predict`. Using it needs only TensorFlow."""
        write_saved_model(self, {"predict": self.predict}, folder)


def crop_box(joints, visibility, size, margin: float = MARGIN):
    """The box around all visible joints of all frames, enlarged on each side by `margin` times its longer side, and at least
    SMALLEST_CROP large, within the frame: int32 [4]. The whole frame if no joint is visible.

    Args:
        joints: [T, 13, 2] in pixels of the frame. visibility: [T, 13].
        size: [2], (width, height) of the frame.
        margin: a share.
    """
    visible = visibility[..., None] > 0.5
    low = tf.reduce_min(tf.where(visible, joints, FAR), [0, 1])
    high = tf.reduce_max(tf.where(visible, joints, -FAR), [0, 1])
    limit = tf.cast(size, tf.float32)
    all_hidden = low[0] > high[0]
    low, high = tf.where(all_hidden, tf.zeros_like(low), low), tf.where(all_hidden, limit, high)
    wider = tf.maximum(margin * tf.reduce_max(high - low), (SMALLEST_CROP - (high - low)) / 2.0)
    low, high = tf.floor(low - wider), tf.math.ceil(high + wider)
    # At the frame's edge, too, the crop has the smallest size inside the frame.
    low = tf.clip_by_value(low, 0.0, tf.maximum(limit - SMALLEST_CROP, 0.0))
    high = tf.minimum(tf.maximum(high, low + SMALLEST_CROP), limit)
    return tf.cast(tf.concat([low, high], 0), tf.int32)

"""`Painter`: the common part of systems that paint future frames from a reference frame, its pose, and the future poses."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from analogy.data.batches import draw_uniform
from analogy.data.clips import ClipDataset, LoadedClip
from analogy.data.prepared import Clip
from analogy.graphs import graph_function
from analogy.joints import JOINTS
from analogy.metrics.regions import pose_region
from analogy.models.pixels import to_bytes, to_unit
from analogy.predictions.base import parts_of
from analogy.predictions.frames import PredictedFrames
from analogy.random_streams import StepStream, generator
from analogy.systems.base import ALL, Column, System
from analogy.systems.hierarchical.augmentation import DRAWS, augment_pair
from analogy.systems.hierarchical.networks.heatmaps import joint_heatmaps, pose_maps
from analogy.visualise.panels import coloured


def augmented_pairs(settings, batch):
    """A batch of training pairs with images float32 in -1..1, each pair changed by random augmentation.

    The random numbers depend only on the seed, the step and the example, so they are the same on one replica as on many.

    Args:
        settings: with the section `augmentation`.
        batch: of `ClipDataset.batches`.
    """
    draws = draw_uniform(settings, batch, StepStream.AUGMENTATION, [DRAWS])
    images = {key: to_unit(batch[key]) for key in ("image", "next_image")}
    return augment_pair({**batch, **images}, draws, settings.augmentation)


class Painter(System):
    """Prediction, pictures and export of a painter. A subclass builds and trains networks, and implements `encode` and `paint`.

    Args:
        settings: with the sections data, generator (heatmap_sigma) and evaluation.
    """

    paints = True

    def __init__(self, settings):
        super().__init__(settings)
        self.image_size = tuple(settings.data.image_size)
        self.channels = settings.data.channels
        if settings.data.crop == "per_frame":
            self.export_notes = "the export paints every frame at the scale of the first one's crop"

    def pose(self, joints, visibility, crop):
        """Pose maps [B, H, W, 13] in -1..1, with Gaussians of `heatmap_sigma` source pixels.

        joints: [B, 13, 2] in pixels of the image. visibility: [B, 13]. crop: [B, 2], (width, height) in source pixels of the
        area that the image shows.
        """
        return pose_maps(joints, visibility, self._sigma(crop), self.image_size)

    def _sigma(self, crop):
        """crop [B, 2], (width, height) in source pixels -> standard deviations [B, 2] along x and y, in pixels of the image."""
        height, width = self.image_size
        return self.settings.generator.heatmap_sigma * tf.constant([width, height], tf.float32) / crop

    def encode(self, frame, joints, visibility, crop):
        """Encode reference frames with their poses, once for all frames that are painted from them.

        Args:
            frame: uint8 [1 or B, H, W, C]. joints [.., 13, 2], visibility [.., 13], crop [.., 2]: as in `pose`.

        Returns:
            any structure of tensors that `paint` takes.
        """
        raise NotImplementedError

    def paint(self, reference, joints, visibility, crop):
        """Paint the frames of target poses: [T, H, W, C] in -1..1.

        Args:
            reference: the result of `encode`, for one reference frame or for T.
            joints, visibility, crop: the T target poses, as in `pose`.
        """
        raise NotImplementedError

    # ---------------------------------------------------------------- prediction

    def _paint_clip(self, frame, joints, visibility, crop, next_joints, next_visibility, next_crop):
        """One reference frame [1, ...] and T target poses -> {"frames": uint8 [T, H, W, C]}.

        The reference is encoded once. At most `evaluation.frames_per_call` frames are painted in one call: this is faster than
        single frames or all frames at once, and a long clip needs no more memory than a short one.
        """
        reference, most = self.encode(frame, joints, visibility, crop), self.settings.evaluation.frames_per_call
        known = next_joints.shape[0]
        if known and known <= most:  # one call: without a loop, which not every runtime reads
            return {"frames": to_bytes(self.paint(reference, next_joints, next_visibility, next_crop))}
        count = tf.shape(next_joints)[0]
        parts = tf.maximum((count + most - 1) // most, 1)
        size = (count + parts - 1) // parts  # of each part; the last part repeats the last frame to have that size too

        def part(index):
            selected = tf.minimum(index * size + tf.range(size), count - 1)
            pose = [tf.gather(x, selected) for x in (next_joints, next_visibility, next_crop)]
            return to_bytes(self.paint(reference, *pose))

        frames = tf.TensorSpec([None, *self.image_size, self.channels], tf.uint8)
        painted = tf.map_fn(part, tf.range(parts), fn_output_signature=frames, parallel_iterations=1)
        return {"frames": tf.reshape(painted, [-1, *self.image_size, self.channels])[:count]}

    def predict(self, clip: LoadedClip, reference: int, targets: np.ndarray) -> np.ndarray:
        """Paint frames of a clip from one reference frame and the true poses: uint8 [n, H, W, C].

        reference: index of the reference frame. targets: indices [n] of the frames to paint.
        """
        pose = {"joints": clip.joints, "visibility": clip.visibility, "crop": clip.crop}
        inputs = {"frame": clip.frames[[reference]], **{name: values[[reference]] for name, values in pose.items()}}
        inputs |= {f"next_{name}": values[targets] for name, values in pose.items()}
        return self.endpoint("generate_clip")(**inputs)["frames"].numpy()

    def _pose_pictures(self, clip: LoadedClip, frames) -> np.ndarray:
        """Heatmaps of the true poses at the indices `frames` [n]: [n, H, W, 13] in 0..1."""
        sigma = self._sigma(tf.constant(clip.crop[frames]))
        return joint_heatmaps(clip.joints[frames], clip.visibility[frames], sigma, self.image_size).numpy()

    def panel_columns(self, dataset: ClipDataset, clip: Clip) -> list[Column]:
        """The row that the original draws: x_t, p_t, x_{t+n}, p_{t+n}, prediction; for one pair of the clip's frames, which is
        random but always the same."""
        pair = generator(0, clip.first_record).choice(clip.length, 2, replace=False)
        loaded = dataset.load(clip, pair)
        poses = self._pose_pictures(loaded, [0, 1])
        return [
            Column(f"x_t  (t = {pair[0]})", loaded.frames[0]),
            Column("p_t", poses[0]),
            Column(f"x_t+n  (t = {pair[1]})", loaded.frames[1]),
            Column("p_t+n", poses[1]),
            Column("prediction", self.predict(loaded, 0, np.array([1]))[0], predicted=True),
        ]

    def predict_clips(self, dataset: ClipDataset, share=ALL) -> Iterator[PredictedFrames]:
        for clip in self.selected_clips(dataset.test)[share]:
            for targets in parts_of(clip.length - 1):
                yield self._predict_part(dataset, clip, targets + 1)

    def _predict_part(self, dataset: ClipDataset, clip: Clip, targets: np.ndarray) -> PredictedFrames:
        """Paint the frames with these numbers from frame 0."""
        loaded, painted = dataset.load(clip, np.array([0, *targets])), np.arange(1, len(targets) + 1)
        body = pose_region(loaded.joints, loaded.visibility, self.image_size, loaded.crop)
        return PredictedFrames(
            clip=clip.id,
            action=clip.action,
            distance=targets,
            observed_frames=loaded.frames[: int(targets[0] == 1)],
            truth=loaded.frames[1:],
            prediction=self.predict(loaded, 0, painted),
            baseline=np.broadcast_to(loaded.frames[:1], loaded.frames[1:].shape),
            baseline_name="copy_reference",
            extra_columns={"pose": np.stack([coloured(self._pose_pictures(loaded, [number])[0]) for number in painted])},
            regions={"old": np.broadcast_to(body[:1], body[1:].shape), "new": body[1:]},
        )

    def protocol(self, dataset: ClipDataset) -> str:
        height, width = self.image_size
        start, most = self.settings.training.start_from, self.settings.evaluation.clips_per_action
        count = len(self.selected_clips(dataset.test))
        return (
            f"{dataset.name}, {count} test clips (at most {most} an action) of {len(dataset.test)}; "
            f"{self.settings.data.crop} crop, {height} x {width}, {'gray' if self.settings.data.gray else 'RGB'} uint8; "
            "every frame after the first is painted from frame 0 and the TRUE poses; figures (SSIM with an 11 x 11 Gaussian, "
            "sigma 1.5, range 255) per frame, averaged over frames, then over clips; "
            f"baseline: frame 0 copied; trained on {len(dataset.train)} clips, seed {self.settings.seed}"
            + (f", from the networks of {start.run}" if start else "")
        )

    # ---------------------------------------------------------------- export

    def informed_endpoints(self):
        """Here each target frame has its own crop. The exported endpoint takes only the reference frame's crop."""
        return {"generate_clip": graph_function(self._paint_clip, reduce_retracing=True)}

    def endpoints(self):
        height, width = self.image_size

        def frames(count, name):
            return tf.TensorSpec([count, height, width, self.channels], tf.uint8, name)

        def pose(count, prefix=""):
            return [
                tf.TensorSpec([count, JOINTS, 2], tf.float32, f"{prefix}joints"),
                tf.TensorSpec([count, JOINTS], tf.float32, f"{prefix}visibility"),
            ]

        @graph_function(input_signature=[frames(None, "frame"), *pose(None), *pose(None, "next_"), _crop_spec(None)])
        def generate(frame, joints, visibility, next_joints, next_visibility, crop):
            """B frames with their poses, and B next poses -> B next frames."""
            for name, values in {"joints": joints, "next_joints": next_joints, "crop": crop}.items():
                message = f"{name} must be of as many frames as frame"
                tf.debugging.assert_equal(tf.shape(values)[0], tf.shape(frame)[0], message=message)
            reference = self.encode(frame, joints, visibility, crop)
            return {"next_frame": to_bytes(self.paint(reference, next_joints, next_visibility, crop))}

        @graph_function(input_signature=[frames(1, "frame"), *pose(1), *pose(None, "next_"), _crop_spec(1)])
        def generate_clip(frame, joints, visibility, next_joints, next_visibility, crop):
            """One frame with its pose, and T next poses -> T frames. The frame is encoded once."""
            next_crop = tf.repeat(crop, tf.shape(next_joints)[0], 0)
            return self._paint_clip(frame, joints, visibility, crop, next_joints, next_visibility, next_crop)

        return {"generate": generate, "generate_clip": generate_clip}


def _crop_spec(count):
    """The input `crop` [count, 2]: (width, height) in source pixels of the area that the frame shows. It determines the width
    of the heatmaps, as in training."""
    return tf.TensorSpec([count, 2], tf.float32, "crop")

"""What both motion generators share: from one frame and an action to many futures (Kim et al. 2019, section 3.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numpy as np
import tensorflow as tf

from analogy.data.batches import ReplicaContext, draw_uniform, normal, step_uniform
from analogy.data.clips import ClipDataset
from analogy.data.contract import name_with_notes
from analogy.data.movies import long_enough, spread_windows
from analogy.data.prepared import Clip
from analogy.data.windows import StoredMovie, WindowPlan
from analogy.errors import UserError
from analogy.graphs import graph_function
from analogy.metrics.collapse import changed_psnr
from analogy.one_line import counted
from analogy.predictions.motion import motion_continued
from analogy.random_streams import StepStream
from analogy.runs.find import inputs_of
from analogy.systems.base import ALL, Column, Study, System
from analogy.systems.keypoints.calling import detected_by, futures_by, moved_by
from analogy.systems.keypoints.labels import KeptKeypoints
from analogy.systems.keypoints.motion_study import study_futures
from analogy.systems.keypoints.pictures import with_keypoints
from analogy.systems.keypoints.predicted import PredictedMotion
from analogy.systems.keypoints.sequences import (
    DRAWS,
    augmented,
    between_frames,
    places,
    sequence_batches,
    shown_frames,
    who_acts,
)
from analogy.systems.keypoints.settings import FuturesSettings


class MotionSystem(System):
    """Prediction, pictures and export of a motion generator. A subclass builds and trains networks, and implements `future` and
    `generator_in_words`.

    Its labels are the keypoints that the used translator detects. Of a sampled future, the first frame is translated to each
    step, so that no frame depends on a predicted one.

    Args:
        settings: a FuturesSettings. used: "translator" -> a SavedModel with the endpoints `detect` and `translate`.

    Raises:
        UserError: the used translator takes other frames.
    """

    latent_size: int  # of how many normal values a future is made; a subclass sets it
    needs = {"translator": "translate"}
    paints = True
    context = 1  # it observes one frame

    def __init__(self, settings: FuturesSettings, used: Mapping[str, object]):
        super().__init__(settings, used)
        data, network = settings.data, settings.network
        self.horizon, self.frame = data.horizon, [*data.image_size, data.channels]
        self.keypoints = self._check_translator()
        self.built_for = f"for the K = {self.keypoints} keypoints of uses.translator, {settings.uses['translator']}"
        self.actions = data.actions if network.action else []

    def _check_translator(self) -> int:
        """The number of keypoints of the used translator, after a check that it takes the frames of this experiment."""
        keypoints = inputs_of(self.used["translator"], "translate")["keypoints"].shape[1]
        points = [None, keypoints, 2]
        self.used_endpoint("translator", frame=[None, *self.frame], keypoints=points, next_keypoints=points)
        return keypoints

    def future(self, latent, first, action):
        """Normal values [B, Z], k0 [B, K, 2] and one-hot actions [B, A] -> a future of each, [B, T, K, 2]."""
        raise NotImplementedError

    def generator_in_words(self) -> str:
        """For the protocol."""
        raise NotImplementedError

    # ---------------------------------------------------------------- training

    def detected(self, frames: np.ndarray) -> np.ndarray:
        """Frames uint8 [T, H, W, C] -> their keypoints float32 [T, K, 2]."""
        return detected_by(self.used["translator"].detect, frames, self.settings.evaluation.frames_per_call)

    def _labels(self, dataset: ClipDataset) -> KeptKeypoints:
        return KeptKeypoints(dataset, self.detected, self.used["translator"].weights, self.keypoints)

    def label_of(self, action: str) -> int:
        """The number of an action. Without a condition, every action is 0."""
        return self.actions.index(action) if self.actions else 0

    def train_batches(self, dataset: ClipDataset, context: ReplicaContext) -> tf.data.Dataset:
        labels = [self.label_of(clip.action) for clip in dataset.train]
        points = self._labels(dataset).read(dataset.train)
        return sequence_batches(
            points, labels, self.horizon + 1, context, seed=self.settings.seed, largest_pace=self.settings.data.pace,
            persons=[who_acts(clip) for clip in dataset.train], other_start=self.settings.augmentation.other_start,
        )  # fmt: skip

    def _sequence(self, batch):
        """A batch -> k0 [B, K, 2], the true future [B, T, K, 2] and the one-hot action [B, A], augmented."""
        how = self.settings.augmentation
        draws = draw_uniform(self.settings, batch, StepStream.AUGMENTATION, [DRAWS])
        sequence = augmented(
            batch["keypoints"], draws, rotation=how.rotation, scale=tuple(how.scale), flip=self.settings.data.flip
        )
        return sequence[:, 0], sequence[:, 1:], self._one_hot(batch["label"])

    def _one_hot(self, label):
        """Numbers of actions [B] -> [B, A]; of an unknown action, -1, zeros."""
        return tf.one_hot(label, len(self.actions))

    # ---------------------------------------------------------------- prediction

    def predict(self, frame: np.ndarray, action: str, count: int, seed: int | None = None) -> dict[str, np.ndarray]:
        """One frame uint8 [H, W, C] -> `count` futures: frames uint8 [N, T, H, W, C], keypoints [N, T, K, 2]."""
        seed, label = self.settings.seed if seed is None else seed, self.label_of(action)
        translator = None if self.has_endpoint("generate") else self.used["translator"]
        most = self.settings.evaluation.frames_per_call
        frames, keypoints = futures_by(self.endpoint, translator, frame, most, action=label, seed=seed, count=count)
        return {"frames": frames, "keypoints": keypoints}

    def true_frames(self, dataset: ClipDataset, clip: Clip) -> np.ndarray:
        """The first frame of a clip and its true future: uint8 [1 + T, H, W, C]."""
        return dataset.load(clip, shown_frames(clip.length, self.horizon + 1, self.settings.data.pace)).frames

    def true_keypoints(self, dataset: ClipDataset, clips: Sequence[Clip]) -> list[np.ndarray]:
        """The keypoints of the first frame of each clip and of its true future: [1 + T, K, 2]. They are kept on disk."""
        length, pace = self.horizon + 1, self.settings.data.pace
        kept = self._labels(dataset).read(clips)
        return [between_frames(points, places(clip.length, length, pace)) for clip, points in zip(clips, kept, strict=True)]

    def transferred(self, frame: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
        """A frame uint8 [H, W, C], whose keypoints move as others [1 + T, K, 2] move from their first step on: [T, H, W, C]."""
        return moved_by(self.used["translator"], frame, keypoints, self.settings.evaluation.frames_per_call)[0][1:]

    def predict_clips(self, dataset: ClipDataset, share=ALL) -> Iterator[PredictedMotion]:
        if self.settings.data.test_windows is None:
            pictured = {clip.id for clip in self.selected_clips(dataset.test)}
            for clip in dataset.test[share]:
                yield self._of_clip(dataset, clip, clip.id in pictured)
        else:
            windows = self._windows(dataset)
            pictured = {window.id for window in self.selected_clips(windows)}
            for window in windows[share]:
                yield self._of_window(dataset, window, window.id in pictured)

    def _windows(self, dataset: ClipDataset) -> list[StoredMovie]:
        """The test windows of neighbouring frames: those of a system of next frames with the same seed, lengths and count.

        Raises UserError where no test clip is long enough."""
        data, plan = self.settings.data, WindowPlan(self.settings.data.context + self.horizon)
        clips = [StoredMovie(clip.id, dataset.reader.prepared, clip, range(clip.length)) for clip in dataset.test]
        movies, _ = long_enough(clips, plan)
        if not movies:
            raise UserError(f"data.test_windows: no test clip has {plan.length} frames; lower data.context or data.horizon")
        return spread_windows(movies, plan, data.test_windows, self.settings.seed)

    def _of_clip(self, dataset: ClipDataset, clip: Clip, with_pictures: bool) -> PredictedMotion:
        steps = clip.length, self.horizon + 1, self.settings.data.pace
        frames = dataset.load(clip).frames
        true_points = between_frames(self.detected(frames), places(*steps))
        return self._predicted(
            frames[:1], frames[shown_frames(*steps)][1:], true_points, clip=clip.id, action=clip.action,
            with_pictures=with_pictures, baseline_name="copy_first_frame",
        )  # fmt: skip

    def _of_window(self, dataset: ClipDataset, window: StoredMovie, with_pictures: bool) -> PredictedMotion:
        """Of the observed frames, the last alone is read. The motion that a baseline continues is that of the last two."""
        context, frames = self.settings.data.context, dataset.load(window.clip, window.numbers).frames
        observed_frames, truth = frames[:context], frames[context:]
        further = {"motion_continued": motion_continued(observed_frames, self.horizon)} if context > 1 else {}
        return self._predicted(
            observed_frames, truth, self.detected(frames[context - 1 :]), clip=window.id, action=window.action,
            with_pictures=with_pictures, baseline_name="copy_last_frame", other_methods=further,
        )  # fmt: skip

    def _predicted(self, observed_frames: np.ndarray, truth: np.ndarray, true_points: np.ndarray, **named) -> PredictedMotion:
        """Sampled futures of the last observed frame.

        observed_frames: uint8 [k, H, W, C]. truth: uint8 [T, H, W, C]. true_points: keypoints of the last observed frame and of
        the truth, [1 + T, K, 2]. named: further fields of `PredictedMotion`.
        """
        last = observed_frames[-1]
        answer = self.predict(last, named["action"], self.settings.evaluation.samples)
        samples, points = answer["frames"], answer["keypoints"]
        pictures = {}
        if named["with_pictures"]:
            pictures = {"true keypoints": with_keypoints(truth, true_points[1:])}
            pictures |= {"keypoints": with_keypoints(samples[0], points[0])}
            pictures |= {f"sample {number + 1}": samples[number] for number in range(1, min(4, len(samples)))}
        return PredictedMotion(
            distance=np.arange(1, self.horizon + 1),
            observed_frames=observed_frames,
            truth=truth,
            prediction=samples[0],
            samples=samples,
            baseline=np.broadcast_to(last, samples[0].shape),
            extra_columns=pictures,
            further_metrics={"changed_psnr": partial(changed_psnr, first=last)},
            true_keypoints=true_points,
            keypoint_samples=points,
            **named,
        )

    def panel_columns(self, dataset: ClipDataset, clip: Clip) -> list[Column]:
        """The first frame, then the middle and the end of two futures, with their keypoints."""
        frames = dataset.load(clip, np.array([0])).frames
        answer = self.predict(frames[0], clip.action, 2)
        columns = [Column("first frame", with_keypoints(frames, self.detected(frames))[0])]
        for number, (sample, points) in enumerate(zip(answer["frames"], answer["keypoints"], strict=True), 1):
            for t in sorted({(self.horizon - 1) // 2, self.horizon - 1}):
                picture = with_keypoints(sample[t : t + 1], points[t : t + 1])[0]
                columns.append(Column(f"sample {number}, +{t + 1}", picture, predicted=True))
        return columns

    def study(self, dataset: ClipDataset) -> Study:
        return study_futures(self, dataset)

    def protocol(self, dataset: ClipDataset) -> str:
        count = self.settings.evaluation.samples
        conditioned = f"the action, one of {len(self.actions)}" if self.actions else "no action"
        size, crop = f"{self.frame[0]} x {self.frame[1]}", self.settings.data.crop
        asked, copied, further = self._task_in_words(dataset)
        return (
            f"{name_with_notes(dataset)}: {asked} and {conditioned}; {size}, {crop} crop; {count} samples of each, seed "
            f"{self.settings.seed}: figures are means over samples, _best those of the best sample; keypoints are detected "
            f"by {self.settings.uses['translator']}, in percent of the frame's side; baselines: {copied} copied, its keypoints "
            f"kept (still), the true future in another order (shuffled){further}; {self.generator_in_words()}"
        )

    def _task_in_words(self, dataset: ClipDataset) -> tuple[str, str, str]:
        """What is predicted from what, the frame that the baseline copies, and further baselines."""
        data = self.settings.data
        if data.test_windows is None:
            pace = "that span the clip" if data.pace is None else f"{counted(data.pace, 'frame')} apart"
            return f"{len(dataset.test)} test clips, {self.horizon} future steps {pace}, from frame 0", "frame 0", ""
        asked = (
            f"{len(self._windows(dataset))} test windows of {data.context} observed and {self.horizon} predicted frames, of "
            f"which it reads the last observed one"
        )
        return asked, "the last observed frame", ", half of the motion between the last two observed frames continued"

    # ---------------------------------------------------------------- export

    def _sampled(self, first, action, seed, count):
        """k0 [B, K, 2] and numbers of actions [B] -> `count` futures [B, N, T, K, 2]."""
        batch, size = tf.shape(first)[0], self.latent_size
        with tf.control_dependencies([tf.debugging.assert_positive(count, "count: draw at least 1 future")]):
            count = tf.identity(count)
        latent = normal(step_uniform(seed, 0, StepStream.LATENT, tf.stack([batch * count, size])))
        return self._decoded(first, action, tf.reshape(latent, [batch, count, size]))

    def _decoded(self, first, action, latent):
        """k0 [B, K, 2], numbers of actions [B] and latents [B, N, Z] -> futures [B, N, T, K, 2]."""
        batch, count, size = tf.shape(latent)[0], tf.shape(latent)[1], latent.shape[-1]
        action = tf.repeat(self._one_hot(action), count, 0)
        future = self.future(tf.reshape(latent, [-1, size]), tf.repeat(first, count, 0), action)
        return tf.reshape(tf.cast(future, tf.float32), [batch, count, self.horizon, self.keypoints, 2])

    def _translated(self, frame, first, future):
        """Frames [B, H, W, C], their keypoints, and futures [B, N, T, K, 2] -> frames uint8 [B, N, T, H, W, C]."""
        translate, count = self.used["translator"].translate, tf.shape(future)[1]
        frames, keypoints = tf.repeat(frame, count, 0), tf.repeat(first, count, 0)
        steps = tf.transpose(tf.reshape(future, [-1, self.horizon, self.keypoints, 2]), [1, 0, 2, 3])

        def step(points):
            return translate(frame=frames, keypoints=keypoints, next_keypoints=points)["frame"]

        output = tf.TensorSpec([None, *self.frame], tf.uint8)
        painted = tf.map_fn(step, steps, fn_output_signature=output, parallel_iterations=1)  # [T, B N, H, W, C]
        return tf.reshape(tf.transpose(painted, [1, 0, 2, 3, 4]), [-1, count, self.horizon, *self.frame])

    def endpoints(self):
        frame = tf.TensorSpec([None, *self.frame], tf.uint8, "frame")
        keypoints = tf.TensorSpec([None, self.keypoints, 2], tf.float32, "keypoints")
        action = tf.TensorSpec([None], tf.int32, "action")
        numbers = [tf.TensorSpec([], tf.int32, name) for name in ("seed", "count")]
        latent = tf.TensorSpec([None, None, self.latent_size], tf.float32, "latent")

        @graph_function(input_signature=[frame, action, *numbers])
        def generate(frame, action, seed, count):
            """Frames, numbers of actions, a seed, a count N -> N futures of each frame: frames uint8 [B, N, T, H, W, C], and
            keypoints [B, N, T, K, 2]. A system without a condition ignores the action."""
            first = self.used["translator"].detect(frames=frame)["keypoints"]
            future = self._sampled(first, action, seed, count)
            return {"frames": self._translated(frame, first, future), "keypoints": future}

        @graph_function(input_signature=[keypoints, action, *numbers])
        def sample(keypoints, action, seed, count):
            """Keypoints of frames, numbers of actions, a seed, a count N -> keypoints of N futures [B, N, T, K, 2]."""
            return {"keypoints": self._sampled(keypoints, action, seed, count)}

        @graph_function(input_signature=[keypoints, action, latent])
        def decode(keypoints, action, latent):
            """`sample` with latents [B, N, Z] that the caller draws from the standard normal distribution: for runtimes without
            such random numbers."""
            return {"keypoints": self._decoded(keypoints, action, latent)}

        return {"generate": generate, "sample": sample, "decode": decode}

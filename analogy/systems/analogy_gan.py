"""The image-analogy GAN: generator, discriminator, their losses, and one optimisation step (paper 3.4 and 4.4)."""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from analogy import losses
from analogy.data.clips import ClipDataset, LoadedClip
from analogy.data.pairs import ReplicaContext
from analogy.data.selection import first_per_action
from analogy.models.analogy import AnalogyGenerator, Discriminator
from analogy.models.heatmaps import joint_heatmaps, pose_maps
from analogy.models.vgg import load_vgg_features
from analogy.optimizers import make_optimizer
from analogy.settings import AnalogyGanSettings
from analogy.systems.base import Panels, PredictedClip, System

JOINTS = 13
# The gradient of a discriminator logit may fall to nothing; the fused step divides by it, hence a floor far below
# anything a float32 sum over the batch would notice.
SMALLEST_LOGIT_GRADIENT = 1e-8


def to_unit(image):
    """uint8 0..255 -> float32 -1..1."""
    return tf.cast(image, tf.float32) / 127.5 - 1.0


def to_bytes(image):
    """-1..1 -> uint8 0..255, rounded."""
    return tf.saturate_cast(tf.round((tf.cast(image, tf.float32) + 1.0) * 127.5), tf.uint8)


class AnalogyGan(System):
    """The system of paper 3.4.

    Args:
        settings: the experiment's settings.
    """

    baseline_name = "copy_reference"

    def __init__(self, settings: AnalogyGanSettings):
        self.settings = settings
        self.image_size = tuple(settings.data.image_size)
        self.channels = settings.data.channels
        self.half = keras.config.dtype_policy().compute_dtype == "float16"
        shape = settings.generator
        self.generator = AnalogyGenerator(
            depth=shape.depth,
            image_channels=self.channels,
            width=shape.width,
            simplified_pose_encoder=shape.pose_encoder == "simplified",
        )
        judge = settings.discriminator
        self.discriminator = Discriminator(depth=shape.depth, width=judge.width, units=judge.units)
        self._build()
        # The constant network of the feature loss is neither trained nor checkpointed.
        self.features = load_vgg_features(settings.loss.feature_weights) if settings.loss.feature else None
        self.models = {"generator": self.generator, "discriminator": self.discriminator}
        self._paint_in_graph = tf.function(self._paint, reduce_retracing=True)

    def _build(self) -> None:
        image = (None, *self.image_size, self.channels)
        pose = (None, *self.image_size, JOINTS)
        self.generator.build([image, pose, pose])
        self.discriminator.build([image, pose, (None, self.settings.discriminator.units)])

    def build_optimizers(self) -> None:
        of = {"generator": self.settings.generator_optimizer, "discriminator": self.settings.discriminator_optimizer}
        self.optimizers = {
            name: make_optimizer(of[name], model.trainable_variables, loss_scaling=self.half)
            for name, model in self.models.items()
        }

    def parameters(self) -> dict[str, int]:
        """Trainable weights by network."""
        parts = {
            "image_encoder": self.generator.image_encoder,
            "pose_encoder": self.generator.pose_encoder,
            "decoder": self.generator.decoder,
            "discriminator": self.discriminator,
        }
        return {name: sum(int(np.prod(v.shape)) for v in part.trainable_variables) for name, part in parts.items()}

    # ---------------------------------------------------------------- inputs

    def pose(self, joints, visibility, crop):
        """Pose maps [B, H, W, 13] in -1..1; the Gaussians are `heatmap_sigma` source pixels wide."""
        return pose_maps(joints, visibility, self._sigma(crop), self.image_size)

    def _sigma(self, crop):
        """[B, 2] crop (w, h) in source pixels -> standard deviations in pixels of the image."""
        height, width = self.image_size
        return self.settings.generator.heatmap_sigma * tf.constant([width, height], tf.float32) / crop

    def _inputs(self, batch):
        pose = self.pose(batch["joints"], batch["visibility"], batch["crop"])
        next_pose = self.pose(batch["next_joints"], batch["next_visibility"], batch["next_crop"])
        return to_unit(batch["image"]), pose, to_unit(batch["next_image"]), next_pose

    def _dropout_masks(self, batch, passes: int):
        """`passes` masks a example, [passes * b, units], by (seed, step, place in the whole batch): the same on one
        replica as on many, and the same after a resume."""
        rate, units = self.settings.discriminator.dropout, self.settings.discriminator.units
        whole = [passes, self.settings.training.batch_size, units]
        seed = tf.stack([tf.constant(self.settings.seed, tf.int64), batch["step"]])
        keep = tf.random.stateless_uniform(whole, seed) >= rate
        masks = tf.gather(tf.cast(keep, tf.float32) / (1.0 - rate), batch["position"], axis=1)
        return tf.reshape(masks, [-1, units])

    # ---------------------------------------------------------------- losses

    def _generator_terms(self, truth, generated, z) -> dict[str, tf.Tensor]:
        """The generator's weighted terms without the adversarial one, [b] each."""
        loss = self.settings.loss
        terms = {"l2": loss.l2 * losses.squared_error(truth, generated, domain=loss.l2_domain)}
        if loss.latent:
            latent = self.generator.image_encoder(truth)
            terms["latent"] = loss.latent * losses.latent_error(latent, z, relative=loss.latent_relative)
        if self.features:
            error = losses.squared_error(self.features(truth), self.features(generated))
            terms["feature"] = loss.feature * error
        return terms

    def _fooled(self, logits):
        return self.settings.loss.adversarial * losses.log_fooled(logits, guard=self.settings.loss.guard)

    def _discriminator_terms(self, real, generated, mismatch) -> dict[str, tf.Tensor]:
        """The discriminator's weighted terms from logits, [b] each."""
        loss = self.settings.loss
        return {
            "real": loss.real * losses.log_true(real, guard=loss.guard),
            "generated": loss.generated * losses.log_false(generated, guard=loss.guard),
            "mismatch": loss.mismatch * losses.log_false(mismatch, guard=loss.guard),
        }

    # ---------------------------------------------------------------- one step

    def train_batches(self, clips: ClipDataset, context: ReplicaContext) -> tf.data.Dataset:
        return clips.pairs(context)

    def train_step(self, batch):
        if self.settings.update == "alternating":
            return self._alternating_step(batch)
        return self._fused_step(batch)

    def _mean(self, terms):
        """Sum of [b] terms over the examples, divided by the WHOLE batch: replicas' gradients are summed."""
        return tf.add_n([tf.reduce_sum(term) for term in terms.values()]) / self.settings.training.batch_size

    def _report(self, generator_terms, discriminator_terms):
        whole = self.settings.training.batch_size
        groups = {"generator": generator_terms, "discriminator": discriminator_terms}
        scalars = {}
        for group, terms in groups.items():
            means = {f"{group}/{name}": tf.reduce_sum(term) / whole for name, term in terms.items()}
            scalars |= {**means, f"{group}/loss": tf.add_n(list(means.values()))}
        return scalars

    def _scale(self, name: str):
        """The float16 loss scale of an optimiser; 1 elsewhere."""
        return tf.cast(self.optimizers[name].dynamic_scale, tf.float32) if self.half else 1.0

    def _fused_step(self, batch):
        """One forward pass through both networks and one backward pass through D serve both updates.

        A logit is a scalar per example, so the gradient of any loss at the generated image is d loss / d logit times the
        same d logit / d image: the generator's adversarial gradient is the discriminator's, rescaled per example.
        """
        image, pose, truth, next_pose = self._inputs(batch)
        b = tf.shape(image)[0]
        with tf.GradientTape() as painting:
            z = self.generator.latent(image, pose, next_pose)
            generated = tf.cast(self.generator.decoder(z), tf.float32)
            generator_terms = self._generator_terms(truth, generated, z)
            loss = self._mean(generator_terms) * self._scale("generator")

        with tf.GradientTape(persistent=self.half) as judging:
            judging.watch(generated)
            images, poses = tf.concat([truth, generated, image], 0), tf.concat([next_pose] * 3, 0)
            logits = self.discriminator([images, poses, self._dropout_masks(batch, 3)])  # [3b]
        with tf.GradientTape(persistent=True) as small:
            small.watch(logits)
            discriminator_terms = self._discriminator_terms(*tf.split(logits, 3))
            fooled = self._fooled(logits[b : 2 * b])
            discriminator_loss, adversarial = self._mean(discriminator_terms), self._mean({"": fooled})
        of_generator = small.gradient(adversarial, logits)[b : 2 * b]  # [b]
        of_real, of_generated, of_mismatch = tf.split(small.gradient(discriminator_loss, logits), 3)
        of_generated = tf.maximum(of_generated, SMALLEST_LOGIT_GRADIENT)
        of_discriminator = tf.concat([of_real, of_generated, of_mismatch], 0)  # [3b]

        variables = self.discriminator.trainable_variables
        if self.half:
            # float16 cannot hold the quotient below: the adversarial gradient takes a second backward pass.
            gradients = judging.gradient(logits, variables, of_discriminator * self._scale("discriminator"))
            padded = tf.pad(of_generator, [[b, b]]) * self._scale("generator")
            at_generated = judging.gradient(logits, generated, padded)
        else:
            gradients, at_generated = judging.gradient(logits, [variables, generated], of_discriminator)
            at_generated *= (of_generator / of_generated)[:, None, None, None]
        self._apply("discriminator", gradients)
        at_loss = tf.ones_like(loss)
        gradients = painting.gradient(
            [loss, generated], self.generator.trainable_variables, output_gradients=[at_loss, at_generated]
        )
        self._apply("generator", gradients)
        return self._report({**generator_terms, "adversarial": fooled}, discriminator_terms)

    def _alternating_step(self, batch):
        """The original's order (spec 5): the generator first, then the discriminator on a second forward pass of the
        updated generator, every application of D with a dropout mask of its own."""
        image, pose, truth, next_pose = self._inputs(batch)
        masks = tf.split(self._dropout_masks(batch, 4), 4)
        with tf.GradientTape() as tape:
            z = self.generator.latent(image, pose, next_pose)
            generated = tf.cast(self.generator.decoder(z), tf.float32)
            fooled = self._fooled(self.discriminator([generated, next_pose, masks[3]]))
            generator_terms = {**self._generator_terms(truth, generated, z), "adversarial": fooled}
            loss = self._mean(generator_terms) * self._scale("generator")
        self._apply("generator", tape.gradient(loss, self.generator.trainable_variables))

        generated = tf.cast(self.generator([image, pose, next_pose]), tf.float32)
        with tf.GradientTape() as tape:
            images, poses = tf.concat([truth, generated, image], 0), tf.concat([next_pose] * 3, 0)
            logits = self.discriminator([images, poses, tf.concat(masks[:3], 0)])
            discriminator_terms = self._discriminator_terms(*tf.split(logits, 3))
            loss = self._mean(discriminator_terms) * self._scale("discriminator")
        self._apply("discriminator", tape.gradient(loss, self.discriminator.trainable_variables))
        return self._report(generator_terms, discriminator_terms)

    def _apply(self, name: str, gradients) -> None:
        self.optimizers[name].apply(gradients, self.models[name].trainable_variables)

    # ---------------------------------------------------------------- prediction

    def _paint(self, image, joints, visibility, crop, next_joints, next_visibility, next_crop):
        """One reference [1, ...] and T target poses -> uint8 [T, H, W, C].

        The reference is encoded once, and `evaluation.frames_per_call` frames are painted at a time: faster than one by
        one or all at once, and a long clip takes no more memory than a short one.
        """
        reference = self.generator.encode(to_unit(image), self.pose(joints, visibility, crop))
        count, most = tf.shape(next_joints)[0], self.settings.evaluation.frames_per_call
        parts = tf.maximum((count + most - 1) // most, 1)
        size = (count + parts - 1) // parts  # the parts are of one size; the last is filled up

        def part(index):
            chosen = tf.minimum(index * size + tf.range(size), count - 1)
            pose = [tf.gather(x, chosen) for x in (next_joints, next_visibility, next_crop)]
            return to_bytes(self.generator.paint(reference, self.pose(*pose)))

        painted = tf.map_fn(part, tf.range(parts), fn_output_signature=tf.uint8, parallel_iterations=1)
        return tf.reshape(painted, [-1, *self.image_size, self.channels])[:count]

    def predict(self, clip: LoadedClip, reference: int, targets: np.ndarray) -> np.ndarray:
        """Paint the frames `targets` [n] of a clip from its frame `reference` and the true poses: uint8 [n, H, W, C]."""
        r = [reference]
        given = (clip.images[r], clip.joints[r], clip.visibility[r], clip.crop[r])
        wanted = (clip.joints[targets], clip.visibility[targets], clip.crop[targets])
        return self._paint_in_graph(*given, *wanted).numpy()

    def _pose_pictures(self, clip: LoadedClip, frames) -> np.ndarray:
        """Heatmaps of the given frames, [n, H, W, 13] in 0..1."""
        sigma = self._sigma(tf.constant(clip.crop[frames]))
        return joint_heatmaps(clip.joints[frames], clip.visibility[frames], sigma, self.image_size).numpy()

    def sample_panels(self, clips: ClipDataset) -> Iterator[Panels]:
        """The original's rows: x_t, p_t, x_{t+n}, p_{t+n}, prediction; one fixed random pair per selected clip."""
        chosen = self.settings.evaluation
        for split, half in (("train", clips.train), ("test", clips.test)):
            for clip in first_per_action(half, chosen.clips_per_action, chosen.preferred_clips):
                pair = np.random.default_rng([0, clip.first_record]).choice(clip.frames, 2, replace=False)
                loaded = clips.load(clip, pair)
                poses = self._pose_pictures(loaded, [0, 1])
                prediction = self.predict(loaded, 0, np.array([1]))[0]
                columns = [
                    (f"x_t  (t = {pair[0]})", loaded.images[0]),
                    ("p_t", poses[0]),
                    (f"x_t+n  (t = {pair[1]})", loaded.images[1]),
                    ("p_t+n", poses[1]),
                    ("prediction", prediction),
                ]
                yield Panels(split, clip.action, clip.id, columns)

    def predict_clips(self, clips: ClipDataset) -> Iterator[PredictedClip]:
        chosen = self.settings.evaluation
        for clip in first_per_action(clips.test, chosen.clips_per_action, chosen.preferred_clips):
            loaded = clips.load(clip)
            targets = np.arange(1, clip.frames)
            yield PredictedClip(
                clip=clip.id,
                action=clip.action,
                given=loaded.images[:1],
                truth=loaded.images[1:],
                prediction=self.predict(loaded, 0, targets),
                baseline=np.broadcast_to(loaded.images[:1], loaded.images[1:].shape),
                distance=targets,
                extra={"pose": self._pose_pictures(loaded, targets)},
            )

    def protocol(self, clips: ClipDataset) -> str:
        height, width = self.image_size
        chosen = self.settings.evaluation
        tested = first_per_action(clips.test, chosen.clips_per_action, chosen.preferred_clips)
        return (
            f"{clips.name}, {len(tested)} test clips (at most {chosen.clips_per_action} an action) of {len(clips.test)}; "
            f"{self.settings.data.crop} crop, {height} x {width}, {'gray' if self.settings.data.gray else 'RGB'} uint8; "
            "every frame after the first is painted from frame 0 and the TRUE poses; PSNR and SSIM (11 x 11 Gaussian, "
            "sigma 1.5, range 255) per frame, averaged over frames, then over clips; "
            f"baseline: frame 0 copied; trained on {len(clips.train)} clips, seed {self.settings.seed}"
        )

    # ---------------------------------------------------------------- export

    def endpoints(self):
        height, width = self.image_size

        def frames(count, name):
            return tf.TensorSpec([count, height, width, self.channels], tf.uint8, name)

        def pose(count, prefix=""):
            return [
                tf.TensorSpec([count, JOINTS, 2], tf.float32, f"{prefix}joints"),
                tf.TensorSpec([count, JOINTS], tf.float32, f"{prefix}visibility"),
            ]

        @tf.function(input_signature=[frames(None, "frame"), *pose(None), *pose(None, "next_"), _crop_spec(None)])
        def generate(frame, joints, visibility, next_joints, next_visibility, crop):
            """B frames with their poses, and B next poses -> B next frames."""
            reference = self.generator.encode(to_unit(frame), self.pose(joints, visibility, crop))
            return {"next_frame": to_bytes(self.generator.paint(reference, self.pose(next_joints, next_visibility, crop)))}

        @tf.function(input_signature=[frames(1, "frame"), *pose(1), *pose(None, "next_"), _crop_spec(1)])
        def generate_clip(frame, joints, visibility, next_joints, next_visibility, crop):
            """One frame with its pose, and T next poses -> T frames; the reference is encoded once."""
            next_crop = tf.repeat(crop, tf.shape(next_joints)[0], 0)
            return {"frames": self._paint(frame, joints, visibility, crop, next_joints, next_visibility, next_crop)}

        return {"generate": generate, "generate_clip": generate_clip}


def _crop_spec(count):
    """(width, height) in source pixels of what the frame shows: it sets the heatmaps' width, as in training."""
    return tf.TensorSpec([count, 2], tf.float32, "crop")

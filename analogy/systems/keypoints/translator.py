"""The published translator (Kim et al. 2019, section 3.1): keypoints are what helps to translate one frame into another."""

from __future__ import annotations

import tensorflow as tf

from analogy.data.batches import draw_uniform
from analogy.errors import about
from analogy.losses import dissimilarity, mean_per_example
from analogy.models.building import build
from analogy.models.pixels import to_unit
from analogy.pretrained.perceptual import perceptual_distance, perceptual_name
from analogy.random_streams import StepStream
from analogy.systems.keypoints.augmentation import DRAWS, augment_pair
from analogy.systems.keypoints.networks.detector import Detector, ImageEncoder
from analogy.systems.keypoints.networks.points import gaussian_maps
from analogy.systems.keypoints.networks.translator import ImageDiscriminator, Translator
from analogy.systems.keypoints.settings import TranslatorSettings
from analogy.systems.keypoints.translation import TranslationSystem


class TranslatorSystem(TranslationSystem):
    """Detector, image encoder, masked translator and image discriminator.

    A step detects the keypoints of both frames of each pair at once. Generator and discriminator are updated on the same batch,
    from one pass through the generator; the published code draws a batch of its own for each.

    Args:
        settings: the experiment's.
    """

    def __init__(self, settings: TranslatorSettings):
        super().__init__(settings)
        network, image = settings.network, (None, *self.image_size, self.channels)
        common = {"width": network.width, "momentum": network.norm_momentum}
        self.detector = Detector(keypoints=network.keypoints, softmax=network.softmax, resize=network.resize, **common)
        self.encoder = ImageEncoder(levels=3, **common)
        self.translator = Translator(channels=self.channels, mask=network.mask, resize=network.resize, **common)
        build(self.detector, image)
        build(self.encoder, image)
        self.map_size = tuple(side // 4 for side in self.image_size)
        maps = self.encoder.levels[-1][-1].convolution.filters + network.keypoints * (1 + network.reference_keypoints)
        build(self.translator, (None, *self.map_size, maps))
        self.models = {"detector": self.detector, "encoder": self.encoder, "translator": self.translator}
        self.exported = list(self.models.values())
        if settings.loss.adversarial:
            self.discriminator = ImageDiscriminator(width=settings.discriminator.width)
            build(self.discriminator, image)
            self.models["discriminator"] = self.discriminator
            self.adversaries = ("discriminator",)
        self.perceptual = None

    def plan_optimizers(self):
        generator = [v for network in self.exported for v in network.trainable_variables]
        plan = {"generator": (self.settings.optimizer, generator)}
        if self.adversaries:
            plan["discriminator"] = (self.settings.discriminator_optimizer, self.discriminator.trainable_variables)
        return plan

    def prepare_training(self):
        super().prepare_training()
        if self.settings.loss.perceptual:  # a fixed network, neither trained nor in checkpoints
            with about("loss.perceptual_weights"):
                self.perceptual = perceptual_distance(self.settings.loss.perceptual_weights)

    # ---------------------------------------------------------------- the networks

    def detect(self, frames, training: bool = False):
        return self.detector(frames, training=training)

    def translate(self, frame, keypoints, next_keypoints, training: bool = False):
        *_, features = self.encoder(frame, training=training)
        drawn = [next_keypoints] if not self.settings.network.reference_keypoints else [keypoints, next_keypoints]
        maps = [gaussian_maps(points, self.map_size, self.settings.network.map_sharpness) for points in drawn]
        painted, *masks = self.translator(
            tf.concat([features, *(tf.cast(part, features.dtype) for part in maps)], -1), training=training
        )
        if not masks:
            return {"frame": painted}
        (mask,) = masks
        return {"frame": mask * frame + (1.0 - mask) * painted, "painted": painted, "mask": mask}

    # ---------------------------------------------------------------- training

    def train_step(self, batch):
        frame, truth = self._augmented(batch)
        with tf.GradientTape(persistent=bool(self.adversaries)) as tape:
            keypoints, next_keypoints = tf.split(self.detect(tf.concat([frame, truth], 0), training=True), 2)
            answer = self.translate(frame, keypoints, next_keypoints, training=True)["frame"]
            terms = self._terms(truth, answer)
            if self.adversaries:
                real, generated = tf.split(self.discriminator(tf.concat([truth, answer], 0)), 2)
                terms["adversarial"] = self.settings.loss.adversarial * _cross_entropy(generated, 1.0)
                discriminator_terms = {"real": _cross_entropy(real, 1.0), "generated": _cross_entropy(generated, 0.0)}
        report = self.descend("generator", tape, terms)
        return {**report, **self.descend("discriminator", tape, discriminator_terms)} if self.adversaries else report

    def _augmented(self, batch):
        how = self.settings.augmentation
        frames = to_unit(batch["image"]), to_unit(batch["next_image"])
        if not (how.rotation or how.filters):
            return frames
        draws = draw_uniform(self.settings, batch, StepStream.AUGMENTATION, [DRAWS])
        return augment_pair(*frames, draws, rotation=how.rotation, filters=how.filters)

    def _terms(self, truth, answer) -> dict[str, tf.Tensor]:
        """The weighted errors of each example: name -> [B]. Images in -1..1."""
        terms = {
            "perceptual": lambda: self.perceptual(truth, answer),
            "l1": lambda: mean_per_example(tf.abs(truth - answer)),
            "dssim": lambda: dissimilarity(truth, answer),
        }
        return self.weighted(terms)

    def loss_in_words(self):
        loss = self.settings.loss
        words = {
            "perceptual": f"perceptual error ({perceptual_name(loss.perceptual_weights)})", "l1": "mean absolute error",
            "dssim": "1 - SSIM", "adversarial": "adversarial loss",
        }  # fmt: skip
        trained = " + ".join(f"{getattr(loss, name):g} {text}" for name, text in words.items() if getattr(loss, name))
        return f"trained by {trained}, images in -1..1"


def _cross_entropy(logits, label: float):
    """The mean cross-entropy of each image's logits [B, H, W, 1] with one label for all: [B]."""
    return mean_per_example(tf.nn.sigmoid_cross_entropy_with_logits(tf.fill(tf.shape(logits), label), logits))

"""The image-analogy GAN: generator, discriminator, their losses, and one optimisation step (paper 3.4 and 4.4)."""

from __future__ import annotations

import tensorflow as tf

from analogy.data.batches import step_uniform
from analogy.errors import about
from analogy.joints import JOINTS
from analogy.losses import squared_error
from analogy.models.building import build
from analogy.optimizers import held_variables
from analogy.pretrained.imagenet import feature_network, load_into_encoder, load_vgg16
from analogy.random_streams import StepStream
from analogy.systems.hierarchical import losses
from analogy.systems.hierarchical.networks.analogy import AnalogyGenerator, Discriminator
from analogy.systems.hierarchical.painter import Painter, to_unit
from analogy.systems.hierarchical.settings.analogy_gan import AnalogyGanSettings

# The gradient of a discriminator logit may fall to nothing; the fused step divides by it, hence a floor far below
# anything a float32 sum over the batch would notice.
SMALLEST_LOGIT_GRADIENT = 1e-8
# How many images a discriminator is shown for each example, and the name of the generator's term that answers it.
CASES = {"discriminator": 3, "image_discriminator": 2}
ADVERSARIAL = {"discriminator": "adversarial", "image_discriminator": "image_adversarial"}


class AnalogyGan(Painter):
    """The system of paper 3.4.

    Args:
        settings: the experiment's settings.
    """

    def __init__(self, settings: AnalogyGanSettings):
        super().__init__(settings)
        self.generator = self._build_generator()
        self.discriminators = self._build_discriminators()
        self.models = {"generator": self.generator, **self.discriminators}
        self.exported = [self.generator]
        self.adversaries = tuple(self.discriminators)
        self.features = None

    @property
    def _image_shape(self):
        return (None, *self.image_size, self.channels)

    @property
    def _pose_shape(self):
        return (None, *self.image_size, JOINTS)

    def _build_generator(self) -> AnalogyGenerator:
        shape = self.settings.generator
        generator = AnalogyGenerator(
            depth=shape.depth,
            image_channels=self.channels,
            width=shape.width,
            pose_encoder=shape.pose_encoder,
            maxout=shape.maxout,
            frozen_stages=shape.frozen_stages,
            skip=shape.skip,
            upsampling=shape.upsampling,
            image_range=shape.image_range,
        )
        build(generator, [self._image_shape, self._pose_shape, self._pose_shape])
        return generator

    def _build_discriminators(self) -> dict[str, Discriminator]:
        """Those whose adversarial term has a weight: on (image, p_{t+n}), and on (image, x_t)."""
        loss, judge, shape = self.settings.loss, self.settings.discriminator, self.settings.generator
        conditions = {
            "discriminator": loss.adversarial and self._pose_shape,
            "image_discriminator": loss.image_adversarial and self._image_shape,
        }
        built = {}
        for name, condition in conditions.items():
            if condition:
                built[name] = Discriminator(
                    depth=shape.depth, width=judge.width, maxout=shape.maxout, units=judge.units, name=name
                )
                build(built[name], [self._image_shape, condition, (None, judge.units)])
        return built

    def plan_optimizers(self):
        return {
            name: (getattr(self.settings, f"{name}_optimizer"), model.trainable_variables)
            for name, model in self.models.items()
        }

    def prepare_training(self) -> None:
        super().prepare_training()
        settings, shape = self.settings, self.settings.generator
        if shape.pretrained_stages:
            stages, skipped = shape.pretrained_stages, not shape.pretrained_conv1_1
            with about("generator.pretrained_weights"):
                weights = load_vgg16(shape.pretrained_weights, stages)
                load_into_encoder(self.generator.image_encoder, weights, stages=stages, skip_conv1_1=skipped)
        if settings.loss.feature:  # a constant network, neither trained nor checkpointed
            random = settings.loss.feature_random_conv1_1
            with about("loss.feature_weights"):
                self.features = feature_network(settings.loss.feature_weights, random_conv1_1=random)

    def counted_networks(self):
        """The generator by its parts."""
        generator = self.generator
        parts = {"image_encoder": generator.image_encoder, "pose_encoder": generator.pose_encoder, "decoder": generator.decoder}
        return {name: part for name, part in {**parts, **self.discriminators}.items() if part is not None}

    # ---------------------------------------------------------------- inputs

    def _inputs(self, batch):
        pose = self.pose(batch["joints"], batch["visibility"], batch["crop"])
        next_pose = self.pose(batch["next_joints"], batch["next_visibility"], batch["next_crop"])
        return to_unit(batch["image"]), pose, to_unit(batch["next_image"]), next_pose

    def _dropout_masks(self, batch, passes: int):
        """`passes` masks a example, [passes * b, units], by (seed, step, place in the whole batch): the same on one
        replica as on many, and the same after a resume."""
        rate, units = self.settings.discriminator.dropout, self.settings.discriminator.units
        whole = [passes, self.settings.training.batch_size, units]
        keep = step_uniform(self.settings.seed, batch["step"], StepStream.EXAMPLES, whole) >= rate
        masks = tf.gather(tf.cast(keep, tf.float32) / (1.0 - rate), batch["position"], axis=1)
        return tf.reshape(masks, [-1, units])

    def _masks(self, batch, extra: int = 0) -> dict[str, list]:
        """discriminator -> a dropout mask [b, units] for each of its cases, and `extra` more."""
        counts = {name: CASES[name] + extra for name in self.discriminators}
        if not counts:
            return {}
        total = sum(counts.values())
        masks = iter(tf.split(self._dropout_masks(batch, total), total))
        return {name: [next(masks) for _ in range(count)] for name, count in counts.items()}

    # ---------------------------------------------------------------- losses

    def _generator_terms(self, truth, generated, z) -> dict[str, tf.Tensor]:
        """The generator's weighted terms without the adversarial ones, [b] each."""
        loss = self.settings.loss
        terms = {"l2": loss.l2 * squared_error(truth, generated, domain=loss.l2_domain)}
        if loss.latent:
            latent = self.generator.encode_image(truth)
            z, latent = (z[0], latent[0]) if self.generator.skip else (z, latent)
            terms["latent"] = loss.latent * losses.latent_error(latent, z, relative=loss.latent_relative)
        if loss.feature:
            error = squared_error(self.features(truth), self.features(generated))
            terms["feature"] = loss.feature * error
        return terms

    def _condition(self, name: str, image, next_pose):
        """What a discriminator holds an image against."""
        return image if name == "image_discriminator" else next_pose

    def _cases(self, name: str, image, truth, generated, next_pose):
        """What a discriminator is shown: images and their conditions; real ones, generated ones, mismatches."""
        count = CASES[name]
        images = [truth, generated, image][:count]
        return tf.concat(images, 0), tf.concat([self._condition(name, image, next_pose)] * count, 0)

    def _discriminator_terms(self, name: str, logits) -> dict[str, tf.Tensor]:
        """A discriminator's weighted terms from the logits of its cases, [b] each."""
        loss = self.settings.loss
        if name == "image_discriminator":
            real, generated = tf.split(logits, 2)
            return {"real": losses.log_true(real, guard=loss.guard), "generated": losses.log_false(generated, guard=loss.guard)}
        real, generated, mismatch = tf.split(logits, 3)
        return {
            "real": loss.real * losses.log_true(real, guard=loss.guard),
            "generated": loss.generated * losses.log_false(generated, guard=loss.guard),
            "mismatch": loss.mismatch * losses.log_false(mismatch, guard=loss.guard),
        }

    def _fooled(self, name: str, logits):
        """The generator's weighted adversarial term, from a discriminator's logits of generated images."""
        loss = self.settings.loss
        return getattr(loss, ADVERSARIAL[name]) * losses.log_fooled(logits, guard=loss.guard)

    # ---------------------------------------------------------------- one step

    def train_step(self, batch):
        if self.settings.update == "alternating":
            return self._alternating_step(batch)
        return self._fused_step(batch)

    def _fused_step(self, batch):
        """One forward pass through each network and one backward pass through D serve all updates."""
        image, pose, truth, next_pose = self._inputs(batch)
        with tf.GradientTape() as painting:
            z = self.generator.latent(image, pose, next_pose)
            generated = tf.cast(self.generator.decoder(z), tf.float32)
            generator_terms = self._generator_terms(truth, generated, z)
            loss = self.mean(generator_terms) * self.loss_scale("generator")

        report, adversarial, at_generated = {}, {}, tf.zeros_like(generated)
        for name, masks in self._masks(batch).items():
            terms, fooled, gradient = self._judge(name, image, truth, generated, next_pose, masks)
            report |= self.report(name, terms)
            adversarial[ADVERSARIAL[name]] = fooled
            at_generated += gradient
        gradients = painting.gradient(
            [loss, generated], held_variables(self.optimizers["generator"]), output_gradients=[tf.ones_like(loss), at_generated]
        )
        self.apply_gradients("generator", gradients)
        return {**self.report("generator", {**generator_terms, **adversarial}), **report}

    def _judge(self, name: str, image, truth, generated, next_pose, masks):
        """Update a discriminator, and return its terms, the generator's adversarial term [b], and the gradient of that
        term's mean at the generated images.

        A logit is a scalar per example, so the gradient of any loss at the generated image is d loss / d logit times the
        same d logit / d image: the generator's adversarial gradient is the discriminator's, rescaled per example.
        """
        discriminator, b = self.discriminators[name], tf.shape(generated)[0]
        with tf.GradientTape(persistent=self.scales_loss) as judging:
            judging.watch(generated)
            images, conditions = self._cases(name, image, truth, generated, next_pose)
            logits = discriminator([images, conditions, tf.concat(masks, 0)])  # [cases * b]
        with tf.GradientTape(persistent=True) as small:
            small.watch(logits)
            terms = self._discriminator_terms(name, logits)
            fooled = self._fooled(name, logits[b : 2 * b])
            loss, adversarial = self.mean(terms), self.mean({"": fooled})
        of_generator = small.gradient(adversarial, logits)[b : 2 * b]  # [b]
        of_real, of_generated, of_rest = tf.split(small.gradient(loss, logits), [b, b, -1])
        of_generated = tf.maximum(of_generated, SMALLEST_LOGIT_GRADIENT)
        of_discriminator = tf.concat([of_real, of_generated, of_rest], 0)  # [cases * b]

        variables = held_variables(self.optimizers[name])
        if self.scales_loss:
            # float16 cannot hold the quotient below: the adversarial gradient takes a second backward pass.
            gradients = judging.gradient(logits, variables, of_discriminator * self.loss_scale(name))
            padded = tf.concat([tf.zeros_like(of_real), of_generator, tf.zeros_like(of_rest)], 0) * self.loss_scale("generator")
            at_generated = judging.gradient(logits, generated, padded)
        else:
            gradients, at_generated = judging.gradient(logits, [variables, generated], of_discriminator)
            at_generated *= (of_generator / of_generated)[:, None, None, None]
        self.apply_gradients(name, gradients)
        return terms, fooled, at_generated

    def _alternating_step(self, batch):
        """The original's order (spec 5): the generator first, then each discriminator on a second forward pass of the
        updated generator, every application of D with a dropout mask of its own."""
        image, pose, truth, next_pose = self._inputs(batch)
        masks = self._masks(batch, extra=1)
        with tf.GradientTape() as tape:
            z = self.generator.latent(image, pose, next_pose)
            generated = tf.cast(self.generator.decoder(z), tf.float32)
            terms = self._generator_terms(truth, generated, z)
            for name, discriminator in self.discriminators.items():
                logits = discriminator([generated, self._condition(name, image, next_pose), masks[name][-1]])
                terms[ADVERSARIAL[name]] = self._fooled(name, logits)
        report = self.descend("generator", tape, terms)

        generated = tf.cast(self.generator.decoder(self.generator.latent(image, pose, next_pose)), tf.float32)
        for name, discriminator in self.discriminators.items():
            with tf.GradientTape() as tape:
                images, conditioned = self._cases(name, image, truth, generated, next_pose)
                logits = discriminator([images, conditioned, tf.concat(masks[name][:-1], 0)])
                terms = self._discriminator_terms(name, logits)
            report |= self.descend(name, tape, terms)
        return report

    # ---------------------------------------------------------------- prediction

    def encode(self, frame, joints, visibility, crop):
        return self.generator.encode(to_unit(frame), self.pose(joints, visibility, crop))

    def paint(self, reference, joints, visibility, crop):
        return self.generator.paint(reference, self.pose(joints, visibility, crop))

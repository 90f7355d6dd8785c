"""The image-analogy GAN: generator, discriminators, their losses, and one optimisation step (paper 3.4 and 4.4)."""

from __future__ import annotations

import tensorflow as tf

from analogy.data.batches import dropout_mask, step_uniform
from analogy.errors import about
from analogy.joints import JOINTS
from analogy.losses import squared_error
from analogy.models.building import build
from analogy.models.pixels import to_unit
from analogy.optimizers import held_variables
from analogy.pretrained.feature_networks import feature_network, feature_network_name
from analogy.pretrained.vgg16 import load_into_encoder, load_vgg16, vgg16_name
from analogy.random_streams import StepStream
from analogy.systems.hierarchical import losses
from analogy.systems.hierarchical.networks.analogy import AnalogyGenerator, Discriminator
from analogy.systems.hierarchical.painter import Painter
from analogy.systems.hierarchical.settings.analogy_gan import AnalogyGanSettings

# The fused step divides by the gradient at a discriminator's logit, which may become zero. This lower bound is so small that it
# does not change a float32 sum over the batch.
SMALLEST_LOGIT_GRADIENT = 1e-8
# Discriminator -> number of images that it judges for each example, and -> the name of the generator's adversarial loss term.
CASES = {"discriminator": 3, "image_discriminator": 2}
ADVERSARIAL = {"discriminator": "adversarial", "image_discriminator": "image_adversarial"}


class AnalogyGan(Painter):
    """The image-analogy GAN of paper 3.4. Each optimisation step updates the generator and all discriminators.

    Args:
        settings: the experiment's settings.
    """

    def __init__(self, settings: AnalogyGanSettings):
        super().__init__(settings)
        self._image_shape, self._pose_shape = ((None, *self.image_size, count) for count in (self.channels, JOINTS))
        self.generator = self._build_generator()
        self.discriminators = self._build_discriminators()
        self.models = {"generator": self.generator, **self.discriminators}
        self.exported = [self.generator]
        self.adversaries = tuple(self.discriminators)
        self.features = None

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
        """The discriminators whose adversarial loss has a weight above 0: "discriminator" judges (image, pose p_{t+n}),
        "image_discriminator" judges (image, reference frame x_t)."""
        loss, sizes, shape = self.settings.loss, self.settings.discriminator, self.settings.generator
        conditions = {
            "discriminator": loss.adversarial and self._pose_shape,
            "image_discriminator": loss.image_adversarial and self._image_shape,
        }
        built = {}
        for name, condition in conditions.items():
            if condition:
                built[name] = Discriminator(
                    depth=shape.depth, width=sizes.width, maxout=shape.maxout, units=sizes.units, name=name
                )
                build(built[name], [self._image_shape, condition, (None, sizes.units)])
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
        if settings.loss.feature:  # a fixed network, neither trained nor in checkpoints
            random = settings.loss.feature_random_conv1_1
            with about("loss.feature_weights"):
                self.features = feature_network(settings.loss.feature_weights, random_conv1_1=random)

    def protocol(self, dataset):
        """Also names the weights that others trained."""
        shape, loss = self.settings.generator, self.settings.loss
        notes = [super().protocol(dataset)]
        if shape.pretrained_stages:
            notes.append(
                f"{shape.pretrained_stages} stages of the image encoder start from {vgg16_name(shape.pretrained_weights)}"
            )
        if loss.feature:
            notes.append(f"feature loss by {feature_network_name(loss.feature_weights)}")
        return "; ".join(notes)

    def counted_networks(self):
        """The parts of the generator, and the discriminators."""
        generator = self.generator
        parts = {"image_encoder": generator.image_encoder, "pose_encoder": generator.pose_encoder, "decoder": generator.decoder}
        return {name: part for name, part in {**parts, **self.discriminators}.items() if part is not None}

    # ---------------------------------------------------------------- inputs

    def _inputs(self, batch):
        """x_t [b, H, W, C], p_t [b, H, W, 13], x_{t+n}, p_{t+n}, all in -1..1."""
        pose = self.pose(batch["joints"], batch["visibility"], batch["crop"])
        next_pose = self.pose(batch["next_joints"], batch["next_visibility"], batch["next_crop"])
        return to_unit(batch["image"]), pose, to_unit(batch["next_image"]), next_pose

    def _dropout_masks(self, batch, passes: int):
        """`passes` dropout masks for each example: [passes * b, units].

        A mask depends only on the seed, the step, and the example's position in the whole batch. So it is the same on one
        replica as on many, and the same after a resume.
        """
        rate, units = self.settings.discriminator.dropout, self.settings.discriminator.units
        whole = [passes, self.settings.training.batch_size, units]
        draws = step_uniform(self.settings.seed, batch["step"], StepStream.EXAMPLES, whole)
        return tf.reshape(tf.gather(dropout_mask(draws, rate), batch["position"], axis=1), [-1, units])

    def _masks(self, batch, extra: int = 0) -> dict[str, list]:
        """Discriminator name -> a list of dropout masks [b, units]: one for each of its CASES, and `extra` more."""
        counts = {name: CASES[name] + extra for name in self.discriminators}
        if not counts:
            return {}
        total = sum(counts.values())
        masks = iter(tf.split(self._dropout_masks(batch, total), total))
        return {name: [next(masks) for _ in range(count)] for name, count in counts.items()}

    # ---------------------------------------------------------------- losses

    def _generator_terms(self, truth, generated, z) -> dict[str, tf.Tensor]:
        """The generator's weighted loss terms except the adversarial ones: name -> [b]. truth, generated: x_{t+n} and its
        prediction [b, H, W, C] in -1..1. z: the generator's latent."""
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
        """The condition that a discriminator gets together with an image: x_t or p_{t+n}, [b, H, W, C]."""
        return image if name == "image_discriminator" else next_pose

    def _cases(self, name: str, image, truth, generated, next_pose):
        """A discriminator's inputs: images [cases * b, H, W, C], and their conditions. First the real images, then the
        generated ones, then (only "discriminator") the mismatches: x_t with the pose p_{t+n}."""
        count = CASES[name]
        images = [truth, generated, image][:count]
        return tf.concat(images, 0), tf.concat([self._condition(name, image, next_pose)] * count, 0)

    def _discriminator_terms(self, name: str, logits) -> dict[str, tf.Tensor]:
        """A discriminator's weighted loss terms: name -> [b]. logits: [cases * b], in the order of `_cases`."""
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

    def _adversarial_term(self, name: str, logits):
        """The generator's weighted adversarial loss [b], from a discriminator's logits [b] of generated images."""
        loss = self.settings.loss
        return getattr(loss, ADVERSARIAL[name]) * losses.log_fooled(logits, guard=loss.guard)

    # ---------------------------------------------------------------- one step

    def train_step(self, batch):
        if self.settings.update == "alternating":
            return self._alternating_step(batch)
        return self._fused_step(batch)

    def _fused_step(self, batch):
        """Update all networks with one forward pass through each, and one backward pass through each discriminator."""
        image, pose, truth, next_pose = self._inputs(batch)
        with tf.GradientTape() as generator_tape:
            z = self.generator.latent(image, pose, next_pose)
            generated = tf.cast(self.generator.decoder(z), tf.float32)
            generator_terms = self._generator_terms(truth, generated, z)
            loss = self.mean(generator_terms) * self.loss_scale("generator")

        report, adversarial, image_gradient = {}, {}, tf.zeros_like(generated)
        for name, masks in self._masks(batch).items():
            terms, adversarial_term, gradient = self._update_discriminator(name, image, truth, generated, next_pose, masks)
            report |= self.report(name, terms)
            adversarial[ADVERSARIAL[name]] = adversarial_term
            image_gradient += gradient
        gradients = generator_tape.gradient(
            [loss, generated],
            held_variables(self.optimizers["generator"]),
            output_gradients=[tf.ones_like(loss), image_gradient],
        )
        self.apply_gradients("generator", gradients)
        return {**self.report("generator", {**generator_terms, **adversarial}), **report}

    def _update_discriminator(self, name: str, image, truth, generated, next_pose, masks):
        """Update one discriminator, and compute the gradient that the generator needs.

        A logit is one number per example. By the chain rule, the gradient of any loss at a generated image is
        d loss / d logit times d logit / d image. So the generator's adversarial gradient is the gradient of the
        discriminator's own loss, rescaled for each example: one backward pass gives both.

        Returns:
            the discriminator's loss terms (name -> [b]), the generator's adversarial loss [b], and the gradient of its mean at
            the generated images [b, H, W, C].
        """
        discriminator, b = self.discriminators[name], tf.shape(generated)[0]
        with tf.GradientTape(persistent=self.scales_loss) as tape:
            tape.watch(generated)
            images, conditions = self._cases(name, image, truth, generated, next_pose)
            logits = discriminator([images, conditions, tf.concat(masks, 0)])  # [cases * b]
        with tf.GradientTape(persistent=True) as logit_tape:
            logit_tape.watch(logits)
            terms = self._discriminator_terms(name, logits)
            adversarial_term = self._adversarial_term(name, logits[b : 2 * b])
            loss, adversarial = self.mean(terms), self.mean({"": adversarial_term})
        # Gradients at the logits: of the generator's adversarial loss [b], and of the discriminator's loss [cases * b].
        adversarial_slope = logit_tape.gradient(adversarial, logits)[b : 2 * b]
        real_slope, generated_slope, mismatch_slope = tf.split(logit_tape.gradient(loss, logits), [b, b, -1])
        generated_slope = tf.maximum(generated_slope, SMALLEST_LOGIT_GRADIENT)
        slope = tf.concat([real_slope, generated_slope, mismatch_slope], 0)

        variables = held_variables(self.optimizers[name])
        if self.scales_loss:
            # float16 cannot represent the quotient below, so the adversarial gradient takes a second backward pass.
            gradients = tape.gradient(logits, variables, slope * self.loss_scale(name))
            padded = tf.concat([tf.zeros_like(real_slope), adversarial_slope, tf.zeros_like(mismatch_slope)], 0)
            image_gradient = tape.gradient(logits, generated, padded * self.loss_scale("generator"))
        else:
            gradients, image_gradient = tape.gradient(logits, [variables, generated], slope)
            image_gradient *= (adversarial_slope / generated_slope)[:, None, None, None]
        self.apply_gradients(name, gradients)
        return terms, adversarial_term, image_gradient

    def _alternating_step(self, batch):
        """Update in the original's order: first the generator, then each discriminator, on images that the updated
        generator makes in a second forward pass. Each call of a discriminator has its own dropout mask."""
        image, pose, truth, next_pose = self._inputs(batch)
        masks = self._masks(batch, extra=1)
        with tf.GradientTape() as tape:
            z = self.generator.latent(image, pose, next_pose)
            generated = tf.cast(self.generator.decoder(z), tf.float32)
            terms = self._generator_terms(truth, generated, z)
            for name, discriminator in self.discriminators.items():
                logits = discriminator([generated, self._condition(name, image, next_pose), masks[name][-1]])
                terms[ADVERSARIAL[name]] = self._adversarial_term(name, logits)
        report = self.descend("generator", tape, terms)

        generated = tf.cast(self.generator.decoder(self.generator.latent(image, pose, next_pose)), tf.float32)
        for name, discriminator in self.discriminators.items():
            with tf.GradientTape() as tape:
                images, conditions = self._cases(name, image, truth, generated, next_pose)
                logits = discriminator([images, conditions, tf.concat(masks[name][:-1], 0)])
                terms = self._discriminator_terms(name, logits)
            report |= self.descend(name, tape, terms)
        return report

    # ---------------------------------------------------------------- prediction

    def encode(self, frame, joints, visibility, crop):
        return self.generator.encode(to_unit(frame), self.pose(joints, visibility, crop))

    def paint(self, reference, joints, visibility, crop):
        return self.generator.paint(reference, self.pose(joints, visibility, crop))

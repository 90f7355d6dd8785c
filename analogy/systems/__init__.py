"""The trainable methods, by the name a YAML file gives as `system:`."""

from analogy.systems.analogy_gan import AnalogyGan
from analogy.systems.analogy_masked import AnalogyMasked
from analogy.systems.base import Panels, PredictedClip, System

SYSTEMS: dict[str, type[System]] = {"analogy_gan": AnalogyGan, "analogy_masked": AnalogyMasked}

__all__ = ["SYSTEMS", "Panels", "PredictedClip", "System"]

"""The Penn Action dataset: preparation and opening."""

from data_prep.penn_action.source import PennActionSource, prepare_penn_action

__all__ = ["PennActionSource", "prepare_penn_action"]

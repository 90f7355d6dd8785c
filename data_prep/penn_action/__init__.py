"""Preparation of the Penn Action data set."""

from data_prep.penn_action.prepare import prepare_penn_action

__all__ = ["prepare_penn_action"]

"""Poses from pictures: off-the-shelf TensorFlow Lite estimators, tracking, smoothing."""

"""Poses from pictures: off-the-shelf TensorFlow Lite estimators, tracking, smoothing."""

# Estimators by name, with patterns of the official file names; `analogy.systems.hierarchical.estimation.tflite` opens them.
ESTIMATORS = {
    "movenet": ("*movenet*singlepose*.tflite",),
    "blazepose": ("*pose_landmark*.tflite", "*pose_detection*.tflite"),
}

"""Runs that computed in bfloat16, as they do where the processor can, go to runtimes that have no such numbers."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from analogy.errors import UserError
from analogy.runs.export import export_saved_model
from analogy.settings import find_experiment, load_settings
from analogy.settings.loading import write_settings
from analogy.systems import SYSTEMS
from analogy.training.in_float32 import in_float32
from analogy.training.precision import use_precision

TINY = ("data.image_size=32", "network.keypoints=3", "network.detector_widths=[4]", "network.widths=[4]")


@pytest.fixture
def run(tmp_path):
    settings = load_settings(find_experiment("keypoints_plus"), SYSTEMS, scale="demo", overrides=TINY)
    keras.utils.set_random_seed(0)
    with use_precision("bfloat16"):
        export_saved_model(SYSTEMS[settings.system].build(settings), tmp_path / "run" / "saved_model")
    write_settings(settings, tmp_path / "run" / "settings.yaml")
    summary = {"system": settings.system, "status": "finished", "precision": "bfloat16"}
    (tmp_path / "run" / "summary.json").write_text(json.dumps(summary))
    return tmp_path / "run"


def convolutions(loaded):
    """The types of numbers in which an endpoint computes its convolutions."""
    graph = loaded.signatures["detect"].graph.as_graph_def()
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    return {tf.as_dtype(node.attr["T"].type) for node in nodes if node.op == "Conv2D"}


@pytest.mark.slow
def test_the_same_weights_compute_in_float32(run, capsys):
    frames = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    saved = tf.saved_model.load(str(run / "saved_model"))
    with in_float32(run) as model:
        exact = tf.saved_model.load(str(model))
    assert tf.bfloat16 in convolutions(saved) and convolutions(exact) == {tf.float32}
    points, others = (loaded.detect(frames=tf.constant(frames))["keypoints"] for loaded in (saved, exact))
    np.testing.assert_allclose(points, others, atol=0.05)
    said = capsys.readouterr().out
    assert said == f"{run}: it computes in bfloat16, which other runtimes lack; its weights are taken in float32\n"
    assert not model.exists()


def test_a_run_in_float32_is_taken_as_it_is_and_other_networks_are_refused(run):
    settings = (run / "settings.yaml").read_text()
    (run / "settings.yaml").write_text(settings.replace("keypoints: 3", "keypoints: 4"))
    with pytest.raises(UserError, match="its networks do not fit"), in_float32(run):
        pass
    summary = json.loads((run / "summary.json").read_text())
    (run / "summary.json").write_text(json.dumps({**summary, "precision": "float32"}))
    with in_float32(run) as model:
        assert model == run

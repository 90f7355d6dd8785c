"""The interface `Predictor`, and the three classes that implement it."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from analogy.evaluation.contract import Predictor
from analogy.evaluation.videos import Videos
from analogy.settings import find_experiment, load_settings
from analogy.systems import SYSTEMS
from analogy.systems.hierarchical.pipeline_evaluation import PipelinePredictor


def system():
    settings = load_settings(find_experiment("seq2seq_sins_l1"), SYSTEMS, scale="demo")
    return SYSTEMS["seq2seq"].build(settings)


@pytest.mark.parametrize("make", [system, lambda: Videos(1), lambda: PipelinePredictor(None, Path("."), None, 3)])
def test_systems_videos_and_pipelines_offer_what_evaluation_asks(make):
    assert isinstance(make(), Predictor)


@pytest.mark.parametrize("missing", ["pooled", "paints", "published", "predict_clips", "protocol"])
def test_one_member_less_is_no_predictor(missing):
    members = dict.fromkeys(["pooled", "paints", "published", "predict_clips", "protocol"], lambda dataset: None)
    assert isinstance(SimpleNamespace(**members), Predictor)
    del members[missing]
    assert not isinstance(SimpleNamespace(**members), Predictor)
